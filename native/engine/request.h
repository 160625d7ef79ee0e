#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/stop_matcher.h"
#include "scoring/sampler.h"

namespace spct {

struct SampleSpec {
  int32_t prompt = 0;  // index into GroupRequest::prompts
  uint64_t seed = 0;
  std::vector<int32_t> continuation;  // not empty: the sample has these tokens, and nothing is drawn
};

// One query: its orderings as token sequences, and the samples to draw from them.
struct GroupRequest {
  int64_t id = 0;
  std::vector<std::vector<int32_t>> prompts;
  std::vector<SampleSpec> samples;
  SamplingParams sampling;
  int32_t max_tokens = 0;  // budget of one sample; 0 asks for the head's value at the prompt's end alone
  bool logprobs = false;
  std::shared_ptr<const StopPattern> stop;
  SkippedSection skip;
};

enum class FinishReason : uint8_t { stop, eos, length, cancelled, error };

// A finished sample. `meta` is the fused head's value on the state of its last token (of the prompt's, if it has none),
// if the engine has a head and the sample was not cancelled and did not fail. A sample with a continuation ends by
// length.
struct SampleResult {
  int64_t group = 0;
  int32_t sample = 0;
  std::string text;  // UTF-8 unless the model wrote otherwise
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;
  FinishReason reason = FinishReason::stop;
  std::optional<float> meta;
  std::string error_code, error_message;
  bool last_of_group = false;
  int64_t prompt_tokens_computed = 0;  // for the group so far: its prompts less what others had computed
};

}  // namespace spct
