// What is computed: one row of a shape table with its cost, its seeded inputs and its right answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reference/precision.h"

namespace breakeven {

/// A dense array that a workload reads or writes.
struct Operand {
  std::string name;  ///< "a", "b", "c"
  ElementType type;
  std::int64_t elements;
  std::size_t bytes() const { return static_cast<std::size_t>(elements) * element_bytes(type); }
};

/// The least work that the answer needs: useful floating-point (or integer) operations and the
/// bytes of every operand read or written once. Not what an implementation happens to do.
struct Cost {
  double flops;
  double bytes;
};

/// What a call works through, for rates such as tokens per second; a count of 0: nothing of note.
struct Items {
  double count = 0;
  std::string name = {};  ///< "samples", "tokens"
};

/// The verdict on one answer. A NaN or infinite answer has an infinite error.
struct Check {
  double error;        ///< largest error found, in the unit of `limit`
  double limit;        ///< the bound that `error` must not exceed
  std::string method;  ///< how it was checked, e.g. "full fp64", "samples + Freivalds"
  bool ok() const { return error <= limit; }
};

/// Where in a network a workload occurs, so that a report can sum the network's layers up.
struct Layer {
  std::string network;     ///< "resnet50"; "": none
  std::int64_t times = 1;  ///< how many of its layers are this workload
  std::string name = {};   ///< of the layer, whatever the batch: "resnet50_conv1"; "": none
};

/// One problem of one operation. Immutable but for its layer, which is set as a shape file is read;
/// safe to share between threads.
class Workload {
 public:
  Workload(std::string op, std::string shape) : op_(std::move(op)), shape_(std::move(shape)) {}
  virtual ~Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  const std::string& op() const { return op_; }        ///< "matmul"
  const std::string& shape() const { return shape_; }  ///< "gpt2_mlp_up", [a-z0-9_]+
  const Layer& layer() const { return layer_; }
  void set_layer(Layer layer) { layer_ = std::move(layer); }

  /// Dimension names and values in the field's order, e.g. m, n, k.
  virtual std::vector<std::pair<std::string, std::int64_t>> dimensions() const = 0;
  virtual Cost cost(Precision precision) const = 0;
  virtual Items items() const { return {}; }
  virtual std::vector<Operand> inputs(Precision precision) const = 0;
  virtual Operand output(Precision precision) const = 0;

  /// Writes input `index` (as in inputs()): the same bytes on every machine and for every
  /// implementation. Written by all OpenMP threads in static chunks, so that pages are first
  /// touched by the threads that use them. `out` holds exactly inputs()[index].bytes().
  virtual void fill_input(std::size_t index, Precision precision,
                          std::span<std::byte> out) const = 0;

  /// Judges an answer of output().bytes() bytes against fp64.
  virtual Check check(Precision precision, std::span<const std::byte> answer) const = 0;

  /// Host bytes that check() takes beside the answer, where they grow with the problem.
  virtual std::size_t check_bytes(Precision) const { return 0; }

 private:
  std::string op_;
  std::string shape_;
  Layer layer_;
};

}  // namespace breakeven
