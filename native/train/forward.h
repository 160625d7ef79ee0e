#pragma once

#include "train/ggml_handles.h"
#include "train/parameters.h"

namespace spct {

// The forward pass over `rows` right-padded sequences of `columns` tokens. Only `outputs` chosen positions reach the
// final norm and the head. Leaves named *_input are set by the caller after allocation.
struct ForwardGraph {
  ggml_tensor* tokens_input = nullptr;     // I32 [columns * rows]
  ggml_tensor* positions_input = nullptr;  // I32 [columns]
  ggml_tensor* mask_input = nullptr;       // F32 [columns, columns], 0 where attention is allowed, else -inf
  ggml_tensor* outputs_input = nullptr;    // I32 [outputs], indices into columns * rows
  ggml_tensor* hidden = nullptr;           // F32 [embedding, outputs], after the final norm
  ggml_tensor* logits = nullptr;           // F32 [vocabulary, outputs]; null when not asked for
};

ForwardGraph build_forward(ggml_context* context, const ModelShape& shape, const Parameters& parameters, int columns,
                           int rows, int outputs, bool with_logits);

}  // namespace spct
