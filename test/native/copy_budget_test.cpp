// How much memory copies of weights may take, on machines that files describe.
#include "model/copy_budget.h"

#include <filesystem>
#include <fstream>

#include "check.h"

using namespace spct;
namespace fs = std::filesystem;

namespace {

constexpr size_t gib = size_t{1} << 30;
const std::string root = "copy_budget_test.root";

void write(const std::string& path, const std::string& text) {
  const fs::path whole = root + path;
  fs::create_directories(whole.parent_path());
  std::ofstream(whole) << text;
}

void half_of_what_is_available() {
  fs::remove_all(root);
  CHECK(copy_budget(16 * gib, 0, root) == 8 * gib);
  CHECK(copy_budget(16 * gib, 3 * gib, root) == 5 * gib);
  CHECK(copy_budget(16 * gib, 9 * gib, root) == 0);
  write("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree:         1048576 kB\nMemAvailable:   10485760 kB\n");
  CHECK(copy_budget(16 * gib, 0, root) == 5 * gib);
  CHECK(copy_budget(16 * gib, 4 * gib, root) == 3 * gib);  // of 14 without the copies
  CHECK(copy_budget(8 * gib, 0, root) == 4 * gib);
}

void control_groups_are_kept_to() {
  write("/proc/self/cgroup", "4:memory:/other\n0::/outer/inner\n");
  write("/sys/fs/cgroup/outer/inner/memory.max", "max\n");
  CHECK(copy_budget(16 * gib, 0, root) == 5 * gib);
  write("/sys/fs/cgroup/outer/memory.max", "4294967296\n");
  CHECK(copy_budget(16 * gib, 0, root) == 2 * gib);
  write("/sys/fs/cgroup/outer/inner/memory.max", "2147483648\n");
  CHECK(copy_budget(16 * gib, 0, root) == gib);
  CHECK(copy_budget(16 * gib, gib / 4, root) == 3 * gib / 4);
  write("/proc/self/cgroup", "0::/\n");
  CHECK(copy_budget(16 * gib, 0, root) == 5 * gib);
  write("/sys/fs/cgroup/memory.max", "6442450944\n");
  CHECK(copy_budget(16 * gib, 0, root) == 3 * gib);
}

}  // namespace

int main() {
  half_of_what_is_available();
  control_groups_are_kept_to();
  return check_result();
}
