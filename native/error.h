#pragma once

#include <stdexcept>
#include <string>

namespace spct {

// Every failure the core reports. `code` is stable and becomes the `code` of the JavaScript error.
class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

}  // namespace spct
