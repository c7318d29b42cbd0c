// Gradients and updates as launches (see device_operations.cu).
#include "kernels/training/batch_norm.h"
#include "kernels/training/device_node.h"
#include "kernels/training/embedding.h"
#include "kernels/training/layer_norm.h"

namespace breakeven::training {

void NodeCompiler::attention_backward() {
  AttentionBackward p;
  p.forward = attention_of(in(1), in(2), in(3));
  p.dy = input(0);
  p.dqkv = output(0);
  const ElementType storage = build_.storage();
  build_.call(attention_backward_workspace(p), [p, storage](void* workspace) {
    return prepare_attention_backward(p, workspace, storage);
  });
}

void NodeCompiler::embedding_backward() {
  const Sequence& sequence = attribute<Sequence>();
  EmbeddingBackward p;
  p.batch = sequence.batch;
  p.length = sequence.steps;
  p.columns = build_.columns(in(0));
  p.vocabulary = build_.shape(out(0))[0];
  p.tokens = input<const std::int32_t>(1);
  p.dx = input(0);
  p.dpositions = output<float>(1);
  // A table that is the head's matrix too: its gradient is added to what the head gave.
  const auto reader = build_.only_reader(out(0));
  const bool is_shared = reader && build_.node(*reader).op == Op::add;
  const TensorId other =
      !is_shared ? kNoTensor
                 : build_.node(*reader).inputs[build_.node(*reader).inputs[0] == out(0) ? 1 : 0];
  if (is_shared && other != out(0) && build_.only_reader(other) == reader &&
      take_add(out(0)).add != nullptr) {
    p.accumulate = true;
    const TensorId sum = build_.node(*reader).outputs[0];
    build_.share(sum, other);
    p.dtable = build_.data<float>(sum);
  } else {
    p.dtable = output<float>(0);
  }
  build_.call(prepare_embedding_backward(p, build_.storage()));
}

void NodeCompiler::linear_backward(Direction direction) {
  const bool is_data = direction == Direction::backward_data;
  LinearProduct product{};
  product.direction = direction;
  product.m = build_.rows(in(0));
  product.n = build_.columns(in(0));
  product.k = build_.columns(in(1));
  product.a = input(0);
  product.b = is_data ? build_.weights(in(1)) : input(1);
  product.to = output(0);
  products_.linear(build_, product);
  if (!is_data) bias_gradient(in(0), out(1));
}

void NodeCompiler::conv2d_backward(Direction direction) {
  const bool is_data = direction == Direction::backward_data;
  ConvProduct product{};
  product.direction = direction;
  product.size = attribute<Conv2dSize>();
  product.a = input(0);
  product.b = is_data ? build_.weights(in(1)) : input(1);
  product.to = output(0);
  products_.conv2d(build_, product);
  if (!is_data) bias_gradient(in(0), out(1));
}

namespace {

void call_activation_backward(DeviceBuild& build, const BiasActivationBackward& p) {
  const ElementType storage = build.storage();
  build.call(bias_activation_backward_workspace(p), [p, storage](void* workspace) {
    return prepare_bias_activation_backward(p, workspace, storage);
  });
}

}  // namespace

void NodeCompiler::bias_gradient(TensorId dy, TensorId db) {
  if (db == kNoTensor || build_.is_written(db)) return;
  BiasActivationBackward p;
  p.rows = build_.rows(dy);
  p.columns = build_.columns(dy);
  p.dy = build_.data(dy);
  p.dbias = build_.data<float>(db);
  call_activation_backward(build_, p);
}

void NodeCompiler::activation_backward(Activation kind) {
  BiasActivationBackward p;
  p.activation = kind;
  p.rows = build_.rows(in(0));
  p.columns = build_.columns(in(0));
  p.dy = input(0);
  p.saved = input(1);
  p.dx = output(0);
  if (build_.fused()) {
    for (const std::size_t reader : build_.readers(out(0))) {
      const Node& node = build_.node(reader);
      const bool is_weights =
          node.op == Op::linear_backward_weights || node.op == Op::conv2d_backward_weights;
      if (!is_weights || node.inputs[0] != out(0) || node.outputs[1] == kNoTensor) continue;
      p.dbias = build_.data<float>(node.outputs[1]);
      build_.mark_written(node.outputs[1]);
      build_.fact("fused", "activation's gradient with the bias's");
      break;
    }
  }
  call_activation_backward(build_, p);
}

void NodeCompiler::batch_norm_backward() {
  BatchNormBackward p;
  p.rows = build_.rows(in(0));
  p.columns = build_.columns(in(0));
  p.dy = input(0);
  p.x = input(1);
  p.gamma = build_.weights(in(2));
  p.mean = input<const float>(3);
  p.rstd = input<const float>(4);
  p.dx = output(0);
  p.dgamma = output<float>(1);
  p.dbeta = output<float>(2);
  const ElementType storage = build_.storage();
  build_.call(batch_norm_backward_workspace(p), [p, storage](void* workspace) {
    return prepare_batch_norm_backward(p, workspace, storage);
  });
}

void NodeCompiler::layer_norm_backward() {
  LayerNormBackward p;
  p.rows = build_.rows(in(0));
  p.columns = build_.columns(in(0));
  p.dy = input(0);
  p.x = input(1);
  p.gamma = build_.weights(in(2));
  p.mean = input<const float>(3);
  p.rstd = input<const float>(4);
  TensorId dx = out(0);
  if (const Residual residual = take_add(dx); residual.add != nullptr) {
    p.residual = build_.data(residual.other);
    dx = residual.add->outputs[0];
    build_.fact("fused", "layer norm's gradient + residual's");
  }
  p.dx = build_.data(dx);
  p.dgamma = output<float>(1);
  p.dbeta = output<float>(2);
  const ElementType storage = build_.storage();
  build_.call(layer_norm_backward_workspace(p), [p, storage](void* workspace) {
    return prepare_layer_norm_backward(p, workspace, storage);
  });
}

OptimizerTensor NodeCompiler::optimizer_tensor(const Node& node) {
  const bool is_adamw = node.op == Op::adamw;
  OptimizerTensor p;
  p.elements = build_.graph().tensor(node.inputs[0]).elements();
  p.weights = build_.data<const float>(node.inputs[0]);
  p.gradient = build_.data<const float>(node.inputs[1]);
  p.momentum = build_.data<const float>(node.inputs[2]);
  p.next_weights = build_.data<float>(node.outputs[0]);
  p.next_momentum = build_.data<float>(node.outputs[1]);
  if (is_adamw) {
    p.square = build_.data<const float>(node.inputs[3]);
    p.next_square = build_.data<float>(node.outputs[2]);
  }
  p.copy = build_.next_copy(node.inputs[0]);
  p.decay = static_cast<float>(is_adamw ? std::get<AdamW>(node.attribute).decay
                                        : std::get<Sgd>(node.attribute).decay);
  return p;
}

namespace {

// Whether one launch can update both.
bool same_constants(const Node& a, const Node& b) {
  if (a.op != b.op) return false;
  if (a.op == Op::sgd) {
    const Sgd &x = std::get<Sgd>(a.attribute), &y = std::get<Sgd>(b.attribute);
    return x.rate == y.rate && x.momentum == y.momentum;
  }
  const AdamW &x = std::get<AdamW>(a.attribute), &y = std::get<AdamW>(b.attribute);
  return x.rate == y.rate && x.beta1 == y.beta1 && x.beta2 == y.beta2 && x.epsilon == y.epsilon;
}

}  // namespace

void NodeCompiler::update() {
  std::vector<OptimizerTensor> tensors = {optimizer_tensor(node_)};
  for (std::size_t i = index_ + 1; build_.fused() && i < build_.graph().nodes().size(); ++i) {
    const Node& other = build_.node(i);
    if (other.phase != node_.phase || build_.taken(i) || !same_constants(node_, other)) continue;
    build_.take(i);
    tensors.push_back(optimizer_tensor(other));
  }
  if (tensors.size() > 1) {
    build_.fact("fused", "all updates");
  }
  const std::vector<OptimizerChunk> chunks = optimizer_chunks(tensors);
  const auto* table = build_.table(std::span<const OptimizerTensor>(tensors));
  const auto* parts = build_.table(std::span<const OptimizerChunk>(chunks));
  const auto count = static_cast<std::int64_t>(chunks.size());
  if (node_.op == Op::adamw) {
    return build_.call(prepare_adamw(table, parts, count, build_.adamw(attribute<AdamW>())));
  }
  const SgdScalars scalars = {static_cast<float>(attribute<Sgd>().rate),
                              static_cast<float>(attribute<Sgd>().momentum)};
  build_.call(prepare_sgd(table, parts, count, build_.table(std::span(&scalars, 1))));
}

}  // namespace breakeven::training
