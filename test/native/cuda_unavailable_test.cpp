// A build without CUDA has every symbol of scoring_cuda.h, and says so when one is used.
#include <string>

#include "check.h"
#include "cuda/scoring_cuda.h"
#include "error.h"

using namespace spct;

namespace {

template <class Call>
std::string code_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

}  // namespace

int main() {
  CHECK(cuda_device_count() == 0);
  CHECK(code_of([] { DeviceScratch scratch(0); }) == "CUDA_UNAVAILABLE");
  CHECK(code_of([] { DeviceScoreHead head(ScoreHead{}, 0); }) == "CUDA_UNAVAILABLE");
  return check_result();
}
