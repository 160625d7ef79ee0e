#include "train/gguf_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "error.h"

namespace spct {
namespace {

// A file beside its destination, which it replaces when it is complete.
class PartialFile {
 public:
  explicit PartialFile(const std::string& path)
      : path_(path), partial_(path + ".part"), stream_(std::fopen(partial_.c_str(), "wb")) {
    if (stream_ == nullptr) fail();
  }

  ~PartialFile() {
    if (stream_ != nullptr) std::fclose(stream_);
    std::error_code ignored;
    if (!complete_) std::filesystem::remove(partial_, ignored);
  }

  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  FILE* stream() const { return stream_; }

  void write(const std::vector<char>& bytes) {
    check(std::fwrite(bytes.data(), 1, bytes.size(), stream_) == bytes.size());
  }

  void check(bool written) const {
    if (!written) fail();
  }

  // A full disk may show only now, when buffered bytes are written.
  void finish() {
    check(std::fflush(stream_) == 0);
    FILE* stream = stream_;
    stream_ = nullptr;
    check(std::fclose(stream) == 0);
    std::error_code failure;
    std::filesystem::rename(partial_, path_, failure);
    if (failure) throw Error("WRITE_FAILED", "The file " + path_ + " could not be replaced: " + failure.message());
    complete_ = true;
  }

 private:
  [[noreturn]] void fail() const {
    throw Error("WRITE_FAILED", "The file " + path_ + " could not be written: " + std::strerror(errno));
  }

  std::string path_;
  std::string partial_;
  FILE* stream_;
  bool complete_ = false;
};

}  // namespace

void write_gguf(const gguf_context* file, const std::string& path) {
  PartialFile output(path);
  output.check(gguf_write_to_file_ptr(file, output.stream(), false));
  output.finish();
}

void write_gguf(const gguf_context* file, const std::string& path,
                const std::function<std::vector<char>(int64_t)>& data) {
  PartialFile output(path);
  output.check(gguf_write_to_file_ptr(file, output.stream(), true));
  const size_t alignment = gguf_get_alignment(file);
  for (int64_t i = 0; i < gguf_get_n_tensors(file); ++i) {
    std::vector<char> bytes = data(i);
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, 0);
    output.write(bytes);
  }
  output.finish();
}

}  // namespace spct
