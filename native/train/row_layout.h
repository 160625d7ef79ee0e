#pragma once

#include <cstdint>
#include <vector>

#include "train/model_shape.h"
#include "train/sequence.h"

namespace spct {

// How the sequences of a micro-batch lie in rows of equal length: each in its own row and padded to the longest, under
// one causal mask for all rows; or packed end to end, each under its own block of its row's mask.
//
//   padded   A A A A A A    packed   A A A A A A
//            B B B . . .             B B B C C .
//            C C . . . .
struct RowLayout {
  struct Place {
    int row;
    int column;
  };

  int columns = 0;  // a multiple of 16: whole vectors let ggml use its fast matrix product
  int rows = 0;
  bool packed = false;
  std::vector<Place> places;  // of each sequence
};

// What rows cost, in tokens whose attention is free. Attention is computed over whole rows, so its cost grows with the
// square of their length; packing short sequences into long rows can cost more than padding them.
struct RowCost {
  double knee;      // columns at which attention costs as much as all else
  double overhead;  // of a micro-batch: its gradients are added to those of the weights

  explicit RowCost(const ModelShape& shape);
  double operator()(const RowLayout& layout) const {
    return overhead + double{1} * layout.rows * layout.columns * (1 + layout.columns / knee);
  }
};

// The cheaper layout; equal input gives an equal layout.
RowLayout plan_rows(const std::vector<const Sequence*>& sequences, const RowCost& cost);

// Indices of sequences in groups, longest first, whose rows hold at most `tokens` (one sequence at least): as cheap as
// either form allows.
std::vector<std::vector<size_t>> plan_micro_batches(const std::vector<Sequence>& sequences, int64_t tokens,
                                                    const RowCost& cost);

}  // namespace spct
