// Each operation of a graph but products as a call of the host's loops. Tensors are matrices of
// their last dimension's rows wherever an operation doesn't ask for more.
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/training/host_batch_norm.h"
#include "kernels/training/host_cross_entropy.h"
#include "kernels/training/host_embedding.h"
#include "kernels/training/host_layer_norm.h"
#include "kernels/training/host_optimizer.h"
#include "kernels/training/host_pointwise.h"
#include "kernels/training/host_pool.h"
#include "kernels/training/host_program.h"
#include "kernels/training/host_scratch.h"

namespace breakeven::training {
namespace {

MatrixSize matrix_of(const Graph& graph, TensorId id) {
  const Tensor& tensor = graph.tensor(id);
  return {tensor.elements() / tensor.shape.back(), tensor.shape.back()};
}

ImageSize image_of(const Graph& graph, TensorId id) {
  const std::vector<std::int64_t>& shape = graph.tensor(id).shape;
  return {shape[0], shape[1], shape[2], shape[3]};
}

// Compiles one node; T is how working tensors are stored.
template <class T>
class Compiler {
 public:
  Compiler(HostBuild& build, std::size_t index, Multiply multiply)
      : build_(build),
        node_(build.node(index)),
        index_(index),
        multiply_(multiply),
        in_(node_.inputs),
        out_(node_.outputs) {}

  void compile() {
    switch (node_.op) {
      case Op::relu:
      case Op::gelu:
        return activation();
      case Op::relu_backward:
      case Op::gelu_backward:
        return activation_backward();
      case Op::add:
        return sum();
      case Op::flatten:
        return flatten();
      case Op::batch_norm:
        return normalise_batch();
      case Op::batch_norm_inference:
        return normalise_batch_inference();
      case Op::batch_norm_backward:
      case Op::layer_norm_backward:
        return norm_backward();
      case Op::layer_norm:
        return normalise_rows();
      case Op::max_pool:
      case Op::max_pool_backward:
        return max_pooling();
      case Op::average_pool:
      case Op::average_pool_backward:
        return average_pooling();
      case Op::attention:
      case Op::attention_backward:
        return attend();
      case Op::embedding:
      case Op::embedding_backward:
        return embed();
      case Op::cross_entropy:
        return loss();
      case Op::cross_entropy_backward:
        return loss_gradient();
      case Op::sgd:
      case Op::adamw:
        return update();
      default:
        throw std::logic_error(op_name(node_.op) + " is a product, which a backend must compile");
    }
  }

 private:
  const Graph& graph() const { return build_.graph(); }

  MatrixSize matrix(TensorId id) const { return matrix_of(graph(), id); }
  ImageSize image(TensorId id) const { return image_of(graph(), id); }

  T* data(TensorId id) { return build_.data<T>(id); }
  float* floats(TensorId id) { return build_.data<float>(id); }
  const HostScratch& scratch() {
    return build_.scratch(operation_scratch(graph(), node_, build_.precision(), build_.threads()));
  }

  // Lets an output take an input's memory where the loops allow it and nobody minds.
  void in_place(TensorId output, TensorId input) {
    if (build_.fused() && build_.may_overwrite(input)) build_.share(output, input);
  }

  void activation() {
    const MatrixSize size = matrix(in_[0]);
    in_place(out_[0], in_[0]);
    const T* x = data(in_[0]);
    T* y = data(out_[0]);
    if (node_.op == Op::relu) {
      build_.call([=] { bias_relu<T, T>(size, x, nullptr, y); });
    } else {
      build_.call([=] { bias_gelu<T, T>(size, x, nullptr, nullptr, y); });
    }
  }

  // The bias whose gradient is the sum of a gradient's columns.
  TensorId bias_gradient(TensorId dx) const {
    if (!build_.fused()) return kNoTensor;
    for (const std::size_t reader : build_.readers(dx)) {
      const Node& node = build_.node(reader);
      const bool weights =
          node.op == Op::linear_backward_weights || node.op == Op::conv2d_backward_weights;
      if (weights && node.inputs[0] == dx) return node.outputs[1];
    }
    return kNoTensor;
  }

  void activation_backward() {
    const MatrixSize size = matrix(in_[0]);
    in_place(out_[0], in_[0]);
    const TensorId bias = bias_gradient(out_[0]);
    if (bias != kNoTensor) build_.make(bias);
    const T *dy = data(in_[0]), *saved = data(in_[1]);
    T* dx = data(out_[0]);
    float* db = floats(bias);
    const HostScratch& sums = scratch();
    const bool relu = node_.op == Op::relu_backward;
    if (bias != kNoTensor) build_.fact("fused", relu ? "dReLU + dbias" : "dGELU + dbias");
    if (relu) {
      build_.call([=, &sums] { relu_backward<T>(size, dy, saved, dx, db, sums.data()); });
    } else {
      build_.call([=, &sums] { gelu_backward<T>(size, dy, saved, dx, db, sums.data()); });
    }
  }

