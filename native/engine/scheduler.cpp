#include "engine/scheduler.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "error.h"

namespace spct {

struct Scheduler::Sample {
  Sample(Group& owner, int32_t at) : group(owner), index(at) {}

  Group& group;
  int32_t index;
  int32_t budget = 0;
  Prompt* prompt = nullptr;  // null while waiting
  int32_t sequence = -1;
  bool forked = false;
  int32_t computed = 0;  // generated tokens that are in the KV cache
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;
  std::string text;
  std::optional<StopMatcher> matcher;
  std::optional<FinishReason> ended;  // set: nothing more is drawn, the head's value is awaited
  std::optional<float> meta;

  const SampleSpec& spec() const;
  Draw next_draw(int32_t row) const;
};

struct Scheduler::Prompt {
  std::vector<int32_t> tokens;
  int32_t sequence = -1;
  int32_t computed = 0;      // tokens that are in the KV cache
  int32_t users = 0;         // admitted samples, and prompts that will fork from this one; none: kept for later ones
  int64_t last_release = 0;  // of the scheduler's count
  Prompt* source = nullptr;  // whose first `shared` tokens are forked before this prompt starts
  int32_t shared = 0;
  std::vector<Sample*> first_draws;          // samples that take their first token from the last row
  std::shared_ptr<int64_t> tokens_computed;  // of the group that brought the prompt, or took it from the cache

  int32_t length() const { return static_cast<int32_t>(tokens.size()); }
};

struct Scheduler::Group {
  GroupRequest request;
  std::vector<std::unique_ptr<Sample>> samples;
  size_t unfinished = 0;
  std::shared_ptr<int64_t> prompt_tokens_computed = std::make_shared<int64_t>(0);
};

const SampleSpec& Scheduler::Sample::spec() const { return group.request.samples[index]; }

Draw Scheduler::Sample::next_draw(int32_t row) const {
  const auto& continuation = spec().continuation;
  const size_t step = tokens.size();
  const int32_t forced = continuation.empty() ? -1 : continuation[step];
  return {row, group.request.sampling, spec().seed, static_cast<uint32_t>(step), group.request.logprobs, forced};
}

struct Scheduler::Flight {
  Prompt* prompt;  // or
  Sample* sample;
  int32_t count;
};

Scheduler::Scheduler(const ModelLimits& limits, const TokenText& text)
    : limits_(limits), text_(text), capacity_(limits.cells) {
  for (int32_t sequence = limits.max_sequences - 1; sequence >= 0; --sequence) free_sequences_.push_back(sequence);
}

Scheduler::~Scheduler() = default;

void validate(const GroupRequest& request, const ModelLimits& limits) {
  const auto invalid = [](const std::string& message) { throw Error("INVALID_REQUEST", message); };
  const auto check_tokens = [&](const std::vector<int32_t>& tokens) {
    for (const int32_t token : tokens) {
      if (token >= 0 && token < limits.vocabulary) continue;
      invalid("Expected tokens below " + std::to_string(limits.vocabulary) + " but received " + std::to_string(token));
    }
  };
  if (request.samples.empty()) invalid("Expected at least one sample but received none");
  if (request.max_tokens < 0) {
    invalid("Expected a number that is not negative for maxTokens but received " + std::to_string(request.max_tokens));
  }
  for (const auto& prompt : request.prompts) {
    if (prompt.empty()) invalid("Expected tokens in every prompt but received an empty one");
    check_tokens(prompt);
  }
  for (const auto& sample : request.samples) {
    if (sample.prompt < 0 || sample.prompt >= static_cast<int32_t>(request.prompts.size())) {
      invalid("Expected the index of a prompt for a sample but received " + std::to_string(sample.prompt));
    }
    check_tokens(sample.continuation);
    if (sample.continuation.empty() && request.max_tokens == 0 && !limits.has_head) {
      throw Error("NO_HEAD", "Expected a model with a head for maxTokens 0 but this one has none");
    }
    const size_t prompt = request.prompts[sample.prompt].size();
    const size_t drawn = request.max_tokens > 0 ? 1 : 0;
    const size_t least = sample.continuation.empty() ? drawn : sample.continuation.size();
    if (prompt + least > static_cast<size_t>(limits.cells_per_sequence)) {
      throw Error("CONTEXT_OVERFLOW", "context of " + std::to_string(limits.cells_per_sequence) +
                                          " tokens, the prompt has " + std::to_string(prompt) +
                                          " and the answer at least " + std::to_string(least));
    }
  }
}

void Scheduler::add(GroupRequest request) {
  validate(request, limits_);
  for (const auto& prompt : request.prompts) stats_.prompt_tokens += static_cast<int64_t>(prompt.size());
  auto group = std::make_unique<Group>();
  group->request = std::move(request);
  group->unfinished = group->request.samples.size();
  for (size_t i = 0; i < group->request.samples.size(); ++i) {
    auto sample = std::make_unique<Sample>(*group, static_cast<int32_t>(i));
    const auto length = static_cast<int32_t>(group->request.prompts[group->request.samples[i].prompt].size());
    const auto forced = static_cast<int32_t>(group->request.samples[i].continuation.size());
    sample->budget = forced > 0 ? forced : std::min(group->request.max_tokens, limits_.cells_per_sequence - length);
    if (sample->budget == 0) sample->ended = FinishReason::length;
    if (group->request.stop && forced == 0) sample->matcher.emplace(*group->request.stop, group->request.skip);
    group->samples.push_back(std::move(sample));
  }
  for (const auto& sample : group->samples) waiting_.push_back(sample.get());
  groups_.push_back(std::move(group));
}

void Scheduler::cancel(int64_t id) {
  const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const auto& g) { return g->request.id == id; });
  if (found == groups_.end()) return;
  std::vector<Sample*> unfinished;
  const auto mine = [&](const Sample* sample) { return &sample->group == found->get(); };
  std::copy_if(active_.begin(), active_.end(), std::back_inserter(unfinished), mine);
  std::copy_if(waiting_.begin(), waiting_.end(), std::back_inserter(unfinished), mine);
  for (Sample* sample : unfinished) finish(*sample, FinishReason::cancelled);
}

