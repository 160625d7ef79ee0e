#include "model/copy_budget.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>

namespace spct {

namespace fs = std::filesystem;

namespace {

// SIZE_MAX: unknown.
size_t available_bytes(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  std::string word;
  while (file >> word) {
    size_t kibibytes = 0;
    if (word == "MemAvailable:" && file >> kibibytes) return kibibytes << 10;
  }
  return SIZE_MAX;
}

// The lowest limit of the process's control group and of those that it lies in; SIZE_MAX: none.
size_t group_limit(const std::string& root) {
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line, group;
  while (std::getline(file, line)) {
    if (line.rfind("0::", 0) == 0) group = line.substr(3);
  }
  size_t lowest = SIZE_MAX;
  const fs::path top = root + "/sys/fs/cgroup";
  for (fs::path folder = top / fs::path(group).relative_path();; folder = folder.parent_path()) {
    size_t limit = 0;
    if (std::ifstream(folder / "memory.max") >> limit) lowest = std::min(lowest, limit);  // or it says "max"
    if (folder == top) return lowest;
  }
}

}  // namespace

size_t copy_budget(size_t total, size_t copied, const std::string& root) {
  const size_t available = available_bytes(root);
  const size_t without_copies = available < SIZE_MAX - copied ? available + copied : SIZE_MAX;
  const size_t half = std::min({total, without_copies, group_limit(root)}) / 2;
  return half > copied ? half - copied : 0;
}

}  // namespace spct
