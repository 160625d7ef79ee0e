#include "binding/trainer_wrap.h"

#include <functional>
#include <utility>

#include "error.h"

namespace spct::binding {
namespace {

Napi::Error coded_error(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

// Runs `work` on the thread pool, then `answer` on the JavaScript thread; a failure of either rejects the promise.
class PoolCall : public Napi::AsyncWorker {
 public:
  using Work = std::function<void()>;
  using Answer = std::function<Napi::Value(Napi::Env)>;

  static Napi::Promise start(Napi::Env env, Work work, Answer answer, std::function<void()> finished) {
    auto* call = new PoolCall(env, std::move(work), std::move(answer), std::move(finished));  // deletes itself when done
    Napi::Promise promise = call->deferred_.Promise();
    call->Queue();
    return promise;
  }

 protected:
  void Execute() override {
    try {
      work_();
    } catch (const Error& error) {
      code_ = error.code();
      SetError(error.what());
    } catch (const std::exception& error) {
      code_ = "internal";
      SetError(error.what());
    }
  }

  void OnOK() override {
    finished_();
    try {
      deferred_.Resolve(answer_(Env()));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

  void OnError(const Napi::Error& error) override {
    finished_();
    deferred_.Reject(coded_error(Env(), code_, error.Message()).Value());
  }

 private:
  PoolCall(Napi::Env env, Work work, Answer answer, std::function<void()> finished)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        answer_(std::move(answer)),
        finished_(std::move(finished)) {}

  Napi::Promise::Deferred deferred_;
  Work work_;
  Answer answer_;
  std::function<void()> finished_;
  std::string code_;
};

[[noreturn]] void reject_argument(Napi::Env env, const std::string& message) {
  throw coded_error(env, "invalid_argument", message);
}

double number_field(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsNumber()) reject_argument(object.Env(), std::string("Expected a number for ") + name);
  return value.As<Napi::Number>().DoubleValue();
}

double number_field(const Napi::Object& object, const char* name, double fallback) {
  return object.Get(name).IsUndefined() ? fallback : number_field(object, name);
}

std::string string_field(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsString()) reject_argument(object.Env(), std::string("Expected a string for ") + name);
  return value.As<Napi::String>().Utf8Value();
}

Napi::Object object_argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsObject()) reject_argument(info.Env(), std::string("Expected an object for ") + name);
  return info[index].As<Napi::Object>();
}

std::string string_argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsString()) reject_argument(info.Env(), std::string("Expected a string for ") + name);
  return info[index].As<Napi::String>().Utf8Value();
}

std::vector<int32_t> integers(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    reject_argument(value.Env(), std::string("Expected an Int32Array for ") + name);
  }
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

TrainerOptions trainer_options(const Napi::Object& object) {
  TrainerOptions options;
  options.threads = static_cast<int>(number_field(object, "threads", options.threads));
  options.micro_batch_tokens = static_cast<int64_t>(number_field(object, "microBatchTokens", static_cast<double>(options.micro_batch_tokens)));
  AdamWOptions& adamw = options.optimizer;
  adamw.beta1 = static_cast<float>(number_field(object, "beta1", adamw.beta1));
  adamw.beta2 = static_cast<float>(number_field(object, "beta2", adamw.beta2));
  adamw.epsilon = static_cast<float>(number_field(object, "epsilon", adamw.epsilon));
  adamw.weight_decay = static_cast<float>(number_field(object, "weightDecay", adamw.weight_decay));
  adamw.clip_norm = static_cast<float>(number_field(object, "clipNorm", adamw.clip_norm));
  return options;
}

ModelShape model_shape(const Napi::Object& object) {
  ModelShape shape;
  shape.embedding = static_cast<int>(number_field(object, "embedding"));
  shape.layers = static_cast<int>(number_field(object, "layers"));
  shape.heads = static_cast<int>(number_field(object, "heads"));
  shape.kv_heads = static_cast<int>(number_field(object, "kvHeads"));
  shape.feed_forward = static_cast<int>(number_field(object, "feedForward"));
  shape.context = static_cast<int>(number_field(object, "context"));
  shape.rope_base = static_cast<float>(number_field(object, "ropeBase", shape.rope_base));
  shape.norm_epsilon = static_cast<float>(number_field(object, "normEpsilon", shape.norm_epsilon));
  return shape;
}

