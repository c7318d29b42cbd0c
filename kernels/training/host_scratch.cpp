#include "kernels/training/host_scratch.h"

#include <algorithm>
#include <variant>
#include <vector>

#include "kernels/training/host_attention.h"
#include "kernels/training/host_batch_norm.h"
#include "kernels/training/host_layer_norm.h"
#include "kernels/training/host_pool.h"
#include "kernels/training/host_team.h"

namespace breakeven::training {

std::int64_t operation_scratch(const Graph& graph, const Node& node, Precision precision,
                               int threads) {
  const std::int64_t cols = graph.tensor(node.inputs[0]).shape.back();
  switch (node.op) {
    case Op::relu_backward:
    case Op::gelu_backward:
      return column_scratch(cols, threads);
    case Op::batch_norm:
    case Op::batch_norm_inference:
    case Op::batch_norm_backward:
      return batch_norm_scratch(cols, threads);
    case Op::layer_norm_backward:
      return layer_norm_scratch(cols, threads);
    case Op::max_pool_backward: {
      const std::vector<std::int64_t>& shape = graph.tensor(node.inputs[1]).shape;
      const ImageSize size{shape[0], shape[1], shape[2], shape[3]};
      return precision == Precision::bf16 ? max_pool_scratch<Bf16>(size, threads)
                                          : max_pool_scratch<float>(size, threads);
    }
    case Op::attention:
      return attention_scratch(std::get<Sequence>(node.attribute), cols / 3, threads);
    case Op::attention_backward:
      return attention_scratch(std::get<Sequence>(node.attribute), cols, threads);
    case Op::cross_entropy:
    case Op::cross_entropy_backward:
      return graph.tensor(node.inputs[0]).elements() / cols + 1;  // and a place for the loss
    default:
      return 0;
  }
}

std::size_t host_scratch_bytes(const Graph& graph, Precision precision, int threads) {
  std::int64_t most = 0;
  for (const Node& node : graph.nodes()) {
    most = std::max(most, operation_scratch(graph, node, precision, threads));
  }
  return static_cast<std::size_t>(most) * sizeof(float);
}

}  // namespace breakeven::training
