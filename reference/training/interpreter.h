// The fp64 reference of a model's step: runs a graph's nodes one after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "reference/precision.h"
#include "reference/training/graph.h"
#include "reference/training/operations.h"

namespace breakeven {

/// What runs each node: run_node(), or a test's with a mistake planted.
using NodeRunner = std::function<void(const Call& call)>;

/// Called with every tensor as it is complete, whether filled or written by a node; may change it.
using Observer = std::function<void(TensorId id, std::vector<double>& values)>;

/// Values of all tensors in fp64 (indices: whole numbers) and the nodes' order. The same values
/// give the same bits for any number of threads.
class Interpreter {
 public:
  /// `graph` must outlive it. Tensors from outside start with their fill: see initial_values().
  explicit Interpreter(const Graph& graph) : graph_(graph), values_(graph.tensors().size()) {}

  /// Throws std::invalid_argument where the tensor is none from outside, has not that many elements
  /// or is of indices and a value is none of 0 ... limit - 1.
  void set(TensorId id, std::vector<double> values);

  /// What was set, filled or last computed; throws std::logic_error where there is nothing (yet).
  const std::vector<double>& value(TensorId id) const;

  /// Runs every node in order; throws std::logic_error where an earlier run freed what was set.
  void run();

  /// Takes what was updated as the state of the next step; run() then is that step.
  void advance();

  /// Number of the step that run() is, from 1: what AdamW's bias correction sees.
  std::int64_t step() const { return step_; }
  void set_step(std::int64_t step) { step_ = step; }

  /// Frees every tensor after the last node that uses it, so that a large model fits: value() then
  /// has nothing, an observer sees all. advance() can't follow.
  void release_early(bool release) { release_early_ = release; }
  void observe(Observer observer) { observer_ = std::move(observer); }

  /// Where a tensor from outside that wasn't set comes from: initial_values() unless this is set.
  void fill_with(std::function<std::vector<double>(TensorId id)> fill) { fill_ = std::move(fill); }
  void run_with(NodeRunner runner) { runner_ = std::move(runner); }

 private:
  void make_ready(TensorId id);
  void seen(TensorId id);

  const Graph& graph_;
  std::vector<std::vector<double>> values_;  // by tensor; empty: none
  std::int64_t step_ = 1;
  bool release_early_ = false;
  bool released_ = false;
  Observer observer_;
  std::function<std::vector<double>(TensorId)> fill_;
  NodeRunner runner_ = run_node;
};

/// The first values of a tensor from outside, rounded to `type`: seeded by the tensor's place among
/// those of its kind (input with target), so that a model's training and inference graph start from
/// the same parameters. f64 rounds nothing; of an index tensor the type is not asked.
std::vector<double> initial_values(const Graph& graph, TensorId id,
                                   ElementType type = ElementType::f64, std::uint64_t seed = 1);

/// An observer that moves every value that a node writes by about what computing and storing it in
/// a precision does: by a uniform share of the output's roundoff, and of the products' and sums'
/// roundoffs, which grow with the square root of the operation's length, relative to the tensor's
/// root mean square; all of it `roundings` times as far. Runs with different seeds differ as
/// implementations of a precision may. Throws std::invalid_argument for int8 and fp8.
Observer perturbation(const Graph& graph, Precision precision, std::uint64_t seed,
                      double roundings = 1);

}  // namespace breakeven
