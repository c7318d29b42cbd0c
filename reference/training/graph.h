// A model's text as data: tensors and the nodes that make them. Every backend compiles the same
// graph into its own program; reference/training/interpreter.h runs it in fp64.
//
// Images are NHWC, filters KRSC, sequences rows [batch * steps, channels], weights of linear layers
// [out, in]; all dense and row-major. A tensor is written by one node and never changed: updates
// write beside what they update, so that a step can be repeated from the same state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "reference/conv2d.h"

namespace breakeven {

using TensorId = std::int32_t;  ///< index into Graph::tensors()

/// Stands for an input or output that a node hasn't got: no bias, a gradient that nobody needs.
inline constexpr TensorId kNoTensor = -1;

/// input, target, parameter and state are filled from outside (state: running statistics and what
/// an optimiser keeps); nodes write the others. updated: the next value of a parameter or state.
enum class TensorKind { input, target, parameter, state, activation, gradient, loss, updated };

inline bool from_outside(TensorKind kind) {
  return kind == TensorKind::input || kind == TensorKind::target || kind == TensorKind::parameter ||
         kind == TensorKind::state;
}

/// working: of the precision's own type (bf16: activations and their gradients). full: f32 in every
/// precision but f64 (parameters and their gradients, states, statistics, losses); products read a
/// working copy of a parameter where the two types differ. index: int32.
enum class Storage { working, full, index };

/// What a tensor from outside starts from: offset + scale * u with u uniform in (-1, 1) from the
/// generator of reference/random.h; index tensors: uniform in 0 ... limit - 1.
struct Fill {
  double scale = 0;
  double offset = 0;
  std::int64_t limit = 0;
};

struct Tensor {
  std::string name;  ///< unique; the models' are listed in reference/training/models.h
  TensorKind kind;
  Storage storage;
  std::vector<std::int64_t> shape;
  Fill fill = {};
  TensorId updates = kNoTensor;  ///< updated: the parameter or state whose next value it is

  std::int64_t elements() const;
};

/// What a node computes: its inputs -> its outputs, then its attribute. "?" may be kNoTensor.
/// m, n, k: rows, outputs and inputs of a linear layer.
enum class Op {
  linear,                ///< x[m,k], w[n,k], b[n]? -> y[m,n] = x w^T + b
  conv2d,                ///< x, w, b[k]? -> y; Conv2dSize
  relu,                  ///< x -> y
  gelu,                  ///< x -> y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  add,                   ///< a, b -> a + b
  batch_norm,            ///< x[n,h,w,c], gamma, beta, running mean, running variance -> y, mean[c],
                         ///< rstd[c], updated running mean, updated running variance
  batch_norm_inference,  ///< x, gamma, beta, running mean, running variance -> y
  layer_norm,            ///< x[m,c], gamma, beta -> y, mean[m], rstd[m]
  max_pool,              ///< x[n,h,w,c] -> y; Window
  average_pool,          ///< x[n,h,w,c] -> y[n,c], the mean of each image's channel
  attention,             ///< qkv[m,3c] -> y[m,c], lse[batch,heads,steps]; Sequence
  embedding,             ///< tokens[m], wte[v,c], wpe[steps,c] -> x[m,c]; Sequence
  flatten,               ///< x -> the same elements in the output's shape; its own backward
  cross_entropy,         ///< logits[m,v], target[m] -> loss[1], the mean over rows

  linear_backward_data,     ///< dy[m,n], w[n,k] -> dx[m,k]
  linear_backward_weights,  ///< dy[m,n], x[m,k] -> dw[n,k], db[n]?
  conv2d_backward_data,     ///< dy, w -> dx; Conv2dSize
  conv2d_backward_weights,  ///< dy, x -> dw, db[k]?; Conv2dSize
  relu_backward,            ///< dy, y -> dx, which is dy where y > 0 and else 0
  gelu_backward,            ///< dy, x -> dx
  batch_norm_backward,      ///< dy, x, gamma, mean, rstd -> dx, dgamma, dbeta
  layer_norm_backward,      ///< dy, x, gamma, mean, rstd -> dx, dgamma, dbeta
  max_pool_backward,        ///< dy, x -> dx: to the first maximum in row-major window order; Window
  average_pool_backward,    ///< dy[n,c] -> dx[n,h,w,c]
  attention_backward,       ///< dy, qkv, y, lse -> dqkv; Sequence
  embedding_backward,       ///< dx, tokens -> dwte, dwpe; Sequence
  cross_entropy_backward,   ///< logits, target -> dlogits = (softmax - onehot) / m