// {tokens, lengths, completions}: sequences end to end, their lengths, and where each one's completion begins.
std::vector<Sequence> sequences(const Napi::CallbackInfo& info) {
  const Napi::Object batch = object_argument(info, 0, "batch");
  const std::vector<int32_t> tokens = integers(batch.Get("tokens"), "batch.tokens");
  const std::vector<int32_t> lengths = integers(batch.Get("lengths"), "batch.lengths");
  const std::vector<int32_t> completions = integers(batch.Get("completions"), "batch.completions");
  if (lengths.size() != completions.size()) reject_argument(info.Env(), "Expected one completion start for each sequence");
  std::vector<Sequence> result;
  size_t begin = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0 || begin + static_cast<size_t>(lengths[i]) > tokens.size()) {
      reject_argument(info.Env(), "Expected lengths that add up to the number of tokens");
    }
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(begin);
    result.push_back({{first, first + lengths[i]}, completions[i]});
    begin += static_cast<size_t>(lengths[i]);
  }
  if (begin != tokens.size()) reject_argument(info.Env(), "Expected lengths that add up to the number of tokens");
  return result;
}

Napi::Value step_answer(Napi::Env env, const StepResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("loss", result.loss);
  object.Set("gradientNorm", result.gradient_norm);
  object.Set("tokens", static_cast<double>(result.tokens));
  object.Set("completionTokens", static_cast<double>(result.completion_tokens));
  return object;
}

// The constructor of this environment, kept with it.
Napi::FunctionReference& constructor_of(Napi::Env env) {
  struct Constructor {
    Napi::FunctionReference reference;
  };
  static thread_local std::pair<napi_env, std::unique_ptr<Constructor>> current;
  if (current.first != static_cast<napi_env>(env)) current = {env, std::make_unique<Constructor>()};
  return current.second->reference;
}

using TrainerSource = std::function<std::unique_ptr<Trainer>()>;

Napi::Value give_trainer(Napi::Env env, TrainerSource source) {
  auto made = std::make_shared<std::unique_ptr<Trainer>>();
  return PoolCall::start(
      env, [made, source = std::move(source)] { *made = source(); },
      [made](Napi::Env environment) {
        return constructor_of(environment).New({Napi::External<std::unique_ptr<Trainer>>::New(environment, made.get())});
      },
      [] {});
}

}  // namespace

void TrainerWrap::define(Napi::Env env, Napi::Object exports) {
  const Napi::Function constructor = DefineClass(
      env, "Trainer",
      {StaticMethod("create", &TrainerWrap::JS_create), StaticMethod("open", &TrainerWrap::JS_open),
       InstanceMethod("step", &TrainerWrap::JS_step), InstanceMethod("evaluate", &TrainerWrap::JS_evaluate),
       InstanceMethod("hiddenStates", &TrainerWrap::JS_hidden_states), InstanceMethod("save", &TrainerWrap::JS_save),
       InstanceMethod("saveCheckpoint", &TrainerWrap::JS_save_checkpoint), InstanceAccessor("info", &TrainerWrap::JS_info, nullptr)});
  constructor_of(env) = Napi::Persistent(constructor);
  constructor_of(env).SuppressDestruct();
  exports.Set("Trainer", constructor);
}

TrainerWrap::TrainerWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TrainerWrap>(info) {
  if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "Use Trainer.create() or Trainer.open()");
  trainer_ = std::move(*info[0].As<Napi::External<std::unique_ptr<Trainer>>>().Data());
}

Napi::Value TrainerWrap::JS_create(const Napi::CallbackInfo& info) {
  const Napi::Object options = object_argument(info, 0, "options");
  const Napi::Value groups = options.Get("tokenGroups");
  return give_trainer(info.Env(), [path = string_field(options, "vocabularyPath"),
                                   shape = model_shape(object_argument(info, 0, "options").Get("shape").ToObject()),
                                   seed = static_cast<uint64_t>(number_field(options, "seed")),
                                   token_groups = groups.IsUndefined() ? std::vector<int32_t>() : integers(groups, "tokenGroups"),
                                   trainer = trainer_options(options)] {
    return Trainer::create(path, shape, seed, token_groups, trainer);
  });
}

