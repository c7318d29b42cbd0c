#include "kernels/conv2d/conv.h"

#include "kernels/conv2d/conv_rungs.h"
#include "kernels/conv2d/implicit_wgmma_rungs.h"

namespace breakeven::conv2d {
namespace {

std::vector<Rung> all() {
  std::vector<Rung> rungs = naive_rungs();
  const auto add = [&](const std::vector<Rung>& more) {
    rungs.insert(rungs.end(), more.begin(), more.end());
  };
  add({implicit_sgemm_rung(), implicit_mma_bf16_rung(), implicit_mma_f16_rung(),
       implicit_mma_tf32_rung(), implicit_mma_fp8_rung(), implicit_mma_int8_rung()});
  add(implicit_wgmma_rungs());
  add(depthwise_rungs());
  add(pointwise_rungs());
  add({winograd_rung()});
  return rungs;
}

std::string capability_text(int capability) {
  return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}

}  // namespace

const std::vector<Rung>& rungs() {
  static const std::vector<Rung> rungs = all();
  return rungs;
}

const Rung* find_rung(const std::string& name, Precision precision) {
  for (const Rung& rung : rungs()) {
    if (rung.name == name && rung.precision == precision) return &rung;
  }
  return nullptr;
}

std::string unsupported_reason(const Rung& rung, const Conv& conv, const Gpu& gpu) {
  if (gpu.compute_capability < rung.min_compute_capability ||
      gpu.compute_capability > rung.max_compute_capability) {
    const bool from = rung.max_compute_capability == kAnyCompute;
    return "needs compute capability " + capability_text(rung.min_compute_capability) +
           (from ? " or later" : "") + ", this GPU has " + capability_text(gpu.compute_capability);
  }
  return rung.unsupported(conv, gpu);
}

}  // namespace breakeven::conv2d
