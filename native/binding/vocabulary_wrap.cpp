#include "binding/vocabulary_wrap.h"

#include "binding/addon.h"
#include "binding/convert.h"
#include "binding/promise_worker.h"

namespace spct {

Napi::Function VocabularyWrap::define(Napi::Env env) {
  return DefineClass(env, "Vocabulary",
                     {
                         InstanceMethod<&VocabularyWrap::js_tokenize>("tokenize"),
                         InstanceMethod<&VocabularyWrap::js_text>("text"),
                         InstanceMethod<&VocabularyWrap::js_forbidden>("forbidden"),
                     });
}

VocabularyWrap::VocabularyWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<VocabularyWrap>(info) {}

Napi::Value VocabularyWrap::load(const Napi::CallbackInfo& info) {
  if (!info[0].IsString()) throw Napi::TypeError::New(info.Env(), "Expected a string for path");
  const std::string path = info[0].As<Napi::String>();
  const auto work = [path] {
    auto loaded = std::make_shared<Loaded>();
    loaded->model = load_vocabulary(path);
    loaded->vocabulary = std::make_unique<Vocabulary>(vocabulary_of(loaded->model.get()));
    return loaded;
  };
  const auto convert = [](Napi::Env env, std::shared_ptr<Loaded> loaded) -> Napi::Value {
    Napi::Object object = env.GetInstanceData<AddonData>()->vocabulary.New({});
    Unwrap(object)->loaded_ = std::move(loaded);
    return object;
  };
  return PromiseWorker<std::shared_ptr<Loaded>>::run(info.Env(), work, convert);
}

Napi::Value VocabularyWrap::js_tokenize(const Napi::CallbackInfo& info) {
  auto pieces = to_text_pieces(info[0]);
  const auto work = [loaded = loaded_, pieces = std::move(pieces)] { return loaded->vocabulary->tokenize(pieces); };
  const auto convert = [](Napi::Env env, std::vector<int32_t> tokens) -> Napi::Value { return to_js(env, tokens); };
  return PromiseWorker<std::vector<int32_t>>::run(info.Env(), work, convert);
}

Napi::Value VocabularyWrap::js_text(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), loaded_->vocabulary->text(to_tokens(info[0], "tokens")));
}

Napi::Value VocabularyWrap::js_forbidden(const Napi::CallbackInfo& info) {
  Napi::Array out = Napi::Array::New(info.Env());
  for (int32_t token = 0; token < loaded_->vocabulary->size(); ++token) {
    if (!loaded_->vocabulary->is_forbidden_in_text(token)) continue;
    Napi::Object entry = Napi::Object::New(info.Env());
    entry.Set("id", token);
    entry.Set("text", loaded_->vocabulary->name(token));
    out[out.Length()] = entry;
  }
  return out;
}

}  // namespace spct
