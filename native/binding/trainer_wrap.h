#pragma once

#include <napi.h>

#include <atomic>
#include <memory>

#include "train/trainer.h"

namespace spct {

// The JavaScript class Trainer. Its methods run on the thread pool and answer with promises, one at a time: a second
// call before the first has answered throws code BUSY.
class TrainerWrap : public Napi::ObjectWrap<TrainerWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Value create(const Napi::CallbackInfo& info);  // (options) => Promise<Trainer>
  static Napi::Value open(const Napi::CallbackInfo& info);    // (options) => Promise<Trainer>

  // The trainer behind a JavaScript Trainer, which is busy until the last copy of the pointer is gone. Throws BUSY.
  static std::shared_ptr<const Trainer> borrow(const Napi::Value& value);

  explicit TrainerWrap(const Napi::CallbackInfo& info);

 private:
  struct Held {
    std::unique_ptr<Trainer> trainer;
    std::atomic<bool> busy{false};
  };

  static Napi::Value give(Napi::Env env, std::function<std::unique_ptr<Trainer>()> make);
  template <class Result>
  Napi::Value call(Napi::Env env, std::function<Result(Trainer&)> work,
                   std::function<Napi::Value(Napi::Env, Result)> convert);

  Napi::Value js_step(const Napi::CallbackInfo& info);      // (batch, learningRate) => Promise<StepResult>
  Napi::Value js_evaluate(const Napi::CallbackInfo& info);  // (batch) => Promise<StepResult>
  // (batch, options, learningRate) => Promise<PolicyStepResult>
  Napi::Value js_policy_step(const Napi::CallbackInfo& info);
  Napi::Value js_log_probabilities(const Napi::CallbackInfo& info);  // (batch, temperature) => Promise<Float32Array>
  Napi::Value js_hidden_states(const Napi::CallbackInfo& info);      // (batch, positions) => Promise<Float32Array>
  // (batch, {loss, labels?, positions?}, learningRate) => Promise<RewardStepResult>
  Napi::Value js_reward_step(const Napi::CallbackInfo& info);
  Napi::Value js_rewards(const Napi::CallbackInfo& info);          // (batch, {positions?}) => Promise<Float32Array>
  Napi::Value js_save_head(const Napi::CallbackInfo& info);        // (path, {kind, backbone}) => Promise<void>
  Napi::Value js_save(const Napi::CallbackInfo& info);             // (path, "f32" | "f16" | "q8_0") => Promise<void>
  Napi::Value js_save_merged(const Napi::CallbackInfo& info);      // (path, type) => Promise<void>
  Napi::Value js_save_checkpoint(const Napi::CallbackInfo& info);  // (path, note) => Promise<void>
  Napi::Value js_info(const Napi::CallbackInfo& info);

  std::shared_ptr<Held> held_;
};

// (states, labels, width, options) => Promise<{weight, bias, loss}>
Napi::Value js_fit_score_head(const Napi::CallbackInfo& info);
// (rewards, groupSize, "group" | "batch" | "none") => Float64Array
Napi::Value js_group_advantages(const Napi::CallbackInfo& info);
// (modelPath) => Promise<number>
Napi::Value js_state_width(const Napi::CallbackInfo& info);
// (path, {weight, bias, kind, backbone}) => Promise<void>
Napi::Value js_write_score_head(const Napi::CallbackInfo& info);

}  // namespace spct
