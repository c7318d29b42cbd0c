#include "reference/training/graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace breakeven {
namespace {

using Shape = std::vector<std::int64_t>;

constexpr std::array kOpNames = {
    "linear",
    "conv2d",
    "relu",
    "gelu",
    "add",
    "batch_norm",
    "batch_norm_inference",
    "layer_norm",
    "max_pool",
    "average_pool",
    "attention",
    "embedding",
    "flatten",
    "cross_entropy",
    "linear_backward_data",
    "linear_backward_weights",
    "conv2d_backward_data",
    "conv2d_backward_weights",
    "relu_backward",
    "gelu_backward",
    "batch_norm_backward",
    "layer_norm_backward",
    "max_pool_backward",
    "average_pool_backward",
    "attention_backward",
    "embedding_backward",
    "cross_entropy_backward",
    "sgd",
    "adamw",
};
static_assert(kOpNames.size() == static_cast<std::size_t>(Op::adamw) + 1);

// What tensors may hold together, so that no product of dimensions overflows.
constexpr double kLargestElements = 0x1p60;

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument(what); }

std::string shown(const Tensor& tensor) {
  return fmt::format("{} [{}]", tensor.name, fmt::join(tensor.shape, ","));
}

// Checks of one node's operands; messages begin with the operation and the output's name.
class Operands {
 public:
  Operands(const Graph& graph, Op op, const std::string& name)
      : graph_(graph), start_(fmt::format("{} {}: ", op_name(op), name)) {}

  const Tensor& with_dimensions(TensorId id, std::size_t dimensions) const {
    const Tensor& tensor = any(id);
    if (tensor.shape.size() != dimensions) {
      refuse(fmt::format("{}{} must have {} dimensions", start_, shown(tensor), dimensions));
    }
    return tensor;
  }

  const Tensor& of_shape(TensorId id, const Shape& shape) const {
    const Tensor& tensor = any(id);
    if (tensor.shape != shape) {
      refuse(fmt::format("{}{} must have the shape [{}]", start_, shown(tensor),
                         fmt::join(shape, ",")));
    }
    return tensor;
  }

  const Tensor& indices(TensorId id, std::int64_t elements) const {
    const Tensor& tensor = graph_.tensor(id);
    if (tensor.storage != Storage::index || tensor.shape != Shape{elements}) {
      refuse(fmt::format("{}{} must be {} indices", start_, shown(tensor), elements));
    }
    return tensor;
  }

  const Tensor& any(TensorId id) const {
    const Tensor& tensor = graph_.tensor(id);
    if (tensor.storage == Storage::index) {
      refuse(fmt::format("{}{} holds indices, not values", start_, shown(tensor)));
    }
    return tensor;
  }

  void require(bool holds, const std::string& what) const {
    if (!holds) refuse(start_ + what);
  }

 private:
  const Graph& graph_;
  std::string start_;
};

// Where Graph counts tensors from outside of this kind.
std::size_t counted_as(TensorKind kind) {
  if (kind == TensorKind::parameter) return 1;
  return kind == TensorKind::state ? 2 : 0;
}

}  // namespace

std::string op_name(Op op) { return kOpNames.at(static_cast<std::size_t>(op)); }

std::int64_t Tensor::elements() const {
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) elements *= extent;
  return elements;
}

TensorId Graph::add_tensor(Tensor tensor) {
  double elements = 1;
  for (const std::int64_t extent : tensor.shape) {
    if (extent < 1) refuse(fmt::format("{} must have positive dimensions", shown(tensor)));
    elements *= static_cast<double>(extent);
  }
  if (elements > kLargestElements) refuse(fmt::format("{} has over 2^60 elements", shown(tensor)));
  const auto id = static_cast<TensorId>(tensors_.size());
  if (!by_name_.try_emplace(tensor.name, id).second) {
    refuse(fmt::format("there are two tensors called {}", tensor.name));
  }
  written_.push_back(from_outside(tensor.kind) ? 1 : 0);
  gradients_.push_back(kNoTensor);
  updated_.push_back(kNoTensor);
  places_.push_back(from_outside(tensor.kind) ? counts_.at(counted_as(tensor.kind))++ : 0);
  if (tensor.updates != kNoTensor) updated_.at(static_cast<std::size_t>(tensor.updates)) = id;
  tensors_.push_back(std::move(tensor));
  return id;
}

void Graph::add_node(Node node) {
  for (const TensorId input : node.inputs) {
    if (input != kNoTensor && !written_.at(static_cast<std::size_t>(input))) {
      refuse(fmt::format("{} reads {} before it is written", op_name(node.op), tensor(input).name));
    }
  }
  for (const TensorId output : node.outputs) {
    if (output == kNoTensor) continue;
    char& written = written_.at(static_cast<std::size_t>(output));
    if (written) {
      refuse(fmt::format("{} writes {} again", op_name(node.op), tensor(output).name));
    }
    written = 1;
  }
  nodes_.push_back(std::move(node));
}

TensorId Graph::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) refuse(fmt::format("the graph has no tensor called {}", name));
  return found->second;
}

TensorId Graph::gradient(TensorId id) const { return gradients_.at(static_cast<std::size_t>(id)); }

