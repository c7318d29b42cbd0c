// Training steps by OpenBLAS: a product for each linear layer and each of its gradients, im2col and
// products for convolutions, and loops that vectorise and share out the rest. Bias and activation
// come in one pass after the product. Bound by the FMA units in products, by memory bandwidth in
// updates, norms and im2col. `openblas_unfused` does every node by itself.
#include "kernels/training/openblas.h"

#include <cblas.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kernels/conv2d/im2col_program.h"
#include "kernels/host/buffer.h"
#include "kernels/host/openblas.h"
#include "kernels/training/host_products.h"
#include "kernels/training/host_scratch.h"

namespace breakeven::training {
namespace {

using conv2d::Im2colProgram;
using conv2d::Im2colTensors;

// By all threads, or within a parallel region by the one that calls.
void multiply(const Product& p) {
  const auto length = [](std::int64_t value) { return static_cast<blasint>(value); };
  cblas_sgemm(CblasRowMajor, p.transpose_a ? CblasTrans : CblasNoTrans,
              p.transpose_b ? CblasTrans : CblasNoTrans, length(p.m), length(p.n), length(p.k),
              p.alpha, p.a, length(p.lda), p.b, length(p.ldb), p.beta, p.c, length(p.ldc));
}

std::string name_of(const Conv2d& conv, int threads) {
  std::string name = conv.op() + " " + std::to_string(threads);
  for (const auto& [dimension, value] : conv.dimensions()) {
    name += " " + dimension + std::to_string(value);
  }
  return name;
}

// How the threads share a convolution, timed once in a process for each size, so that programs of
// the same model do the same.
conv2d::Products products_for(const Conv2d& conv, int threads,
                              const Im2colTensors<float>& tensors) {
  static std::mutex mutex;
  static std::map<std::string, conv2d::Products> chosen;
  const std::scoped_lock lock(mutex);
  const std::string name = name_of(conv, threads);
  if (const auto known = chosen.find(name); known != chosen.end()) return known->second;
  Im2colProgram<float> trial(conv, threads, conv2d::Products::faster);
  HostBuffer scratch(trial.scratch_bytes());
  poison(scratch.span());
  trial.choose(tensors, scratch.as<float>());
  return chosen[name] = trial.products();
}

// A convolution and its call; the call's closure owns it.
struct Convolution {
  Convolution(const Conv2dSize& size, Conv2dOp direction, int threads,
              const Im2colTensors<float>& operands)
      : conv("layer", size, direction),
        tensors(operands),
        program(conv, threads, products_for(conv, threads, operands)) {}

  const Conv2d conv;
  Im2colTensors<float> tensors;
  Im2colProgram<float> program;
};

void call_convolution(HostBuild& build, std::size_t index, Conv2dOp direction,
                      const Im2colTensors<float>& tensors) {
  const auto& size = std::get<Conv2dSize>(build.node(index).attribute);
  const auto convolution = std::make_shared<Convolution>(size, direction, build.threads(), tensors);
  const auto floats = convolution->program.scratch_bytes() / sizeof(float);
  const HostScratch& scratch = build.scratch(static_cast<std::int64_t>(floats));
  for (const auto& [name, value] : convolution->program.facts()) {
    build.fact("convolution." + name, value);
  }
  build.call(
      [convolution, &scratch] { convolution->program.run(convolution->tensors, scratch.data()); });
}

void compile_convolution(HostBuild& build, std::size_t index) {
  require_f32(build);
  const Node& node = build.node(index);
  const std::vector<TensorId>&in = node.inputs, &out = node.outputs;
  const auto floats = [&](TensorId id) { return build.data<float>(id); };
  if (node.op == Op::conv2d_backward_data) {
    call_convolution(build, index, Conv2dOp::backward_data,
                     {floats(out[0]), floats(in[1]), floats(in[0])});
    return;
  }
  if (node.op == Op::conv2d_backward_weights) {
    call_convolution(build, index, Conv2dOp::backward_weights,
                     {floats(in[1]), floats(out[0]), floats(in[0])});
    call_bias_gradient(build, in[0], out[1]);
    return;
  }
  const AfterProduct after = after_product(build, index);
  Im2colTensors<float> tensors{floats(in[0]), floats(in[1]), floats(after.product())};
  if (after.activation == Op::relu && after.bias != kNoTensor) {  // block by block, in cache
    tensors.bias = floats(after.bias);
    call_convolution(build, index, Conv2dOp::bias_relu, tensors);
    return;
  }
  call_convolution(build, index, Conv2dOp::forward, tensors);
  call_after_product(build, after);
}

void compile_node(HostBuild& build, std::size_t index) {
  const Op op = build.node(index).op;
  if (is_linear(op)) return compile_linear(build, index, multiply);
  if (op == Op::conv2d || op == Op::conv2d_backward_data || op == Op::conv2d_backward_weights) {
    return compile_convolution(build, index);
  }
  compile_operation(build, index, multiply);
}

// The largest convolution's matrices, which all calls share.
std::size_t more_bytes(const TrainingStep& step, Precision precision, const Options& options) {
  std::size_t most = host_scratch_bytes(step.model.graph, precision, options.threads);
  for (const Node& node : step.model.graph.nodes()) {
    const auto* size = std::get_if<Conv2dSize>(&node.attribute);
    if (size == nullptr) continue;
    const Conv2dOp direction = node.op == Op::conv2d                 ? Conv2dOp::forward
                               : node.op == Op::conv2d_backward_data ? Conv2dOp::backward_data
                                                                     : Conv2dOp::backward_weights;
    const Conv2d conv("layer", *size, direction);
    most =
        std::max(most, conv2d::Im2colSizes{conv, options.threads, sizeof(float)}.scratch_bytes());
  }
  return most;
}

std::string unsupported(const TrainingStep& step, Precision, const Options&) {
  constexpr std::int64_t kLargest = std::numeric_limits<blasint>::max();
  for (const Tensor& tensor : step.model.graph.tensors()) {
    for (const std::int64_t extent : tensor.shape) {
      if (extent <= kLargest) continue;
      return "this OpenBLAS takes dimensions up to " + std::to_string(kLargest);
    }
  }
  return "";
}

}  // namespace

TrainingBackend openblas_backend(bool fused) {
  TrainingBackend backend;
  backend.name = fused ? "openblas" : "openblas_unfused";
  backend.precisions = {Precision::f32};
  backend.make = [fused](const Graph& graph, Precision precision, const Options& options) {
    set_openblas_threads(options.threads);
    return std::make_unique<HostProgram>(graph, precision, options.threads, fused, compile_node);
  };
  backend.more_bytes = more_bytes;
  backend.unsupported = unsupported;
  return backend;
}

void openblas(Registry& registry) {
  for (const bool fused : {true, false}) add_training(registry, openblas_backend(fused));
}

}  // namespace breakeven::training
