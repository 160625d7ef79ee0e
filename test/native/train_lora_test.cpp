// Adapters: llama.cpp computes with them what the trainer does, on a plain and on a quantized model; only they are
// trained, a resumed run is the same run, and merging them gives the same model.

#include <llama.h>

#include <algorithm>

#include "check.h"
#include "error.h"
#include "llama_logits.h"
#include "train_fixture.h"

using namespace spct;

static TrainerOptions with_lora(const std::string& adapter = "", std::vector<std::string> targets = {}) {
  TrainerOptions options;
  options.lora = LoraOptions();
  options.lora->rank = 4;
  options.lora->alpha = 6;
  options.lora->targets = std::move(targets);
  options.lora->adapter = adapter;
  return options;
}

static std::string base_of(const std::string& architecture, ggml_type type) {
  const std::string path = "train_lora_test." + architecture + "." + ggml_type_name(type) + ".gguf";
  varied_trainer("train_lora_test", architecture)->save(path, type);
  return path;
}

static void run(Trainer& trainer, uint32_t first, uint32_t last) {
  for (uint32_t seed = first; seed < last; ++seed) trainer.step(random_sequences(8, 256, seed), 1e-2f);
}

static void compare_with_llama(const std::string& model, const std::string& adapter, Trainer& trainer,
                               double tolerance) {
  const Sequence sequence = random_sequences(1, 256, 3)[0];
  const auto expected = completion_log_probabilities(run_llama(model, sequence.tokens, adapter).logits, sequence);
  const auto found = trainer.log_probabilities({sequence}, 1);
  CHECK(found.size() == expected.size());
  double difference = 0;
  for (size_t i = 0; i < found.size(); ++i) difference = std::max(difference, std::fabs(found[i] - expected[i]));
  CHECK_NEAR(difference, 0, tolerance);
}

static void llama_computes_the_same(const char* architecture) {
  const std::string base = base_of(architecture, GGML_TYPE_F32);
  const auto trainer = Trainer::open(base, with_lora());
  const auto sequences = random_sequences(6, 256, 50);
  const double before = Trainer::open(base, {})->evaluate(sequences).loss;
  CHECK_NEAR(trainer->evaluate(sequences).loss, before, 1e-6);  // a new adapter adds nothing
  run(*trainer, 0, 5);
  CHECK(std::fabs(trainer->evaluate(sequences).loss - before) > 1e-3);
  trainer->save("train_lora_test.adapter.gguf", GGML_TYPE_F32);
  const double tolerance = std::string(architecture) == "gemma2" ? 4e-3 : 3e-4;
  compare_with_llama(base, "train_lora_test.adapter.gguf", *trainer, tolerance);
  trainer->save_merged("train_lora_test.merged.gguf", GGML_TYPE_F32);
  compare_with_llama("train_lora_test.merged.gguf", "", *trainer, tolerance);
}

// What a quantized matrix passes back equals what the same values in F32 pass back, but for the rounding of
// activations.
static void quantized_models_stay_quantized(ggml_type type) {
  const std::string base = base_of("llama", type);
  const auto quantized = Trainer::open(base, with_lora());
  CHECK(quantized->parameters().weight("blk.0.attn_q.weight")->type == type);
  Trainer::open(base, {})->save("train_lora_test.plain.gguf", GGML_TYPE_F32);
  run(*quantized, 0, 3);
  quantized->save("train_lora_test.quantized.gguf", GGML_TYPE_F32);
  const auto plain = Trainer::open("train_lora_test.plain.gguf", with_lora("train_lora_test.quantized.gguf"));
  const auto sequences = random_sequences(5, 256, 60);
  std::vector<const Sequence*> batch;
  for (const Sequence& sequence : sequences) batch.push_back(&sequence);
  GradientWorker a(quantized->shape(), quantized->parameters(), 1);
  GradientWorker b(plain->shape(), plain->parameters(), 1);
  CHECK_NEAR(a.accumulate_nll(batch, 1.0f) / b.accumulate_nll(batch, 1.0f), 1.0, 2e-2);
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.gradients().size(); ++i) {
    const std::vector<float> x = read_tensor(a.gradients()[i]), y = read_tensor(b.gradients()[i]);
    for (size_t at = 0; at < x.size(); ++at) {
      ab += double{x[at]} * y[at];
      aa += double{x[at]} * x[at];
      bb += double{y[at]} * y[at];
    }
  }
  CHECK_NEAR(ab / std::sqrt(aa * bb), 1.0, 2e-3);
  compare_with_llama(base, "train_lora_test.quantized.gguf", *quantized, 5e-2);
}

