#pragma once

// A scripted model: its "KV cache" is the list of tokens each sequence holds, and the next token is a function of that
// list, so a test sees whether the engine gave the model the right history.

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "error.h"
#include "model/model.h"

namespace spct {

class FakeModel : public Model {
 public:
  using Next = std::function<int32_t(const std::vector<int32_t>& history, const Draw& draw)>;

  FakeModel(ModelLimits limits, Next next) : limits_(limits), next_(std::move(next)) {
    for (int token = 0; token < 256; ++token) pieces_.push_back(std::string(1, static_cast<char>(token)));
  }

  static constexpr int32_t end_token = 0;

  const std::string& piece(int32_t token) const override { return pieces_[token]; }
  bool ends_generation(int32_t token) const override { return token == end_token; }
  ModelLimits limits() const override { return limits_; }
  void clear() noexcept override { sequences_.clear(); }

  void copy(const SequenceCopy& copy) override {
    const auto& from = sequences_[copy.from];
    if (!sequences_[copy.to].empty()) throw Error("FAKE", "copy into a sequence in use");
    if (static_cast<int32_t>(from.size()) < copy.length) throw Error("FAKE", "copy of tokens not computed");
    sequences_[copy.to].assign(from.begin(), from.begin() + copy.length);
  }

  void remove(const SequenceRemoval& removal) noexcept override {
    auto& tokens = sequences_[removal.sequence];
    tokens.resize(std::min(tokens.size(), static_cast<size_t>(removal.begin)));
  }

  DecodeStatus decode(const std::vector<BatchToken>& batch, std::vector<Draw>& draws,
                      std::vector<HeadScore>& heads) override {
    if (static_cast<int32_t>(batch.size()) > limits_.batch_tokens) throw Error("FAKE", "batch too large");
    if (no_space_at_step == steps) {
      ++steps;
      return DecodeStatus::no_space;
    }
    if (fail_at_step == steps) {
      ++steps;
      throw Error("DECODE_FAILED", "scripted failure");
    }
    ++steps;
    std::vector<std::vector<int32_t>> rows;
    for (const BatchToken& token : batch) {
      auto& tokens = sequences_[token.sequence];
      if (token.position != static_cast<int32_t>(tokens.size())) throw Error("FAKE", "position out of order");
      tokens.push_back(token.token);
      if (token.output) rows.push_back(tokens);
    }
    computed += static_cast<int64_t>(batch.size());
    for (Draw& draw : draws) {
      const auto& row = rows.at(draw.row);
      draw.token = draw.forced >= 0 ? draw.forced : next_(row, draw);
      draw.logprob = forced_logprob(row, draw.token);
    }
    for (HeadScore& head : heads) {
      const auto& row = rows.at(head.row);
      head.value = static_cast<float>(std::accumulate(row.begin(), row.end(), 0));
    }
    return DecodeStatus::ok;
  }

  void request_abort() override {}

  static float forced_logprob(const std::vector<int32_t>& history, int32_t token) {
    return -static_cast<float>(std::accumulate(history.begin(), history.end(), 1000 * token));
  }

  int64_t computed = 0;
  int steps = 0;
  int no_space_at_step = -1;
  int fail_at_step = -1;

 private:
  ModelLimits limits_;
  Next next_;
  std::vector<std::string> pieces_;
  std::map<int32_t, std::vector<int32_t>> sequences_;
};

}  // namespace spct
