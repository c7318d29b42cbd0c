// How one node becomes launches: device_operations.cu has the forward nodes and losses,
// device_gradients.cu the others' gradients and the updates.
#pragma once

#include <variant>
#include <vector>

#include "kernels/training/attention.h"
#include "kernels/training/device_products.h"

namespace breakeven::training {

// What compiling one node needs at hand.
class NodeCompiler {
 public:
  NodeCompiler(DeviceBuild& build, DeviceProducts& products, std::size_t index)
      : build_(build), products_(products), index_(index), node_(build.node(index)) {}

  void compile();

 private:
  TensorId in(std::size_t i) const { return node_.inputs[i]; }
  TensorId out(std::size_t i) const {
    return i < node_.outputs.size() ? node_.outputs[i] : kNoTensor;
  }
  template <class T = void>
  T* input(std::size_t i) {
    return static_cast<T*>(build_.data(in(i)));
  }
  template <class T = void>
  T* output(std::size_t i) {
    return static_cast<T*>(build_.data(out(i)));
  }
  template <class T>
  const T& attribute() const {
    return std::get<T>(node_.attribute);
  }

  // The node of `op` in the same phase that alone reads `id`, taken into this one's launch.
  const Node* take_reader(TensorId id, Op op) {
    if (!build_.fused()) return nullptr;
    const auto reader = build_.only_reader(id);
    if (!reader || build_.node(*reader).op != op) return nullptr;
    if (build_.node(*reader).phase != node_.phase || build_.taken(*reader)) return nullptr;
    build_.take(*reader);
    return &build_.node(*reader);
  }

  // An `add` that alone reads `id`, whose other term is complete before this node runs; taken.
  struct Residual {
    const Node* add = nullptr;
    TensorId other = kNoTensor;
  };
  Residual take_add(TensorId id) {
    if (!build_.fused()) return {};
    const auto reader = build_.only_reader(id);
    if (!reader || build_.node(*reader).op != Op::add || build_.taken(*reader)) return {};
    const Node& add = build_.node(*reader);
    if (add.phase != node_.phase || add.inputs[0] == add.inputs[1]) return {};
    const TensorId other = add.inputs[add.inputs[0] == id ? 1 : 0];
    if (!build_.written_before(other, index_)) return {};
    build_.take(*reader);
    return {&add, other};
  }

  void linear();
  void conv2d();
  void activation(Activation kind);
  void add();
  void batch_norm(bool training);
  void layer_norm();
  void max_pool(bool backward);
  void average_pool(bool backward);
  Attention attention_of(TensorId qkv, TensorId y, TensorId lse);
  void attention();
  void attention_backward();
  void embedding();
  void embedding_backward();
  void cross_entropy();
  void cross_entropy_backward();
  void linear_backward(Direction direction);
  void conv2d_backward(Direction direction);
  void bias_gradient(TensorId dy, TensorId db);
  void activation_backward(Activation kind);
  void batch_norm_backward();
  void layer_norm_backward();
  void update();
  OptimizerTensor optimizer_tensor(const Node& node);

  DeviceBuild& build_;
  DeviceProducts& products_;
  std::size_t index_;
  const Node& node_;
};

}  // namespace breakeven::training
