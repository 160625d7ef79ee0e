// Attention of samples that share a prefix: ggml's kernel beside ours, in turns.
//   shared_attention_bench [rounds] [threads]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "attention_case.h"

using namespace spct;

namespace {

double microseconds(AttentionRun& run) {
  constexpr int repetitions = 10;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repetitions; ++i) run.compute();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / repetitions;
}

double at(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * (values.size() - 1) + 0.5)];
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9, threads = argc > 2 ? std::atoi(argv[2]) : 2;
  if (rounds < 1 || threads < 1 || attention_sharing_support().empty()) {
    std::fprintf(stderr, "usage: shared_attention_bench [rounds] [threads], on an x86 CPU with AVX2\n");
    return 2;
  }
  register_accel_device();
  std::printf("%s\n\n", attention_sharing_support().c_str());
  std::printf("| rows | heads | width | prefix | own cells | ggml, us | ours, us | ratio (least - most) |\n");
  std::printf("|---|---|---|---|---|---|---|---|\n");
  struct Heads {
    int64_t heads, kv_heads, width;
  };
  for (const Heads heads : {Heads{8, 4, 64}, Heads{32, 8, 128}}) {
    for (const int64_t rows : {4, 8, 32}) {
      for (const int64_t prefix : {256, 1024}) {
        for (const int64_t own : {16, 128}) {
          const AttentionSizes sizes{rows, 2 * prefix + own * rows, heads.width, heads.heads, heads.kv_heads};
          const AttentionCase attention(sizes, samples_mask(sizes, prefix));
          AttentionRun plain(attention, threads);
          const AttentionSharing sharing({attention.weight}, 1);
          AttentionRun shared(attention, threads);
          std::vector<double> theirs, ours, ratios;
          for (int round = 0; round < rounds; ++round) {
            theirs.push_back(microseconds(plain));
            ours.push_back(microseconds(shared));
            ratios.push_back(theirs.back() / ours.back());
          }
          std::printf("| %d | %d of %d | %d | %d | %d | %.0f | %.0f | %.2f (%.2f - %.2f) |\n", (int)rows,
                      (int)heads.heads, (int)heads.kv_heads, (int)heads.width, (int)prefix, (int)own, at(theirs, 0.5),
                      at(ours, 0.5), at(ratios, 0.5), at(ratios, 0), at(ratios, 1));
        }
      }
    }
  }
}
