#include "model/openmp_waiting.h"

#if defined(_OPENMP) && defined(__GNUC__) && !defined(__clang__)

#include <omp.h>

#include <cstdlib>
#include <future>
#include <thread>

namespace spct {

void bound_openmp_waiting() {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  std::promise<void> made;
  std::future<void> is_made = made.get_future();
  // The team belongs to the thread that made it, and lives as long. The barrier keeps the compiler from dropping it.
  std::thread([made = std::move(made)]() mutable {
#pragma omp parallel num_threads(omp_get_num_procs())
    {
#pragma omp barrier
    } made.set_value();
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