  void sum() {
    const std::int64_t count = graph().tensor(out_[0]).elements();
    if (graph().tensor(out_[0]).storage == Storage::working) {
      in_place(out_[0], build_.may_overwrite(in_[0]) ? in_[0] : in_[1]);
      const T *a = data(in_[0]), *b = data(in_[1]);
      T* c = data(out_[0]);
      build_.call([=] { add<T>(count, a, b, c); });
    } else {  // gradients of a parameter that is used twice
      in_place(out_[0], build_.may_overwrite(in_[0]) ? in_[0] : in_[1]);
      const float *a = floats(in_[0]), *b = floats(in_[1]);
      float* c = floats(out_[0]);
      build_.call([=] { add<float>(count, a, b, c); });
    }
  }

  void flatten() {
    build_.data<std::byte>(in_[0]);
    build_.share(out_[0], in_[0]);
  }

  void normalise_batch() {
    const MatrixSize size = matrix(in_[0]);
    const T* x = data(in_[0]);
    const float *gamma = floats(in_[1]), *beta = floats(in_[2]);
    T* y = data(out_[0]);
    float *mean = floats(out_[1]), *rstd = floats(out_[2]);
    const RunningStatistics running{floats(in_[3]), floats(in_[4]), floats(out_[3]),
                                    floats(out_[4])};
    const HostScratch& own = scratch();
    build_.call(
        [=, &own] { batch_norm<T>(size, x, gamma, beta, y, mean, rstd, running, own.data()); });
  }

  void normalise_batch_inference() {
    const MatrixSize size = matrix(in_[0]);
    const T* x = data(in_[0]);
    const float *gamma = floats(in_[1]), *beta = floats(in_[2]);
    const float *mean = floats(in_[3]), *variance = floats(in_[4]);
    T* y = data(out_[0]);
    const HostScratch& own = scratch();
    build_.call([=, &own] {
      batch_norm_inference<T>(size, x, gamma, beta, mean, variance, y, own.data());
    });
  }

  void norm_backward() {
    const MatrixSize size = matrix(in_[0]);
    in_place(out_[0], in_[0]);
    const bool batch = node_.op == Op::batch_norm_backward;
    const HostScratch& own = scratch();
    const T *dy = data(in_[0]), *x = data(in_[1]);
    const float *gamma = floats(in_[2]), *mean = floats(in_[3]), *rstd = floats(in_[4]);
    T* dx = data(out_[0]);
    float *dgamma = floats(out_[1]), *dbeta = floats(out_[2]);
    const auto backward = batch ? batch_norm_backward<T> : layer_norm_backward<T>;
    build_.call(
        [=, &own] { backward(size, dy, x, gamma, mean, rstd, dx, dgamma, dbeta, own.data()); });
  }

  void normalise_rows() {
    const MatrixSize size = matrix(in_[0]);
    const T* x = data(in_[0]);
    const float *gamma = floats(in_[1]), *beta = floats(in_[2]);
    T* y = data(out_[0]);
    float *mean = floats(out_[1]), *rstd = floats(out_[2]);
    build_.call([=] { layer_norm<T>(size, x, gamma, beta, y, mean, rstd); });
  }

  void max_pooling() {
    const auto window = std::get<Window>(node_.attribute);
    if (node_.op == Op::max_pool) {
      const ImageSize size = image(in_[0]);
      const T* x = data(in_[0]);
      T* y = data(out_[0]);
      build_.call([=] { max_pool<T>(size, window, x, y); });
      return;
    }
    const ImageSize size = image(in_[1]);
    const T *dy = data(in_[0]), *x = data(in_[1]);
    T* dx = data(out_[0]);
    const HostScratch& own = scratch();
    build_.call([=, &own] { max_pool_backward<T>(size, window, dy, x, dx, own.data()); });
  }

  void average_pooling() {
    const bool forward = node_.op == Op::average_pool;
    const ImageSize size = image(forward ? in_[0] : out_[0]);
    const T* from = data(in_[0]);
    T* to = data(out_[0]);
    const auto pool = forward ? average_pool<T> : average_pool_backward<T>;
    build_.call([=] { pool(size, from, to); });
  }

  void attend() {
    const auto sequence = std::get<Sequence>(node_.attribute);
    const bool forward = node_.op == Op::attention;
    const std::int64_t cols = matrix(forward ? out_[0] : in_[0]).cols;
    const HostScratch& own = scratch();
    const Multiply multiply = multiply_;
    if (forward) {
      const T* qkv = data(in_[0]);
      T* y = data(out_[0]);
      float* lse = floats(out_[1]);
      build_.call([=, &own] { attention<T>(sequence, cols, qkv, y, lse, multiply, own.data()); });
      return;
    }
    const T *dy = data(in_[0]), *qkv = data(in_[1]), *y = data(in_[2]);
    const float* lse = floats(in_[3]);
    T* dqkv = data(out_[0]);
    build_.call([=, &own] {
      attention_backward<T>(sequence, cols, dy, qkv, y, lse, dqkv, multiply, own.data());
    });
  }