Napi::Value TrainerWrap::JS_open(const Napi::CallbackInfo& info) {
  const Napi::Object options = object_argument(info, 0, "options");
  return give_trainer(info.Env(), [path = string_field(options, "path"), trainer = trainer_options(options)] {
    return Trainer::open(path, trainer);
  });
}

// Marks the trainer as busy and keeps its JavaScript object alive until the call has answered.
class TrainerCall {
 public:
  template <typename Result>
  static Napi::Value start(TrainerWrap* wrap, const Napi::CallbackInfo& info, std::function<Result(Trainer&)> work,
                           std::function<Napi::Value(Napi::Env, Result&)> answer) {
    if (wrap->busy_) throw coded_error(info.Env(), "busy", "The trainer is still busy with the previous call");
    wrap->busy_ = true;
    wrap->Ref();
    auto result = std::make_shared<Result>();
    return PoolCall::start(
        info.Env(), [wrap, result, work = std::move(work)] { *result = work(*wrap->trainer_); },
        [result, answer = std::move(answer)](Napi::Env env) { return answer(env, *result); },
        [wrap] {
          wrap->busy_ = false;
          wrap->Unref();
        });
  }
};

Napi::Value TrainerWrap::JS_step(const Napi::CallbackInfo& info) {
  if (!info[1].IsNumber()) reject_argument(info.Env(), "Expected a number for learningRate");
  return TrainerCall::start<StepResult>(
      this, info,
      [batch = sequences(info), rate = info[1].As<Napi::Number>().FloatValue()](Trainer& trainer) {
        return trainer.step(batch, rate);
      },
      step_answer);
}

Napi::Value TrainerWrap::JS_evaluate(const Napi::CallbackInfo& info) {
  return TrainerCall::start<StepResult>(
      this, info, [batch = sequences(info)](Trainer& trainer) { return trainer.evaluate(batch); }, step_answer);
}

Napi::Value TrainerWrap::JS_hidden_states(const Napi::CallbackInfo& info) {
  return TrainerCall::start<std::vector<float>>(
      this, info,
      [batch = sequences(info), positions = integers(info[1], "positions")](Trainer& trainer) {
        return trainer.hidden_states(batch, positions);
      },
      [](Napi::Env env, std::vector<float>& states) -> Napi::Value {
        Napi::Float32Array array = Napi::Float32Array::New(env, states.size());
        std::copy(states.begin(), states.end(), array.Data());
        return array;
      });
}

Napi::Value TrainerWrap::JS_save(const Napi::CallbackInfo& info) {
  const std::string type_name = string_argument(info, 1, "type");
  ggml_type type;
  if (type_name == "f32") type = GGML_TYPE_F32;
  else if (type_name == "f16") type = GGML_TYPE_F16;
  else if (type_name == "q8_0") type = GGML_TYPE_Q8_0;
  else reject_argument(info.Env(), "Expected f32, f16 or q8_0 for type but received " + type_name);
  return TrainerCall::start<bool>(
      this, info,
      [path = string_argument(info, 0, "path"), type](Trainer& trainer) {
        trainer.save(path, type);
        return true;
      },
      [](Napi::Env env, bool&) -> Napi::Value { return env.Undefined(); });
}

Napi::Value TrainerWrap::JS_save_checkpoint(const Napi::CallbackInfo& info) {
  return TrainerCall::start<bool>(
      this, info,
      [path = string_argument(info, 0, "path"), note = string_argument(info, 1, "note")](Trainer& trainer) {
        trainer.save_checkpoint(path, note);
        return true;
      },
      [](Napi::Env env, bool&) -> Napi::Value { return env.Undefined(); });
}

Napi::Value TrainerWrap::JS_info(const Napi::CallbackInfo& info) {
  if (busy_) throw coded_error(info.Env(), "busy", "The trainer is still busy with the previous call");
  const ModelShape& shape = trainer_->shape();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("architecture", shape.architecture);
  object.Set("vocabulary", shape.vocabulary);
  object.Set("embedding", shape.embedding);
  object.Set("layers", shape.layers);
  object.Set("context", shape.context);
  object.Set("parameters", static_cast<double>(trainer_->parameters().count()));
  object.Set("stepsDone", static_cast<double>(trainer_->steps_done()));
  object.Set("note", trainer_->note());
  return object;
}

}  // namespace spct::binding