Plan Scheduler::tidy() {
  Plan plan;
  if (prompts_.empty() && memory_used_) {
    plan.clear = true;
    removals_.clear();
    memory_used_ = false;
  }
  plan.removals = std::exchange(removals_, {});
  return plan;
}

Plan Scheduler::plan() {
  Plan plan = tidy();
  flights_.clear();
  draw_owners_.clear();
  head_owners_.clear();
  if (active_.empty()) capacity_ = limits_.cells;
  admit();
  std::move(removals_.begin(), removals_.end(), std::back_inserter(plan.removals));
  removals_.clear();
  plan_samples(plan);
  plan_prompts(plan);
  if (!plan.batch.empty()) {
    memory_used_ = true;
    ++stats_.steps;
  }
  return plan;
}

void Scheduler::admit() {
  while (!waiting_.empty() && admit(*waiting_.front())) waiting_.pop_front();
}

bool Scheduler::admit(Sample& sample) {
  const auto& tokens = sample.group.request.prompts[sample.spec().prompt];
  int32_t known;
  PrefixTree::Match match;
  while (true) {
    known = tree_.find(tokens);
    match = known >= 0 ? PrefixTree::Match{} : tree_.longest(tokens);
    const size_t sequences = known >= 0 ? 1 : 2;
    const int64_t fresh = known >= 0 ? 0 : static_cast<int64_t>(tokens.size()) - match.length;
    if (free_sequences_.size() >= sequences && cells_reserved() + fresh + sample.budget <= capacity_) break;
    if (!evict(known >= 0 ? known : match.sequence)) return false;
  }

  Prompt* prompt = known >= 0 ? &prompt_at(known) : nullptr;
  if (!prompt) {
    auto added = std::make_unique<Prompt>();
    prompt = added.get();
    prompt->tokens = tokens;
    prompt->sequence = take_sequence();
    // The last token is always computed by the prompt itself: its row gives the samples' first tokens.
    prompt->shared = std::min(match.length, prompt->length() - 1);
    if (prompt->shared > 0) {
      prompt->source = &prompt_at(match.sequence);
      ++prompt->source->users;
    }
    tree_.insert(tokens, prompt->sequence);
    prompts_.push_back(std::move(added));
  }
  if (prompt->users++ == 0) prompt->tokens_computed = sample.group.prompt_tokens_computed;
  sample.prompt = prompt;
  sample.sequence = take_sequence();
  reserved_for_samples_ += sample.budget;
  if (sample.tokens.empty()) prompt->first_draws.push_back(&sample);
  active_.push_back(&sample);
  return true;
}

// Rows that continue samples: the token drawn last, or all of them after a preemption.
void Scheduler::plan_samples(Plan& plan) {
  for (Sample* sample : active_) {
    Prompt& prompt = *sample->prompt;
    const auto pending = static_cast<int32_t>(sample->tokens.size()) - sample->computed;
    const int32_t room = limits_.batch_tokens - static_cast<int32_t>(plan.batch.size());
    if (room == 0) return;
    if (pending == 0 || prompt.computed < prompt.length()) continue;
    if (!sample->forked) {
      plan.copies.push_back({prompt.sequence, sample->sequence, prompt.length()});
      sample->forked = true;
    }
    const int32_t count = std::min(pending, room);
    for (int32_t i = sample->computed; i < sample->computed + count; ++i) {
      plan.batch.push_back({sample->tokens[i], prompt.length() + i, sample->sequence, false});
    }
    flights_.push_back({nullptr, sample, count});
    if (count < pending) continue;
    plan.batch.back().output = true;
    const auto row = static_cast<int32_t>(plan.draws.size() + plan.heads.size());
    if (sample->ended) {
      plan.heads.push_back({row});
      head_owners_.push_back(sample);
    } else {
      plan.draws.push_back(sample->next_draw(row));
      draw_owners_.push_back(sample);
    }
  }
}

