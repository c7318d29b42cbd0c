// A graph's nodes as launches. Fused: bias and activation in a product's epilogue, batch norm with
// the residual and ReLU behind it, a residual with the layer norm behind it, layer norm's gradient
// with the residual's, an activation's gradient with the bias's, the loss with its gradient in
// place of the logits, and all updates in one launch.
#include <algorithm>
#include <stdexcept>

#include "kernels/kernel.h"
#include "kernels/training/batch_norm.h"
#include "kernels/training/cross_entropy.h"
#include "kernels/training/device_node.h"
#include "kernels/training/embedding.h"
#include "kernels/training/layer_norm.h"
#include "kernels/training/pool.h"

namespace breakeven::training {

void NodeCompiler::linear() {
  LinearProduct product{};
  product.direction = Direction::forward;
  product.m = build_.rows(in(0));
  product.n = build_.shape(in(1))[0];
  product.k = build_.columns(in(0));
  product.a = input(0);
  product.b = build_.weights(in(1));
  TensorId y = out(0);
  product.bias = build_.weights(in(2));
  if (product.bias != nullptr) {
    if (const Node* relu = take_reader(y, Op::relu)) {
      product.activation = Activation::relu;
      y = relu->outputs[0];
      build_.fact("fused", "bias + ReLU");
    } else if (const Node* gelu = take_reader(y, Op::gelu)) {
      product.activation = Activation::gelu;
      y = gelu->outputs[0];
      build_.fact("fused", "bias + GELU");
    }
  }
  product.to = build_.data(y);
  products_.linear(build_, product);
}

void NodeCompiler::conv2d() {
  ConvProduct product{};
  product.direction = Direction::forward;
  product.size = attribute<Conv2dSize>();
  product.a = input(0);
  product.b = build_.weights(in(1));
  TensorId y = out(0);
  product.bias = build_.weights(in(2));
  if (product.bias != nullptr) {
    if (const Node* relu = take_reader(y, Op::relu)) {
      product.activation = Activation::relu;
      y = relu->outputs[0];
      build_.fact("fused", "bias + ReLU");
    }
  }
  product.to = build_.data(y);
  products_.conv2d(build_, product);
}

void NodeCompiler::activation(Activation kind) {
  BiasActivation p;
  p.activation = kind;
  p.rows = build_.rows(in(0));
  p.columns = build_.columns(in(0));
  p.x = input(0);
  p.y = output(0);
  build_.call(prepare_bias_activation(p, build_.storage()));
}

void NodeCompiler::add() {
  // The sum is normalised next, whoever else reads it.
  if (build_.fused()) {
    for (const std::size_t reader : build_.readers(out(0))) {
      const Node& norm = build_.node(reader);
      if (norm.op != Op::layer_norm || norm.phase != node_.phase || build_.taken(reader)) continue;
      build_.take(reader);
      LayerNorm p;
      p.rows = build_.rows(out(0));
      p.columns = build_.columns(out(0));
      p.x = input(0);
      p.residual = input(1);
      p.sum = output(0);
      p.gamma = build_.weights(norm.inputs[1]);
      p.beta = build_.weights(norm.inputs[2]);
      p.y = build_.data(norm.outputs[0]);
      p.mean = build_.data<float>(norm.outputs[1]);
      p.rstd = build_.data<float>(norm.outputs[2]);
      build_.fact("fused", "residual + layer norm");
      return build_.call(prepare_layer_norm(p, build_.storage()));
    }
  }
  const bool is_full = build_.graph().tensor(out(0)).storage == Storage::full;
  build_.call(prepare_add(input(0), input(1), output(0), build_.graph().tensor(out(0)).elements(),
                          is_full ? ElementType::f32 : build_.storage()));
}

void NodeCompiler::batch_norm(bool training) {
  BatchNorm p;
  p.rows = build_.rows(in(0));
  p.columns = build_.columns(in(0));
  p.x = input(0);
  p.gamma = build_.weights(in(1));
  p.beta = build_.weights(in(2));
  p.running_mean = input<const float>(3);
  p.running_variance = input<const float>(4);
  p.epsilon = static_cast<float>(kNormEpsilon);
  TensorId y = out(0);
  if (const Residual residual = take_add(y); residual.add != nullptr) {
    p.residual = build_.data(residual.other);
    y = residual.add->outputs[0];
    build_.fact("fused", "batch norm + residual");
  }
  if (const Node* relu = take_reader(y, Op::relu)) {
    p.relu = true;
    y = relu->outputs[0];
    build_.fact("fused", "batch norm + ReLU");
  }
  p.y = build_.data(y);
  const ElementType storage = build_.storage();
  if (!training) return build_.call(prepare_batch_norm_inference(p, storage));
  p.mean = output<float>(1);
  p.rstd = output<float>(2);
  p.next_running_mean = output<float>(3);
  p.next_running_variance = output<float>(4);
  p.momentum = static_cast<float>(kRunningShare);
  build_.call(batch_norm_workspace(p),
              [p, storage](void* workspace) { return prepare_batch_norm(p, workspace, storage); });
}

void NodeCompiler::layer_norm() {
  LayerNorm p;
  p.rows = build_.rows(in(0));
  p.columns = build_.columns(in(0));
  p.x = input(0);
  p.gamma = build_.weights(in(1));
  p.beta = build_.weights(in(2));
  p.y = output(0);
  p.mean = output<float>(1);
  p.rstd = output<float>(2);
  p.epsilon = static_cast<float>(kNormEpsilon);
  build_.call(prepare_layer_norm(p, build_.storage()));
}

void NodeCompiler::max_pool(bool backward) {
  const Window& window = attribute<Window>();
  const std::vector<std::int64_t>& x = build_.shape(in(backward ? 1 : 0));
  const MaxPool p = {x[0], x[1], x[2], x[3], window.side, window.stride, window.pad};
  build_.call(backward
                  ? prepare_max_pool_backward(p, input(0), input(1), output(0), build_.storage())
                  : prepare_max_pool(p, input(0), output(0), build_.storage()));
}

void NodeCompiler::average_pool(bool backward) {
  const std::vector<std::int64_t>& x = build_.shape(backward ? out(0) : in(0));
  build_.call(backward ? prepare_average_pool_backward(x[0], x[1] * x[2], x[3], input(0), output(0),
                                                       build_.storage())
                       : prepare_average_pool(x[0], x[1] * x[2], x[3], input(0), output(0),
                                              build_.storage()));
}

Attention NodeCompiler::attention_of(TensorId qkv, TensorId y, TensorId lse) {
  const Sequence& sequence = attribute<Sequence>();
  Attention p;
  p.batch = sequence.batch;
  p.length = sequence.steps;
  p.heads = sequence.heads;
  p.columns = build_.columns(y);
  p.qkv = build_.data(qkv);
  p.y = build_.data(y);
  p.lse = build_.data<float>(lse);
  const std::string reason = attention_unsupported(p, build_.storage());
  if (!reason.empty()) throw Unsupported("attention " + reason);
  return p;
}

void NodeCompiler::attention() {
  build_.call(prepare_attention(attention_of(in(0), out(0), out(1)), build_.storage()));
}

void NodeCompiler::embedding() {
  const Sequence& sequence = attribute<Sequence>();
  Embedding p;
  p.batch = sequence.batch;
  p.length = sequence.steps;
  p.columns = build_.columns(out(0));
  p.vocabulary = build_.shape(in(1))[0];
  p.tokens = input<const std::int32_t>(0);
  p.table = build_.weights(in(1));
  p.positions = build_.weights(in(2));
  p.x = output(0);
  build_.call(prepare_embedding(p, build_.storage()));
}

namespace {

CrossEntropy cross_entropy_of(DeviceBuild& build, const Node& node) {
  CrossEntropy p;
  p.rows = build.rows(node.inputs[0]);
  p.columns = build.columns(node.inputs[0]);
  p.logits = build.data(node.inputs[0]);
  p.targets = build.data<const std::int32_t>(node.inputs[1]);
  return p;
}

std::size_t row_losses_bytes(const CrossEntropy& p) {
  return static_cast<std::size_t>(ceil_div(p.rows, 64) * 64) * sizeof(float);
}

}  // namespace

void NodeCompiler::cross_entropy() {
  CrossEntropy p = cross_entropy_of(build_, node_);
  p.loss = output<float>(0);
  const std::vector<std::size_t>& readers = build_.readers(in(0));
  const auto backward = std::find_if(readers.begin(), readers.end(), [&](std::size_t reader) {
    return build_.node(reader).op == Op::cross_entropy_backward;
  });
  if (build_.fused() && backward != readers.end() && readers.size() == 2) {
    const TensorId gradient = build_.node(*backward).outputs[0];
    build_.take(*backward);
    build_.overwrite(gradient, in(0));
    p.gradient = build_.data(gradient);
    build_.fact("fused", "loss with its gradient");
  }
  const ElementType storage = build_.storage();
  build_.call(row_losses_bytes(p), [p, storage](void* workspace) mutable {
    p.row_losses = static_cast<float*>(workspace);
    return prepare_cross_entropy(p, storage);
  });
}

void NodeCompiler::cross_entropy_backward() {
  CrossEntropy p = cross_entropy_of(build_, node_);
  p.gradient = output(0);
  const ElementType storage = build_.storage();
  // The kernel gives a loss as well, which no one wants a second time.
  const std::size_t losses = row_losses_bytes(p);
  build_.call(losses + 256, [p, storage, losses](void* workspace) mutable {
    p.row_losses = static_cast<float*>(workspace);
    p.loss = p.row_losses + losses / sizeof(float);
    return prepare_cross_entropy(p, storage);
  });
}

void NodeCompiler::compile() {
  switch (node_.op) {
    case Op::linear:
      return linear();
    case Op::conv2d:
      return conv2d();
    case Op::relu:
      return activation(Activation::relu);
    case Op::gelu:
      return activation(Activation::gelu);
    case Op::add:
      return add();
    case Op::batch_norm:
      return batch_norm(true);
    case Op::batch_norm_inference:
      return batch_norm(false);
    case Op::layer_norm:
      return layer_norm();
    case Op::max_pool:
      return max_pool(false);
    case Op::average_pool:
      return average_pool(false);
    case Op::attention:
      return attention();
    case Op::embedding:
      return embedding();
    case Op::flatten:
      return build_.share(out(0), in(0));
    case Op::cross_entropy:
      return cross_entropy();
    case Op::linear_backward_data:
      return linear_backward(Direction::backward_data);
    case Op::linear_backward_weights:
      return linear_backward(Direction::backward_weights);
    case Op::conv2d_backward_data:
      return conv2d_backward(Direction::backward_data);
    case Op::conv2d_backward_weights:
      return conv2d_backward(Direction::backward_weights);
    case Op::relu_backward:
      return activation_backward(Activation::relu);
    case Op::gelu_backward:
      return activation_backward(Activation::gelu);
    case Op::batch_norm_backward:
      return batch_norm_backward();
    case Op::layer_norm_backward:
      return layer_norm_backward();
    case Op::max_pool_backward:
      return max_pool(true);
    case Op::average_pool_backward:
      return average_pool(true);
    case Op::attention_backward:
      return attention_backward();
    case Op::embedding_backward:
      return embedding_backward();
    case Op::cross_entropy_backward:
      return cross_entropy_backward();
    case Op::sgd:
    case Op::adamw:
      return update();
  }
  throw std::logic_error("device program: an unknown operation");
}

void call_bias_activation(DeviceBuild& build, std::int64_t rows, std::int64_t columns, void* y,
                          const void* bias, Activation activation) {
  BiasActivation p;
  p.activation = activation;
  p.rows = rows;
  p.columns = columns;
  p.x = y;
  p.bias = bias;
  p.y = y;
  build.call(prepare_bias_activation(p, build.storage()));
}

void compile_device_node(DeviceBuild& build, DeviceProducts& products, std::size_t index) {
  NodeCompiler(build, products, index).compile();
}

}  // namespace breakeven::training
