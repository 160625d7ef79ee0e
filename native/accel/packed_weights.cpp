#include "accel/packed_weights.h"

#include <ggml.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <tuple>

#include "accel/accel_device.h"
#include "accel/gemm.h"
#include "accel/gemm_race.h"
#include "error.h"

namespace spct {

namespace {

constexpr int64_t too_few_values = 1 << 16;  // it takes longer to begin such a product than to compute it

std::atomic<size_t> all_bytes{0};

// One answer for each shape in a process, so that its engines compute alike.
int64_t measured_least_rows(const ggml_tensor* weight, int threads) {
  using Shape = std::tuple<int, int64_t, int64_t, int>;
  if (ggml_nelements(weight) < too_few_values) return 0;
  static std::mutex mutex;
  static std::map<Shape, int64_t> known;
  const std::lock_guard<std::mutex> lock(mutex);
  const Shape shape{weight->type, weight->ne[0], weight->ne[1], threads};
  const auto found = known.find(shape);
  if (found != known.end()) return found->second;
  return known[shape] = least_faster_rows(weight, threads);
}

}  // namespace

PackedWeights::PackedWeights(const std::vector<const ggml_tensor*>& weights, const PackingOptions& options) {
  try {
    pack(weights, options);
  } catch (const Error& error) {
    throw Error(error.code(), std::string("the weights could not be packed: ") + error.what());
  } catch (const std::bad_alloc&) {
    throw Error("OUT_OF_MEMORY", "the weights could not be packed: there is not enough memory");
  }
}

void PackedWeights::pack(const std::vector<const ggml_tensor*>& weights, const PackingOptions& options) {
  std::vector<std::pair<const ggml_tensor*, int64_t>> chosen;
  size_t bytes = 0;
  if (!gemm_support().available) return;
  const Gemm& gemm = options.batch_invariant ? *batch_invariant_gemm() : *spct::gemm();
  gemm_ = gemm.description();
  const int64_t usual = options.batch_invariant ? 1 : gemm.usual_least_rows();
  const int64_t least_rows = options.least_rows > 0 ? options.least_rows : usual;
  for (const ggml_tensor* weight : weights) {
    if (!can_pack(weight)) continue;
    const int64_t least = options.measure ? measured_least_rows(weight, options.threads) : least_rows;
    if (least == 0) continue;
    chosen.emplace_back(weight, least);
    bytes += gemm.bytes_for(weight);
  }
  if (bytes > options.most_bytes) return;
  for (const auto& [weight, least] : chosen) {
    std::unique_ptr<PackedMatrix> packed = gemm.pack(weight, 0, options.threads);
    bytes_ += packed->bytes();
    least_rows_ = least_rows_ == 0 ? least : std::min(least_rows_, least);
    claims_.push_back(std::make_unique<GemmClaim>(weight, gemm, std::move(packed), least));
  }
  all_bytes += bytes_;
}

PackedWeights::~PackedWeights() { all_bytes -= bytes_; }

size_t PackedWeights::bytes_of_all() { return all_bytes; }

}  // namespace spct