  void embed() {
    const auto sequence = std::get<Sequence>(node_.attribute);
    if (node_.op == Op::embedding) {
      const std::int64_t cols = matrix(out_[0]).cols;
      const auto* tokens = build_.data<std::int32_t>(in_[0]);
      const T *wte = build_.weights<T>(in_[1]), *wpe = build_.weights<T>(in_[2]);
      T* x = data(out_[0]);
      build_.call([=] { embedding<T>(sequence, cols, tokens, wte, wpe, x); });
      return;
    }
    const MatrixSize table = matrix(out_[0]);
    const T* dx = data(in_[0]);
    const auto* tokens = build_.data<std::int32_t>(in_[1]);
    float *dwte = floats(out_[0]), *dwpe = floats(out_[1]);
    build_.call([=] { embedding_backward<T>(sequence, table, dx, tokens, dwte, dwpe); });
  }

  void loss() {
    const std::vector<std::size_t> readers = build_.readers(in_[0]);
    T* gradient = nullptr;
    for (const std::size_t reader : readers) {
      const Node& other = build_.node(reader);
      if (!build_.fused() || other.op != Op::cross_entropy_backward || other.inputs != in_)
        continue;
      build_.take(reader);
      build_.fact("fused", "softmax + loss + gradient");
      // Only the two read the logits, and the forward phase always writes them anew.
      if (readers.size() == 2) build_.share(other.outputs[0], in_[0]);
      gradient = data(other.outputs[0]);
    }
    emit_loss(floats(out_[0]), gradient);
  }

  void loss_gradient() { emit_loss(nullptr, data(out_[0])); }

  // Without a place for the loss it goes into scratch.
  void emit_loss(float* loss, T* gradient) {
    const MatrixSize size = matrix(in_[0]);
    const T* logits = data(in_[0]);
    const auto* targets = build_.data<std::int32_t>(in_[1]);
    const HostScratch& own = scratch();
    build_.call([=, &own] {
      float* to = loss != nullptr ? loss : own.data() + size.rows;
      cross_entropy<T>(size, logits, targets, to, gradient, own.data());
    });
  }

  // All updates that differ in their decay alone, or this one.
  std::vector<std::size_t> updates() {
    std::vector<std::size_t> nodes = {index_};
    if (!build_.fused()) return nodes;
    for (std::size_t i = index_ + 1; i < graph().nodes().size(); ++i) {
      const Node& other = build_.node(i);
      if (other.op != node_.op || !same_optimizer(other) || !ready(other)) continue;
      build_.take(i);
      nodes.push_back(i);
    }
    if (nodes.size() > 1) build_.fact("fused", "all updates");
    return nodes;
  }

  bool same_optimizer(const Node& other) const {
    if (const auto* mine = std::get_if<Sgd>(&node_.attribute)) {
      const auto& its = std::get<Sgd>(other.attribute);
      return mine->rate == its.rate && mine->momentum == its.momentum;
    }
    const auto& mine = std::get<AdamW>(node_.attribute);
    const auto& its = std::get<AdamW>(other.attribute);
    return mine.rate == its.rate && mine.beta1 == its.beta1 && mine.beta2 == its.beta2 &&
           mine.epsilon == its.epsilon;
  }

  // Whether an update's gradient is complete where this node's call runs.
  bool ready(const Node& other) const {
    for (std::size_t i = index_; i < graph().nodes().size(); ++i) {
      for (const TensorId output : build_.node(i).outputs) {
        if (output == other.inputs[1]) return false;
      }
    }
    return true;
  }

  void update() {
    std::vector<HostUpdate> all;
    for (const std::size_t i : updates()) {
      const Node& node = build_.node(i);
      const bool moments = node.op == Op::adamw;
      const std::vector<TensorId>&in = node.inputs, &out = node.outputs;
      HostUpdate update{};
      update.elements = graph().tensor(in[0]).elements();
      update.w = floats(in[0]);
      update.g = floats(in[1]);
      update.m = moments ? floats(in[2]) : nullptr;
      update.v = floats(in.back());
      update.next_w = floats(out[0]);
      update.next_m = moments ? floats(out[1]) : nullptr;
      update.next_v = floats(out.back());
      update.copy = build_.next_copy(in[0]);
      update.decay = static_cast<float>(moments ? std::get<AdamW>(node.attribute).decay
                                                : std::get<Sgd>(node.attribute).decay);
      all.push_back(update);
    }
    if (node_.op == Op::sgd) {
      const auto optimizer = std::get<Sgd>(node_.attribute);
      build_.call([all, optimizer] { training::sgd(all, optimizer); });
    } else {
      const auto optimizer = std::get<AdamW>(node_.attribute);
      const std::int64_t* step = build_.step();
      build_.call([all, optimizer, step] { training::adamw(all, optimizer, *step); });
    }
  }

  HostBuild& build_;
  const Node& node_;
  std::size_t index_;
  Multiply multiply_;
  const std::vector<TensorId>&in_, &out_;
};

}  // namespace

void compile_operation(HostBuild& build, std::size_t index, Multiply multiply) {
  if (build.precision() == Precision::bf16) {
    Compiler<Bf16>(build, index, multiply).compile();
  } else {
    Compiler<float>(build, index, multiply).compile();
  }
}

}  // namespace breakeven::training
