#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scoring/score_head.h"

namespace spct {

struct ScoreHeadFitOptions {
  int iterations = 400;
  float learning_rate = 0.05f;
  float weight_decay = 1e-3f;
};

struct ScoreHeadFit {
  ScoreHead head;   // its activation is none: the score is the logit
  double loss = 0;  // mean binary cross-entropy after the last iteration
};

// Fits a linear head on a frozen backbone by binary cross-entropy: states [labels, width] are final-norm hidden states,
// labels in [0, 1] say whether the judgement was right. Throws Error INVALID_ARGUMENT when sizes disagree.
ScoreHeadFit fit_score_head(const std::vector<float>& states, const std::vector<float>& labels, int64_t width,
                            const ScoreHeadFitOptions& options);

// Width of the states of a GGUF model, of whatever architecture. Throws Error MODEL_NOT_FOUND, NOT_A_GGUF or
// UNSUPPORTED_MODEL.
int64_t state_width(const std::string& model_path);

// Writes the GGUF head file that the engine loads. `kind` is meta or reward; `backbone` is the SHA-256 (hex) of the
// model file the states came from, or empty. Throws Error WRITE_FAILED.
void write_score_head(const std::string& path, const ScoreHead& head, const std::string& kind,
                      const std::string& backbone);

}  // namespace spct