void Graph::set_gradient(TensorId id, TensorId gradient) {
  gradients_.at(static_cast<std::size_t>(id)) = gradient;
}

TensorId Graph::input(const std::string& name, Shape shape, Fill fill) {
  return add_tensor(
      {scope_ + name, TensorKind::input, Storage::working, std::move(shape), fill, kNoTensor});
}

TensorId Graph::index_input(const std::string& name, TensorKind kind, std::int64_t elements,
                            std::int64_t limit) {
  if (limit < 1) refuse(fmt::format("{}{} must have a positive limit", scope_, name));
  return add_tensor({scope_ + name, kind, Storage::index, {elements}, {.limit = limit}, kNoTensor});
}

TensorId Graph::parameter(const std::string& name, Shape shape, Fill fill) {
  return add_tensor(
      {scope_ + name, TensorKind::parameter, Storage::full, std::move(shape), fill, kNoTensor});
}

TensorId Graph::state(const std::string& name, Shape shape, Fill fill) {
  return add_tensor(
      {scope_ + name, TensorKind::state, Storage::full, std::move(shape), fill, kNoTensor});
}

TensorId Graph::forward(const std::string& name, Node node, Shape shape) {
  const bool loss = node.op == Op::cross_entropy;
  const TensorId y = add_tensor({scope_ + name,
                                 loss ? TensorKind::loss : TensorKind::activation,
                                 loss ? Storage::full : Storage::working,
                                 std::move(shape),
                                 {},
                                 kNoTensor});
  node.outputs.insert(node.outputs.begin(), y);
  add_node(std::move(node));
  return y;
}

TensorId Graph::statistic(const std::string& name, Shape shape) {
  return add_tensor(
      {scope_ + name, TensorKind::activation, Storage::full, std::move(shape), {}, kNoTensor});
}

TensorId Graph::next(TensorId id) {
  const Tensor& now = tensor(id);
  return add_tensor({now.name + ".next", TensorKind::updated, Storage::full, now.shape, {}, id});
}

TensorId Graph::linear(const std::string& name, TensorId x, TensorId w, TensorId b) {
  const Operands operands(*this, Op::linear, name);
  const Shape rows = operands.with_dimensions(x, 2).shape;
  const Shape weights = operands.with_dimensions(w, 2).shape;
  operands.of_shape(w, {weights[0], rows[1]});
  if (b != kNoTensor) operands.of_shape(b, {weights[0]});
  return forward(name, {Op::linear, Phase::forward, {x, w, b}, {}}, {rows[0], weights[0]});
}

TensorId Graph::conv2d(const std::string& name, TensorId x, TensorId w, TensorId b,
                       std::int64_t pad, std::int64_t stride) {
  const Operands operands(*this, Op::conv2d, name);
  const Shape image = operands.with_dimensions(x, 4).shape;
  const Shape filter = operands.with_dimensions(w, 4).shape;
  operands.of_shape(w, {filter[0], filter[1], filter[2], image[3]});
  if (b != kNoTensor) operands.of_shape(b, {filter[0]});
  const Conv2dSize size{.n = image[0],
                        .c = image[3],
                        .h = image[1],
                        .w = image[2],
                        .k = filter[0],
                        .r = filter[1],
                        .s = filter[2],
                        .pad_h = pad,
                        .pad_w = pad,
                        .stride_h = stride,
                        .stride_w = stride};
  const std::string problem = conv2d_problem(size);
  operands.require(problem.empty(), problem);
  return forward(name, {Op::conv2d, Phase::forward, {x, w, b}, {}, size},
                 {size.n, size.p(), size.q(), size.k});
}

TensorId Graph::relu(const std::string& name, TensorId x) {
  const Shape shape = Operands(*this, Op::relu, name).any(x).shape;
  return forward(name, {Op::relu, Phase::forward, {x}, {}}, shape);
}

TensorId Graph::gelu(const std::string& name, TensorId x) {
  const Shape shape = Operands(*this, Op::gelu, name).any(x).shape;
  return forward(name, {Op::gelu, Phase::forward, {x}, {}}, shape);
}

TensorId Graph::add(const std::string& name, TensorId a, TensorId b) {
  const Operands operands(*this, Op::add, name);
  const Shape shape = operands.any(a).shape;
  operands.of_shape(b, shape);
  return forward(name, {Op::add, Phase::forward, {a, b}, {}}, shape);
}

TensorId Graph::batch_norm(const std::string& name, TensorId x, TensorId gamma, TensorId beta,
                           TensorId running_mean, TensorId running_variance) {
  const Operands operands(*this, Op::batch_norm, name);
  const Shape shape = operands.with_dimensions(x, 4).shape;
  const std::vector<TensorId> inputs = {x, gamma, beta, running_mean, running_variance};
  for (std::size_t i = 1; i < inputs.size(); ++i) operands.of_shape(inputs[i], {shape[3]});
  operands.require(shape[0] * shape[1] * shape[2] > 1,
                   "one value a channel has no variance; make the batch or the image larger");
  Node node{Op::batch_norm, Phase::forward, inputs, {}};
  node.outputs = {statistic(name + ".mean", {shape[3]}), statistic(name + ".rstd", {shape[3]}),
                  next(running_mean), next(running_variance)};
  return forward(name, std::move(node), shape);
}

