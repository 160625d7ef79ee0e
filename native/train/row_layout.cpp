#include "train/row_layout.h"

#include <algorithm>
#include <numeric>

namespace spct {
namespace {

using Groups = std::vector<std::vector<size_t>>;

int whole_vectors(int64_t length) { return static_cast<int>((length + 15) / 16 * 16); }

// Indices of the longest first; equal lengths stay in order.
std::vector<size_t> by_length(const std::vector<const Sequence*>& sequences) {
  std::vector<size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sequences[a]->size() > sequences[b]->size(); });
  return order;
}

RowLayout pad(const std::vector<const Sequence*>& sequences, int columns) {
  RowLayout layout{columns, static_cast<int>(sequences.size()), false, {}};
  for (int row = 0; row < layout.rows; ++row) layout.places.push_back({row, 0});
  return layout;
}

// Each sequence, longest first, goes into the first row that has room.
RowLayout pack(const std::vector<const Sequence*>& sequences, int columns) {
  RowLayout layout{columns, 0, true, {}};
  layout.places.resize(sequences.size());
  std::vector<int64_t> filled;
  for (const size_t index : by_length(sequences)) {
    const int64_t size = sequences[index]->size();
    const auto row = std::find_if(filled.begin(), filled.end(), [&](int64_t used) { return used + size <= columns; });
    const auto number = static_cast<size_t>(row - filled.begin());
    if (row == filled.end()) filled.push_back(0);
    layout.places[index] = {static_cast<int>(number), static_cast<int>(filled[number])};
    filled[number] += size;
  }
  layout.rows = static_cast<int>(filled.size());
  return layout;
}

// Sequences next to each other in length, as many as fit when padded.
Groups group_padded(const std::vector<const Sequence*>& sequences, int64_t tokens) {
  Groups groups;
  for (const size_t index : by_length(sequences)) {
    const bool fits =
        !groups.empty() &&
        static_cast<int64_t>(groups.back().size() + 1) * sequences[groups.back().front()]->size() <= tokens;
    if (!fits) groups.emplace_back();
    groups.back().push_back(index);
  }
  return groups;
}

// As many packed rows as fit, with all of their sequences.
Groups group_packed(const std::vector<const Sequence*>& sequences, int64_t tokens) {
  const std::vector<size_t> order = by_length(sequences);
  const RowLayout all = pack(sequences, whole_vectors(sequences[order.front()]->size()));
  const int64_t rows_in_group = std::max<int64_t>(1, tokens / all.columns);
  Groups groups(static_cast<size_t>((all.rows + rows_in_group - 1) / rows_in_group));
  for (const size_t index : order) groups[static_cast<size_t>(all.places[index].row / rows_in_group)].push_back(index);
  return groups;
}

double total_cost(const std::vector<const Sequence*>& sequences, const Groups& groups, const RowCost& cost) {
  double total = 0;
  for (const auto& group : groups) {
    std::vector<const Sequence*> members;
    for (const size_t index : group) members.push_back(sequences[index]);
    total += cost(plan_rows(members, cost));
  }
  return total;
}

}  // namespace

RowCost::RowCost(const ModelShape& shape) {
  const double width = double{1} * shape.head_size() * shape.heads;
  const double kv_width = double{1} * shape.head_size() * shape.kv_heads;
  const double matrices = shape.embedding * (2 * width + 2 * kv_width + 3.0 * shape.feed_forward);
  // Measured on equal sequences of 32 to 512 tokens: attention's products, with their softmax, take about one and a
  // half times as long as products of the same size elsewhere.
  knee = matrices / (1.5 * 2 * width);
  overhead = 16;
}

RowLayout plan_rows(const std::vector<const Sequence*>& sequences, const RowCost& cost) {
  int64_t longest = 0;
  for (const Sequence* sequence : sequences) longest = std::max(longest, sequence->size());
  const int columns = whole_vectors(longest);
  const RowLayout padded = pad(sequences, columns);
  const RowLayout packed = pack(sequences, columns);
  return cost(packed) < cost(padded) ? packed : padded;
}

std::vector<std::vector<size_t>> plan_micro_batches(const std::vector<Sequence>& sequences, int64_t tokens,
                                                    const RowCost& cost) {
  std::vector<const Sequence*> pointers;
  for (const Sequence& sequence : sequences) pointers.push_back(&sequence);
  const Groups padded = group_padded(pointers, tokens);
  const Groups packed = group_packed(pointers, tokens);
  return total_cost(pointers, packed, cost) < total_cost(pointers, padded, cost) ? packed : padded;
}

}  // namespace spct
