// Time of one draw from one row of 151,936 logits: our sampler in every instruction set this machine has, beside
// llama.cpp's own chain with the same filters. Contenders take turns, so that a slow moment of the machine meets all.
//   sampler_bench [rounds]      prints one JSON object
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "llama.h"
#include "scoring/sampler.h"
#include "scoring/sampler_loops.h"

using namespace spct;

namespace {

constexpr int32_t n_vocab = 151936;
constexpr int n_rows = 32;

struct SamplerDeleter {
  void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
};
using LlamaSampler = std::unique_ptr<llama_sampler, SamplerDeleter>;

// peaky: a bulk of normal logits with spread 2.5 below some 30 likely tokens. flat: normal logits with spread 1.
std::vector<float> make_rows(bool peaky) {
  std::mt19937 engine(7);
  std::normal_distribution<float> normal;
  std::vector<float> rows(static_cast<size_t>(n_rows) * n_vocab);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i] = peaky ? 2.5f * normal(engine) + (engine() % 5000 == 0 ? 14.0f : 0.0f) : normal(engine);
  }
  return rows;
}

// llama.cpp applies its samplers in the order they are added.
LlamaSampler make_chain(const SamplingParams& params, uint32_t seed) {
  llama_sampler* chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
  if (params.top_k > 0) llama_sampler_chain_add(chain, llama_sampler_init_top_k(params.top_k));
  if (params.top_p < 1.0f) llama_sampler_chain_add(chain, llama_sampler_init_top_p(params.top_p, 1));
  if (params.min_p > 0.0f) llama_sampler_chain_add(chain, llama_sampler_init_min_p(params.min_p, 1));
  if (params.temperature > 0.0f) {
    llama_sampler_chain_add(chain, llama_sampler_init_temp(params.temperature));
    llama_sampler_chain_add(chain, llama_sampler_init_dist(seed));
  } else {
    llama_sampler_chain_add(chain, llama_sampler_init_greedy());
  }
  return LlamaSampler(chain);
}

// What llama_sampler_sample does with the logits of a context.
llama_token llama_draw(llama_sampler* chain, const float* logits, std::vector<llama_token_data>& candidates) {
  candidates.resize(n_vocab);
  for (llama_token id = 0; id < n_vocab; ++id) candidates[id] = {id, logits[id], 0.0f};
  llama_token_data_array array = {candidates.data(), candidates.size(), -1, false};
  llama_sampler_apply(chain, &array);
  return array.data[array.selected].id;
}

struct Contender {
  std::string name;
  std::function<int64_t()> draw_all;  // every row once
  std::vector<double> microseconds;   // per row, one entry per round
};

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * (values.size() - 1) + 0.5)];
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
  struct Case {
    const char* name;
    bool peaky;
    SamplingParams params;
  };
  std::vector<Case> cases = {
      {"peaky, greedy", true, {}},          {"peaky, top-k 40, top-p .95, T .8", true, {}}, {"peaky, T 1", true, {}},
      {"peaky, top-p .95, T .8", true, {}}, {"peaky, min-p .05, T .8", true, {}},           {"flat, T 1", false, {}},
      {"flat, top-p .95, T .8", false, {}}, {"flat, top-k 1000, T .8", false, {}}};
  for (Case& one : cases) one.params.order = ChainOrder::temperature_last;
  cases[0].params.temperature = 0.0f;
  for (const int i : {1, 3, 4, 6, 7}) cases[i].params.temperature = 0.8f;
  cases[1].params.top_k = 40;
  for (const int i : {1, 3, 6}) cases[i].params.top_p = 0.95f;
  cases[4].params.min_p = 0.05f;
  cases[7].params.top_k = 1000;

  int64_t checksum = 0;
  std::printf("{\"vocabulary\":%d,\"rows\":%d,\"rounds\":%d,\"unit\":\"microseconds per row\",\"cases\":[", n_vocab,
              n_rows, rounds);
  for (const Case& one : cases) {
    const std::vector<float> rows = make_rows(one.peaky);
    std::vector<Contender> contenders;
    for (const SamplerLoops* loops : available_sampler_loops()) {
      for (const bool want_logprob : {false, true}) {
        if (want_logprob && loops != &sampler_loops()) continue;
        auto draws = std::make_shared<std::vector<Draw>>(n_rows);
        auto scratch = std::make_shared<SamplerScratch>();
        for (int row = 0; row < n_rows; ++row) {
          (*draws)[row].row = row;
          (*draws)[row].params = one.params;
          (*draws)[row].seed = row;
          (*draws)[row].want_logprob = want_logprob;
        }
        contenders.push_back({std::string(loops->name) + (want_logprob ? " with logprob" : ""),
                              [&rows, draws, scratch, loops] {
                                int64_t sum = 0;
                                sample_batch(rows.data(), n_vocab, draws->data(), n_rows, 0, 1, *scratch, *loops);
                                for (Draw& draw : *draws) {
                                  sum += draw.token;
                                  ++draw.step;
                                }
                                return sum;
                              },
                              {}});
      }
    }
    auto chain = std::make_shared<LlamaSampler>(make_chain(one.params, 1));
    auto candidates = std::make_shared<std::vector<llama_token_data>>();
    contenders.push_back({"llama.cpp",
                          [&rows, chain, candidates] {
                            int64_t sum = 0;
                            for (int row = 0; row < n_rows; ++row) {
                              sum += llama_draw(chain->get(), rows.data() + static_cast<size_t>(row) * n_vocab,
                                                *candidates);
                            }
                            return sum;
                          },
                          {}});
    for (int round = -1; round < rounds; ++round) {
      for (Contender& contender : contenders) {
        const auto start = std::chrono::steady_clock::now();
        checksum += contender.draw_all();
        const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
        if (round >= 0) contender.microseconds.push_back(time.count() / n_rows);
      }
    }
    std::printf("%s\n{\"name\":\"%s\"", &one == &cases[0] ? "" : ",", one.name);
    for (const Contender& contender : contenders) {
      std::printf(",\"%s\":{\"median\":%.1f,\"spread\":[%.1f,%.1f]}", contender.name.c_str(),
                  quantile(contender.microseconds, 0.5), quantile(contender.microseconds, 0.1),
                  quantile(contender.microseconds, 0.9));
    }
    std::printf("}");
    std::fflush(stdout);
  }
  std::printf("],\"checksum\":%lld}\n", static_cast<long long>(checksum));
  return 0;
}
