#include "binding/engine_wrap.h"

#include "binding/addon.h"
#include "binding/convert.h"
#include "binding/promise_worker.h"
#include "binding/trainer_wrap.h"
#include "binding/training_input.h"

namespace spct {

Napi::Function EngineWrap::define(Napi::Env env) {
  return DefineClass(env, "Engine",
                     {
                         InstanceMethod<&EngineWrap::js_tokenize>("tokenize"),
                         InstanceMethod<&EngineWrap::js_tokenize_continued>("tokenizeContinued"),
                         InstanceMethod<&EngineWrap::js_text>("text"),
                         InstanceMethod<&EngineWrap::js_submit>("submit"),
                         InstanceMethod<&EngineWrap::js_cancel>("cancel"),
                         InstanceMethod<&EngineWrap::js_load_weights>("loadWeights"),
                         InstanceMethod<&EngineWrap::js_load_head>("loadHead"),
                         InstanceMethod<&EngineWrap::js_stats>("stats"),
                         InstanceMethod<&EngineWrap::js_close>("close"),
                     });
}

EngineWrap::EngineWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EngineWrap>(info) {}

EngineWrap::~EngineWrap() {
  if (!open_) return;
  napi_remove_env_cleanup_hook(Env(), on_teardown, this);
  if (auto* data = Env().GetInstanceData<AddonData>()) data->stop_at_exit.erase(this);
  engine_->close();
  deliver_.Release();
}

void EngineWrap::on_teardown(void* object) {
  auto* self = static_cast<EngineWrap*>(object);
  self->open_ = false;
  self->engine_->close();
}

Napi::Value EngineWrap::load(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) throw Napi::TypeError::New(info.Env(), "Expected an object for options");
  const ModelOptions options = to_model_options(info[0].As<Napi::Object>());
  const auto work = [options] { return std::make_unique<LlamaModel>(options); };
  const auto convert = [](Napi::Env env, std::unique_ptr<LlamaModel> model) -> Napi::Value {
    Napi::Object object = env.GetInstanceData<AddonData>()->engine.New({});
    EngineWrap* self = Unwrap(object);
    object.Set("info", to_js(env, model->info()));
    self->model_ = model.get();
    self->deliver_ = Deliver::New(env, "spct engine", 0, 1, self);
    self->deliver_.Unref(env);
    self->engine_ = std::make_shared<Engine>(std::move(model), [deliver = self->deliver_](SampleResult result) {
      auto* owned = new SampleResult(std::move(result));
      if (deliver.NonBlockingCall(owned) != napi_ok) delete owned;  // the environment is going away
    });
    // Registered after the thread-safe function, so it runs before that one's own teardown.
    napi_add_env_cleanup_hook(env, on_teardown, self);
    env.GetInstanceData<AddonData>()->stop_at_exit[self] = [engine = self->engine_] { engine->close(); };
    self->open_ = true;
    return object;
  };
  return PromiseWorker<std::unique_ptr<LlamaModel>>::run(info.Env(), work, convert);
}

Engine& EngineWrap::open_engine(Napi::Env env) const {
  if (!open_ || closing_) throw to_js_error(env, "CLOSED", "the engine is closed");
  return *engine_;
}

Napi::Value EngineWrap::js_tokenize(const Napi::CallbackInfo& info) {
  open_engine(info.Env());
  if (!info[0].IsArray()) throw Napi::TypeError::New(info.Env(), "Expected an array for prompts");
  const auto given = info[0].As<Napi::Array>();
  std::vector<std::vector<TextPiece>> prompts;
  for (uint32_t i = 0; i < given.Length(); ++i) prompts.push_back(to_text_pieces(given[i]));
  const auto work = [engine = engine_, vocabulary = &model_->vocabulary(), prompts = std::move(prompts)] {
    std::vector<std::vector<int32_t>> tokens;
    for (const auto& pieces : prompts) tokens.push_back(vocabulary->tokenize(pieces));
    return tokens;
  };
  const auto convert = [](Napi::Env env, const std::vector<std::vector<int32_t>>& tokens) -> Napi::Value {
    Napi::Array out = Napi::Array::New(env, tokens.size());
    for (uint32_t i = 0; i < tokens.size(); ++i) out[i] = to_js(env, tokens[i]);
    return out;
  };
  return PromiseWorker<std::vector<std::vector<int32_t>>>::run(info.Env(), work, convert);
}

Napi::Value EngineWrap::js_tokenize_continued(const Napi::CallbackInfo& info) {
  open_engine(info.Env());
  const auto work = [engine = engine_, vocabulary = &model_->vocabulary(), pieces = to_text_pieces(info[0])] {
    return vocabulary->tokenize_continued(pieces);
  };
  const auto convert = [](Napi::Env env, const std::vector<int32_t>& tokens) -> Napi::Value {
    return to_js(env, tokens);
  };
  return PromiseWorker<std::vector<int32_t>>::run(info.Env(), work, convert);
}

