// What a kernel did wrong, as an exception.
#pragma once

#include <stdexcept>
#include <string>

namespace breakeven::simt {

/// A kernel's mistake that the emulator saw: what() says which block and thread, and what it did.
/// The launch is over when it is thrown; outputs hold whatever had been written.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws Fault with "block (x,y,z) thread (x,y,z): " before `what`. For use inside a kernel.
[[noreturn]] void fault(const std::string& what);

}  // namespace breakeven::simt
