// oneDNN's convolution primitive, several times. `onednn` takes and returns plain layouts, as an op
// in a program without a compiler would: what oneDNN wants in another layout is reordered inside
// the time. Filters always are; images may, where that pays: prepare() times both ways and keeps
// the faster. `onednn_packed` lets oneDNN choose every layout and reorders outside the time: what
// an inference engine does between layers. `onednn_unfused` is `onednn` with ReLU as a primitive of
// its own, in place, where the others fuse it. oneDNN 3 has no Winograd convolution for x86. Bound
// by the FMA or tile units for 3x3 filters of 64 channels and more, by memory for depthwise filters
// and in reduced precisions.
#include <omp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>

#include "kernels/conv2d/onednn_kernel.h"
#include "kernels/conv2d/onednn_plan.h"
#include "kernels/conv2d/onednn_program.h"
#include "reference/conv2d.h"

namespace breakeven::conv2d {
namespace {

// Asks for a small convolution once per operation, mode and precision.
std::string probe(Conv2dOp op, Mode mode, Precision precision) {
  const Conv2d small(
      "probe", {.c = 64, .h = 16, .w = 16, .k = 64, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}, op);
  if (!ways(OnednnPlan(small, precision), mode).empty()) return "";
  return "oneDNN " + onednn_version() + " has no optimised " + std::string(traits(precision).name) +
         " " + conv2d_op_name(op) + " for " + onednn_isa();
}

// oneDNN 3.2 reckons in 32 bits: with a stride of 2^31 - 1 the filters' gradient is zero. That in
// reduced precisions has scratch that grows with stride_w, to 1 GB at 10^6 for images of 8x8; its
// size wraps around before 10^7, and the call crashes.
std::int64_t largest_stride(Conv2dOp op, Precision precision) {
  const bool has_scratch = op == Conv2dOp::backward_weights && precision != Precision::f32;
  return std::int64_t{1} << (has_scratch ? 10 : 30);
}

std::string unsupported(Mode mode, const Workload& workload, Precision precision) {
  const auto& conv = static_cast<const Conv2d&>(workload);
  const std::int64_t largest = largest_stride(conv.direction, precision);
  if (std::max(conv.size.stride_h, conv.size.stride_w) > largest) {
    return "oneDNN's " + std::string(traits(precision).name) + " " + conv.op() +
           " overflows 32 bits with large strides: give at most " + std::to_string(largest);
  }
  static std::mutex mutex;
  static std::array<std::array<std::array<std::optional<std::string>, kPrecisions.size()>, 3>, 4>
      reasons;
  const std::scoped_lock lock(mutex);
  auto& reason = reasons[static_cast<std::size_t>(conv.direction)][static_cast<std::size_t>(mode)]
                        [static_cast<std::size_t>(precision)];
  if (!reason) reason = probe(conv.direction, mode, precision);
  return *reason;
}

// For as many threads as the case will have: scratchpads grow with them.
class Threads {
 public:
  explicit Threads(int threads) : before_(omp_get_max_threads()) {
    if (threads > 0) omp_set_num_threads(threads);
  }
  ~Threads() { omp_set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

// All ways are held while prepare() times them.
std::size_t footprint_bytes(Mode mode, const Workload& workload, Precision precision,
                            const Options& options) {
  const Threads threads(options.threads);
  const OnednnPlan plan(static_cast<const Conv2d&>(workload), precision);
  std::size_t bytes = operand_bytes(workload, precision);
  for (const dnnl::primitive_desc& way : ways(plan, mode)) bytes += program_bytes(plan, way);
  return bytes;
}

void add(Registry& registry, Conv2dOp op, const std::string& name, Mode mode) {
  Implementation onednn;
  onednn.op = conv2d_op_name(op);
  onednn.name = name;
  onednn.precisions = {Precision::f32, Precision::bf16, Precision::f16};
  if (op == Conv2dOp::forward) onednn.precisions.push_back(Precision::int8);
  onednn.unsupported = [mode](const Workload& workload, Precision precision, const Options&) {
    return unsupported(mode, workload, precision);
  };
  onednn.footprint_bytes = [mode](const Workload& workload, Precision precision,
                                  const Options& options) {
    return footprint_bytes(mode, workload, precision, options);
  };
  onednn.load = [mode](const Workload& workload, Precision precision, const Options&) {
    return std::make_unique<Onednn>(static_cast<const Conv2d&>(workload), precision, mode);
  };
  registry.add(std::move(onednn));
}

}  // namespace

void onednn(Registry& registry) {
  for (const Conv2dOp op : {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                            Conv2dOp::backward_weights}) {
    add(registry, op, "onednn", Mode::plain);
    add(registry, op, "onednn_packed", Mode::packed);
    if (op == Conv2dOp::bias_relu) add(registry, op, "onednn_unfused", Mode::unfused);
  }
}

}  // namespace breakeven::conv2d
