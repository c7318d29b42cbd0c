// The oneDNN backend of training programs.
#pragma once

#include <cstddef>

#include "kernels/training/host_program.h"

namespace breakeven::training {

/// A HostBackend. Throws Unsupported where oneDNN has nothing but reference loops for a product.
void compile_onednn(HostBuild& build, std::size_t index);

}  // namespace breakeven::training
