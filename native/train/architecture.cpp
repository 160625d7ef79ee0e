#include "train/architecture.h"

#include "error.h"

namespace spct {
namespace {

constexpr Architecture llama() {
  Architecture family{"llama"};
  family.rope_factors = true;
  return family;
}

constexpr Architecture qwen2() {
  Architecture family{"qwen2"};
  family.splits_rotation = true;
  return family;
}

constexpr Architecture qwen3() {
  Architecture family{"qwen3"};
  family.splits_rotation = true;
  family.query_key_norms = true;
  return family;
}

constexpr Architecture gemma2() {
  Architecture family{"gemma2"};
  family.splits_rotation = true;
  family.post_norms = true;
  family.gelu_gate = true;
  family.gemma = true;
  return family;
}

constexpr Architecture supported[] = {llama(), qwen2(), qwen3(), gemma2()};

}  // namespace

const Architecture& find_architecture(const std::string& name) {
  std::string names;
  for (const Architecture& family : supported) {
    if (name == family.name) return family;
    names += (names.empty() ? "" : ", ") + std::string(family.name);
  }
  throw Error("UNSUPPORTED_MODEL", "Expected an architecture that can be trained (" + names + ") but received " + name);
}

}  // namespace spct
