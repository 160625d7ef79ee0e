#include "binding/trainer_wrap.h"

#include <optional>
#include <utility>

#include "binding/addon.h"
#include "binding/promise_worker.h"
#include "binding/training_input.h"
#include "error.h"
#include "train/score_head_fit.h"

namespace spct {
namespace {

Napi::Value from_floats(Napi::Env env, const std::vector<float>& values) {
  Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Value from_step(Napi::Env env, const StepResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("loss", result.loss);
  object.Set("gradientNorm", result.gradient_norm);
  object.Set("tokens", static_cast<double>(result.tokens));
  object.Set("completionTokens", static_cast<double>(result.completion_tokens));
  return object;
}

Napi::Value from_policy_step(Napi::Env env, const PolicyStepResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("loss", result.loss);
  object.Set("kl", result.kl);
  object.Set("entropy", result.entropy);
  object.Set("clipped", result.clipped);
  object.Set("gradientNorm", result.gradient_norm);
  object.Set("tokens", static_cast<double>(result.tokens));
  object.Set("completionTokens", static_cast<double>(result.completion_tokens));
  return object;
}

Napi::Value from_reward_step(Napi::Env env, const RewardStepResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("loss", result.loss);
  object.Set("accuracy", result.accuracy);
  object.Set("gradientNorm", result.gradient_norm);
  object.Set("tokens", static_cast<double>(result.tokens));
  return object;
}

Napi::Value from_text(Napi::Env env, const std::optional<std::string>& text) {
  return text ? Napi::String::New(env, *text).As<Napi::Value>() : env.Null();
}

Napi::Value from_nothing(Napi::Env env, bool) { return env.Undefined(); }

}  // namespace

Napi::Function TrainerWrap::define(Napi::Env env) {
  return DefineClass(env, "Trainer",
                     {
                         StaticMethod<&TrainerWrap::create>("create"),
                         StaticMethod<&TrainerWrap::open>("open"),
                         InstanceMethod<&TrainerWrap::js_step>("step"),
                         InstanceMethod<&TrainerWrap::js_evaluate>("evaluate"),
                         InstanceMethod<&TrainerWrap::js_policy_step>("policyStep"),
                         InstanceMethod<&TrainerWrap::js_log_probabilities>("logProbabilities"),
                         InstanceMethod<&TrainerWrap::js_hidden_states>("hiddenStates"),
                         InstanceMethod<&TrainerWrap::js_reward_step>("rewardStep"),
                         InstanceMethod<&TrainerWrap::js_rewards>("rewards"),
                         InstanceMethod<&TrainerWrap::js_save_head>("saveHead"),
                         InstanceMethod<&TrainerWrap::js_save>("save"),
                         InstanceMethod<&TrainerWrap::js_save_merged>("saveMerged"),
                         InstanceMethod<&TrainerWrap::js_save_checkpoint>("saveCheckpoint"),
                         InstanceAccessor<&TrainerWrap::js_info>("info"),
                     });
}

TrainerWrap::TrainerWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TrainerWrap>(info) {}

Napi::Value TrainerWrap::give(Napi::Env env, std::function<std::unique_ptr<Trainer>()> make) {
  const auto work = [make = std::move(make)] {
    auto held = std::make_shared<Held>();
    held->trainer = make();
    return held;
  };
  const auto convert = [](Napi::Env environment, std::shared_ptr<Held> held) -> Napi::Value {
    Napi::Object object = environment.GetInstanceData<AddonData>()->trainer.New({});
    Unwrap(object)->held_ = std::move(held);
    return object;
  };
  return PromiseWorker<std::shared_ptr<Held>>::run(env, work, convert);
}

std::shared_ptr<const Trainer> TrainerWrap::borrow(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  const Napi::Function type = env.GetInstanceData<AddonData>()->trainer.Value();
  const bool is_trainer = value.IsObject() && value.As<Napi::Object>().InstanceOf(type);
  const std::shared_ptr<Held> held = is_trainer ? Unwrap(value.As<Napi::Object>())->held_ : nullptr;
  if (!held) reject(env, "Expected a trainer from Trainer.create() or Trainer.open()");
  if (held->busy.exchange(true)) throw to_js_error(env, "BUSY", "The trainer has not answered the previous call yet");
  return {held->trainer.get(), [held](const Trainer*) { held->busy = false; }};
}

Napi::Value TrainerWrap::create(const Napi::CallbackInfo& info) {
  const Napi::Object options = to_object(info[0], "options");
  const Napi::Value groups = options.Get("tokenGroups");
  return give(
      info.Env(),
      [path = text_field(options, "vocabularyPath"), shape = model_shape(to_object(options.Get("shape"), "shape")),
       seed = static_cast<uint64_t>(number_field(options, "seed")),
       token_groups = groups.IsUndefined() ? std::vector<int32_t>() : to_integers(groups, "tokenGroups"),
       training = trainer_options(options)] { return Trainer::create(path, shape, seed, token_groups, training); });
}

Napi::Value TrainerWrap::open(const Napi::CallbackInfo& info) {
  const Napi::Object options = to_object(info[0], "options");
  return give(info.Env(), [path = text_field(options, "path"), training = trainer_options(options)] {
    return Trainer::open(path, training);
  });
}

template <class Result>
Napi::Value TrainerWrap::call(Napi::Env env, std::function<Result(Trainer&)> work,
                              std::function<Napi::Value(Napi::Env, Result)> convert) {
  if (!held_) reject(env, "Expected a trainer from Trainer.create() or Trainer.open()");
  if (held_->busy.exchange(true)) throw to_js_error(env, "BUSY", "The trainer has not answered the previous call yet");
  const auto guarded = [held = held_, work = std::move(work)] {
    const std::unique_ptr<std::atomic<bool>, void (*)(std::atomic<bool>*)> release(&held->busy,
                                                                                   [](auto* busy) { *busy = false; });
    return work(*held->trainer);
  };
  return PromiseWorker<Result>::run(env, guarded, std::move(convert));
}

Napi::Value TrainerWrap::js_step(const Napi::CallbackInfo& info) {
  if (!info[1].IsNumber()) reject(info.Env(), "Expected a number for learningRate");
  const float rate = info[1].As<Napi::Number>();
  return call<StepResult>(
      info.Env(), [batch = to_sequences(info[0]), rate](Trainer& trainer) { return trainer.step(batch, rate); },
      from_step);
}

Napi::Value TrainerWrap::js_evaluate(const Napi::CallbackInfo& info) {
  return call<StepResult>(
      info.Env(), [batch = to_sequences(info[0])](Trainer& trainer) { return trainer.evaluate(batch); }, from_step);
}

Napi::Value TrainerWrap::js_policy_step(const Napi::CallbackInfo& info) {
  if (!info[2].IsNumber()) reject(info.Env(), "Expected a number for learningRate");
  const float rate = info[2].As<Napi::Number>();
  std::vector<Sequence> sequences = to_sequences(info[0]);
  std::vector<Rollout> rollouts = to_rollouts(info[0], sequences);
  return call<PolicyStepResult>(
      info.Env(),
      [sequences = std::move(sequences), rollouts = std::move(rollouts), options = grpo_options(info[1]),
       rate](Trainer& trainer) { return trainer.policy_step(sequences, rollouts, options, rate); },
      from_policy_step);
}

Napi::Value TrainerWrap::js_log_probabilities(const Napi::CallbackInfo& info) {
  if (!info[1].IsNumber()) reject(info.Env(), "Expected a number for temperature");
  const double temperature = info[1].As<Napi::Number>();
  return call<std::vector<float>>(
      info.Env(),
      [batch = to_sequences(info[0]), temperature](Trainer& trainer) {
        return trainer.log_probabilities(batch, temperature);
      },
      from_floats);
}

Napi::Value TrainerWrap::js_hidden_states(const Napi::CallbackInfo& info) {
  return call<std::vector<float>>(
      info.Env(),
      [batch = to_sequences(info[0]), positions = to_integers(info[1], "positions")](Trainer& trainer) {
        return trainer.hidden_states(batch, positions);
      },
      from_floats);
}

Napi::Value TrainerWrap::js_reward_step(const Napi::CallbackInfo& info) {
  if (!info[2].IsNumber()) reject(info.Env(), "Expected a number for learningRate");
  const float rate = info[2].As<Napi::Number>();
  return call<RewardStepResult>(
      info.Env(),
      [batch = to_reward_batch(info[0], info[1]), loss = reward_loss(info[1]), rate](Trainer& trainer) {
        return trainer.reward_step(batch, loss, rate);
      },
      from_reward_step);
}

Napi::Value TrainerWrap::js_rewards(const Napi::CallbackInfo& info) {
  const Napi::Value options = info[1].IsUndefined() ? Napi::Object::New(info.Env()).As<Napi::Value>() : info[1];
  return call<std::vector<float>>(
      info.Env(), [batch = to_reward_batch(info[0], options)](Trainer& trainer) { return trainer.rewards(batch); },
      from_floats);
}

Napi::Value TrainerWrap::js_save_head(const Napi::CallbackInfo& info) {
  const Napi::Object options = to_object(info[1], "options");
  return call<bool>(
      info.Env(),
      [path = to_text(info[0], "path"), kind = text_field(options, "kind"),
       backbone = text_field(options, "backbone")](Trainer& trainer) {
        write_score_head(path, trainer.reward_head().score_head(), kind, backbone);
        return true;
      },
      from_nothing);
}

Napi::Value TrainerWrap::js_save(const Napi::CallbackInfo& info) {
  return call<bool>(
      info.Env(),
      [path = to_text(info[0], "path"), type = matrix_type(info[1])](Trainer& trainer) {
        trainer.save(path, type);
        return true;
      },
      from_nothing);
}

Napi::Value TrainerWrap::js_save_merged(const Napi::CallbackInfo& info) {
  return call<bool>(
      info.Env(),
      [path = to_text(info[0], "path"), type = matrix_type(info[1])](Trainer& trainer) {
        trainer.save_merged(path, type);
        return true;
      },
      from_nothing);
}

Napi::Value TrainerWrap::js_save_checkpoint(const Napi::CallbackInfo& info) {
  return call<bool>(
      info.Env(),
      [path = to_text(info[0], "path"), note = to_text(info[1], "note")](Trainer& trainer) {
        trainer.save_checkpoint(path, note);
        return true;
      },
      from_nothing);
}

Napi::Value TrainerWrap::js_info(const Napi::CallbackInfo& info) {
  if (!held_ || held_->busy)
    throw to_js_error(info.Env(), "BUSY", "The trainer has not answered the previous call yet");
  const Trainer& trainer = *held_->trainer;
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("device", trainer.device_name());
  object.Set("architecture", trainer.shape().architecture);
  object.Set("vocabulary", trainer.shape().vocabulary);
  object.Set("embedding", trainer.shape().embedding);
  object.Set("layers", trainer.shape().layers);
  object.Set("context", trainer.shape().context);
  object.Set("parameters", static_cast<double>(trainer.parameters().count()));
  object.Set("stepsDone", static_cast<double>(trainer.steps_done()));
  object.Set("note", trainer.note());
  object.Set("chatTemplate", from_text(info.Env(), trainer.metadata_text("tokenizer.chat_template")));
  object.Set("bosToken", from_text(info.Env(), trainer.token_text("tokenizer.ggml.bos_token_id")));
  object.Set("eosToken", from_text(info.Env(), trainer.token_text("tokenizer.ggml.eos_token_id")));
  return object;
}

Napi::Value js_fit_score_head(const Napi::CallbackInfo& info) {
  if (!info[2].IsNumber()) reject(info.Env(), "Expected a number for width");
  const int64_t width = info[2].As<Napi::Number>();
  const Napi::Object object = to_object(info[3], "options");
  ScoreHeadFitOptions options;
  options.iterations = static_cast<int>(number_field(object, "iterations", options.iterations));
  options.learning_rate = static_cast<float>(number_field(object, "learningRate", options.learning_rate));
  options.weight_decay = static_cast<float>(number_field(object, "weightDecay", options.weight_decay));
  const auto work = [states = to_floats(info[0], "states"), labels = to_floats(info[1], "labels"), width, options] {
    return fit_score_head(states, labels, width, options);
  };
  const auto convert = [](Napi::Env env, ScoreHeadFit fit) -> Napi::Value {
    Napi::Object result = Napi::Object::New(env);
    result.Set("weight", from_floats(env, fit.head.weight));
    result.Set("bias", fit.head.bias);
    result.Set("loss", fit.loss);
    return result;
  };
  return PromiseWorker<ScoreHeadFit>::run(info.Env(), work, convert);
}

Napi::Value js_group_advantages(const Napi::CallbackInfo& info) {
  const std::vector<double> rewards = to_doubles(info[0], "rewards");
  const int64_t group_size = info[1].IsNumber() ? info[1].As<Napi::Number>().Int64Value() : 0;
  try {
    const auto advantages = group_advantages(rewards, group_size, advantage_scale(info[2]));
    Napi::Float64Array array = Napi::Float64Array::New(info.Env(), advantages.size());
    std::copy(advantages.begin(), advantages.end(), array.Data());
    return array;
  } catch (const Error& error) {
    throw to_js_error(info.Env(), error.code(), error.what());
  }
}

Napi::Value js_state_width(const Napi::CallbackInfo& info) {
  const auto convert = [](Napi::Env env, int64_t width) -> Napi::Value {
    return Napi::Number::New(env, static_cast<double>(width));
  };
  return PromiseWorker<int64_t>::run(
      info.Env(), [path = to_text(info[0], "path")] { return state_width(path); }, convert);
}

Napi::Value js_write_score_head(const Napi::CallbackInfo& info) {
  const Napi::Object object = to_object(info[1], "head");
  ScoreHead head;
  head.weight = to_floats(object.Get("weight"), "head.weight");
  head.bias = static_cast<float>(number_field(object, "bias"));
  const auto work = [path = to_text(info[0], "path"), head, kind = text_field(object, "kind"),
                     backbone = text_field(object, "backbone")] {
    write_score_head(path, head, kind, backbone);
    return true;
  };
  return PromiseWorker<bool>::run(info.Env(), work, from_nothing);
}

}  // namespace spct
