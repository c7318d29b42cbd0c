// The OpenBLAS backend of training steps, for its rows and tests.
#pragma once

#include "kernels/training/step_kernel.h"

namespace breakeven::training {

/// "openblas", or "openblas_unfused".
TrainingBackend openblas_backend(bool fused);

void openblas(Registry& registry);

}  // namespace breakeven::training
