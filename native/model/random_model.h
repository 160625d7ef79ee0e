#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace spct {

// `rows` rows of `columns` weights, uniform around 0 with standard deviation `scale`. No rows: one vector of ones, F32.
struct RandomTensor {
  std::string name;
  int64_t columns = 0, rows = 0;
  std::string type;  // f32 | f16 | bf16 | q8_0 | q4_0 | ...: as ggml names them
  float scale = 0.0f;
};

struct RandomModel {
  std::string path;
  std::string vocabulary_path;    // a GGUF whose tokenizer.* keys are taken
  std::vector<uint8_t> metadata;  // a GGUF without tensors; its keys win
  std::vector<RandomTensor> tensors;
  uint64_t seed = 1;
  int32_t threads = 1;  // the file does not depend on it
};

// Writes a model of random weights: as large and as slow as a real one, and of no other use. Holds a few rows of one
// tensor at a time; the file appears whole or not at all. Throws MODEL_NOT_FOUND, NOT_A_GGUF, INVALID_ARGUMENT,
// WRITE_FAILED.
void write_random_model(const RandomModel& model);

}  // namespace spct