TensorId Graph::batch_norm_inference(const std::string& name, TensorId x, TensorId gamma,
                                     TensorId beta, TensorId running_mean,
                                     TensorId running_variance) {
  const Operands operands(*this, Op::batch_norm_inference, name);
  const Shape shape = operands.with_dimensions(x, 4).shape;
  const std::vector<TensorId> inputs = {x, gamma, beta, running_mean, running_variance};
  for (std::size_t i = 1; i < inputs.size(); ++i) operands.of_shape(inputs[i], {shape[3]});
  return forward(name, {Op::batch_norm_inference, Phase::forward, inputs, {}}, shape);
}

TensorId Graph::layer_norm(const std::string& name, TensorId x, TensorId gamma, TensorId beta) {
  const Operands operands(*this, Op::layer_norm, name);
  const Shape shape = operands.with_dimensions(x, 2).shape;
  operands.of_shape(gamma, {shape[1]});
  operands.of_shape(beta, {shape[1]});
  Node node{Op::layer_norm, Phase::forward, {x, gamma, beta}, {}};
  node.outputs = {statistic(name + ".mean", {shape[0]}), statistic(name + ".rstd", {shape[0]})};
  return forward(name, std::move(node), shape);
}

TensorId Graph::max_pool(const std::string& name, TensorId x, const Window& window) {
  const Operands operands(*this, Op::max_pool, name);
  const Shape shape = operands.with_dimensions(x, 4).shape;
  // Padding of half a window or more would make windows that hold nothing but padding.
  const bool sane = window.side >= 1 && window.stride >= 1 && window.pad >= 0 &&
                    2 * window.pad <= window.side && window.side < kLargestWindow;
  operands.require(sane, "side and stride must be positive and the padding at most half a side");
  for (const std::int64_t extent : {shape[1], shape[2]}) {
    operands.require(extent + 2 * window.pad >= window.side, "the window is larger than the image");
  }
  return forward(name, {Op::max_pool, Phase::forward, {x}, {}, window},
                 {shape[0], window.outputs(shape[1]), window.outputs(shape[2]), shape[3]});
}

TensorId Graph::average_pool(const std::string& name, TensorId x) {
  const Shape shape = Operands(*this, Op::average_pool, name).with_dimensions(x, 4).shape;
  return forward(name, {Op::average_pool, Phase::forward, {x}, {}}, {shape[0], shape[3]});
}

TensorId Graph::attention(const std::string& name, TensorId qkv, const Sequence& sequence) {
  const Operands operands(*this, Op::attention, name);
  const std::int64_t width = operands.with_dimensions(qkv, 2).shape[1];
  operands.require(sequence.batch >= 1 && sequence.steps >= 1 && sequence.heads >= 1,
                   "batch, steps and heads must be positive");
  operands.of_shape(qkv, {sequence.batch * sequence.steps, width});
  operands.require(width % (3 * sequence.heads) == 0,
                   fmt::format("{} columns are not q, k and v of {} heads", width, sequence.heads));
  Node node{Op::attention, Phase::forward, {qkv}, {}, sequence};
  node.outputs = {statistic(name + ".lse", {sequence.batch, sequence.heads, sequence.steps})};
  return forward(name, std::move(node), {sequence.batch * sequence.steps, width / 3});
}

TensorId Graph::embedding(const std::string& name, TensorId tokens, TensorId wte, TensorId wpe,
                          const Sequence& sequence) {
  const Operands operands(*this, Op::embedding, name);
  const std::int64_t rows = sequence.batch * sequence.steps;
  const Shape table = operands.with_dimensions(wte, 2).shape;
  const std::int64_t limit = operands.indices(tokens, rows).fill.limit;
  operands.require(limit <= table[0],
                   fmt::format("tokens up to {} have no row in {}", limit - 1, shown(tensor(wte))));
  operands.of_shape(wpe, {sequence.steps, table[1]});
  return forward(name, {Op::embedding, Phase::forward, {tokens, wte, wpe}, {}, sequence},
                 {rows, table[1]});
}

TensorId Graph::flatten(const std::string& name, TensorId x) {
  const Tensor& tensor = Operands(*this, Op::flatten, name).any(x);
  const std::int64_t rows = tensor.shape.at(0);
  const Shape shape = {rows, tensor.elements() / rows};
  return forward(name, {Op::flatten, Phase::forward, {x}, {}}, shape);
}

TensorId Graph::cross_entropy(const std::string& name, TensorId logits, TensorId target) {
  const Operands operands(*this, Op::cross_entropy, name);
  const Shape shape = operands.with_dimensions(logits, 2).shape;
  const std::int64_t limit = operands.indices(target, shape[0]).fill.limit;
  operands.require(limit <= shape[1],
                   fmt::format("targets up to {} are no class of {}", limit - 1, shape[1]));
  return forward(name, {Op::cross_entropy, Phase::forward, {logits, target}, {}}, {1});
}

}  // namespace breakeven
