#pragma once

// Logits and final-norm states of llama.cpp itself, for models of 256 tokens.

#include <llama.h>

#include <cmath>
#include <string>
#include <vector>

#include "check.h"
#include "train/sequence.h"

namespace spct {

struct LlamaResult {
  std::vector<float> logits;  // of every position
  std::vector<float> states;
};

inline LlamaResult run_llama(const std::string& path, const std::vector<int32_t>& tokens,
                             const std::string& adapter_path = "") {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_model* model = llama_model_load_from_file(path.c_str(), llama_model_default_params());
  LlamaResult result;
  CHECK(model != nullptr);
  if (model == nullptr) return result;
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 64;
  params.embeddings = true;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  llama_context* context = llama_init_from_model(model, params);
  if (!adapter_path.empty()) {
    llama_adapter_lora* adapter = llama_adapter_lora_init(model, adapter_path.c_str());
    CHECK(adapter != nullptr);
    float scale = 1.0f;
    CHECK(adapter != nullptr && llama_set_adapters_lora(context, &adapter, 1, &scale) == 0);
  }
  llama_batch batch = llama_batch_init(static_cast<int32_t>(tokens.size()), 0, 1);
  for (size_t i = 0; i < tokens.size(); ++i) {
    batch.token[i] = tokens[i];
    batch.pos[i] = static_cast<llama_pos>(i);
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = 1;
  }
  batch.n_tokens = static_cast<int32_t>(tokens.size());
  CHECK(llama_decode(context, batch) == 0);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const float* logits = llama_get_logits_ith(context, static_cast<int32_t>(i));
    const float* state = llama_get_embeddings_ith(context, static_cast<int32_t>(i));
    result.logits.insert(result.logits.end(), logits, logits + 256);
    result.states.insert(result.states.end(), state, state + llama_model_n_embd(model));
  }
  llama_batch_free(batch);
  llama_free(context);
  llama_model_free(model);
  return result;
}

// Log-probabilities of the completion's tokens, of the logits of all positions.
inline std::vector<double> completion_log_probabilities(const std::vector<float>& logits, const Sequence& sequence) {
  std::vector<double> found;
  for (int64_t at = sequence.completion_begin; at < sequence.size(); ++at) {
    const float* row = logits.data() + (at - 1) * 256;
    double sum = 0;
    for (int token = 0; token < 256; ++token) sum += std::exp(double{row[token]});
    found.push_back(row[sequence.tokens[at]] - std::log(sum));
  }
  return found;
}

}  // namespace spct
