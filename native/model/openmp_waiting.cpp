#include "model/openmp_waiting.h"

#if defined(_OPENMP) && defined(__GNUC__) && !defined(__clang__)

#include <omp.h>

#include <cstdlib>
#include <future>
#include <thread>

namespace spct {

namespace {

// As libgomp saw it, which is loaded just before.
const bool is_bounded = std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT");

// The barrier keeps the compiler from dropping the region.
void make_team() {
#pragma omp parallel num_threads(omp_get_num_procs())
  {
#pragma omp barrier
  }
}

}  // namespace

void bound_openmp_waiting() {
  if (is_bounded) return;
  std::promise<void> made;
  std::future<void> is_made = made.get_future();
  // A team belongs to the thread that made it, and lives as long.
  std::thread([made = std::move(made)]() mutable {
    make_team();
    made.set_value();
    std::promise<void>().get_future().wait();
  }).detach();
  is_made.wait();
}

}  // namespace spct

#else

namespace spct {

void bound_openmp_waiting() {}

}  // namespace spct

#endif
