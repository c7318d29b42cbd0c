// For the program that tells tools/budget what kernels are launched with: each ladder of kernels
// adds what launches all of them, and the program calls it with every launch caught.
#pragma once

#include <string>

#include "kernels/cuda/launch.h"

namespace breakeven {

/// A global one adds `launch_all` before main() begins.
struct Launcher {
  explicit Launcher(void (*launch_all)());
};

/// Enqueues and keeps what was launched. Throws std::logic_error, which names `name`, where what
/// should only enqueue asks the heap for memory.
void catch_launches(const std::string& name, const PreparedLaunch& prepared);

}  // namespace breakeven
