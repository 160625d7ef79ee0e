#pragma once

#include <napi.h>

#include <memory>

#include "model/llama_model.h"

namespace spct {

// A GGUF's vocabulary alone, without weights or engine.
class VocabularyWrap : public Napi::ObjectWrap<VocabularyWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Value load(const Napi::CallbackInfo& info);  // (path) => Promise<Vocabulary>

  explicit VocabularyWrap(const Napi::CallbackInfo& info);

 private:
  struct Loaded {
    std::unique_ptr<llama_model, LlamaDeleter> model;
    std::unique_ptr<Vocabulary> vocabulary;
  };

  Napi::Value js_tokenize(const Napi::CallbackInfo& info);   // (pieces) => Promise<Int32Array>
  Napi::Value js_text(const Napi::CallbackInfo& info);       // (Int32Array) => string
  Napi::Value js_forbidden(const Napi::CallbackInfo& info);  // () => {id, text}[] that untrusted text must not become

  std::shared_ptr<Loaded> loaded_;
};

}  // namespace spct
