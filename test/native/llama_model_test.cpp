// The engine's way through llama.cpp (sampling and head as a node of the graph, forked sequences) against the plain
// one: host logits of a context without samplers, and embeddings of a context with embeddings=true.

#include "model/llama_model.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "check.h"
#include "engine/engine.h"
#include "error.h"
#include "llama.h"
#include "model/head_file.h"
#include "tiny_gguf.h"

using namespace spct;
using Tokens = std::vector<int32_t>;

namespace {

const std::string model_path = "llama_model_test.gguf";
const std::string head_path = "llama_model_test.head.gguf";

struct Plain {
  std::unique_ptr<llama_model, LlamaDeleter> model;
  std::unique_ptr<llama_context, LlamaDeleter> context;

  explicit Plain(bool embeddings) {
    model.reset(llama_model_load_from_file(model_path.c_str(), llama_model_default_params()));
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 1024;
    params.n_batch = params.n_ubatch = 512;
    params.embeddings = embeddings;
    params.n_threads = params.n_threads_batch = 2;
    context.reset(llama_init_from_model(model.get(), params));
  }

  void decode(Tokens tokens) {
    llama_memory_clear(llama_get_memory(context.get()), true);
    CHECK(llama_decode(context.get(), llama_batch_get_one(tokens.data(), static_cast<int32_t>(tokens.size()))) == 0);
  }

  int32_t arg_max() {
    const float* logits = llama_get_logits_ith(context.get(), -1);
    const int32_t size = llama_vocab_n_tokens(llama_model_get_vocab(model.get()));
    return static_cast<int32_t>(std::max_element(logits, logits + size) - logits);
  }
};

std::vector<SampleResult> run(GroupRequest request, ModelOptions options) {
  std::mutex mutex;
  std::condition_variable done;
  std::vector<SampleResult> results;
  const size_t expected = request.samples.size();
  Engine engine(std::make_unique<LlamaModel>(options), [&](SampleResult result) {
    const std::lock_guard<std::mutex> lock(mutex);
    results.push_back(std::move(result));
    done.notify_all();
  });
  engine.submit(std::move(request));
  std::unique_lock<std::mutex> lock(mutex);
  CHECK(done.wait_for(lock, std::chrono::seconds(120), [&] { return results.size() == expected; }));
  lock.unlock();
  engine.close();
  std::sort(results.begin(), results.end(), [](const auto& a, const auto& b) { return a.sample < b.sample; });
  return results;
}

ModelOptions options() {
  ModelOptions options;
  options.path = model_path;
  options.head_path = head_path;
  options.context_tokens = 2048;
  options.threads = 2;
  return options;
}

Tokens text(const std::string& text) {
  Tokens tokens;
  for (unsigned char byte : text) tokens.push_back(1 + byte);
  return tokens;
}

// Two orderings with a shared prefix, greedy and with the head, all in one batch.
void greedy_and_head_equal_the_plain_context() {
  GroupRequest request;
  request.prompts = {text("A query that both share. First: one. Second: two."),
                     text("A query that both share. First: two. Second: one.")};
  for (int i = 0; i < 8; ++i) request.samples.push_back({i % 2, 0});
  request.sampling.temperature = 0.0f;
  request.max_tokens = 24;
  const auto results = run(request, options());

  Plain logits(false), states(true);
  const HeadFile head = read_head_file(head_path);
  int compared = 0;
  double largest_difference = 0;
  for (const auto& result : results) {
    Tokens history = request.prompts[static_cast<size_t>(result.sample % 2)];
    for (int32_t token : result.tokens) {
      logits.decode(history);
      CHECK(logits.arg_max() == token);
      history.push_back(token);
      ++compared;
    }
    states.decode(history);
    const float* state = llama_get_embeddings_ith(states.context.get(), -1);
    double expected = head.head.bias;
    for (size_t i = 0; i < head.head.weight.size(); ++i) expected += double{head.head.weight[i]} * state[i];
    CHECK(result.meta.has_value());
    CHECK_NEAR(*result.meta, expected, 0.05);  // the KV cache is F16 and cells lie elsewhere
    largest_difference = std::max(largest_difference, std::abs(*result.meta - expected));
  }
  std::printf("greedy: %d tokens equal; head: largest difference %.2g\n", compared, largest_difference);
  CHECK(compared >= 100);
}

void the_same_seeds_give_the_same_text() {
  GroupRequest request;
  request.prompts = {text("Some query"), text("Some other query")};
  for (uint64_t i = 0; i < 12; ++i) request.samples.push_back({static_cast<int32_t>(i % 2), i});
  request.max_tokens = 40;
  const auto first = run(request, options());
  const auto second = run(request, options());
  auto one_thread = options();
  one_thread.threads = 1;
  const auto third = run(request, one_thread);
  int different_seeds = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    CHECK(first[i].tokens == second[i].tokens);
    CHECK(first[i].tokens == third[i].tokens);
    CHECK(*first[i].meta == *second[i].meta);
    different_seeds += first[i].tokens != first[(i + 2) % first.size()].tokens;
  }
  CHECK(different_seeds > 8);
}

void bad_files_are_typed_errors() {
  const auto code_of = [](const ModelOptions& options) {
    try {
      LlamaModel model(options);
      return std::string();
    } catch (const Error& error) {
      return error.code();
    }
  };
  auto bad = options();
  bad.path = "no-such-file.gguf";
  CHECK(code_of(bad) == "MODEL_NOT_FOUND");
  bad = options();
  bad.head_path = "no-such-file.gguf";
  CHECK(code_of(bad) == "HEAD_NOT_FOUND");
  bad.head_path = model_path;
  CHECK(code_of(bad) == "NOT_A_HEAD");
  bad.head_path = write_tiny_head("llama_model_test.wide.gguf", 65);
  CHECK(code_of(bad) == "HEAD_MISMATCH");
  bad.path = head_path;
  CHECK(code_of(bad) == "MODEL_LOAD_FAILED");
  std::FILE* file = std::fopen("llama_model_test.not.gguf", "wb");
  std::fputs("GGU", file);
  std::fclose(file);
  bad.path = "llama_model_test.not.gguf";
  CHECK(code_of(bad) == "NOT_A_GGUF");
}

}  // namespace

int main() {
  write_tiny_model(model_path);
  write_tiny_head(head_path, TinyShape{}.embedding);
  greedy_and_head_equal_the_plain_context();
  the_same_seeds_give_the_same_text();
  bad_files_are_typed_errors();
  return check_result();
}
