#pragma once

#include <string>

#include "scoring/score_head.h"

namespace spct {

// A linear head as a GGUF file: tensors head.weight [n_embd] and head.bias [1], both F32, and the keys
// spct.head.kind (meta | reward), spct.head.activation (none | sigmoid | tanh), spct.head.pooling (last), and
// optionally spct.head.backbone (SHA-256 of the
// model file).
struct HeadFile {
  ScoreHead head;
  std::string kind;
  std::string backbone;
};

// Throws Error HEAD_NOT_FOUND, NOT_A_HEAD (what is missing or of the wrong shape).
HeadFile read_head_file(const std::string& path);

}  // namespace spct
