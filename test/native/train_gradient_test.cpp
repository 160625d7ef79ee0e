// The gradients of every weight of every architecture against finite differences of the loss, with grouped heads,
// ragged sequences and a prompt that is not learned; and our outer product against its definition.

#include <ggml-backend.h>

#include <array>

#include "check.h"
#include "train/outer_product.h"
#include "train_fixture.h"

using namespace spct;

// Along a direction in one tensor, the slope of the loss must be the gradient's share of that direction.
static void gradients_match_slopes(Trainer& trainer) {
  const auto sequences = random_sequences(5, 256, 3);
  std::vector<const Sequence*> pointers;
  for (const Sequence& sequence : sequences) pointers.push_back(&sequence);
  GradientWorker worker(trainer.shape(), trainer.parameters(), 1);
  worker.accumulate_nll(pointers, 1.0f);

  std::mt19937 random(11);
  for (size_t i = 0; i < trainer.parameters().all().size(); ++i) {
    ggml_tensor* weight = trainer.parameters().all()[i].weight;
    const std::vector<float> gradient = read_tensor(worker.gradients()[i]);
    const std::vector<float> kept = read_tensor(weight);
    // Half random, half along the gradient itself, so that the slope stands out of the rounding.
    std::vector<float> direction;
    double gradient_norm = 0;
    double direction_norm = 0;
    for (const float value : gradient) {
      direction.push_back(value * (0.5f + static_cast<float>(random() % 1000) / 1000.0f));
      gradient_norm += value * value;
      direction_norm += direction.back() * direction.back();
    }
    CHECK(gradient_norm > 0);
    double expected = 0;
    for (size_t at = 0; at < gradient.size(); ++at) {
      direction[at] /= static_cast<float>(std::sqrt(direction_norm));
      expected += static_cast<double>(gradient[at]) * direction[at];
    }
    const auto loss_at = [&](float distance) {
      std::vector<float> moved = kept;
      for (size_t at = 0; at < moved.size(); ++at) moved[at] += distance * direction[at];
      write_tensor(weight, moved);
      return worker.completion_nll(pointers);
    };
    const float distance = 2e-3f;
    const double slope = (loss_at(distance) - loss_at(-distance)) / (2 * distance);
    write_tensor(weight, kept);
    if (std::fabs(slope - expected) > 5e-3 * std::fabs(expected) + 1e-2) std::fprintf(stderr, "%s:\n", weight->name);
    CHECK_NEAR(slope, expected, 5e-3 * std::fabs(expected) + 1e-2);
  }
}

static void gradients_add_up_over_micro_batches() {
  const auto trainer = small_trainer("train_gradient_test");
  const auto sequences = random_sequences(4, 256, 5);
  GradientWorker whole(trainer->shape(), trainer->parameters(), 1);
  GradientWorker parts(trainer->shape(), trainer->parameters(), 1);
  const double loss = whole.accumulate_nll({&sequences[0], &sequences[1], &sequences[2], &sequences[3]}, 0.1f);
  const double sum = parts.accumulate_nll({&sequences[0]}, 0.1f) +
                     parts.accumulate_nll({&sequences[3], &sequences[1]}, 0.1f) +
                     parts.accumulate_nll({&sequences[2]}, 0.1f);
  CHECK_NEAR(loss, sum, 1e-4);
  for (size_t i = 0; i < whole.gradients().size(); ++i) {
    std::vector<float> a(static_cast<size_t>(ggml_nelements(whole.gradients()[i]))), b(a.size());
    ggml_backend_tensor_get(whole.gradients()[i], a.data(), 0, a.size() * sizeof(float));
    ggml_backend_tensor_get(parts.gradients()[i], b.data(), 0, b.size() * sizeof(float));
    for (size_t at = 0; at < a.size(); ++at) CHECK_NEAR(a[at], b[at], 1e-4);
  }
}

static void outer_product_is_its_definition() {
  std::mt19937 random(2);
  const std::array<int64_t, 3> sizes[] = {{1, 1, 1}, {7, 5, 3}, {64, 6, 130}, {100, 13, 257}, {33, 20, 128}};
  for (const auto& [columns, rows, depth] : sizes) {
    std::vector<float> a(static_cast<size_t>(columns * depth)), b(static_cast<size_t>(rows * depth)),
        c(static_cast<size_t>(columns * rows), 9.0f);
    for (float& value : a) value = static_cast<float>(random() % 200) / 100.0f - 1.0f;
    for (float& value : b) value = static_cast<float>(random() % 200) / 100.0f - 1.0f;
    for (const bool transposed : {false, true}) {
      outer_product(a.data(), columns, b.data(), transposed ? depth : 1, transposed ? 1 : rows, c.data(), columns,
                    columns, rows, depth);
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t column = 0; column < columns; ++column) {
          double sum = 0;
          for (int64_t k = 0; k < depth; ++k) {
            sum += double{a[k * columns + column]} * b[transposed ? row * depth + k : k * rows + row];
          }
          CHECK_NEAR(c[row * columns + column], sum, 1e-4);
        }
      }
    }
  }
}

int main() {
  for (const char* architecture : architectures) {
    const auto trainer = varied_trainer("train_gradient_test", architecture);
    gradients_match_slopes(*trainer);
    trainer->save("train_gradient_test.base.gguf", GGML_TYPE_F32);
    TrainerOptions options;
    options.lora = LoraOptions();
    const auto adapted = Trainer::open("train_gradient_test.base.gguf", options);
    // A new adapter's B is 0, and with it the gradient of A.
    for (uint32_t seed = 0; seed < 3; ++seed) adapted->step(random_sequences(8, 256, seed), 1e-2f);
    gradients_match_slopes(*adapted);
  }
  gradients_add_up_over_micro_batches();
  outer_product_is_its_definition();
  return check_result();
}
