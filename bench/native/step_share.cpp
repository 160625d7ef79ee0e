// What sampling and the score head add to one decoding step: their time for all rows of a batch, on a team of OpenMP's
// threads as the engine has; without OpenMP on one thread.
//   step_share [threads] [rows] [vocabulary] [embedding] [rounds]      prints one JSON object, milliseconds
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "scoring/sampler.h"
#include "scoring/score_head.h"

using namespace spct;

namespace {

int argument(int argc, char** argv, int index, int fallback) {
  const int value = argc > index ? std::atoi(argv[index]) : fallback;
  if (value >= 1) return value;
  std::fprintf(stderr, "Expected a positive number but received %s\n", argv[index]);
  std::exit(2);
}

void print_spread(const char* name, int rounds, const std::function<void(int)>& work) {
  std::vector<double> times;
  for (int round = -1; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    work(round + 1);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    if (round >= 0) times.push_back(time.count());
  }
  std::sort(times.begin(), times.end());
  std::printf(",\"%s\":{\"median\":%.4f,\"spread\":[%.4f,%.4f],\"n\":%d}", name, times[times.size() / 2], times.front(),
              times.back(), rounds);
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argument(argc, argv, 1, static_cast<int>(std::thread::hardware_concurrency()));
  const int rows = argument(argc, argv, 2, 32);
  const int vocabulary = argument(argc, argv, 3, 151936);
  const int embedding = argument(argc, argv, 4, 1024);
  const int rounds = argument(argc, argv, 5, 15);

  // Normal logits with the deviation of the random models' (lib/bench/shapes.ts).
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> logits(static_cast<size_t>(rows) * vocabulary), states(static_cast<size_t>(rows) * embedding);
  for (float& logit : logits) logit = 4.0f * normal(random);
  for (float& state : states) state = normal(random);

  std::printf("{\"threads\":%d,\"rows\":%d,\"vocabulary\":%d,\"embedding\":%d", threads, rows, vocabulary, embedding);
  std::vector<SamplerScratch> scratch(threads);
  std::vector<Draw> draws(rows);
  const auto sample_all = [&](int round) {
    for (Draw& draw : draws) draw.step = static_cast<uint32_t>(round);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int thread = 0; thread < threads; ++thread) {
      sample_batch(logits.data(), vocabulary, draws.data(), draws.size(), thread, threads, scratch[thread]);
    }
  };
  struct Case {
    const char* name;
    int top_k;
  };
  for (const Case one : {Case{"topK40", 40}, Case{"pure", 0}}) {
    for (int row = 0; row < rows; ++row) {
      draws[row].row = row;
      draws[row].seed = static_cast<uint64_t>(row);
      draws[row].params.top_k = one.top_k;
    }
    print_spread(one.name, rounds, sample_all);
  }

  ScoreHead head;
  head.weight.assign(embedding, 0.01f);
  std::vector<int32_t> indices(rows);
  for (int row = 0; row < rows; ++row) indices[row] = row;
  std::vector<float> scores(rows);
  print_spread("head", rounds, [&](int) { score_head_cpu(head, states.data(), indices.data(), rows, scores.data()); });
  std::printf(",\"checksum\":%g}\n", scores[0] + draws[0].token);
  return 0;
}
