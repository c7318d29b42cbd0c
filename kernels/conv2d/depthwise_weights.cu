// Bounded as kernels/conv2d/depthwise_weights.h says.
#include <algorithm>
#include <utility>

#include "kernels/conv2d/conv_reduce.h"
#include "kernels/conv2d/depthwise_weights.h"
#include "kernels/matmul/sgemm_pipeline.h"

namespace breakeven::conv2d {
namespace {

/// Filters of a thread: pairs where two lie beside each other, with channels of their own.
template <class T>
int filters_a_thread(const Conv& conv) {
  constexpr int kPair = sizeof(T) == 2 ? 2 : 1;
  const auto aligned = [](const void* data) {
    return reinterpret_cast<std::uintptr_t>(data) % sizeof(Elements<T, kPair>) == 0;
  };
  const Conv2dSize& s = conv.size;
  const bool pairs =
      s.c == s.k && s.k % kPair == 0 && aligned(conv.inputs[0]) && aligned(conv.inputs[1]);
  return pairs ? kPair : 1;
}

/// Slices of the pixels: about four blocks for each multiprocessor, and at least 256 pixels each;
/// no more than the second pass adds up in a few steps.
template <class T>
int slices_of(const Conv& conv, const Gpu& gpu) {
  constexpr std::int64_t kLeastPixels = 256;
  constexpr std::int64_t kMostSlices = 256;
  const Conv2dSize& s = conv.size;
  const std::int64_t blocks =
      ceil_div(s.k, kWeightsLanes * filters_a_thread<T>(conv)) * ceil_div(s.r * s.s, kWeightsTaps);
  const std::int64_t wanted = ceil_div(4 * std::max(gpu.sms, 1), blocks);
  const std::int64_t most = std::max<std::int64_t>(s.n * s.p() * s.q() / kLeastPixels, 1);
  return static_cast<int>(std::min({wanted, most, kMostSlices}));
}

}  // namespace

template <class T>
std::size_t depthwise_weights_workspace(const Conv& conv, const Gpu& gpu) {
  return partial_bytes(conv, slices_of<T>(conv, gpu));
}

template <class T>
PreparedConv prepare_depthwise_weights(const Conv& conv, void* workspace, const Gpu& gpu) {
  const Conv2dSize& s = conv.size;
  DepthwiseWeights p{};
  p.conv = depthwise_problem(conv);
  p.pixels = static_cast<int>(s.n * s.p() * s.q());
  p.slices = slices_of<T>(conv, gpu);
  p.partial = static_cast<float*>(workspace);
  constexpr int kPair = sizeof(T) == 2 ? 2 : 1;
  const int channels = filters_a_thread<T>(conv);
  const Grid grid = {dim3(static_cast<unsigned>(ceil_div(s.k, kWeightsLanes * channels)),
                          static_cast<unsigned>(p.slices),
                          static_cast<unsigned>(ceil_div(s.r * s.s, kWeightsTaps))),
                     dim3(kWeightsLanes, kWeightsRows),
                     kWeightsRows * kWeightsLanes * sizeof(float)};
  PreparedLaunch sum =
      channels > 1
          ? prepare_launch(depthwise_weights_kernel<T, kPair, matmul::BlockBarrier>, grid, p)
          : prepare_launch(depthwise_weights_kernel<T, 1, matmul::BlockBarrier>, grid, p);
  std::string text = "pixels in " + std::to_string(p.slices) + " slices";
  if (p.slices == 1) return {std::move(sum), std::move(text)};
  ImplicitGemm parts{};  // what the second pass reads of it
  parts.output = conv.output;
  parts.output_ld = 1;
  parts.splits = p.slices;
  parts.partial = workspace;
  parts.partial_stride = output_elements(conv);
  return {in_order(std::move(sum), reduce_conv<T, float>(parts, conv)), std::move(text)};
}

template std::size_t depthwise_weights_workspace<float>(const Conv&, const Gpu&);
template std::size_t depthwise_weights_workspace<bf16>(const Conv&, const Gpu&);
template std::size_t depthwise_weights_workspace<f16>(const Conv&, const Gpu&);
template PreparedConv prepare_depthwise_weights<float>(const Conv&, void*, const Gpu&);
template PreparedConv prepare_depthwise_weights<bf16>(const Conv&, void*, const Gpu&);
template PreparedConv prepare_depthwise_weights<f16>(const Conv&, void*, const Gpu&);

}  // namespace breakeven::conv2d
