#pragma once

#include <cstdint>
#include <string>

namespace spct {

// One trained tensor [rows, columns] by its name in a GGUF model file. The values belong to the trainer.
struct WeightView {
  std::string name;
  const float* values = nullptr;
  int64_t columns = 0;
  int64_t rows = 0;
};

}  // namespace spct
