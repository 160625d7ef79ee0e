// Training on a device whose memory the host cannot touch gives what training on the CPU gives, for all weights and for
// adapters; it is saved, resumed and read in the same way.

#include "check.h"
#include "error.h"
#include "remote_device.h"
#include "train_fixture.h"

using namespace spct;

static TrainerOptions on(TrainingDevice device) {
  TrainerOptions options;
  options.device = device;
  options.micro_batch_tokens = 96;
  return options;
}

static TrainerOptions with_lora(TrainingDevice device) {
  TrainerOptions options = on(device);
  options.lora = LoraOptions();
  options.lora->rank = 4;
  return options;
}

static void compare(const std::vector<float>& found, const std::vector<float>& expected, double tolerance) {
  CHECK(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) CHECK_NEAR(found[i], expected[i], tolerance);
}

static std::vector<Rollout> rollouts_for(const std::vector<Sequence>& sequences, const std::vector<float>& present) {
  std::vector<Rollout> rollouts;
  size_t at = 0;
  for (const Sequence& sequence : sequences) {
    Rollout rollout;
    rollout.advantage = rollouts.size() % 2 == 0 ? 1.0 : -0.7;
    for (int64_t i = 0; i < sequence.completion_size(); ++i, ++at) {
      rollout.old_log_probabilities.push_back(std::min(0.0f, present[at] + (i % 3 == 0 ? 0.4f : 0.1f)));
      rollout.reference_log_probabilities.push_back(std::min(0.0f, present[at] - 0.2f));
      rollout.mask.push_back(i % 4 != 3);
    }
    rollouts.push_back(rollout);
  }
  return rollouts;
}

// Every kind of step and of reading, on both.
static void trains_as_the_cpu(Trainer& device, Trainer& cpu) {
  const auto sequences = random_sequences(6, 256, 3);
  const std::vector<int32_t> positions(sequences.size(), 4);
  compare(device.log_probabilities(sequences, 0.8), cpu.log_probabilities(sequences, 0.8), 1e-4);
  compare(device.hidden_states(sequences, positions), cpu.hidden_states(sequences, positions), 1e-4);
  CHECK_NEAR(device.evaluate(sequences).loss, cpu.evaluate(sequences).loss, 1e-5);

  const std::vector<float> before = model_weights(cpu);
  for (uint32_t seed = 0; seed < 3; ++seed) {
    const auto batch = random_sequences(8, 256, 10 + seed);
    const StepResult found = device.step(batch, 1e-3f);
    const StepResult expected = cpu.step(batch, 1e-3f);
    CHECK_NEAR(found.loss, expected.loss, 1e-4);
    CHECK_NEAR(found.gradient_norm / expected.gradient_norm, 1.0, 1e-3);
  }
  const auto rollouts = rollouts_for(sequences, cpu.log_probabilities(sequences, 1.0));
  const PolicyStepResult found = device.policy_step(sequences, rollouts, {}, 1e-3f);
  const PolicyStepResult expected = cpu.policy_step(sequences, rollouts, {}, 1e-3f);
  CHECK_NEAR(found.loss, expected.loss, 1e-3);
  CHECK_NEAR(found.kl, expected.kl, 1e-3);
  CHECK_NEAR(found.entropy, expected.entropy, 1e-3);
  CHECK_NEAR(found.gradient_norm / expected.gradient_norm, 1.0, 1e-2);
  RewardBatch batch;
  batch.sequences = sequences;
  for (int step = 0; step < 2; ++step) {  // at first the head is zero and passes nothing back
    const RewardStepResult reward = device.reward_step(batch, RewardLoss::bradley_terry, 1e-3f);
    CHECK_NEAR(reward.loss, cpu.reward_step(batch, RewardLoss::bradley_terry, 1e-3f).loss, 1e-4);
  }
  compare(device.rewards(batch), cpu.rewards(batch), 1e-3);
  const std::vector<float> after = model_weights(cpu);
  const double share = distance(model_weights(device), after) / distance(before, after);
  std::printf("%s: after 6 steps the weights are apart by %.1e of their way\n", cpu.shape().architecture.c_str(),
              share);
  CHECK(share < 1e-4);
}

static void all_weights_are_trained(const std::string& architecture) {
  const std::string model = "train_device_test.gguf";
  varied_trainer("train_device_test", architecture)->save(model, GGML_TYPE_F32);
  const auto device = Trainer::open(model, on(TrainingDevice::gpu));
  const auto cpu = Trainer::open(model, on(TrainingDevice::cpu));
  for (const Parameter& parameter : device->parameters().all()) {
    for (const ggml_tensor* tensor : {parameter.weight, parameter.first_moment, parameter.second_moment}) {
      CHECK(!ggml_backend_buffer_is_host(tensor->buffer));
    }
  }
  trains_as_the_cpu(*device, *cpu);
}

