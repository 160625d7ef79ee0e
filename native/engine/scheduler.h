#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <vector>

#include "engine/prefix_tree.h"
#include "engine/request.h"
#include "model/model.h"

namespace spct {

// One step for the model, to be done in this order: clear, removals, copies, decode.
struct Plan {
  bool clear = false;
  std::vector<SequenceRemoval> removals;
  std::vector<SequenceCopy> copies;
  std::vector<BatchToken> batch;
  std::vector<Draw> draws;
  std::vector<HeadScore> heads;
};

struct SchedulerStats {
  int64_t prompt_tokens = 0;           // of all prompts, every ordering counted whole
  int64_t prompt_tokens_computed = 0;  // prompt tokens that went through the model
  int64_t generated_tokens = 0;
  int64_t steps = 0;
  int64_t preemptions = 0;
  int32_t active_samples = 0;
  int32_t waiting_samples = 0;
  int64_t cells_reserved = 0;
};

// Throws Error INVALID_REQUEST, CONTEXT_OVERFLOW or NO_HEAD when the model could never serve the request.
void validate(const GroupRequest& request, const ModelLimits& limits);

// Decides what the model computes next. Pure: no model, no clock, no input or output; the same calls give the same
// plans.
//
// A prompt takes a sequence of its own and each of its tokens is computed once, by the first prompt that has it; its
// samples fork from it. A sample is admitted when its whole budget fits, first come first served. Every step decodes
// all admitted samples and fills the rest of the batch with prompt tokens.
//
// With a prefix cache a prompt outlives its samples, so that later prompts fork from it. Such prompts give way, the
// least recently used first, to whatever needs their cells or sequences.
class Scheduler {
 public:
  Scheduler(const ModelLimits& limits, const TokenText& text);
  ~Scheduler();

  // Throws what validate() throws; then nothing was added.
  void add(GroupRequest request);
  void cancel(int64_t group);

  // To be carried out even when the batch is empty. A plan with a batch is answered by one of the three calls below.
  Plan plan();
  void commit(const Plan& plan);  // decoded; draws and heads carry their results
  void no_space();                // the model had no free cell: cached prompts go, else the youngest sample waits
  void fail(const std::string& code, const std::string& message);  // every admitted sample ends with this error

  // Forgets the prompts that nothing uses.
  void drop_cache();

  // What of the plan to come can be forgotten already: no batch, nothing to answer.
  Plan tidy();

  // Samples that ended since the last call.
  std::vector<SampleResult> take_results();

  bool idle() const { return groups_.empty(); }
  SchedulerStats stats() const;

 private:
  struct Group;
  struct Prompt;
  struct Sample;
  struct Flight;

  void admit();
  bool admit(Sample& sample);
  void plan_samples(Plan& plan);
  void plan_prompts(Plan& plan);
  bool start(Prompt& prompt, Plan& plan);
  void received(Sample& sample, const Draw& draw);
  void finish(Sample& sample, FinishReason reason);
  void finish_with_error(Sample& sample, const std::string& code, const std::string& message);
  void give_up_cells(Sample& sample);
  void release(Prompt& prompt);
  void release_sources();
  void erase(Prompt& prompt);
  bool evict(int32_t spared_sequence);
  void forget_sequence(int32_t sequence);
  int32_t take_sequence();
  Prompt& prompt_at(int32_t sequence);
  int64_t cells_reserved() const { return tree_.size() + reserved_for_samples_; }

  ModelLimits limits_;
  const TokenText& text_;
  PrefixTree tree_;
  std::list<std::unique_ptr<Group>> groups_;      // oldest first
  std::vector<std::unique_ptr<Prompt>> prompts_;  // in order of admission
  std::deque<Sample*> waiting_;                   // first come first served
  std::vector<Sample*> active_;                   // in order of admission
  std::vector<int32_t> free_sequences_;
  std::vector<SequenceRemoval> removals_;           // for the next plan
  std::vector<Flight> flights_;                     // what the plan in progress computes
  std::vector<Prompt*> used_sources_;               // to be released when the plan has been carried out
  std::vector<Sample*> draw_owners_, head_owners_;  // of Plan::draws and Plan::heads
  std::vector<SampleResult> results_;
  SchedulerStats stats_;
  int64_t reserved_for_samples_ = 0;
  int64_t capacity_;          // cells; less than the limit after the model ran out of them
  bool memory_used_ = false;  // since it was last cleared
  int64_t releases_ = 0;
};

}  // namespace spct
