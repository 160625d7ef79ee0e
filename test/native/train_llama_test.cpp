// What the trainer saves is what llama.cpp runs: log-probabilities and final-norm states must agree.

#include "check.h"
#include "llama_logits.h"
#include "train_fixture.h"

using namespace spct;

static void compare(const std::string& path, Trainer& trainer, double tolerance) {
  for (uint32_t seed = 0; seed < 3; ++seed) {
    const Sequence sequence = random_sequences(1, 256, seed)[0];
    const LlamaResult expected = run_llama(path, sequence.tokens);
    const auto expected_tokens = completion_log_probabilities(expected.logits, sequence);
    const auto tokens = trainer.log_probabilities({sequence}, 1);
    CHECK(tokens.size() == expected_tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) CHECK_NEAR(tokens[i], expected_tokens[i], tolerance);
    const int32_t last = static_cast<int32_t>(sequence.size()) - 1;
    const std::vector<float> state = trainer.hidden_states({sequence}, {last});
    for (size_t i = 0; i < state.size(); ++i) {
      CHECK_NEAR(state[i], expected.states[static_cast<size_t>(last) * state.size() + i], tolerance);
    }
  }
}

// Every architecture, after its norms and biases have moved, and again as the trainer reads it back.
static void architectures_agree() {
  for (const char* architecture : architectures) {
    const auto trainer = varied_trainer("train_llama_test", architecture);
    for (uint32_t seed = 0; seed < 5; ++seed) trainer->step(random_sequences(8, 256, seed), 3e-3f);
    const std::string path = std::string("train_llama_test.") + architecture + ".gguf";
    trainer->save(path, GGML_TYPE_F32);
    // llama.cpp looks its GELU up in a table of F16.
    const double tolerance = std::string(architecture) == "gemma2" ? 4e-3 : 2e-4;
    compare(path, *trainer, tolerance);
    const auto reread = Trainer::open(path, {});
    const auto sequences = random_sequences(4, 256, 9);
    CHECK(reread->evaluate(sequences).loss == trainer->evaluate(sequences).loss);
  }
}

int main() {
  architectures_agree();
  const auto trainer = small_trainer("train_llama_test");
  for (uint32_t seed = 0; seed < 5; ++seed) trainer->step(random_sequences(8, 256, seed), 3e-3f);
  trainer->save("train_llama_test.f32.gguf", GGML_TYPE_F32);
  compare("train_llama_test.f32.gguf", *trainer, 2e-4);

  // Quantized weights: the trainer reads them back and agrees with llama.cpp on what they are.
  trainer->save("train_llama_test.q8_0.gguf", GGML_TYPE_Q8_0);
  const auto reread = Trainer::open("train_llama_test.q8_0.gguf", {});
  compare("train_llama_test.q8_0.gguf", *reread, 1e-1);
  trainer->save("train_llama_test.f16.gguf", GGML_TYPE_F16);
  compare("train_llama_test.f16.gguf", *Trainer::open("train_llama_test.f16.gguf", {}), 1e-2);
  return check_result();
}
