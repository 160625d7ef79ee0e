// Training on a real GPU against training on the CPU, with the tolerance of TF32 products. Exits with 77 where there is
// no device.
#include <algorithm>
#include <cstdio>

#include "check.h"
#include "train_fixture.h"

using namespace spct;

static void trains_as_the_cpu(const char* name, const std::string& model, const std::string& cpu_model,
                              TrainerOptions options) {
  const auto cpu = Trainer::open(cpu_model, options);
  options.device = TrainingDevice::gpu;
  const auto gpu = Trainer::open(model, options);
  const std::vector<float> before = model_weights(*cpu);
  for (uint32_t seed = 0; seed < 5; ++seed) {
    const auto batch = random_sequences(8, 256, seed);
    const StepResult found = gpu->step(batch, 1e-3f);
    const StepResult expected = cpu->step(batch, 1e-3f);
    CHECK_NEAR(found.loss, expected.loss, 1e-2);
    CHECK_NEAR(found.gradient_norm / expected.gradient_norm, 1.0, 2e-2);
  }
  const auto sequences = random_sequences(6, 256, 99);
  std::vector<Rollout> rollouts;
  const std::vector<float> present = cpu->log_probabilities(sequences, 1.0);
  auto next = present.begin();
  for (const Sequence& sequence : sequences) {
    Rollout rollout;
    rollout.old_log_probabilities.assign(next, next + sequence.completion_size());
    rollout.reference_log_probabilities = rollout.old_log_probabilities;
    rollout.mask.assign(rollout.old_log_probabilities.size(), 1);
    rollout.advantage = rollouts.size() % 2 == 0 ? 1.0 : -1.0;
    next += sequence.completion_size();
    rollouts.push_back(rollout);
  }
  const PolicyStepResult found = gpu->policy_step(sequences, rollouts, {}, 1e-3f);
  const PolicyStepResult expected = cpu->policy_step(sequences, rollouts, {}, 1e-3f);
  CHECK_NEAR(found.loss, expected.loss, 2e-2);
  CHECK_NEAR(found.entropy, expected.entropy, 2e-2);
  const std::vector<float> after = model_weights(*cpu);
  const double share = distance(model_weights(*gpu), after) / distance(before, after);
  std::printf("%s on %s: after 6 steps the weights are apart by %.1e of their way\n", name, gpu->device_name(), share);
  CHECK(share < 0.1);
}

int main() {
  if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU) == nullptr) {
    std::printf("SKIPPED: there is no GPU here, nothing was trained\n");
    return 77;
  }
  const std::string model = "gpu_train_check.gguf";
  const std::string plain = "gpu_train_check.plain.gguf";
  for (const char* architecture : architectures) {
    varied_trainer("gpu_train_check", architecture)->save(model, GGML_TYPE_F32);
    trains_as_the_cpu(architecture, model, model, {});
  }
  TrainerOptions options;
  options.lora = LoraOptions();
  for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_Q8_0}) {
    varied_trainer("gpu_train_check", "llama")->save(model, type);
    Trainer::open(model, {})->save(plain, GGML_TYPE_F32);
    trains_as_the_cpu("adapters", model, plain, options);
  }
  if (check_result() == 0) std::printf("all checks passed\n");
  return check_result();
}
