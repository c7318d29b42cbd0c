#include "kernels/training/host_products.h"

#include "kernels/training/host_pointwise.h"

namespace breakeven::training {
namespace {

MatrixSize matrix(const Graph& graph, TensorId id) {
  const Tensor& tensor = graph.tensor(id);
  return {tensor.elements() / tensor.shape.back(), tensor.shape.back()};
}

}  // namespace

AfterProduct after_product(HostBuild& build, std::size_t index) {
  const Node& node = build.node(index);
  AfterProduct after;
  after.bias = node.inputs[2];
  after.result = node.outputs[0];
  if (!build.fused()) return after;
  const TensorId product = node.outputs[0];
  const bool alone = build.only_reader(product).has_value();
  for (const std::size_t reader : build.readers(product)) {
    const Node& next = build.node(reader);
    const bool fits = next.op == Op::gelu || (next.op == Op::relu && alone);
    if (!fits || build.taken(reader)) continue;
    build.take(reader);
    after.activation = next.op;
    after.result = next.outputs[0];
    if (!alone) after.kept = product;
    build.fact("fused", next.op == Op::relu ? "bias + ReLU" : "bias + GELU");
    break;
  }
  return after;
}

void call_after_product(HostBuild& build, const AfterProduct& after) {
  const MatrixSize size = matrix(build.graph(), after.result);
  const float* bias = build.data<float>(after.bias);
  float* y = build.data<float>(after.result);
  if (after.activation == Op::relu) {
    build.call([=] { bias_relu<float, float>(size, y, bias, y); });
  } else if (after.activation == Op::gelu) {
    float* x = build.data<float>(after.kept);
    const float* z = build.data<float>(after.product());
    build.call([=] { bias_gelu<float, float>(size, z, bias, x, y); });
  } else if (bias != nullptr) {
    build.call([=] { add_bias<float, float>(size, y, bias, y); });
  }
}

void call_bias_gradient(HostBuild& build, TensorId dy, TensorId db) {
  if (db == kNoTensor || build.made(db)) return;
  const MatrixSize size = matrix(build.graph(), dy);
  const float* x = build.data<float>(dy);
  float* sums = build.data<float>(db);
  const HostScratch& scratch = build.scratch(column_scratch(size.cols, build.threads()));
  build.call([=, &scratch] { column_sums<float>(size, x, sums, scratch.data()); });
}

bool is_linear(Op op) {
  return op == Op::linear || op == Op::linear_backward_data || op == Op::linear_backward_weights;
}

void require_f32(const HostBuild& build) {
  if (build.precision() != Precision::f32) {
    throw Unsupported("its products are f32, not " + std::string(traits(build.precision()).name));
  }
}

void compile_linear(HostBuild& build, std::size_t index, Multiply multiply) {
  require_f32(build);
  const Node& node = build.node(index);
  const auto extent = [&](TensorId id, std::size_t i) { return build.graph().tensor(id).shape[i]; };
  const auto floats = [&](TensorId id) { return build.data<float>(id); };
  const auto call = [&](const Product& product) { build.call([=] { multiply(product); }); };
  const std::vector<TensorId>&in = node.inputs, &out = node.outputs;
  if (node.op == Op::linear) {  // y[m,n] = x[m,k] w[n,k]^T
    const AfterProduct after = after_product(build, index);
    const std::int64_t m = extent(in[0], 0), k = extent(in[0], 1), n = extent(in[1], 0);
    call({false, true, m, n, k, 1, floats(in[0]), k, build.weights<float>(in[1]), k, 0,
          floats(after.product()), n});
    call_after_product(build, after);
  } else if (node.op == Op::linear_backward_data) {  // dx[m,k] = dy[m,n] w[n,k]
    const std::int64_t m = extent(in[0], 0), n = extent(in[0], 1), k = extent(in[1], 1);
    call({false, false, m, k, n, 1, floats(in[0]), n, build.weights<float>(in[1]), k, 0,
          floats(out[0]), k});
  } else {  // dw[n,k] = dy[m,n]^T x[m,k]
    const std::int64_t m = extent(in[0], 0), n = extent(in[0], 1), k = extent(in[1], 1);
    call({true, false, n, k, m, 1, floats(in[0]), n, floats(in[1]), k, 0, floats(out[0]), k});
    call_bias_gradient(build, in[0], out[1]);
  }
}

}  // namespace breakeven::training
