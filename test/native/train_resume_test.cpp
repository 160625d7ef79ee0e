// A run that stops at a checkpoint and goes on must give the same weights, bit by bit, as one that never stopped.

#include <ggml-backend.h>

#include <fstream>

#include "check.h"
#include "error.h"
#include "train_fixture.h"

using namespace spct;

static std::vector<float> all_weights(const Trainer& trainer) {
  std::vector<float> values;
  for (const Parameter& parameter : trainer.parameters().all()) {
    for (const ggml_tensor* tensor : {parameter.weight, parameter.first_moment, parameter.second_moment}) {
      const size_t at = values.size();
      values.resize(at + static_cast<size_t>(ggml_nelements(tensor)));
      ggml_backend_tensor_get(tensor, values.data() + at, 0, ggml_nbytes(tensor));
    }
  }
  return values;
}

static void run(Trainer& trainer, uint32_t first, uint32_t last) {
  for (uint32_t seed = first; seed < last; ++seed) trainer.step(random_sequences(8, 256, seed), 1e-3f);
}

static void a_resumed_run_is_the_same_run() {
  TrainerOptions options;
  options.threads = 2;
  options.micro_batch_tokens = 64;
  const auto whole = small_trainer("train_resume_test", options);
  run(*whole, 0, 6);

  const auto first = small_trainer("train_resume_test", options);
  run(*first, 0, 3);
  first->save_checkpoint("train_resume_test.checkpoint.gguf", "3 batches");
  const auto second = Trainer::open("train_resume_test.checkpoint.gguf", options);
  CHECK(second->steps_done() == 3);
  CHECK(second->note() == "3 batches");
  run(*second, 3, 6);
  CHECK(all_weights(*second) == all_weights(*whole));
  CHECK(all_weights(*first) != all_weights(*whole));
}

static void tokens_of_a_group_start_alike() {
  std::vector<int32_t> groups(256);
  for (int32_t token = 0; token < 256; ++token) groups[token] = token;
  groups[20] = 10;
  write_byte_vocabulary("train_resume_test.vocabulary.gguf", 256);
  const auto trainer = Trainer::create("train_resume_test.vocabulary.gguf", small_shape(), 1, groups, {});
  const ggml_tensor* embeddings = trainer->parameters().named("token_embd.weight").weight;
  const auto row = [&](int token) {
    std::vector<float> values(32);
    ggml_backend_tensor_get(embeddings, values.data(), token * 32 * sizeof(float), 32 * sizeof(float));
    return values;
  };
  const auto cosine = [](const std::vector<float>& a, const std::vector<float>& b) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      ab += double{a[i]} * b[i];
      aa += double{a[i]} * a[i];
      bb += double{b[i]} * b[i];
    }
    return ab / std::sqrt(aa * bb);
  };
  CHECK(cosine(row(10), row(20)) > 0.8);
  CHECK(cosine(row(10), row(20)) < 0.9999);
  CHECK(cosine(row(10), row(21)) < 0.7);
  groups[3] = 256;
  CHECK_THROWS(Trainer::create("train_resume_test.vocabulary.gguf", small_shape(), 1, groups, {}), Error);
  CHECK_THROWS(Trainer::create("train_resume_test.vocabulary.gguf", small_shape(), 1, {0, 1}, {}), Error);
}

static void training_lowers_the_loss() {
  const auto trainer = small_trainer("train_resume_test");
  const auto sequences = random_sequences(6, 256, 1);
  const double before = trainer->evaluate(sequences).loss;
  StepResult result;
  for (int step = 0; step < 60; ++step) result = trainer->step(sequences, 5e-3f);
  const double after = trainer->evaluate(sequences).loss;
  CHECK(before > 5.0);
  CHECK(after < 0.5 * before);
  CHECK(result.gradient_norm > 0);
}