  sgd,    ///< w, g, v -> updated w, updated v; Sgd
  adamw,  ///< w, g, m, v -> updated w, updated m, updated v; AdamW
};

std::string op_name(Op op);

/// A square pooling window; padding counts as minus infinity.
struct Window {
  std::int64_t side;
  std::int64_t stride;
  std::int64_t pad;

  /// Outputs along an axis of `extent` inputs.
  std::int64_t outputs(std::int64_t extent) const { return (extent + 2 * pad - side) / stride + 1; }
};

/// How rows are sequences: row b * steps + t is step t of sequence b.
struct Sequence {
  std::int64_t batch;
  std::int64_t steps;
  std::int64_t heads = 1;  ///< of attention, each of c / heads channels
};

/// v' = momentum v + g + decay w; w' = w - rate v' (PyTorch's SGD).
struct Sgd {
  double rate;
  double momentum;
  double decay;
};

/// m' = beta1 m + (1 - beta1) g; v' = beta2 v + (1 - beta2) g^2; w' = w (1 - rate decay) -
/// rate (m' / (1 - beta1^t)) / (sqrt(v' / (1 - beta2^t)) + epsilon), where t is the step's number,
/// 1 for the first (PyTorch's AdamW; Loshchilov & Hutter, "Decoupled weight decay regularization").
struct AdamW {
  double rate;
  double beta1;
  double beta2;
  double epsilon;
  double decay;
};

using Attribute = std::variant<std::monostate, Conv2dSize, Window, Sequence, Sgd, AdamW>;

enum class Phase { forward, backward, update };

struct Node {
  Op op;
  Phase phase;
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  Attribute attribute = {};
};

inline constexpr std::int64_t kLargestWindow = 65536;
inline constexpr double kNormEpsilon = 1e-5;
inline constexpr double kRunningShare = 0.1;  ///< of a batch in the next running statistics

/// Tensors and nodes in an order that can be run. The functions that add a node check shapes and
/// throw std::invalid_argument with one line that names the operation and the tensors; they return
/// the node's first output. Names of what they make begin with the prefix that scope() set.
class Graph {
 public:
  const std::vector<Tensor>& tensors() const { return tensors_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const Tensor& tensor(TensorId id) const { return tensors_.at(static_cast<std::size_t>(id)); }

  /// The tensor of this name; throws std::invalid_argument where there is none.
  TensorId find(const std::string& name) const;
  bool contains(const std::string& name) const { return by_name_.contains(name); }

  /// How many tensors from outside of its kind (inputs and targets are one) come before it.
  std::int32_t place(TensorId id) const { return places_.at(static_cast<std::size_t>(id)); }

  /// The gradient of a tensor, or kNoTensor; differentiate() sets it.
  TensorId gradient(TensorId id) const;
  void set_gradient(TensorId id, TensorId gradient);

  /// What a tensor from outside starts from instead.
  void set_fill(TensorId id, Fill fill) { tensors_.at(static_cast<std::size_t>(id)).fill = fill; }

  /// The next value of a parameter or state, or kNoTensor.
  TensorId updated(TensorId id) const { return updated_.at(static_cast<std::size_t>(id)); }

  /// The prefix of the names to come, e.g. "h0.attn."; "" at first.
  void scope(std::string prefix) { scope_ = std::move(prefix); }

  TensorId input(const std::string& name, std::vector<std::int64_t> shape, Fill fill);
  TensorId index_input(const std::string& name, TensorKind kind, std::int64_t elements,
                       std::int64_t limit);
  TensorId parameter(const std::string& name, std::vector<std::int64_t> shape, Fill fill);
  TensorId state(const std::string& name, std::vector<std::int64_t> shape, Fill fill);

  /// `name` is the output's.
  TensorId linear(const std::string& name, TensorId x, TensorId w, TensorId b = kNoTensor);
  TensorId conv2d(const std::string& name, TensorId x, TensorId w, TensorId b, std::int64_t pad,
                  std::int64_t stride);
  TensorId relu(const std::string& name, TensorId x);
  TensorId gelu(const std::string& name, TensorId x);
  TensorId add(const std::string& name, TensorId a, TensorId b);
  TensorId batch_norm(const std::string& name, TensorId x, TensorId gamma, TensorId beta,
                      TensorId running_mean, TensorId running_variance);
  TensorId batch_norm_inference(const std::string& name, TensorId x, TensorId gamma, TensorId beta,
                                TensorId running_mean, TensorId running_variance);
  TensorId layer_norm(const std::string& name, TensorId x, TensorId gamma, TensorId beta);
  TensorId max_pool(const std::string& name, TensorId x, const Window& window);
  TensorId average_pool(const std::string& name, TensorId x);
  TensorId attention(const std::string& name, TensorId qkv, const Sequence& sequence);
  TensorId embedding(const std::string& name, TensorId tokens, TensorId wte, TensorId wpe,
                     const Sequence& sequence);
  TensorId flatten(const std::string& name, TensorId x);
  TensorId cross_entropy(const std::string& name, TensorId logits, TensorId target);

  /// For differentiate.cpp, optimizer.cpp and tests, which know the shapes that they ask for. The
  /// scope is not put before the name. add_tensor throws std::invalid_argument where the name is
  /// taken or the shape has no elements; add_node where a tensor doesn't exist, an output is
  /// written twice or an input not yet.
  TensorId add_tensor(Tensor tensor);
  void add_node(Node node);

  /// Adds the tensor "<name>.next" that a node writes as the next value of a parameter or state.
  TensorId next(TensorId id);

 private:
  // A forward node whose first output, of this shape, is added before those that it has.
  TensorId forward(const std::string& name, Node node, std::vector<std::int64_t> shape);
  TensorId statistic(const std::string& name, std::vector<std::int64_t> shape);

  std::string scope_;
  std::vector<Tensor> tensors_;
  std::vector<Node> nodes_;
  std::unordered_map<std::string, TensorId> by_name_;
  std::vector<TensorId> gradients_;          // by tensor
  std::vector<TensorId> updated_;            // by tensor: its next value
  std::vector<std::int32_t> places_;         // by tensor
  std::array<std::int32_t, 3> counts_ = {};  // of inputs and targets, of parameters, of states
  std::vector<char> written_;                // by tensor: by a node or from outside
};

/// Appends the backward nodes of a loss: after it, Graph::gradient() of every parameter that the
/// loss depends on is set, and of every activation between. A tensor that is used more than once
/// gets its gradients summed by `add` nodes, the last use's first. Ask Graph::gradient() for them:
/// one is called "<name>.grad", with a number where there are shares and sums, and the terms of a
/// sum share the sum's. Throws std::invalid_argument where `loss` is no loss.
void differentiate(Graph& graph, TensorId loss);

/// Appends the update of every parameter that has a gradient; its state is "<name>.momentum", or
/// "<name>.m" and "<name>.v", of zeros; what is written "<name>.next". AdamW decays parameters of
/// two dimensions and more where `matrices_only`, else all.
void append_sgd(Graph& graph, const Sgd& sgd);
void append_adamw(Graph& graph, const AdamW& adamw, bool matrices_only = true);

/// Multiplications and additions (two flops a product) that linear layers, convolutions and
/// attention need, forward and both gradients, without recomputing anything: what "model flops
/// utilisation" counts. Other operations count for nothing.
double model_flops(const Graph& graph);
double node_flops(const Graph& graph, const Node& node);

}  // namespace breakeven