static std::vector<float> trained_state(const Trainer& trainer) {
  std::vector<float> values;
  for (const Parameter& parameter : trainer.parameters().all()) {
    for (const ggml_tensor* tensor : {parameter.weight, parameter.first_moment, parameter.second_moment}) {
      for (const float value : read_tensor(tensor)) values.push_back(value);
    }
  }
  return values;
}

static void a_resumed_run_is_the_same_run() {
  const std::string base = base_of("qwen3", GGML_TYPE_F16);
  const std::vector<std::string> targets{"attn_q", "ffn_down"};
  const auto whole = Trainer::open(base, with_lora("", targets));
  CHECK(whole->parameters().all().size() == 2 * 2 * 2);
  run(*whole, 0, 4);
  const auto first = Trainer::open(base, with_lora("", targets));
  run(*first, 0, 2);
  first->save_checkpoint("train_lora_test.checkpoint.gguf", "2 batches");
  const auto second = Trainer::open(base, with_lora("train_lora_test.checkpoint.gguf", targets));
  CHECK(second->steps_done() == 2);
  CHECK(second->note() == "2 batches");
  run(*second, 2, 4);
  CHECK(trained_state(*second) == trained_state(*whole));
}

static void bad_input_is_refused() {
  const std::string base = base_of("llama", GGML_TYPE_F32);
  const auto refused = [&](const std::string& code, const std::string& path, const TrainerOptions& options) {
    try {
      Trainer::open(path, options);
      CHECK(false);
    } catch (const Error& error) {
      if (error.code() != code) std::fprintf(stderr, "%s: %s\n", error.code().c_str(), error.what());
      CHECK(error.code() == code);
    }
  };
  TrainerOptions options = with_lora("", {"attn_x"});
  refused("INVALID_ARGUMENT", base, options);
  options = with_lora();
  options.lora->rank = 0;
  refused("INVALID_ARGUMENT", base, options);
  options = with_lora();
  options.lora->alpha = 0;
  refused("INVALID_ARGUMENT", base, options);
  refused("INVALID_ARGUMENT", base, with_lora(base));
  refused("MODEL_NOT_FOUND", base, with_lora("no_such_adapter.gguf"));
  Trainer::open(base, with_lora())->save("train_lora_test.adapter.gguf", GGML_TYPE_F32);
  options = with_lora("train_lora_test.adapter.gguf");
  options.lora->alpha = 7;
  refused("INVALID_ARGUMENT", base, options);
  options = with_lora("train_lora_test.adapter.gguf");
  options.lora->rank = 5;
  refused("UNSUPPORTED_MODEL", base, options);
  refused("UNSUPPORTED_MODEL", base, with_lora("train_lora_test.adapter.gguf", {"attn_q"}));
  refused("INVALID_ARGUMENT", base_of("qwen2", GGML_TYPE_F32), with_lora("train_lora_test.adapter.gguf"));
  refused("UNSUPPORTED_MODEL", "train_lora_test.adapter.gguf", {});
  CHECK_THROWS(small_trainer("train_lora_test", with_lora()), Error);
  CHECK_THROWS(small_trainer("train_lora_test")->save_merged("train_lora_test.merged.gguf", GGML_TYPE_F32), Error);
}

int main() {
  for (const char* architecture : architectures) llama_computes_the_same(architecture);
  for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0}) quantized_models_stay_quantized(type);
  a_resumed_run_is_the_same_run();
  bad_input_is_refused();
  return check_result();
}
