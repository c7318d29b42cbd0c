// One program a target; FUZZ_TARGET is the function. What it throws is libFuzzer's crash.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tools/gate/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  breakeven::gate::fuzz::FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