void Scheduler::plan_prompts(Plan& plan) {
  auto rows = static_cast<int32_t>(plan.draws.size() + plan.heads.size());
  for (const auto& prompt : prompts_) {
    const int32_t room = limits_.batch_tokens - static_cast<int32_t>(plan.batch.size());
    if (room == 0) return;
    if (prompt->computed == prompt->length()) {
      if (prompt->first_draws.empty()) continue;
      // Samples were admitted after the last row had been computed: it is computed again for them, but not in a step
      // that forks the whole prompt.
      const auto forks_it = [&](const SequenceCopy& copy) { return copy.from == prompt->sequence; };
      if (std::any_of(plan.copies.begin(), plan.copies.end(), forks_it)) continue;
      plan.removals.push_back({prompt->sequence, prompt->length() - 1});
      prompt->computed = prompt->length() - 1;
    } else if (prompt->source && !start(*prompt, plan)) {
      continue;
    }
    const int32_t count = std::min(prompt->length() - prompt->computed, room);
    for (int32_t i = prompt->computed; i < prompt->computed + count; ++i) {
      plan.batch.push_back({prompt->tokens[i], i, prompt->sequence, false});
    }
    flights_.push_back({prompt.get(), nullptr, count});
    if (prompt->computed + count < prompt->length() || prompt->first_draws.empty()) continue;
    plan.batch.back().output = true;
    for (Sample* sample : prompt->first_draws) {
      if (sample->ended) {
        plan.heads.push_back({rows});
        head_owners_.push_back(sample);
      } else {
        plan.draws.push_back(sample->next_draw(rows));
        draw_owners_.push_back(sample);
      }
    }
    ++rows;
  }
}

// Forks the shared prefix once the other prompt has computed it. That one is kept until the copy has been made.
bool Scheduler::start(Prompt& prompt, Plan& plan) {
  if (prompt.source->computed < prompt.shared) return false;
  plan.copies.push_back({prompt.source->sequence, prompt.sequence, prompt.shared});
  prompt.computed = prompt.shared;
  used_sources_.push_back(std::exchange(prompt.source, nullptr));
  return true;
}

void Scheduler::commit(const Plan& plan) {
  release_sources();
  for (const Flight& flight : flights_) {
    if (flight.prompt) {
      flight.prompt->computed += flight.count;
      *flight.prompt->tokens_computed += flight.count;
      stats_.prompt_tokens_computed += flight.count;
    } else {
      flight.sample->computed += flight.count;
    }
  }
  for (size_t i = 0; i < plan.heads.size(); ++i) {
    Sample& sample = *head_owners_[i];
    sample.meta = plan.heads[i].value;
    finish(sample, *sample.ended);
  }
  for (size_t i = 0; i < plan.draws.size(); ++i) received(*draw_owners_[i], plan.draws[i]);
}

void Scheduler::received(Sample& sample, const Draw& draw) {
  if (sample.tokens.empty()) {
    auto& queue = sample.prompt->first_draws;
    queue.erase(std::find(queue.begin(), queue.end(), &sample));
  }
  if (draw.token < 0) {
    finish_with_error(sample, "NUMERICAL_FAILURE", "the model's logits are not finite");
    return;
  }
  const std::string& piece = text_.piece(draw.token);
  sample.tokens.push_back(draw.token);
  sample.text += piece;
  if (sample.group.request.logprobs) sample.logprobs.push_back(draw.logprob);
  if (draw.forced < 0) ++stats_.generated_tokens;

  std::optional<FinishReason> reason;
  if (draw.forced < 0 && text_.ends_generation(draw.token)) {
    reason = FinishReason::eos;
  } else if (sample.matcher && sample.matcher->feed(piece)) {
    reason = FinishReason::stop;
  } else if (static_cast<int32_t>(sample.tokens.size()) >= sample.budget) {
    reason = FinishReason::length;
  }
  if (!reason) return;
  if (limits_.has_head) {
    sample.ended = reason;  // the state after the last token needs one more row
  } else {
    finish(sample, *reason);
  }
}

