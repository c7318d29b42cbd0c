// Training steps with oneDNN's products: linear layers by its matmul or inner product, convolutions
// by its convolution, each in whichever of its layouts and implementations is the fastest here,
// reorders included: they are timed when a program is made. What follows a product, bias, ReLU, a
// residual, is done by the product before it stores its result; everything else by the host's
// loops. Bound by the FMA units in products, by memory bandwidth in updates and norms.
// `onednn_unfused` does every node by itself. In bf16 products read bf16 and accumulate in f32;
// gradients of weights are stored in f32; attention's small products are f32's in either precision.
// Tensors between nodes are in the graph's plain layout: a convolution whose fastest way has
// another reorders them in every call.
#include "kernels/host/onednn.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/training/host_program.h"
#include "kernels/training/host_scratch.h"
#include "kernels/training/onednn.h"
#include "kernels/training/onednn_product.h"
#include "kernels/training/onednn_ways.h"
#include "kernels/training/step_kernel.h"

namespace breakeven::training {
namespace {

// Attention's small products, each by one thread of a team.
void multiply(const Product& product) {
  check_onednn(dnnl_sgemm(product.transpose_a ? 'T' : 'N', product.transpose_b ? 'T' : 'N',
                          product.m, product.n, product.k, product.alpha, product.a, product.lda,
                          product.b, product.ldb, product.beta, product.c, product.ldc));
}

LinearSize linear_size(const Graph& graph, TensorId x, TensorId y) {
  const Tensor& left = graph.tensor(x);
  const Tensor& result = graph.tensor(y);
  return {left.shape[0], result.shape[1], left.shape[1]};
}

// All that the ways of a product depend on.
std::string product_name(const Graph& graph, const Node& node, bool bf16,
                         const std::string& epilogue) {
  std::string name = op_name(node.op) + (bf16 ? " bf16" : " f32");
  for (const std::vector<TensorId>& ids : {node.inputs, node.outputs}) {
    for (const TensorId id : ids) {
      name += " [";
      if (id != kNoTensor) {
        for (const std::int64_t extent : graph.tensor(id).shape)
          name += std::to_string(extent) + ",";
      }
      name += "]";
    }
  }
  if (const auto* conv = std::get_if<Conv2dSize>(&node.attribute)) {
    for (const std::int64_t value : {conv->pad_h, conv->pad_w, conv->stride_h, conv->stride_w}) {
      name += " " + std::to_string(value);
    }
  }
  return name + " " + epilogue;
}

bool is_product(Op op) {
  switch (op) {
    case Op::linear:
    case Op::linear_backward_data:
    case Op::linear_backward_weights:
    case Op::conv2d:
    case Op::conv2d_backward_data:
    case Op::conv2d_backward_weights:
      return true;
    default:
      return false;
  }
}

bool has_bias(const Node& node) {
  const std::vector<TensorId>& ids =
      node.op == Op::linear || node.op == Op::conv2d ? node.inputs : node.outputs;
  return ids.back() != kNoTensor;
}

// `bias`: as the node has it, unless something else does its gradient.
std::vector<ProductWay> ways_of(const Graph& graph, const Node& node, bool bf16,
                                const Epilogue& epilogue, bool bias) {
  const std::vector<TensorId>& in = node.inputs;
  switch (node.op) {
    case Op::linear:
      return linear_forward(linear_size(graph, in[0], node.outputs[0]), bf16, epilogue);
    case Op::linear_backward_data:
      return linear_backward_data(linear_size(graph, node.outputs[0], in[0]), bf16);
    case Op::linear_backward_weights:
      return linear_backward_weights(linear_size(graph, in[1], in[0]), bf16, bias);
    default:
      break;
  }
  const ConvolutionWays convolution(std::get<Conv2dSize>(node.attribute), bf16);
  if (node.op == Op::conv2d) return convolution.forward(epilogue);
  if (node.op == Op::conv2d_backward_data) return convolution.backward_data();
  return convolution.backward_weights(bias);
}

Epilogue plain_epilogue(const Node& node) { return {.bias = has_bias(node)}; }

// A forward product with what is fused into it.
struct Chain {
  Epilogue epilogue;
  TensorId result;
  TensorId residual = kNoTensor;
  const Node* norm = nullptr;
  std::vector<std::size_t> taken = {};  // the nodes behind the product's own
};

// Whether a tensor exists before a node runs.
bool written_before(const Graph& graph, TensorId id, std::size_t index) {
  for (std::size_t i = index; i < graph.nodes().size(); ++i) {
    for (const TensorId output : graph.nodes()[i].outputs) {
      if (output == id) return false;
    }
  }
  return true;
}

// Every chain that begins with a product, shortest first. The last may be more than oneDNN can
// fuse.
std::vector<Chain> chains_of(const HostBuild& build, std::size_t index) {
  const Node& node = build.node(index);
  std::vector<Chain> chains = {{plain_epilogue(node), node.outputs[0]}};
  while (build.fused()) {
    Chain chain = chains.back();
    if (chain.epilogue.activation != Epilogue::Activation::none) break;
    const std::optional<std::size_t> next = build.only_reader(chain.result);
    if (!next || build.taken(*next)) break;
    const Node& reader = build.node(*next);
    if (reader.op == Op::relu) {
      chain.epilogue.activation = Epilogue::Activation::relu;
    } else if (reader.op == Op::gelu) {
      chain.epilogue.activation = Epilogue::Activation::gelu;
    } else if (reader.op == Op::batch_norm_inference && node.op == Op::conv2d &&
               chain.taken.empty()) {
      chain.epilogue.normalise = true;
      chain.norm = &reader;
    } else if (reader.op == Op::add && !chain.epilogue.residual) {
      const bool first = reader.inputs[0] == chain.result;
      chain.residual = reader.inputs[first ? 1 : 0];
      if (chain.residual == chain.result) break;
      if (!written_before(build.graph(), chain.residual, index)) break;
      chain.epilogue.residual = true;
    } else {
      break;
    }
    chain.result = reader.outputs[0];
    chain.taken.push_back(*next);
    chains.push_back(std::move(chain));
  }
  return chains;
}

// `kept`: memory that lives as long as the call.
void emit(HostBuild& build, const std::string& epilogue, std::size_t index,
          const std::vector<ProductWay>& ways, const ProductTensors& tensors,
          const std::shared_ptr<HostBuffer>& kept = nullptr) {
  const Node& node = build.node(index);
  const bool bf16 = build.precision() == Precision::bf16;
  if (ways.empty()) {
    throw Unsupported("oneDNN has no optimised " +
                      product_name(build.graph(), node, bf16, epilogue));
  }
  const std::size_t chosen =
      fastest_product(product_name(build.graph(), node, bf16, epilogue), ways);
  const auto product = std::make_shared<OnednnProduct>(ways[chosen], tensors);
  build.fact("implementation", ways[chosen].description.impl_info_str());
  const HostScratch& scratch =
      build.scratch(static_cast<std::int64_t>(product->scratch_bytes() / sizeof(float)));
  build.call(
      [product, kept, &scratch] { product->run(reinterpret_cast<std::byte*>(scratch.data())); });
}

// A tensor as the primitives take it, which write none of their inputs.
void* working(HostBuild& build, TensorId parameter) {
  return const_cast<std::byte*>(build.weights<std::byte>(parameter));
}

// A norm by running statistics as scale and shift of each channel, which begin in `made`. They are
// taken anew in every run, as the parameters may have been written since.
void emit_norm(HostBuild& build, const Node& norm, float* made) {
  const std::int64_t channels = build.graph().tensor(norm.inputs[1]).elements();
  const float* gamma = build.data<float>(norm.inputs[1]);
  const float* beta = build.data<float>(norm.inputs[2]);
  const float* mean = build.data<float>(norm.inputs[3]);
  const float* variance = build.data<float>(norm.inputs[4]);
  build.call([=] {
    for (std::int64_t c = 0; c < channels; ++c) {
      made[c] = gamma[c] / std::sqrt(variance[c] + static_cast<float>(kNormEpsilon));
      made[channels + c] = beta[c] - mean[c] * made[c];
    }
  });
}

void compile_forward(HostBuild& build, std::size_t index) {
  const Node& node = build.node(index);
  const bool bf16 = build.precision() == Precision::bf16;
  std::vector<Chain> chains = chains_of(build, index);
  std::vector<ProductWay> ways;
  while (true) {
    ways = ways_of(build.graph(), node, bf16, chains.back().epilogue, false);
    if (!ways.empty() || chains.size() == 1) break;
    chains.pop_back();
  }
  const Chain& chain = chains.back();
  for (const std::size_t taken : chain.taken) build.take(taken);
  const std::string name = chain.epilogue.name();
  if (!chain.taken.empty()) build.fact("fused", name);
  ProductTensors tensors;
  tensors[Role::x] = build.data<std::byte>(node.inputs[0]);
  tensors[Role::w] = working(build, node.inputs[1]);
  tensors[Role::bias] = build.data<std::byte>(node.inputs[2]);
  tensors[Role::residual] = build.data<std::byte>(chain.residual);
  tensors[Role::y] = build.data<std::byte>(chain.result);
  std::shared_ptr<HostBuffer> kept;
  if (chain.norm) {
    const auto channels =
        static_cast<std::size_t>(build.graph().tensor(chain.norm->inputs[1]).elements());
    kept = std::make_shared<HostBuffer>(2 * channels * sizeof(float));
    tensors[Role::scale] = kept->as<float>();
    tensors[Role::shift] = kept->as<float>() + channels;
    emit_norm(build, *chain.norm, kept->as<float>());
  }
  emit(build, name, index, ways, tensors, kept);
}

void compile_backward_data(HostBuild& build, std::size_t index) {
  const Node& node = build.node(index);
  ProductTensors tensors;
  tensors[Role::y] = build.data<std::byte>(node.inputs[0]);
  tensors[Role::w] = working(build, node.inputs[1]);
  tensors[Role::x] = build.data<std::byte>(node.outputs[0]);
  const bool bf16 = build.precision() == Precision::bf16;
  emit(build, "", index, ways_of(build.graph(), node, bf16, {}, false), tensors);
}

void compile_backward_weights(HostBuild& build, std::size_t index) {
  const Node& node = build.node(index);
  // Unless the gradient of an activation summed it up on its way.
  const bool bias = has_bias(node) && !build.made(node.outputs[1]);
  ProductTensors tensors;
  tensors[Role::y] = build.data<std::byte>(node.inputs[0]);
  tensors[Role::x] = build.data<std::byte>(node.inputs[1]);
  tensors[Role::w] = build.data<std::byte>(node.outputs[0]);
  if (bias) tensors[Role::bias] = build.data<std::byte>(node.outputs[1]);
  const bool bf16 = build.precision() == Precision::bf16;
  emit(build, bias ? "bias" : "", index, ways_of(build.graph(), node, bf16, {}, bias), tensors);
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

// The largest product's, whose scratch all share; timed one after the other.
std::size_t more_bytes(const TrainingStep& step, Precision precision, const Options& options) {
  const Threads threads(options.threads);
  const Graph& graph = step.model.graph;
  std::size_t most = host_scratch_bytes(graph, precision, options.threads);
  for (const Node& node : graph.nodes()) {
    if (!is_product(node.op)) continue;
    Epilogue epilogue = plain_epilogue(node);
    epilogue.residual = true;  // as some have, which then is reordered, too
    most = std::max(most, product_bytes(ways_of(graph, node, precision == Precision::bf16, epilogue,
                                                has_bias(node))));
  }
  return most;
}

// Asks for a small layer once per precision.
std::string probe(Precision precision) {
  const bool bf16 = precision == Precision::bf16;
  const LinearSize linear{64, 64, 64};
  const ConvolutionWays conv(
      {.n = 2, .c = 16, .h = 8, .w = 8, .k = 16, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}, bf16);
  const bool all =
      !linear_forward(linear, bf16, {}).empty() && !linear_backward_data(linear, bf16).empty() &&
      !linear_backward_weights(linear, bf16, true).empty() && !conv.forward({}).empty() &&
      !conv.backward_data().empty() && !conv.backward_weights(true).empty();
  if (all) return "";
  return "oneDNN " + onednn_version() + " has no optimised " + std::string(traits(precision).name) +
         " training for " + onednn_isa();
}

std::string unsupported(const TrainingStep&, Precision precision, const Options&) {
  static std::mutex mutex;
  static std::array<std::optional<std::string>, kPrecisions.size()> reasons;
  const std::scoped_lock lock(mutex);
  auto& reason = reasons[static_cast<std::size_t>(precision)];
  if (!reason) reason = probe(precision);
  return *reason;
}

}  // namespace

void compile_onednn(HostBuild& build, std::size_t index) {
  switch (build.node(index).op) {
    case Op::linear:
    case Op::conv2d:
      return compile_forward(build, index);
    case Op::linear_backward_data:
    case Op::conv2d_backward_data:
      return compile_backward_data(build, index);
    case Op::linear_backward_weights:
    case Op::conv2d_backward_weights:
      return compile_backward_weights(build, index);
    default:
      return compile_operation(build, index, multiply);
  }
}

void onednn(Registry& registry) {
  for (const bool fused : {true, false}) {
    TrainingBackend backend;
    backend.name = fused ? "onednn" : "onednn_unfused";
    backend.precisions = {Precision::f32, Precision::bf16};
    backend.make = [fused](const Graph& graph, Precision precision, const Options& options) {
      return std::make_unique<HostProgram>(graph, precision, options.threads, fused,
                                           compile_onednn);
    };
    backend.more_bytes = more_bytes;
    backend.unsupported = unsupported;
    add_training(registry, backend);
  }
}

}  // namespace breakeven::training
