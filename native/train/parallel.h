#pragma once

#include <cstddef>
#include <functional>

namespace spct {

// Runs `work(worker)` for all workers, the first one on this thread, and rethrows the first failure.
void run_workers(size_t workers, const std::function<void(size_t)>& work);

}  // namespace spct
