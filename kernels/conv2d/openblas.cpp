// OpenBLAS: im2col and a matrix product, the convolution of Caffe and of every program that has a
// BLAS and nothing else (kernels/conv2d/im2col_program.h). A 1x1 filter of stride 1 needs no
// im2col. Bound by the FMA units where a filter has many channels, by the copies of im2col where it
// has few. Depthwise convolutions are a direct loop (kernels/conv2d/depthwise_host.h).
#include "kernels/host/openblas.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "kernels/conv2d/depthwise_host.h"
#include "kernels/conv2d/openblas_im2col.h"
#include "kernels/kernel.h"
#include "reference/conv2d.h"

namespace breakeven::conv2d {
namespace {

std::string unsupported(const Workload& workload, Precision precision, const Options& options) {
  const auto& conv = static_cast<const Conv2d&>(workload);
  const Conv2dSize& size = conv.size;
  if (one_filter_a_channel(size)) return "";
  const Im2colSizes sizes{conv, options.threads, element_bytes(traits(precision).input)};
  constexpr std::int64_t kLargest = std::numeric_limits<blasint>::max();
  for (const std::int64_t length :
       {size.n * size.p() * size.q(), size.h * size.w, size.c, size.k, sizes.filter_length()}) {
    if (length > kLargest) {
      return "this OpenBLAS takes dimensions up to " + std::to_string(kLargest);
    }
  }
  if (sizes.row_bytes() > Im2colSizes::kMostBytes) {
    return "im2col would need " + std::to_string(sizes.row_bytes() >> 20) +
           " MiB for one row of the output";
  }
  return "";
}

std::size_t footprint_bytes(const Workload& workload, Precision precision, const Options& options) {
  const auto& conv = static_cast<const Conv2d&>(workload);
  const std::size_t element = element_bytes(traits(precision).input);
  const std::size_t operands = operand_bytes(workload, precision);
  if (one_filter_a_channel(conv.size)) {
    return operands + static_cast<std::size_t>(depthwise_scratch(conv, options.threads)) * element;
  }
  return operands + Im2colSizes{conv, options.threads, element}.scratch_bytes();
}

template <class T>
std::unique_ptr<Kernel> load(const Conv2d& conv, Precision precision, int threads) {
  if (one_filter_a_channel(conv.size)) {
    return std::make_unique<DepthwiseHost<T>>(conv, precision, threads);
  }
  return std::make_unique<Im2col<T>>(conv, precision, threads);
}

}  // namespace

void openblas(Registry& registry) {
  for (const Conv2dOp op : {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                            Conv2dOp::backward_weights}) {
    Implementation openblas;
    openblas.op = conv2d_op_name(op);
    openblas.name = "openblas";
    openblas.precisions = {Precision::f64, Precision::f32};
    openblas.unsupported = unsupported;
    openblas.footprint_bytes = footprint_bytes;
    openblas.load = [](const Workload& workload, Precision precision, const Options& options) {
      const auto& conv = static_cast<const Conv2d&>(workload);
      return precision == Precision::f64 ? load<double>(conv, precision, options.threads)
                                         : load<float>(conv, precision, options.threads);
    };
    registry.add(std::move(openblas));
  }
}

}  // namespace breakeven::conv2d
