#include "reference/training/graph.h"

namespace breakeven {

double node_flops(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::linear:
    case Op::linear_backward_data:
    case Op::linear_backward_weights: {
      // All three multiply as many pairs: m n k of y[m,n] = x[m,k] w[n,k]^T.
      const TensorId left = node.inputs[0];
      const TensorId weights =
          node.op == Op::linear_backward_weights ? node.outputs[0] : node.inputs[1];
      return 2.0 * static_cast<double>(graph.tensor(left).shape[0]) *
             static_cast<double>(graph.tensor(weights).elements());
    }
    case Op::conv2d:
    case Op::conv2d_backward_data:
    case Op::conv2d_backward_weights:
      return Conv2d("", std::get<Conv2dSize>(node.attribute), Conv2dOp::forward)
          .cost(Precision::f32)
          .flops;
    case Op::attention:
    case Op::attention_backward: {
      // Each of the t (t + 1) / 2 pairs of steps: q k and p v; backward: one of each operand's.
      const auto& sequence = std::get<Sequence>(node.attribute);
      const TensorId y = node.op == Op::attention ? node.outputs[0] : node.inputs[2];
      const auto steps = static_cast<double>(sequence.steps);
      const double products = node.op == Op::attention ? 2 : 4;
      return 2 * products * static_cast<double>(graph.tensor(y).elements()) * (steps + 1) / 2;
    }
    default:
      return 0;
  }
}

double model_flops(const Graph& graph) {
  double flops = 0;
  for (const Node& node : graph.nodes()) flops += node_flops(graph, node);
  return flops;
}

}  // namespace breakeven