Napi::Value EngineWrap::js_text(const Napi::CallbackInfo& info) {
  open_engine(info.Env());
  try {
    return Napi::String::New(info.Env(), model_->vocabulary().text(to_tokens(info[0], "tokens")));
  } catch (const Error& error) {
    throw to_js_error(info.Env(), error.code(), error.what());
  }
}

Napi::Value EngineWrap::js_submit(const Napi::CallbackInfo& info) {
  Engine& engine = open_engine(info.Env());
  if (!info[0].IsObject() || !info[1].IsFunction()) {
    throw Napi::TypeError::New(info.Env(), "Expected a group and a function for submit");
  }
  const int64_t id = next_group_++;
  try {
    GroupRequest request = to_group_request(info[0].As<Napi::Object>());
    request.id = id;
    engine.submit(std::move(request));
  } catch (const Error& error) {
    throw to_js_error(info.Env(), error.code(), error.what());
  }
  if (callbacks_.empty()) {
    Ref();
    deliver_.Ref(info.Env());
  }
  callbacks_.emplace(id, Napi::Persistent(info[1].As<Napi::Function>()));
  return Napi::Number::New(info.Env(), static_cast<double>(id));
}

void EngineWrap::js_deliver(Napi::Env env, Napi::Function, EngineWrap* self, SampleResult* result) {
  const std::unique_ptr<SampleResult> owned(result);
  if (static_cast<napi_env>(env) != nullptr) self->deliver(env, *owned);
}

void EngineWrap::deliver(Napi::Env env, const SampleResult& result) {
  const Napi::HandleScope scope(env);
  const auto found = callbacks_.find(result.group);
  const Napi::Function callback = found->second.Value();
  if (result.last_of_group) {
    callbacks_.erase(found);
    if (callbacks_.empty()) {
      deliver_.Unref(env);
      Unref();
      if (closing_) finish_close();
    }
  }
  callback.Call({to_js(env, result)});
}

Napi::Value EngineWrap::js_cancel(const Napi::CallbackInfo& info) {
  if (open_) engine_->cancel(info[0].ToNumber().Int64Value());
  return info.Env().Undefined();
}

// Resolves when the engine has run `work` alone. It takes its place among the requests at once.
Napi::Value EngineWrap::run_alone(Napi::Env env, std::function<void()> work) const {
  const std::shared_future<void> done = open_engine(env).run_alone(std::move(work));
  const auto wait = [engine = engine_, done] {
    done.get();
    return true;
  };
  return PromiseWorker<bool>::run(env, wait, [](Napi::Env pool_env, bool) { return pool_env.Undefined(); });
}

Napi::Value EngineWrap::js_load_weights(const Napi::CallbackInfo& info) {
  open_engine(info.Env());
  return run_alone(info.Env(), [model = model_, borrowed = TrainerWrap::borrow(info[0])]() mutable {
    const auto trainer = std::move(borrowed);  // not busy any more when this returns
    model->load_weights(trainer->parameters().views());
  });
}

Napi::Value EngineWrap::js_load_head(const Napi::CallbackInfo& info) {
  open_engine(info.Env());
  const Napi::Object head = to_object(info[0], "head");
  return run_alone(info.Env(),
                   [model = model_, weight = to_floats(head.Get("weight"), "head.weight"),
                    bias = static_cast<float>(number_field(head, "bias"))] { model->load_head(weight, bias); });
}

Napi::Value EngineWrap::js_stats(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), open_engine(info.Env()).stats());
}

// Resolves when the thread has ended and the last sample of every group has been delivered.
Napi::Value EngineWrap::js_close(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (closing_) return closing_->Promise();
  closing_.emplace(env);
  Ref();
  const auto work = [engine = engine_] {
    engine->close();
    return true;
  };
  const auto convert = [this](Napi::Env pool_env, bool) -> Napi::Value {
    joined_ = true;
    if (callbacks_.empty()) finish_close();
    return pool_env.Undefined();
  };
  PromiseWorker<bool>::run(env, work, convert);
  return closing_->Promise();
}

void EngineWrap::finish_close() {
  if (!joined_ || !open_) return;
  open_ = false;
  napi_remove_env_cleanup_hook(Env(), on_teardown, this);
  Env().GetInstanceData<AddonData>()->stop_at_exit.erase(this);
  deliver_.Release();
  engine_.reset();
  closing_->Resolve(Env().Undefined());
  Unref();
}

}  // namespace spct
