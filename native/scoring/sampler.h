#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scoring/mass_cut.h"
#include "scoring/random.h"

namespace spct {

enum class ChainOrder : uint8_t {
  temperature_first,  // temperature, top-k, top-p, min-p (Hugging Face, vLLM)
  temperature_last,   // top-k, top-p, min-p, temperature (llama.cpp)
};

// temperature 0 is greedy: the arg max, the lowest id on ties. top_k 0, top_p 1 and min_p 0 switch a filter off.
// Filters keep a prefix of the tokens ordered by logit, then by id: top_k its first k, top_p the shortest prefix that
// holds top_p of what top_k left, min_p the tokens of at least min_p times the largest probability.
struct SamplingParams {
  float temperature = 1.0f;
  int32_t top_k = 0;
  float top_p = 1.0f;
  float min_p = 0.0f;
  ChainOrder order = ChainOrder::temperature_first;
};

// One token to draw from one row of logits. Several draws may share a row; neighbours in the list with the same row
// and parameters share its preparation.
struct Draw {
  int32_t row = 0;
  SamplingParams params;
  uint64_t seed = 0;          // of the sample
  uint32_t step = 0;          // tokens this sample has drawn before
  bool want_logprob = false;  // costs a pass over the row when a filter would save it
  int32_t forced = -1;        // not negative: this token, below n_vocab, is taken and nothing is drawn
  int32_t token = -1;         // out: -1 for a row with a NaN or +infinity, or with nothing above -infinity
  float logprob = 0.0f;       // out, when wanted: log softmax(logits / temperature)[token] before any filter; at
                              // temperature 0 of the raw logits; 0 without a token
};

struct SamplerLoops;

// Working memory of one thread, reused from row to row. Belongs to the sampler; no one else reads it.
struct SamplerScratch {
  std::vector<float> block_maxima;      // of the row
  std::vector<uint64_t> block_weights;  // of the row or of the candidates
  std::vector<uint64_t> box_tops;       // of a row that is drawn from by rejection
  std::vector<int32_t> ids;             // candidates, ascending
  std::vector<float> values;            // their logits
  std::vector<uint64_t> weights;        // their weights
  std::vector<float> order;             // values being selected
  MassCutScratch mass_cut;
};

// Sets draw.token and draw.logprob from logits [n_vocab]; draw.row is not used.
void sample(const float* logits, int32_t n_vocab, Draw& draw, SamplerScratch& scratch);

// One thread's part of a batch: draws [n] from logits [rows, n_vocab]. The threads 0 .. threads - 1 together make every
// draw once, and no result depends on their number.
void sample_batch(const float* logits, int32_t n_vocab, Draw* draws, size_t n, int thread, int threads,
                  SamplerScratch& scratch);

// The same with the loops of one instruction set, for tests and measurements.
void sample_batch(const float* logits, int32_t n_vocab, Draw* draws, size_t n, int thread, int threads,
                  SamplerScratch& scratch, const SamplerLoops& loops);

}  // namespace spct
