#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <optional>

#include "engine/engine.h"
#include "model/llama_model.h"

namespace spct {

// The JavaScript object around one engine. Lives on its environment's thread; only `deliver_` is used from the
// engine's.
//
// Lifetime: a running group holds this object and keeps the process alive; an idle engine does neither. The engine's
// thread is joined by close(), by garbage collection, or by the environment's teardown, whichever comes first; after a
// teardown the thread-safe function belongs to Node and is not touched any more.
class EngineWrap : public Napi::ObjectWrap<EngineWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Value load(const Napi::CallbackInfo& info);  // (options) => Promise<EngineWrap>

  explicit EngineWrap(const Napi::CallbackInfo& info);
  ~EngineWrap() override;

 private:
  static void js_deliver(Napi::Env env, Napi::Function, EngineWrap* self, SampleResult* result);
  using Deliver = Napi::TypedThreadSafeFunction<EngineWrap, SampleResult, js_deliver>;

  Napi::Value js_tokenize(const Napi::CallbackInfo& info);            // (prompts) => Promise<Int32Array[]>
  Napi::Value js_tokenize_continued(const Napi::CallbackInfo& info);  // (pieces) => Promise<Int32Array>
  Napi::Value js_text(const Napi::CallbackInfo& info);
  Napi::Value js_submit(const Napi::CallbackInfo& info);
  Napi::Value js_cancel(const Napi::CallbackInfo& info);
  Napi::Value js_load_weights(const Napi::CallbackInfo& info);  // (trainer) => Promise<void>
  Napi::Value js_load_head(const Napi::CallbackInfo& info);     // ({weight, bias}) => Promise<void>
  Napi::Value js_stats(const Napi::CallbackInfo& info);
  Napi::Value js_close(const Napi::CallbackInfo& info);

  Engine& open_engine(Napi::Env env) const;
  Napi::Value run_alone(Napi::Env env, std::function<void()> work) const;
  void deliver(Napi::Env env, const SampleResult& result);
  void finish_close();
  static void on_teardown(void* self);

  std::shared_ptr<Engine> engine_;  // shared with work on the pool
  LlamaModel* model_ = nullptr;     // the engine's
  Deliver deliver_;
  std::map<int64_t, Napi::FunctionReference> callbacks_;  // by group
  int64_t next_group_ = 1;
  bool open_ = false;    // the cleanup hook and deliver_ are ours
  bool joined_ = false;  // by close()
  std::optional<Napi::Promise::Deferred> closing_;
};

}  // namespace spct
