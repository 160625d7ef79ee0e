#include "train/parallel.h"

#include <exception>
#include <thread>
#include <vector>

namespace spct {

void run_workers(size_t workers, const std::function<void(size_t)>& work) {
  std::vector<std::exception_ptr> failures(workers);
  const auto guarded = [&](size_t worker) {
    try {
      work(worker);
    } catch (...) {
      failures[worker] = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  for (size_t worker = 1; worker < workers; ++worker) threads.emplace_back(guarded, worker);
  guarded(0);
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace spct
