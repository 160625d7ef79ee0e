#include "binding/addon.h"

#include "binding/convert.h"
#include "binding/engine_wrap.h"
#include "binding/random_model.h"
#include "binding/trainer_wrap.h"
#include "binding/vocabulary_wrap.h"

namespace spct {

static Napi::Value js_system_info(const Napi::CallbackInfo& info) { return to_js(info.Env(), system_info()); }

static void js_on_exit(const Napi::CallbackInfo& info) {
  for (const auto& [owner, stop] : info.Env().GetInstanceData<AddonData>()->stop_at_exit) stop();
}

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* data = new AddonData;
  data->engine = Napi::Persistent(EngineWrap::define(env));
  data->vocabulary = Napi::Persistent(VocabularyWrap::define(env));
  data->trainer = Napi::Persistent(TrainerWrap::define(env));
  env.SetInstanceData(data);
  const auto process = env.Global().Get("process").As<Napi::Object>();
  const auto listener = Napi::Function::New(env, js_on_exit, "stopThreads");
  process.Get("on").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), listener});
  exports.Set("loadEngine", Napi::Function::New(env, EngineWrap::load, "loadEngine"));
  exports.Set("loadVocabulary", Napi::Function::New(env, VocabularyWrap::load, "loadVocabulary"));
  exports.Set("Trainer", data->trainer.Value());
  exports.Set("groupAdvantages", Napi::Function::New(env, js_group_advantages, "groupAdvantages"));
  exports.Set("fitScoreHead", Napi::Function::New(env, js_fit_score_head, "fitScoreHead"));
  exports.Set("writeScoreHead", Napi::Function::New(env, js_write_score_head, "writeScoreHead"));
  exports.Set("stateWidth", Napi::Function::New(env, js_state_width, "stateWidth"));
  exports.Set("writeRandomModel", Napi::Function::New(env, js_write_random_model, "writeRandomModel"));
  exports.Set("systemInfo", Napi::Function::New(env, js_system_info, "systemInfo"));
  return exports;
}

NODE_API_MODULE(spct, init)

}  // namespace spct
