// The textbook's loops as a backend of training steps, for its rows and tests.
#pragma once

#include "kernels/training/step_kernel.h"

namespace breakeven::training {

TrainingBackend naive_backend();

void naive(Registry& registry);

}  // namespace breakeven::training