static void bad_input_changes_nothing() {
  const auto trainer = small_trainer("train_resume_test");
  const auto before = all_weights(*trainer);
  CHECK_THROWS(trainer->step({}, 1e-3f), Error);
  CHECK_THROWS(trainer->step({{{1, 2, 3}, 3}}, 1e-3f), Error);
  CHECK_THROWS(trainer->step({{{1, 2, 3}, 0}}, 1e-3f), Error);
  CHECK_THROWS(trainer->step({{{1, 256}, 1}}, 1e-3f), Error);
  CHECK_THROWS(trainer->step({{std::vector<int32_t>(65, 1), 1}}, 1e-3f), Error);
  CHECK_THROWS(trainer->save_checkpoint("no/such/folder/checkpoint.gguf", ""), Error);
  CHECK_THROWS(trainer->hidden_states(random_sequences(1, 256, 1), {99}), Error);
  CHECK(all_weights(*trainer) == before);
  CHECK_THROWS(Trainer::open("no_such_file.gguf", {}), Error);
  std::ofstream("train_resume_test.broken.gguf") << "GGUF but not really";
  CHECK_THROWS(Trainer::open("train_resume_test.broken.gguf", {}), Error);
  CHECK_THROWS(Trainer::open("train_resume_test.vocabulary.gguf", {}), Error);
}

static void a_loss_that_is_not_finite_is_an_error_and_leaves_no_gradient() {
  const auto trainer = small_trainer("train_resume_test");
  const auto sequences = random_sequences(4, 256, 1);
  const Parameter& norm = trainer->parameters().named("output_norm.weight");
  const float not_a_number = std::nanf("");
  float kept = 0;
  ggml_backend_tensor_get(norm.weight, &kept, 0, sizeof(float));
  ggml_backend_tensor_set(norm.weight, &not_a_number, 0, sizeof(float));
  CHECK_THROWS(trainer->step(sequences, 1e-3f), Error);
  ggml_backend_tensor_set(norm.weight, &kept, 0, sizeof(float));
  const auto fresh = small_trainer("train_resume_test");
  trainer->step(sequences, 1e-3f);
  fresh->step(sequences, 1e-3f);
  CHECK(all_weights(*trainer) == all_weights(*fresh));
}

// The loss may be finite and the gradient not: here of a norm that a huge head makes up for.
static void a_gradient_that_is_not_finite_is_an_error_and_is_forgotten() {
  const auto trainer = varied_trainer("train_resume_test", "llama");
  const auto sequences = random_sequences(4, 256, 1);
  const auto scale = [&](const char* name, float factor) {
    ggml_tensor* weight = trainer->parameters().weight(name);
    const std::vector<float> kept = read_tensor(weight);
    std::vector<float> scaled = kept;
    for (float& value : scaled) value *= factor;
    write_tensor(weight, scaled);
    return kept;
  };
  const std::vector<float> head = scale("output.weight", 1e25f);
  const std::vector<float> norm = scale("output_norm.weight", 1e-25f);
  CHECK(std::isfinite(trainer->evaluate(sequences).loss));
  try {
    trainer->step(sequences, 1e-3f);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == "LOSS_NOT_FINITE");
  }
  CHECK(trainer->steps_done() == 0);
  write_tensor(trainer->parameters().weight("output.weight"), head);
  write_tensor(trainer->parameters().weight("output_norm.weight"), norm);
  const auto fresh = varied_trainer("train_resume_test", "llama");
  trainer->step(sequences, 1e-3f);
  fresh->step(sequences, 1e-3f);
  CHECK(all_weights(*trainer) == all_weights(*fresh));
}

int main() {
  a_resumed_run_is_the_same_run();
  tokens_of_a_group_start_alike();
  training_lowers_the_loss();
  bad_input_changes_nothing();
  a_loss_that_is_not_finite_is_an_error_and_leaves_no_gradient();
  a_gradient_that_is_not_finite_is_an_error_and_is_forgotten();
  return check_result();
}