// Matrices become F32 where the device cannot pass gradients through their type.
static void adapters_are_trained(ggml_type type) {
  const std::string model = "train_device_test.gguf";
  varied_trainer("train_device_test", "llama")->save(model, type);
  const auto device = Trainer::open(model, with_lora(TrainingDevice::gpu));
  CHECK(device->parameters().weight("blk.0.attn_q.weight")->type == GGML_TYPE_F32);
  // The CPU rounds activations for a quantized matrix; with the same values in F32 it does not.
  Trainer::open(model, {})->save("train_device_test.plain.gguf", GGML_TYPE_F32);
  const auto cpu = Trainer::open("train_device_test.plain.gguf", with_lora(TrainingDevice::cpu));
  trains_as_the_cpu(*device, *cpu);

  device->save("train_device_test.adapter.gguf", GGML_TYPE_F32);
  TrainerOptions again = with_lora(TrainingDevice::cpu);
  again.lora->adapter = "train_device_test.adapter.gguf";
  CHECK(model_weights(*Trainer::open(model, again)) == model_weights(*device));
  device->save_merged("train_device_test.merged.gguf", GGML_TYPE_F32);
  const auto sequences = random_sequences(4, 256, 8);
  CHECK_NEAR(Trainer::open("train_device_test.merged.gguf", {})->evaluate(sequences).loss,
             device->evaluate(sequences).loss, 1e-5);
}

static void a_resumed_run_is_the_same_run() {
  const std::string checkpoint = "train_device_test.checkpoint.gguf";
  const auto run = [](Trainer& trainer, uint32_t seed) { trainer.step(random_sequences(8, 256, seed), 1e-3f); };
  const auto first = small_trainer("train_device_test", on(TrainingDevice::gpu));
  run(*first, 1);
  first->save_checkpoint(checkpoint, "1 batch");
  run(*first, 2);
  const auto second = Trainer::open(checkpoint, on(TrainingDevice::gpu));
  CHECK(second->steps_done() == 1 && second->note() == "1 batch");
  run(*second, 2);
  CHECK(model_weights(*second) == model_weights(*first));
  // A run may move between devices.
  const auto moved = Trainer::open(checkpoint, on(TrainingDevice::cpu));
  run(*moved, 2);
  CHECK(distance(model_weights(*moved), model_weights(*first)) < 1e-3);
}

static void weights_can_be_read_for_the_engine() {
  const auto trainer = small_trainer("train_device_test", on(TrainingDevice::gpu));
  for (const WeightView& view : trainer->parameters().views()) {
    const std::vector<float> whole = read_tensor(trainer->parameters().weight(view.name));
    std::vector<float> read(whole.size());
    const int64_t half = view.rows / 2;
    view.read(0, half, read.data());
    view.read(half, view.rows - half, read.data() + half * view.columns);
    CHECK(read == whole);
  }
}

template <class Call>
static std::string code_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

static void what_the_device_lacks_is_an_error() {
  small_trainer("train_device_test")->save("train_device_test.gguf", GGML_TYPE_F32);
  TrainerOptions options = with_lora(TrainingDevice::gpu);
  options.lora->rank = 1;
  CHECK(code_of([&] { Trainer::open("train_device_test.gguf", options); }) == "INVALID_ARGUMENT");

  const GgmlBackend backend = make_backend(TrainingDevice::gpu, 1);
  const GgmlContext context(ggml_init({4 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true}));
  ggml_cgraph* graph = ggml_new_graph(context.get());
  ggml_build_forward_expand(graph, ggml_tanh(context.get(), ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 8)));
  CHECK(code_of([&] { check_operations(backend.get(), graph); }) == "UNSUPPORTED_MODEL");
}

int main() {
  if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU) != nullptr) {
    std::printf("skipped: this machine has a GPU of its own, which would be used in place of the one that is played\n");
    return 77;
  }
  const RemoteDevice device;
  CHECK(code_of([] { small_trainer("train_device_test", on(TrainingDevice::gpu)); }) == "NO_GPU");
  device.add_to_registry();
  for (const char* architecture : architectures) all_weights_are_trained(architecture);
  for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_Q8_0}) adapters_are_trained(type);
  a_resumed_run_is_the_same_run();
  weights_can_be_read_for_the_engine();
  what_the_device_lacks_is_an_error();
  return check_result();
}
