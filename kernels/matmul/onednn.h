// What tests and benchmarks may see of the oneDNN competitors beside their factory.
#pragma once

#include "kernels/kernel.h"

namespace breakeven {

/// "onednn.version", "onednn.isa" (the highest it dispatches to), "onednn.runtime", "onednn.path",
/// "onednn.warning", and the OpenMP runtime's.
Facts onednn_facts();

namespace matmul {
void onednn(Registry& registry);
}
}  // namespace breakeven