void Scheduler::no_space() {
  release_sources();
  if (evict(-1)) return drop_cache();
  const auto victim = std::find_if(active_.rbegin(), active_.rend(), [](const Sample* s) { return s->forked; });
  if (active_.size() < 2 || victim == active_.rend()) {
    fail("KV_CACHE_FULL", "the KV cache of " + std::to_string(limits_.cells) + " tokens is full");
    return;
  }
  Sample& sample = **victim;
  give_up_cells(sample);
  capacity_ = cells_reserved();
  waiting_.push_front(&sample);
  ++stats_.preemptions;
}

void Scheduler::fail(const std::string& code, const std::string& message) {
  release_sources();
  for (Sample* sample : std::vector<Sample*>(active_)) finish_with_error(*sample, code, message);
  drop_cache();
}

void Scheduler::finish_with_error(Sample& sample, const std::string& code, const std::string& message) {
  finish(sample, FinishReason::error);
  results_.back().error_code = code;
  results_.back().error_message = message;
}

void Scheduler::finish(Sample& sample, FinishReason reason) {
  if (sample.prompt) {
    give_up_cells(sample);
  } else {
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), &sample));
  }
  Group& group = sample.group;
  SampleResult result;
  result.group = group.request.id;
  result.sample = sample.index;
  result.text = std::move(sample.text);
  result.tokens = std::move(sample.tokens);
  result.logprobs = std::move(sample.logprobs);
  result.reason = reason;
  result.meta = sample.meta;
  result.last_of_group = --group.unfinished == 0;
  result.prompt_tokens_computed = *group.prompt_tokens_computed;
  results_.push_back(std::move(result));
  if (group.unfinished > 0) return;
  groups_.erase(std::find_if(groups_.begin(), groups_.end(), [&](const auto& g) { return g.get() == &group; }));
}

// Takes a sample out of the running ones; what it has written stays.
void Scheduler::give_up_cells(Sample& sample) {
  active_.erase(std::find(active_.begin(), active_.end(), &sample));
  forget_sequence(sample.sequence);
  reserved_for_samples_ -= sample.budget;
  Prompt& prompt = *sample.prompt;
  auto& queue = prompt.first_draws;
  queue.erase(std::remove(queue.begin(), queue.end(), &sample), queue.end());
  sample.prompt = nullptr;
  sample.sequence = -1;
  sample.forked = false;
  sample.computed = 0;
  release(prompt);
}

void Scheduler::release(Prompt& prompt) {
  if (--prompt.users > 0) return;
  prompt.last_release = ++releases_;
  Prompt* source = prompt.source;
  if (limits_.prefix_cache_tokens == 0 || prompt.computed < prompt.length()) erase(prompt);
  while (tree_.size() > limits_.prefix_cache_tokens && evict(-1)) continue;
  if (source) release(*source);
}

void Scheduler::erase(Prompt& prompt) {
  tree_.erase(prompt.tokens);
  forget_sequence(prompt.sequence);
  prompts_.erase(std::find_if(prompts_.begin(), prompts_.end(), [&](const auto& p) { return p.get() == &prompt; }));
}

// Erases the least recently used of the prompts that nothing uses; the spared one only when there is no other.
bool Scheduler::evict(int32_t spared_sequence) {
  const auto rank = [&](const Prompt& prompt) {
    return std::make_pair(prompt.sequence == spared_sequence, prompt.last_release);
  };
  Prompt* oldest = nullptr;
  for (const auto& prompt : prompts_) {
    if (prompt->users == 0 && (!oldest || rank(*prompt) < rank(*oldest))) oldest = prompt.get();
  }
  if (oldest) erase(*oldest);
  return oldest != nullptr;
}

void Scheduler::drop_cache() {
  while (evict(-1)) continue;
}

// The copies of the plan that was carried out have been made.
void Scheduler::release_sources() {
  for (Prompt* source : std::exchange(used_sources_, {})) release(*source);
}

void Scheduler::forget_sequence(int32_t sequence) {
  removals_.push_back({sequence, 0});
  free_sequences_.push_back(sequence);
}

int32_t Scheduler::take_sequence() {
  const int32_t sequence = free_sequences_.back();
  free_sequences_.pop_back();
  return sequence;
}

Scheduler::Prompt& Scheduler::prompt_at(int32_t sequence) {
  return **std::find_if(prompts_.begin(), prompts_.end(), [&](const auto& p) { return p->sequence == sequence; });
}

std::vector<SampleResult> Scheduler::take_results() { return std::exchange(results_, {}); }

SchedulerStats Scheduler::stats() const {
  SchedulerStats stats = stats_;
  stats.active_samples = static_cast<int32_t>(active_.size());
  stats.waiting_samples = static_cast<int32_t>(waiting_.size());
  stats.cells_reserved = cells_reserved();
  return stats;
}

}  // namespace spct
