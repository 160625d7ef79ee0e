#pragma once

#include <napi.h>

#include <memory>

#include "train/trainer.h"

namespace spct::binding {

// The JavaScript class Trainer: `Trainer.create(options)` and `Trainer.open(options)` give one, its methods run on the
// thread pool and answer with promises. One call at a time: a second one while the first runs throws code "busy".
class TrainerWrap : public Napi::ObjectWrap<TrainerWrap> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit TrainerWrap(const Napi::CallbackInfo& info);

 private:
  friend class TrainerCall;

  static Napi::Value JS_create(const Napi::CallbackInfo& info);
  static Napi::Value JS_open(const Napi::CallbackInfo& info);
  Napi::Value JS_step(const Napi::CallbackInfo& info);
  Napi::Value JS_evaluate(const Napi::CallbackInfo& info);
  Napi::Value JS_hidden_states(const Napi::CallbackInfo& info);
  Napi::Value JS_save(const Napi::CallbackInfo& info);
  Napi::Value JS_save_checkpoint(const Napi::CallbackInfo& info);
  Napi::Value JS_info(const Napi::CallbackInfo& info);

  std::unique_ptr<Trainer> trainer_;
  bool busy_ = false;
};

}  // namespace spct::binding
