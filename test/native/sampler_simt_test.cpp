// The CUDA sampler's source on the CPU, thread by thread, against its CPU twin: the same tokens and log-probabilities.
#include "simt/simt.h"

#include <cstdint>
#include <cstdio>
#include <vector>

#include "check.h"
#include "cuda/sampler_kernel.cuh"
#include "scoring/sampler.h"
#include "seeded_rows.h"

using namespace spct;

namespace {

template <int threads>
void draw_with_kernel(const float* logits, int32_t n_vocab, std::vector<Draw>& draws, uint64_t order) {
  std::vector<DeviceDraw> sent;
  for (const Draw& draw : draws) sent.push_back(to_device(draw, n_vocab));
  std::vector<DeviceToken> received(draws.size());
  simt::launch(static_cast<unsigned>(draws.size()), threads, order,
               [&] { sample_rows<threads>(logits, n_vocab, sent.data(), received.data()); });
  for (size_t i = 0; i < draws.size(); ++i) from_device(sent[i], received[i], draws[i]);
}

std::vector<SamplingParams> chains_without_filters() {
  return {chain(1.0f), chain(0.3f), chain(2.5f), chain(1e-40f), chain(std::numeric_limits<float>::infinity())};
}

template <int threads>
void equals_the_cpu(int32_t n_vocab, uint64_t order, const std::vector<SamplingParams>& chains = all_chains()) {
  std::vector<float> logits;
  std::vector<Draw> draws;
  int32_t row = 0;
  for (const RowShape shape : all_row_shapes) {
    const std::vector<float> values = seeded_row(shape, n_vocab, 31 + n_vocab);
    logits.insert(logits.end(), values.begin(), values.end());
    for (const SamplingParams& params : chains) {
      Draw draw;
      draw.row = row;
      draw.params = params;
      draw.seed = 5 * order;
      draw.step = static_cast<uint32_t>(draws.size());
      draw.want_logprob = draws.size() % 2 == 0;
      if (draws.size() % 4 == 0) draw.forced = static_cast<int32_t>(draws.size()) % n_vocab;
      draws.push_back(draw);
    }
    ++row;
  }
  std::vector<Draw> expected = draws;
  SamplerScratch scratch;
  sample_batch(logits.data(), n_vocab, expected.data(), expected.size(), 0, 1, scratch);
  draw_with_kernel<threads>(logits.data(), n_vocab, draws, order);
  int different = 0;
  for (size_t i = 0; i < draws.size(); ++i) {
    CHECK(expected[i].token >= 0);
    if (draws[i].token == expected[i].token && draws[i].logprob == expected[i].logprob) continue;
    std::fprintf(stderr, "row %d T %g top_k %d top_p %g min_p %g: token %d, expected %d\n", draws[i].row,
                 draws[i].params.temperature, draws[i].params.top_k, draws[i].params.top_p, draws[i].params.min_p,
                 draws[i].token, expected[i].token);
    ++different;
  }
  std::printf("V %5d, %4d threads, order %llu: %zu draws, %d different\n", n_vocab, threads,
              static_cast<unsigned long long>(order), draws.size(), different);
  CHECK(different == 0);
}

void unusable_rows() {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const int32_t n_vocab = 70;
  for (const float bad : {nan, -nan, infinity, -infinity}) {
    for (const int position : {0, 33, 69}) {
      std::vector<float> row(n_vocab, bad == -infinity ? bad : 1.0f);
      row[position] = bad;
      std::vector<Draw> draws;
      for (const SamplingParams& params : all_chains()) {
        draws.emplace_back();
        draws.back().params = params;
        draws.back().want_logprob = true;
      }
      draw_with_kernel<64>(row.data(), n_vocab, draws, 1);
      for (const Draw& draw : draws) CHECK(draw.token == -1 && draw.logprob == 0.0f);
    }
  }
}

}  // namespace

int main() {
  for (const int32_t n_vocab : {1, 2, 31, 33, 97, 500}) equals_the_cpu<64>(n_vocab, 1);
  for (const int32_t n_vocab : {64, 257, 2048, 2049}) equals_the_cpu<128>(n_vocab, 2);
  for (const uint64_t order : {3, 4, 5}) equals_the_cpu<128>(5003, order);
  equals_the_cpu<1024>(5003, 6);
  for (const int32_t n_vocab : {16383, 16384, 16385}) equals_the_cpu<128>(n_vocab, 7, chains_without_filters());
  equals_the_cpu<1024>(40001, 8, chains_without_filters());
  unusable_rows();
  return check_result();
}
