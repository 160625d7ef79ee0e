// The losses against values worked out by hand and against finite differences.

#include <limits>
#include <vector>

#include "check.h"
#include "error.h"
#include "train/losses.h"

using namespace spct;

static void nll_of_known_logits() {
  // Row 0: probabilities 1/4, 1/4, 1/2. Row 1: all equal.
  const std::vector<float> logits{0.0f, 0.0f, std::log(2.0f), 5.0f, 5.0f, 5.0f};
  const std::vector<int32_t> targets{2, 0};
  std::vector<float> gradients(6);
  const double loss = nll_loss_cpu(logits.data(), targets.data(), 2, 3, 2.0f, gradients.data());
  CHECK_NEAR(loss, std::log(2.0) + std::log(3.0), 1e-6);
  const double expected[] = {0.5, 0.5, -1.0, 2.0 / 3 - 2, 2.0 / 3, 2.0 / 3};
  for (int i = 0; i < 6; ++i) CHECK_NEAR(gradients[i], expected[i], 1e-6);
}

static void nll_gradient_is_the_slope() {
  std::vector<float> logits{1.5f, -0.5f, 0.25f, 3.0f, 0.0f};
  const int32_t target = 1;
  std::vector<float> gradients(5);
  std::vector<float> unused(5);
  nll_loss_cpu(logits.data(), &target, 1, 5, 1.0f, gradients.data());
  for (int i = 0; i < 5; ++i) {
    const float kept = logits[i];
    logits[i] = kept + 1e-2f;
    const double above = nll_loss_cpu(logits.data(), &target, 1, 5, 1.0f, unused.data());
    logits[i] = kept - 1e-2f;
    const double below = nll_loss_cpu(logits.data(), &target, 1, 5, 1.0f, unused.data());
    logits[i] = kept;
    CHECK_NEAR(gradients[i], (above - below) / 2e-2, 1e-4);
  }
}

static void nll_works_in_place_and_with_far_logits() {
  std::vector<float> logits{1000.0f, -1000.0f};
  const int32_t target = 1;
  CHECK_NEAR(nll_loss_cpu(logits.data(), &target, 1, 2, 1.0f, logits.data()), 2000.0, 1e-3);
  CHECK_NEAR(logits[0], 1.0, 1e-6);
  CHECK_NEAR(logits[1], -1.0, 1e-6);
}

static void bce_of_known_logits() {
  double gradient = 0;
  CHECK_NEAR(bce_loss_cpu(0.0, 1.0, &gradient), std::log(2.0), 1e-12);
  CHECK_NEAR(gradient, -0.5, 1e-12);
  CHECK_NEAR(bce_loss_cpu(-800.0, 1.0, &gradient), 800.0, 1e-9);
  CHECK_NEAR(gradient, -1.0, 1e-12);
  double unused = 0;
  const double above = bce_loss_cpu(0.7 + 1e-5, 0.25, &unused);
  const double below = bce_loss_cpu(0.7 - 1e-5, 0.25, &unused);
  bce_loss_cpu(0.7, 0.25, &gradient);
  CHECK_NEAR(gradient, (above - below) / 2e-5, 1e-8);
}

static void bradley_terry_of_known_scores() {
  double gradient = 0;
  CHECK_NEAR(bradley_terry_loss_cpu(2.0, 2.0, 0.0, &gradient), std::log(2.0), 1e-12);
  CHECK_NEAR(gradient, -0.5, 1e-12);
  CHECK_NEAR(bradley_terry_loss_cpu(std::log(3.0), 0.0, 0.0, &gradient), std::log(4.0 / 3.0), 1e-12);
  CHECK_NEAR(gradient, -0.25, 1e-12);
  CHECK_NEAR(bradley_terry_loss_cpu(1.0, 0.0, 1.0, &gradient), std::log(2.0), 1e-12);
  CHECK_NEAR(bradley_terry_loss_cpu(-900.0, 0.0, 0.0, &gradient), 900.0, 1e-9);
  CHECK_NEAR(gradient, -1.0, 1e-12);
  double unused = 0;
  const double above = bradley_terry_loss_cpu(0.3 + 1e-5, -0.4, 0.1, &unused);
  const double below = bradley_terry_loss_cpu(0.3 - 1e-5, -0.4, 0.1, &unused);
  bradley_terry_loss_cpu(0.3, -0.4, 0.1, &gradient);
  CHECK_NEAR(gradient, (above - below) / 2e-5, 1e-8);
}

static void scalar_losses_refuse_what_is_not_a_number() {
  double gradient = 0;
  CHECK_THROWS(bce_loss_cpu(std::nan(""), 1.0, &gradient), Error);
  CHECK_THROWS(bce_loss_cpu(0.0, std::nan(""), &gradient), Error);
  CHECK_THROWS(bce_loss_cpu(0.0, 1.5, &gradient), Error);
  CHECK_THROWS(bradley_terry_loss_cpu(std::nan(""), 0.0, 0.0, &gradient), Error);
  CHECK_THROWS(bradley_terry_loss_cpu(0.0, std::numeric_limits<double>::infinity(), 0.0, &gradient), Error);
}

int main() {
  nll_of_known_logits();
  nll_gradient_is_the_slope();
  nll_works_in_place_and_with_far_logits();
  bce_of_known_logits();
  bradley_terry_of_known_scores();
  scalar_losses_refuse_what_is_not_a_number();
  return check_result();
}
