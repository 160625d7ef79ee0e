// Every CUDA path on a real GPU against its CPU twin. Exits with 77 where there is no device.
//   gpu_check [--time]    --time: also measures the sampler and the policy loss at 151,936 logits
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "cuda/buffer.cuh"
#include "cuda/losses_cuda.h"
#include "cuda/scoring_cuda.h"
#include "error.h"
#include "scoring/sampler.h"
#include "scoring/score_head.h"
#include "seeded_rows.h"
#include "token_rows.h"

using namespace spct;

namespace {

std::unique_ptr<DeviceBuffer<float>> on_device(const std::vector<float>& values) {
  auto buffer = std::make_unique<DeviceBuffer<float>>(values.size());
  buffer->upload(values.data());
  return buffer;
}

void sampler_equals_the_cpu(int32_t n_vocab, DeviceScratch& scratch) {
  std::vector<float> logits;
  std::vector<Draw> draws;
  int32_t rows = 0;
  for (const RowShape shape : all_row_shapes) {
    const std::vector<float> values = seeded_row(shape, n_vocab, 3 + n_vocab);
    logits.insert(logits.end(), values.begin(), values.end());
    for (const SamplingParams& params : all_chains()) {
      for (int repeat = 0; repeat < 8; ++repeat) {
        Draw draw;
        draw.row = rows;
        draw.params = params;
        draw.seed = draws.size() * 7919;
        draw.step = static_cast<uint32_t>(repeat);
        draw.want_logprob = repeat % 2 == 0;
        if (repeat % 4 == 2) draw.forced = static_cast<int32_t>(draws.size()) % n_vocab;
        draws.push_back(draw);
      }
    }
    ++rows;
  }
  std::vector<Draw> expected = draws;
  SamplerScratch cpu;
  sample_batch(logits.data(), n_vocab, expected.data(), expected.size(), 0, 1, cpu);
  const auto device_logits = on_device(logits);
  sample_cuda(device_logits->data(), n_vocab, rows, draws.data(), draws.size(), scratch);
  int different = 0;
  for (size_t i = 0; i < draws.size(); ++i) {
    different += draws[i].token != expected[i].token || draws[i].logprob != expected[i].logprob;
  }
  std::printf("sampler, %6d logits: %zu draws, %d differ from the CPU\n", n_vocab, draws.size(), different);
  CHECK(different == 0);
}

void unusable_rows_give_no_token(DeviceScratch& scratch) {
  const int32_t n_vocab = 3000;
  std::vector<float> logits(3 * n_vocab, 1.0f);
  logits[1234] = std::numeric_limits<float>::quiet_NaN();
  logits[n_vocab + 2999] = std::numeric_limits<float>::infinity();
  std::fill(logits.begin() + 2 * n_vocab, logits.end(), -std::numeric_limits<float>::infinity());
  const auto device_logits = on_device(logits);
  std::vector<Draw> draws;
  for (const SamplingParams& params : all_chains()) {
    for (int32_t row = 0; row < 3; ++row) {
      draws.emplace_back();
      draws.back().row = row;
      draws.back().params = params;
    }
  }
  sample_cuda(device_logits->data(), n_vocab, 3, draws.data(), draws.size(), scratch);
  for (const Draw& draw : draws) CHECK(draw.token == -1);
}

void score_head_equals_the_cpu(DeviceScratch& scratch) {
  std::mt19937 engine(4);
  const auto value = [&] { return static_cast<float>(engine()) / 2147483648.0f - 1.0f; };
  for (const int32_t n_embd : {1, 100, 896, 4096, 8192}) {
    for (const Activation activation : {Activation::none, Activation::sigmoid, Activation::tanh}) {
      ScoreHead head;
      head.bias = value();
      head.activation = activation;
      for (int32_t i = 0; i < n_embd; ++i) head.weight.push_back(value());
      std::vector<float> states(40 * static_cast<size_t>(n_embd));
      for (float& state : states) state = value() / std::sqrt(static_cast<float>(n_embd));
      std::vector<int32_t> rows(64);
      for (int32_t& row : rows) row = static_cast<int32_t>(engine() % 40);
      std::vector<float> expected(rows.size());
      std::vector<float> scores(rows.size());
      score_head_cpu(head, states.data(), rows.data(), rows.size(), expected.data());
      const auto device_states = on_device(states);
      const DeviceScoreHead device_head(head, 0);
      score_head_cuda(device_head, device_states->data(), 40, rows.data(), rows.size(), scores.data(), scratch);
      double largest = 0.0;
      for (size_t i = 0; i < rows.size(); ++i) {
        largest = std::max(largest, std::fabs(static_cast<double>(scores[i]) - expected[i]));
      }
      CHECK(largest <= 3e-6);
      if (activation == Activation::none) std::printf("score head, %4d wide: off by %.1e at most\n", n_embd, largest);
    }
  }
}

std::vector<float> to_host(const float* device, size_t size) {
  std::vector<float> values(size);
  check_cuda(cudaMemcpy(values.data(), device, size * sizeof(float), cudaMemcpyDeviceToHost), "copy to the host");
  return values;
}

void token_losses_equal_the_cpu(int32_t n_vocab, double temperature, DeviceScratch& scratch) {
  const TokenRows rows = seeded_token_rows(n_vocab, temperature);
  GrpoOptions options;
  options.temperature = temperature;
  PolicyLossOfRows cpu(rows, options);
  auto& [expected, log_probabilities, entropies] = cpu;
  const auto logits = on_device(rows.logits);
  std::vector<double> found(rows.targets.size());
  std::vector<double> found_entropies(rows.targets.size());
  token_log_probabilities_cuda(logits->data(), rows.targets.data(), rows.rows(), n_vocab, temperature, found.data(),
                               scratch);
  CHECK(to_host(logits->data(), rows.logits.size()) == rows.logits);
  for (size_t row = 0; row < found.size(); ++row) {
    CHECK_NEAR(found[row], log_probabilities[row], 5e-6 * (1 + std::fabs(log_probabilities[row])));
  }
  policy_loss_cuda(logits->data(), rows.targets.data(), rows.tokens.data(), rows.rows(), n_vocab, options,
                   logits->data(), found.data(), found_entropies.data(), scratch);
  for (size_t row = 0; row < found.size(); ++row) CHECK_NEAR(found_entropies[row], entropies[row], 5e-5);
  const std::vector<double> slopes = policy_slopes(rows, log_probabilities, options);
  const double policy_difference =
      gradient_difference(rows, slopes, to_host(logits->data(), expected.size()), expected);

  const double loss =
      nll_loss_cpu(rows.logits.data(), rows.targets.data(), rows.rows(), n_vocab, 0.25f, expected.data());
  logits->upload(rows.logits.data());
  const DeviceBuffer<float> gradients(expected.size());
  const double found_loss =
      nll_loss_cuda(logits->data(), rows.targets.data(), rows.rows(), n_vocab, 0.25f, gradients.data(), scratch);
  CHECK_NEAR(found_loss, loss, 2e-6 * (1 + loss));
  const double nll_difference = gradient_difference(rows, std::vector<double>(slopes.size(), 0.25),
                                                    to_host(gradients.data(), expected.size()), expected);
  std::printf("token losses, %6d logits: %zu rows, gradients off by %.1e (GRPO) and %.1e (NLL)\n", n_vocab,
              slopes.size(), policy_difference, nll_difference);
  CHECK(policy_difference <= 2e-5 && nll_difference <= 2e-5);
}

void token_losses_refuse(DeviceScratch& scratch) {
  std::vector<float> values(3000, 1.0f);
  values[2999] = std::numeric_limits<float>::infinity();
  const auto logits = on_device(values);
  double log_probability = 0;
  int32_t target = 0;
  CHECK_THROWS(token_log_probabilities_cuda(logits->data(), &target, 1, 3000, 1.0, &log_probability, scratch), Error);
  CHECK(!std::isfinite(nll_loss_cuda(logits->data(), &target, 1, 3000, 1.0f, logits->data(), scratch)));
  for (const int32_t outside : {-1, 3000}) {
    CHECK_THROWS(token_log_probabilities_cuda(logits->data(), &outside, 1, 3000, 1.0, &log_probability, scratch),
                 Error);
  }
}

void rows_are_checked(DeviceScratch& scratch) {
  const auto logits = on_device(std::vector<float>(10));
  for (const int32_t row : {-1, 1}) {
    Draw draw;
    draw.row = row;
    CHECK_THROWS(sample_cuda(logits->data(), 10, 1, &draw, 1, scratch), Error);
    float score;
    const DeviceScoreHead head(ScoreHead{std::vector<float>(10), 0.0f, Activation::none}, 0);
    CHECK_THROWS(score_head_cuda(head, logits->data(), 1, &row, 1, &score, scratch), Error);
  }
  CHECK_THROWS(DeviceScratch(cuda_device_count()), Error);
  Draw draw;
  sample_cuda(logits->data(), 10, 1, &draw, 1, scratch);  // a refused call leaves the scratch usable
  CHECK(draw.token >= 0);
}

// Microseconds of one call for the whole batch, launch, wait and planning included.
void time_sampler(DeviceScratch& scratch) {
  const int32_t n_vocab = 151936;
  for (const int32_t n_rows : {8, 32, 256}) {
    std::vector<float> logits;
    for (int32_t row = 0; row < n_rows; ++row) {
      const std::vector<float> values = seeded_row(RowShape::peaky, n_vocab, row % 8);
      logits.insert(logits.end(), values.begin(), values.end());
    }
    const auto device_logits = on_device(logits);
    const struct {
      const char* name;
      SamplingParams params;
    } cases[] = {{"greedy", chain(0.0f)},
                 {"T 1", chain(1.0f)},
                 {"top-k 40", chain(0.8f, 40)},
                 {"top-p .95", chain(0.8f, 0, 0.95f)},
                 {"top-k 40, top-p .95", chain(0.8f, 40, 0.95f)},
                 {"min-p .05", chain(0.8f, 0, 1.0f, 0.05f)}};
    for (const auto& one : cases) {
      for (const bool want_logprob : {false, true}) {
        std::vector<Draw> draws(n_rows);
        for (int32_t row = 0; row < n_rows; ++row) {
          draws[row].row = row;
          draws[row].params = one.params;
          draws[row].want_logprob = want_logprob;
        }
        std::vector<double> times;
        for (int round = 0; round < 60; ++round) {
          for (Draw& draw : draws) ++draw.step;
          const auto start = std::chrono::steady_clock::now();
          sample_cuda(device_logits->data(), n_vocab, n_rows, draws.data(), draws.size(), scratch);
          const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
          if (round >= 10) times.push_back(time.count());
        }
        std::sort(times.begin(), times.end());
        std::printf("%3d rows, %-20s%s: %7.1f us (%.1f to %.1f)\n", n_rows, one.name, want_logprob ? " logprobs" : "",
                    times[times.size() / 2], times[times.size() / 10], times[times.size() * 9 / 10]);
      }
    }
  }
}

// Microseconds of the policy loss, and the bandwidth if a row is read twice and written once.
void time_policy_loss(DeviceScratch& scratch) {
  const int32_t n_vocab = 151936;
  for (const int64_t n_rows : {256, 2048}) {
    std::vector<float> values;
    for (int64_t row = 0; row < n_rows; ++row) {
      const std::vector<float> one = seeded_row(RowShape::peaky, n_vocab, static_cast<uint32_t>(row % 8));
      values.insert(values.end(), one.begin(), one.end());
    }
    const auto logits = on_device(values);
    const DeviceBuffer<float> gradients(values.size());
    const std::vector<int32_t> targets(static_cast<size_t>(n_rows), 7);
    PolicyToken token;
    token.advantage = 1;
    token.on_policy = true;
    const std::vector<PolicyToken> tokens(targets.size(), token);
    std::vector<double> log_probabilities(targets.size());
    std::vector<double> entropies(targets.size());
    std::vector<double> times;
    for (int round = 0; round < 30; ++round) {
      const auto start = std::chrono::steady_clock::now();
      policy_loss_cuda(logits->data(), targets.data(), tokens.data(), n_rows, n_vocab, {}, gradients.data(),
                       log_probabilities.data(), entropies.data(), scratch);
      const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
      if (round >= 10) times.push_back(time.count());
    }
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2];
    std::printf("policy loss, %4lld rows: %8.1f us (%.1f to %.1f), %.0f GB/s\n", static_cast<long long>(n_rows), median,
                times[times.size() / 10], times[times.size() * 9 / 10],
                3.0 * sizeof(float) * static_cast<double>(values.size()) / median * 1e-3);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool timed = argc == 2 && std::strcmp(argv[1], "--time") == 0;
  if (argc > 1 && !timed) {
    std::fprintf(stderr, "Expected --time or nothing but received %s\n", argv[1]);
    return 2;
  }
  if (cuda_device_count() == 0) {
    std::printf("SKIPPED: there is no CUDA device here, nothing was checked\n");
    return 77;
  }
  cudaDeviceProp properties;
  check_cuda(cudaGetDeviceProperties(&properties, 0), "describe the device");
  std::printf("device 0: %s, compute capability %d.%d\n", properties.name, properties.major, properties.minor);
  DeviceScratch scratch(0);
  for (const int32_t n_vocab : {1, 2, 97, 1023, 2049, 5003, 40000, 151936}) sampler_equals_the_cpu(n_vocab, scratch);
  unusable_rows_give_no_token(scratch);
  score_head_equals_the_cpu(scratch);
  for (const int32_t n_vocab : {1, 2, 97, 2049, 40000, 151936, 262144}) {
    token_losses_equal_the_cpu(n_vocab, 1.0, scratch);
    token_losses_equal_the_cpu(n_vocab, 0.7, scratch);
  }
  token_losses_refuse(scratch);
  rows_are_checked(scratch);
  if (timed) {
    time_sampler(scratch);
    time_policy_loss(scratch);
  }
  if (check_result() == 0) std::printf("all checks passed\n");
  return check_result();
}
