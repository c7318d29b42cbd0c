// Training steps by the hand-written kernels alone: `handwritten`, fused as device_operations.cu
// says, and `handwritten_unfused`, every node by a kernel of its own.
#include "kernels/training/device_backend.h"

namespace breakeven::training {

void handwritten(Registry& registry) {
  const std::vector<Precision> precisions = {Precision::f32, Precision::bf16};
  add_training(registry, device_backend("handwritten", precisions, true, handwritten_products,
                                        handwritten_products));
  add_training(registry, device_backend("handwritten_unfused", precisions, false,
                                        handwritten_products, handwritten_products));
}

}  // namespace breakeven::training
