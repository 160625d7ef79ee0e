#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace spct {

// One trained tensor [rows, columns] by its name in a GGUF model file. The values belong to the trainer, which may keep
// them on a GPU.
struct WeightView {
  std::string name;
  int64_t columns = 0;
  int64_t rows = 0;
  // Copies `rows` rows from `row` on to `values`.
  std::function<void(int64_t row, int64_t rows, float* values)> read;
};

}  // namespace spct
