// Files that cannot be trained, are cut off, or cannot be written: a typed error that names the reason, and nothing
// that was there before is lost.

#include <filesystem>
#include <fstream>

#include "check.h"
#include "error.h"
#include "train/ggml_handles.h"
#include "train_fixture.h"

using namespace spct;

template <class Work>
static void fails(const std::string& code, const std::string& part, const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    const bool expected = error.code() == code && std::string(error.what()).find(part) != std::string::npos;
    if (!expected) std::fprintf(stderr, "%s: %s\n", error.code().c_str(), error.what());
    CHECK(expected);
    return;
  }
  std::fprintf(stderr, "no error for %s\n", part.c_str());
  CHECK(false);
}

static std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The file at `from` with its metadata changed by `change`.
template <class Change>
static std::string changed(const std::string& from, const Change& change) {
  ggml_context* tensors = nullptr;
  const GgufFile original(gguf_init_from_file(from.c_str(), {false, &tensors}));
  const GgmlContext owner(tensors);
  const GgufFile file(gguf_init_empty());
  gguf_set_kv(file.get(), original.get());
  for (int64_t i = 0; i < gguf_get_n_tensors(original.get()); ++i) {
    gguf_add_tensor(file.get(), ggml_get_tensor(tensors, gguf_get_tensor_name(original.get(), i)));
  }
  change(file.get());
  const std::string path = "train_file_test.changed.gguf";
  gguf_write_to_file(file.get(), path.c_str(), false);
  return path;
}

static void what_cannot_be_trained_is_refused_by_name() {
  const std::string path = "train_file_test.gguf";
  varied_trainer("train_file_test", "qwen3")->save(path, GGML_TYPE_F32);
  const auto refused = [&](const std::string& part, void (*change)(gguf_context*)) {
    fails("UNSUPPORTED_MODEL", part, [&] { Trainer::open(changed(path, change), {}); });
  };
  refused("(llama, qwen2, qwen3, gemma2) but received mamba",
          [](gguf_context* file) { gguf_set_val_str(file, "general.architecture", "mamba"); });
  refused("qwen3.expert_count", [](gguf_context* file) { gguf_set_val_u32(file, "qwen3.expert_count", 8); });
  refused("received yarn", [](gguf_context* file) { gguf_set_val_str(file, "qwen3.rope.scaling.type", "yarn"); });
  refused("qwen3.attention.value_length",
          [](gguf_context* file) { gguf_set_val_u32(file, "qwen3.attention.value_length", 6); });
  refused("qwen3.rope.dimension_count",
          [](gguf_context* file) { gguf_set_val_u32(file, "qwen3.rope.dimension_count", 6); });
  refused("qwen3.block_count", [](gguf_context* file) { gguf_remove_key(file, "qwen3.block_count"); });
  refused("blk.1.", [](gguf_context* file) { gguf_set_val_u32(file, "qwen3.block_count", 1); });
  refused("blk.2.", [](gguf_context* file) { gguf_set_val_u32(file, "qwen3.block_count", 3); });
  refused("blk.0.attn_q.weight", [](gguf_context* file) { gguf_set_val_u32(file, "qwen3.attention.head_count", 2); });
}

static void a_file_that_is_cut_off_is_an_error() {
  const auto trainer = small_trainer("train_file_test");
  trainer->save_checkpoint("train_file_test.checkpoint.gguf", "whole");
  const std::string whole = content("train_file_test.checkpoint.gguf");
  const std::string path = "train_file_test.cut.gguf";
  for (const size_t size : {size_t{0}, size_t{3}, size_t{100}, whole.size() / 2, whole.size() - 1000}) {
    std::ofstream(path, std::ios::binary).write(whole.data(), static_cast<std::streamsize>(size));
    fails("NOT_A_GGUF", path, [&] { Trainer::open(path, {}); });
  }
  CHECK(Trainer::open("train_file_test.checkpoint.gguf", {})->note() == "whole");
}

#if defined(__linux__)
// The file that is written beside the destination leads to a device that is always full.
static void a_full_disk_leaves_the_previous_file() {
  const auto trainer = small_trainer("train_file_test");
  const std::string path = "train_file_test.kept.gguf";
  trainer->save_checkpoint(path, "first");
  const std::string before = content(path);
  const auto on_full_disk = [&](void (*save)(Trainer&, const std::string&)) {
    std::filesystem::remove(path + ".part");
    std::filesystem::create_symlink("/dev/full", path + ".part");
    fails("WRITE_FAILED", "No space left on device", [&] { save(*trainer, path); });
    CHECK(content(path) == before);
    CHECK(!std::filesystem::is_symlink(path + ".part"));
  };
  on_full_disk([](Trainer& target, const std::string& to) { target.save_checkpoint(to, "second"); });
  on_full_disk([](Trainer& target, const std::string& to) { target.save(to, GGML_TYPE_Q8_0); });
  trainer->save_checkpoint(path, "second");
  CHECK(Trainer::open(path, {})->note() == "second");
}
#endif

static void a_folder_in_the_way_is_an_error() {
  std::filesystem::create_directories("train_file_test.folder/inside");
  fails("WRITE_FAILED", "train_file_test.folder",
        [] { small_trainer("train_file_test")->save("train_file_test.folder", GGML_TYPE_F32); });
  CHECK(!std::filesystem::exists("train_file_test.folder.part"));
  fails("NOT_A_GGUF", "train_file_test.folder", [] { Trainer::open("train_file_test.folder", {}); });
}

int main() {
  what_cannot_be_trained_is_refused_by_name();
  a_file_that_is_cut_off_is_an_error();
#if defined(__linux__)
  a_full_disk_leaves_the_previous_file();
#endif
  a_folder_in_the_way_is_an_error();
  return check_result();
}
