#include "binding/random_model.h"

#include <algorithm>
#include <utility>

#include "binding/promise_worker.h"
#include "binding/training_input.h"
#include "model/random_model.h"

namespace spct {

static RandomTensor to_random_tensor(const Napi::Object& object) {
  RandomTensor tensor;
  tensor.name = text_field(object, "name");
  tensor.columns = static_cast<int64_t>(number_field(object, "columns"));
  tensor.rows = static_cast<int64_t>(number_field(object, "rows"));
  tensor.type = text_field(object, "type");
  tensor.scale = static_cast<float>(number_field(object, "scale"));
  if (tensor.columns < 1 || tensor.rows < 0) reject(object.Env(), "Expected a size for tensor " + tensor.name);
  return tensor;
}

Napi::Value js_write_random_model(const Napi::CallbackInfo& info) {
  const Napi::Object object = to_object(info[0], "model");
  RandomModel model;
  model.path = text_field(object, "path");
  model.vocabulary_path = text_field(object, "vocabularyPath");
  model.seed = static_cast<uint64_t>(number_field(object, "seed"));
  model.threads = std::max(1, static_cast<int32_t>(number_field(object, "threads")));
  if (!object.Get("metadata").IsTypedArray()) reject(info.Env(), "Expected bytes for metadata");
  const auto bytes = object.Get("metadata").As<Napi::Uint8Array>();
  model.metadata.assign(bytes.Data(), bytes.Data() + bytes.ElementLength());
  if (!object.Get("tensors").IsArray()) reject(info.Env(), "Expected an array for tensors");
  const auto tensors = object.Get("tensors").As<Napi::Array>();
  for (uint32_t i = 0; i < tensors.Length(); ++i) {
    model.tensors.push_back(to_random_tensor(to_object(tensors.Get(i), "tensors")));
  }
  const auto work = [model = std::move(model)] {
    write_random_model(model);
    return true;
  };
  const auto convert = [](Napi::Env env, bool) -> Napi::Value { return env.Undefined(); };
  return PromiseWorker<bool>::run(info.Env(), work, convert);
}

}  // namespace spct
