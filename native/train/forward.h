#pragma once

#include "train/ggml_handles.h"
#include "train/parameters.h"

namespace spct {

// The forward pass over `rows` rows of `columns` tokens each; a row holds one sequence or several end to end. Only
// `outputs` chosen positions reach the final norm and the head. Leaves named *_input are set by the caller after
// allocation. Masks are 0 where attention is allowed, else -inf: [columns, columns, 1, masks], one for all rows or one
// for each.
struct ForwardGraph {
  ggml_tensor* tokens_input = nullptr;       // I32 [columns * rows]
  ggml_tensor* positions_input = nullptr;    // I32 [columns * rows], within their sequences
  ggml_tensor* mask_input = nullptr;         // F32, of layers that see all
  ggml_tensor* window_mask_input = nullptr;  // F32, of layers with a window; null when no layer needs its own
  ggml_tensor* outputs_input = nullptr;      // I32 [outputs], indices into columns * rows
  ggml_tensor* hidden = nullptr;             // F32 [embedding, outputs], after the final norm
  ggml_tensor* logits = nullptr;             // F32 [vocabulary, outputs]; null when not asked for
};

struct ForwardSize {
  int columns;
  int rows;
  int masks;  // 1 or rows
  int outputs;
};

ForwardGraph build_forward(ggml_context* context, const ModelShape& shape, const Parameters& parameters,
                           const ForwardSize& size, bool with_logits);

}  // namespace spct
