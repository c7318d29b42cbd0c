#include "reference/training/graph.h"

namespace breakeven {
namespace {

// Calls append(parameter, gradient) for every parameter that has one.
template <class Append>
void for_each_trained(Graph& graph, Append append) {
  const auto count = static_cast<TensorId>(graph.tensors().size());  // before states are added
  for (TensorId id = 0; id < count; ++id) {
    if (graph.tensor(id).kind != TensorKind::parameter) continue;
    if (graph.gradient(id) != kNoTensor) append(id, graph.gradient(id));
  }
}

TensorId zeros_beside(Graph& graph, TensorId parameter, const char* suffix) {
  const Tensor tensor = graph.tensor(parameter);
  return graph.add_tensor(
      {tensor.name + suffix, TensorKind::state, Storage::full, tensor.shape, {}, kNoTensor});
}

}  // namespace

void append_sgd(Graph& graph, const Sgd& sgd) {
  for_each_trained(graph, [&](TensorId w, TensorId g) {
    const TensorId v = zeros_beside(graph, w, ".momentum");
    const TensorId next_w = graph.next(w);
    const TensorId next_v = graph.next(v);
    graph.add_node({Op::sgd, Phase::update, {w, g, v}, {next_w, next_v}, sgd});
  });
}

void append_adamw(Graph& graph, const AdamW& adamw, bool matrices_only) {
  for_each_trained(graph, [&](TensorId w, TensorId g) {
    AdamW own = adamw;
    if (matrices_only && graph.tensor(w).shape.size() < 2) own.decay = 0;
    const TensorId m = zeros_beside(graph, w, ".m");
    const TensorId v = zeros_beside(graph, w, ".v");
    const std::vector<TensorId> next = {graph.next(w), graph.next(m), graph.next(v)};
    graph.add_node({Op::adamw, Phase::update, {w, g, m, v}, next, own});
  });
}

}  // namespace breakeven
