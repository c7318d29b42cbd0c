#include <fmt/format.h>

#include <stdexcept>

#include "reference/training/graph.h"

namespace breakeven {
namespace {

// Reverse-mode differentiation: nodes are visited last to first, so that a tensor's gradient is
// complete when the node that made it is reached.
class Differentiation {
 public:
  explicit Differentiation(Graph& graph) : graph_(graph), wanted_(graph.tensors().size(), 0) {}

  void run(TensorId loss) {
    const std::vector<Node> nodes = graph_.nodes();  // a copy: the graph's own vector grows
    mark_wanted(nodes);
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
      const bool starts = node->op == Op::cross_entropy && node->outputs[0] == loss;
      if (node->phase == Phase::forward && (starts || gradient_of_output(*node) != kNoTensor)) {
        append_backward(*node);
      }
    }
  }

 private:
  // A tensor's gradient is wanted where a parameter goes into it.
  void mark_wanted(const std::vector<Node>& nodes) {
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      wanted_[i] = graph_.tensors()[i].kind == TensorKind::parameter ? 1 : 0;
    }
    for (const Node& node : nodes) {
      for (const TensorId input : node.inputs) {
        if (input == kNoTensor || !wanted_[static_cast<std::size_t>(input)]) continue;
        // Statistics and running values lead to no loss.
        wanted_[static_cast<std::size_t>(node.outputs[0])] = 1;
      }
    }
  }

  bool wanted(TensorId id) const {
    return id != kNoTensor && wanted_[static_cast<std::size_t>(id)] != 0;
  }

  TensorId gradient_of_output(const Node& node) const { return graph_.gradient(node.outputs[0]); }

  // The tensor for one share of `id`'s gradient, or none where nobody wants it.
  TensorId make_gradient(TensorId id) {
    if (!wanted(id)) return kNoTensor;
    const Tensor& tensor = graph_.tensor(id);
    std::string name = tensor.name + ".grad";
    // Shares and their sums are numbered in the order in which they are made.
    for (int share = 2; graph_.contains(name); ++share) {
      name = fmt::format("{}.grad{}", tensor.name, share);
    }
    return graph_.add_tensor(
        {name, TensorKind::gradient, tensor.storage, tensor.shape, {}, kNoTensor});
  }

  // Takes `gradient`, written by a node already, as one share of `id`'s.
  void share(TensorId id, TensorId gradient) {
    if (!wanted(id)) return;
    const TensorId before = graph_.gradient(id);
    if (before == kNoTensor) {
      graph_.set_gradient(id, gradient);
      return;
    }
    const TensorId sum = make_gradient(id);
    graph_.add_node({Op::add, Phase::backward, {before, gradient}, {sum}});
    graph_.set_gradient(id, sum);
  }

  // Appends a backward node whose outputs are the gradients of `of`, in this order.
  void append(Op op, std::vector<TensorId> inputs, const std::vector<TensorId>& of,
              const Attribute& attribute = {}) {
    std::vector<TensorId> gradients;
    bool some = false;
    for (const TensorId id : of) {
      gradients.push_back(make_gradient(id));
      some = some || gradients.back() != kNoTensor;
    }
    if (!some) return;
    graph_.add_node({op, Phase::backward, std::move(inputs), gradients, attribute});
    for (std::size_t i = 0; i < of.size(); ++i) share(of[i], gradients[i]);
  }

  void append_backward(const Node& node) {
    const TensorId dy = gradient_of_output(node);
    const std::vector<TensorId>& in = node.inputs;
    const std::vector<TensorId>& out = node.outputs;
    switch (node.op) {
      case Op::linear:
        append(Op::linear_backward_data, {dy, in[1]}, {in[0]});
        append(Op::linear_backward_weights, {dy, in[0]}, {in[1], in[2]});
        return;
      case Op::conv2d:
        append(Op::conv2d_backward_data, {dy, in[1]}, {in[0]}, node.attribute);
        append(Op::conv2d_backward_weights, {dy, in[0]}, {in[1], in[2]}, node.attribute);
        return;
      case Op::relu:
        return append(Op::relu_backward, {dy, out[0]}, {in[0]});
      case Op::gelu:
        return append(Op::gelu_backward, {dy, in[0]}, {in[0]});
      case Op::add:
        // Both terms' gradient is the sum's itself.
        share(in[0], dy);
        share(in[1], dy);
        return;
      case Op::batch_norm:
        return append(Op::batch_norm_backward, {dy, in[0], in[1], out[1], out[2]},
                      {in[0], in[1], in[2]});
      case Op::layer_norm:
        return append(Op::layer_norm_backward, {dy, in[0], in[1], out[1], out[2]},
                      {in[0], in[1], in[2]});
      case Op::max_pool:
        return append(Op::max_pool_backward, {dy, in[0]}, {in[0]}, node.attribute);
      case Op::average_pool:
        return append(Op::average_pool_backward, {dy}, {in[0]});
      case Op::attention:
        return append(Op::attention_backward, {dy, in[0], out[0], out[1]}, {in[0]}, node.attribute);
      case Op::embedding:
        return append(Op::embedding_backward, {dy, in[0]}, {in[1], in[2]}, node.attribute);
      case Op::flatten:
        return append(Op::flatten, {dy}, {in[0]});
      case Op::cross_entropy:
        return append(Op::cross_entropy_backward, {in[0], in[1]}, {in[0]});
      default:
        throw std::invalid_argument(op_name(node.op) + " has no gradient");
    }
  }

  Graph& graph_;
  std::vector<char> wanted_;  // by tensor of the forward graph
};

}  // namespace

void differentiate(Graph& graph, TensorId loss) {
  if (graph.tensor(loss).kind != TensorKind::loss) {
    throw std::invalid_argument(graph.tensor(loss).name + " is no loss to differentiate");
  }
  Differentiation(graph).run(loss);
}

}  // namespace breakeven
