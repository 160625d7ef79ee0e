#pragma once

#include <cstddef>
#include <string>

namespace spct {

// Bytes that further copies of weights may take where the process has `copied` bytes of such copies already: all
// together half of the memory that there is for it without them, which is what the system has available and no more
// than its control group (v2) or `total` allows. Of the files of Linux under `root`; where they are missing, `total`
// alone counts.
size_t copy_budget(size_t total, size_t copied, const std::string& root = "");

}  // namespace spct
