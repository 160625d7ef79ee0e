#include "model/head_file.h"

#include <fstream>
#include <memory>

#include "error.h"
#include "ggml.h"
#include "gguf.h"

namespace spct {

namespace {

struct Reader {
  std::string path;
  std::unique_ptr<gguf_context, decltype(&gguf_free)> file{nullptr, gguf_free};

  [[noreturn]] void fail(const std::string& what) const { throw Error("NOT_A_HEAD", path + " is not a head: " + what); }

  bool has(const char* key) const { return gguf_find_key(file.get(), key) >= 0; }

  std::string text(const char* key) const {
    const int64_t id = gguf_find_key(file.get(), key);
    if (id < 0 || gguf_get_kv_type(file.get(), id) != GGUF_TYPE_STRING) fail(std::string("no key ") + key);
    return gguf_get_val_str(file.get(), id);
  }

  std::vector<float> tensor(const char* name) const {
    const int64_t id = gguf_find_tensor(file.get(), name);
    if (id < 0) fail(std::string("no tensor ") + name);
    if (gguf_get_tensor_type(file.get(), id) != GGML_TYPE_F32) fail(std::string(name) + " is not F32");
    std::vector<float> values(gguf_get_tensor_size(file.get(), id) / sizeof(float));
    std::ifstream in(path, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(gguf_get_data_offset(file.get()) + gguf_get_tensor_offset(file.get(), id)));
    in.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
    if (!in) fail(std::string(name) + " ends early");
    return values;
  }
};

Activation activation_of(const Reader& reader) {
  const std::string name = reader.text("spct.head.activation");
  if (name == "none") return Activation::none;
  if (name == "sigmoid") return Activation::sigmoid;
  if (name == "tanh") return Activation::tanh;
  reader.fail("unknown activation " + name);
}

}  // namespace

HeadFile read_head_file(const std::string& path) {
  if (!std::ifstream(path)) throw Error("HEAD_NOT_FOUND", "no such file: " + path);
  Reader reader{path};
  reader.file.reset(gguf_init_from_file(path.c_str(), {/*no_alloc=*/true, /*ctx=*/nullptr}));
  if (!reader.file) reader.fail("not a GGUF file");
  HeadFile out;
  out.kind = reader.text("spct.head.kind");
  if (reader.has("spct.head.backbone")) out.backbone = reader.text("spct.head.backbone");
  if (out.kind != "meta" && out.kind != "reward") reader.fail("unknown kind " + out.kind);
  if (reader.text("spct.head.pooling") != "last") reader.fail("unknown pooling " + reader.text("spct.head.pooling"));
  out.head.activation = activation_of(reader);
  out.head.weight = reader.tensor("head.weight");
  const auto bias = reader.tensor("head.bias");
  if (bias.size() != 1) reader.fail("head.bias has " + std::to_string(bias.size()) + " values instead of 1");
  out.head.bias = bias.front();
  return out;
}

}  // namespace spct
