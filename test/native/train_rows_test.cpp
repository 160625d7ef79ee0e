// Packed rows compute what each sequence alone computes: losses, log-probabilities, states and gradients; and the
// cheaper of packing and padding is chosen, always in the same way.

#include <algorithm>

#include "check.h"
#include "train/row_layout.h"
#include "train_fixture.h"

using namespace spct;

static Sequence sequence_of(int length, uint32_t seed) {
  std::mt19937 random(seed);
  Sequence sequence;
  for (int at = 0; at < length; ++at) sequence.tokens.push_back(static_cast<int32_t>(random() % 256));
  sequence.completion_begin = 1 + static_cast<int32_t>(random() % (length - 1));
  return sequence;
}

static std::vector<Sequence> sequences_of(const std::vector<int>& lengths) {
  std::vector<Sequence> sequences;
  for (const int length : lengths) sequences.push_back(sequence_of(length, static_cast<uint32_t>(sequences.size())));
  return sequences;
}

static std::vector<const Sequence*> pointers_to(const std::vector<Sequence>& sequences) {
  std::vector<const Sequence*> pointers;
  for (const Sequence& sequence : sequences) pointers.push_back(&sequence);
  return pointers;
}

template <class Value>
static void compare(const std::vector<Value>& found, const std::vector<Value>& expected, double tolerance) {
  CHECK(found.size() == expected.size());
  for (size_t i = 0; i < found.size() && i < expected.size(); ++i) CHECK_NEAR(found[i], expected[i], tolerance);
}

// One long sequence and short ones, out of order, so that rows hold several; longer than Gemma's window.
static void packed_rows_are_their_sequences(const char* architecture) {
  const auto trainer = varied_trainer("train_rows_test", architecture);
  const auto sequences = sequences_of({5, 60, 7, 13, 2, 21, 9, 30});
  const auto batch = pointers_to(sequences);
  CHECK(plan_rows(batch, RowCost(trainer->shape())).packed);
  GradientWorker together(trainer->shape(), trainer->parameters(), 1);
  GradientWorker apart(trainer->shape(), trainer->parameters(), 1);
  std::vector<int32_t> last;
  std::vector<double> log_probabilities;
  std::vector<float> states;
  double loss = 0;
  for (const Sequence* sequence : batch) {
    last.push_back(static_cast<int32_t>(sequence->size()) - 1);
    for (const double value : apart.completion_log_probabilities({sequence}, 1)) log_probabilities.push_back(value);
    for (const float value : apart.hidden_states({sequence}, {last.back()})) states.push_back(value);
    loss += apart.accumulate_nll({sequence}, 0.1f);
  }
  compare(together.completion_log_probabilities(batch, 1), log_probabilities, 1e-4);
  compare(together.hidden_states(batch, last), states, 1e-4);
  CHECK_NEAR(together.accumulate_nll(batch, 0.1f), loss, 1e-4 * loss);
  for (size_t i = 0; i < together.gradients().size(); ++i) {
    compare(read_tensor(together.gradients()[i]), read_tensor(apart.gradients()[i]), 1e-3);
  }
}

static void places_do_not_overlap() {
  std::mt19937 random(3);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<int> lengths;
    for (int i = 0; i < 1 + static_cast<int>(random() % 20); ++i)
      lengths.push_back(2 + static_cast<int>(random() % 60));
    const auto sequences = sequences_of(lengths);
    const RowLayout layout = plan_rows(pointers_to(sequences), RowCost(small_shape()));
    std::vector<int> cells(static_cast<size_t>(layout.rows) * layout.columns, 0);
    for (size_t i = 0; i < sequences.size(); ++i) {
      CHECK(layout.places[i].column + sequences[i].size() <= layout.columns);
      for (int64_t at = 0; at < sequences[i].size(); ++at) {
        ++cells[static_cast<size_t>(layout.places[i].row) * layout.columns + layout.places[i].column + at];
      }
    }
    CHECK(*std::max_element(cells.begin(), cells.end()) == 1);
  }
}

static void every_sequence_is_in_one_micro_batch() {
  std::mt19937 random(4);
  const RowCost cost(small_shape());
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<int> lengths;
    for (int i = 0; i < 1 + static_cast<int>(random() % 30); ++i)
      lengths.push_back(2 + static_cast<int>(random() % 60));
    const auto sequences = sequences_of(lengths);
    const auto groups = plan_micro_batches(sequences, 128, cost);
    CHECK(groups == plan_micro_batches(sequences, 128, cost));
    std::vector<int> seen(sequences.size(), 0);
    for (const auto& group : groups) {
      CHECK(!group.empty());
      for (const size_t index : group) ++seen[index];
    }
    CHECK(*std::min_element(seen.begin(), seen.end()) == 1 && *std::max_element(seen.begin(), seen.end()) == 1);
  }
}

static void the_cheaper_form_is_chosen() {
  const RowCost cost(small_shape());
  const auto packed = [&](const std::vector<int>& lengths) {
    const auto sequences = sequences_of(lengths);
    return plan_rows(pointers_to(sequences), cost).packed;
  };
  CHECK(!packed({40, 40, 40}));
  CHECK(!packed({48, 47, 40, 39}));
  CHECK(packed({48, 8, 8, 8, 8, 8, 8}));
}

int main() {
  for (const char* architecture : architectures) packed_rows_are_their_sequences(architecture);
  places_do_not_overlap();
  every_sequence_is_in_one_micro_batch();
  the_cheaper_form_is_chosen();
  return check_result();
}
