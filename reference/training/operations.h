// What each operation of a graph computes, in fp64: definitions, not fast code, but for products.
#pragma once

#include <cstdint>
#include <vector>

#include "reference/training/graph.h"

namespace breakeven {

/// One node with its values; null where the node has kNoTensor.
struct Call {
  const Graph& graph;
  const Node& node;
  std::vector<const double*> in;
  std::vector<double*> out;
  std::int64_t step;  ///< number of the optimiser's step, from 1

  const std::vector<std::int64_t>& in_shape(std::size_t i) const {
    return graph.tensor(node.inputs[i]).shape;
  }
  const std::vector<std::int64_t>& out_shape(std::size_t i) const {
    return graph.tensor(node.outputs[i]).shape;
  }
  std::int64_t in_elements(std::size_t i) const { return graph.tensor(node.inputs[i]).elements(); }
  std::int64_t out_elements(std::size_t i) const {
    return graph.tensor(node.outputs[i]).elements();
  }
};

/// Computes a node's outputs. Index tensors are whole numbers in doubles. Sums have one order,
/// whatever the number of threads.
void run_node(const Call& call);

/// The parts of run_node, by what they are: products; norms and pools; attention; everything else.
void run_linear(const Call& call);
void run_linear_backward_data(const Call& call);
void run_linear_backward_weights(const Call& call);
void run_conv2d(const Call& call);
void run_conv2d_backward_data(const Call& call);
void run_conv2d_backward_weights(const Call& call);
void run_batch_norm(const Call& call);
void run_batch_norm_inference(const Call& call);
void run_batch_norm_backward(const Call& call);
void run_layer_norm(const Call& call);
void run_layer_norm_backward(const Call& call);
void run_max_pool(const Call& call);
void run_max_pool_backward(const Call& call);
void run_average_pool(const Call& call);
void run_average_pool_backward(const Call& call);
void run_attention(const Call& call);
void run_attention_backward(const Call& call);
void run_embedding(const Call& call);
void run_embedding_backward(const Call& call);
void run_cross_entropy(const Call& call);
void run_cross_entropy_backward(const Call& call);

}  // namespace breakeven
