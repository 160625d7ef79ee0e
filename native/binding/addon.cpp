#include "binding/addon.h"

#include "binding/convert.h"
#include "binding/engine_wrap.h"
#include "binding/vocabulary_wrap.h"

namespace spct {

static Napi::Value js_system_info(const Napi::CallbackInfo& info) { return to_js(info.Env(), system_info()); }

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* data = new AddonData;
  data->engine = Napi::Persistent(EngineWrap::define(env));
  data->vocabulary = Napi::Persistent(VocabularyWrap::define(env));
  env.SetInstanceData(data);
  exports.Set("loadEngine", Napi::Function::New(env, EngineWrap::load, "loadEngine"));
  exports.Set("loadVocabulary", Napi::Function::New(env, VocabularyWrap::load, "loadVocabulary"));
  exports.Set("systemInfo", Napi::Function::New(env, js_system_info, "systemInfo"));
  return exports;
}

NODE_API_MODULE(spct, init)

}  // namespace spct
