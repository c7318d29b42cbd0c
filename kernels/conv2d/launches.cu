// Launches every kernel of the hand-written convolutions, for tools/budget.
#include <array>
#include <cstdint>

#include "kernels/conv2d/bias_relu.h"
#include "kernels/conv2d/conv.h"
#include "kernels/cuda/launches.h"

namespace breakeven::conv2d {
namespace {

// Together they reach every kernel: channels in vectors, in pairs and neither, each of them alone,
// the row kernel's strides, k cut into parts, channels worth padding.
constexpr std::array<Conv2dSize, 8> kSizes = {{
    {.n = 1, .c = 64, .h = 14, .w = 14, .k = 64, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1},
    {.n = 64, .c = 64, .h = 56, .w = 56, .k = 256, .r = 1, .s = 1},
    {.n = 64, .c = 15, .h = 56, .w = 56, .k = 64, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1},
    {.n = 1, .c = 18, .h = 9, .w = 9, .k = 18, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1},
    {.n = 1, .c = 3, .h = 32, .w = 32, .k = 5, .r = 7, .s = 7, .stride_h = 2, .stride_w = 2},
    {.n = 1,
     .c = 64,
     .h = 64,
     .w = 64,
     .k = 64,
     .r = 3,
     .s = 3,
     .pad_h = 1,
     .pad_w = 1,
     .groups = 64},
    {.n = 1,
     .c = 64,
     .h = 14,
     .w = 14,
     .k = 64,
     .r = 3,
     .s = 3,
     .pad_h = 1,
     .pad_w = 1,
     .stride_h = 2,
     .stride_w = 2,
     .groups = 64},
    {.n = 1, .c = 33, .h = 14, .w = 14, .k = 33, .r = 5, .s = 5, .groups = 33},
}};

constexpr Conv2dOp kOps[] = {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                             Conv2dOp::backward_weights};

constexpr std::array<Gpu, 3> kGpus = {{{80, 108}, {89, 142}, {90, 132}}};

/// Any addresses that are as aligned as cudaMalloc's, or `offset` bytes off; nothing reads them.
void* address(int number, int offset = 0) {
  return reinterpret_cast<void*>((std::uintptr_t{0x10000000} << number) + offset);
}

Conv conv_of(const Conv2dSize& size, Conv2dOp op, int offset) {
  return {size,
          op,
          Conv2dLayout::nhwc,
          {address(1, offset), address(2, offset), address(3, offset)},
          address(4, offset)};
}

void launch_tilings(const Rung& rung, Conv conv, const Gpu& gpu) {
  if (!unsupported_reason(rung, conv, gpu).empty()) return;
  const int tilings = static_cast<int>(rung.tilings.size());
  for (conv.tiling = -1; conv.tiling < tilings; ++conv.tiling) {
    catch_launches(rung.name, rung.prepare(conv, address(5), gpu).enqueue);
  }
}

void launch_all() {
  for (const Rung& rung : rungs()) {
    for (const Gpu& gpu : kGpus) {
      for (const Conv2dSize& size : kSizes) {
        for (const Conv2dOp op : kOps) {
          for (const int offset : {0, 8}) {  // 8: elements that no vector reaches
            launch_tilings(rung, conv_of(size, op, offset), gpu);
          }
        }
      }
    }
  }
  catch_launches("bias_relu", prepare_bias_relu(conv_of(kSizes[0], Conv2dOp::bias_relu, 0)));
}

const Launcher launcher(launch_all);

}  // namespace
}  // namespace breakeven::conv2d
