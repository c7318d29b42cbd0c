// Programs of the CPU backends: a backend turns a graph's nodes into calls, one after the other,
// and may take later nodes into a call; memory exists for what calls ask for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "kernels/host/buffer.h"
#include "kernels/training/host_attention.h"
#include "kernels/training/host_math.h"
#include "kernels/training/program.h"
#include "reference/precision.h"

namespace breakeven::training {

/// Does one or more nodes. Allocates nothing.
using HostCall = std::function<void()>;

/// Memory that calls share, each for itself while it runs. It exists once compiling is over.
class HostScratch {
 public:
  float* data() const { return data_; }

 private:
  friend class HostMemory;
  HostBuffer buffer_;
  float* data_ = nullptr;
  std::int64_t floats_ = 0;
};

class HostMemory;  // kernels/training/host_memory.h
class HostBuild;

/// Compiles nodes()[index] of a build: emits its calls, and takes what they do besides.
using HostBackend = std::function<void(HostBuild& build, std::size_t index)>;

/// One compilation of a graph: what a backend asks and tells.
class HostBuild {
 public:
  const Graph& graph() const { return graph_; }
  const Node& node(std::size_t index) const { return graph_.nodes().at(index); }
  Precision precision() const { return precision_; }  ///< f32 or bf16
  int threads() const { return threads_; }
  bool fused() const { return fused_; }  ///< false: an ablation row, every node by itself

  /// The number of the step, for AdamW; it changes between runs.
  const std::int64_t* step() const { return step_; }

  /// The only node that reads a tensor, where there is one and the tensor is in no answer.
  std::optional<std::size_t> only_reader(TensorId id) const;
  std::vector<std::size_t> readers(TensorId id) const;

  /// Whether the node that is being compiled may write over a tensor: it alone reads it, and it is
  /// written anew whenever this phase is repeated.
  bool may_overwrite(TensorId id) const;

  /// Marks a node that a call of another one does as well.
  void take(std::size_t index);
  bool taken(std::size_t index) const { return taken_.at(index) != 0; }

  /// Marks one output of a later node, a bias's gradient, that a call of this one writes.
  void make(TensorId id);
  bool made(TensorId id) const { return made_.contains(id); }

  /// A tensor's memory, aligned to 64 bytes, of its stored type (f32, bf16 or int32; a parameter is
  /// f32); null for kNoTensor. What is never asked for has no memory.
  template <class T>
  T* data(TensorId id) {
    return reinterpret_cast<T*>(bytes(id));
  }

  /// A parameter as products read it: its working copy in bf16, itself in f32.
  template <class T>
  const T* weights(TensorId id) {
    return reinterpret_cast<const T*>(working(id));
  }

  /// The bf16 copy of a parameter's next value that its update writes; null in f32, and where no
  /// node compiled so far reads a working copy.
  Bf16* next_copy(TensorId parameter);

  /// Gives two tensors of one stored size the same memory: flatten, and results in place. Before
  /// either was asked for, or once one of them was. Throws std::logic_error where both were, or
  /// their sizes differ.
  void share(TensorId id, TensorId with);

  /// At least so many floats, for the call that is being compiled.
  const HostScratch& scratch(std::int64_t floats);

  /// Appends a call to the phase of the node that is being compiled.
  void call(HostCall call);

  /// A fact of the row, e.g. {"fused", "bias + ReLU"}; the same name twice joins different values.
  void fact(const std::string& name, const std::string& value) { facts_[name].insert(value); }

 private:
  friend class HostProgram;
  HostBuild(const Graph& graph, Precision precision, int threads, bool fused, HostMemory& memory,
            bool exchanged, const std::int64_t* step);
  void compile(const HostBackend& backend);
  TensorId own(TensorId id) const;  // whose memory it is in this compilation
  std::byte* bytes(TensorId id);
  std::byte* working(TensorId id);
  std::size_t phase() const { return static_cast<std::size_t>(node(current_).phase); }

  const Graph& graph_;
  Precision precision_;
  int threads_;
  bool fused_;
  HostMemory& memory_;
  bool exchanged_;  // parameters and states with their next values
  const std::int64_t* step_;

  std::size_t current_ = 0;
  std::vector<std::vector<std::size_t>> readers_;  // by tensor
  std::vector<std::optional<std::size_t>> writer_;
  std::set<TensorId> answered_;
  std::vector<char> taken_;    // by node
  std::vector<Phase> phases_;  // by tensor: in which calls write it
  std::set<TensorId> made_;
  std::vector<HostCall> calls_[3];  // by phase
  std::map<std::string, std::set<std::string>> facts_;
};

/// All operations but linear layers and convolutions, by the loops of kernels/training/host_*:
/// what backends leave to it. `multiply` does attention's products. Fused: the loss with its
/// gradient in place of the logits, all updates of one optimiser in one call, ReLU's and GELU's
/// gradient with the bias's (HostBuild::made() of it then holds), results in place. Throws
/// std::logic_error for a product.
void compile_operation(HostBuild& build, std::size_t index, Multiply multiply);

/// See Program. `graph` must outlive it. Buffers are first touched by the OpenMP team.
class HostProgram final : public Program {
 public:
  /// Throws Unsupported for precisions but f32 and bf16, and what the backend throws.
  HostProgram(const Graph& graph, Precision precision, int threads, bool fused,
              HostBackend backend);
  ~HostProgram() override;

  void write(TensorId id, std::span<const std::byte> values) override;
  std::vector<float> read(TensorId id) override;

  /// Either throws std::logic_error where OpenMP has more threads than the program was made for.
  void run() override;
  void run(Phase phase) override;
  void poison(Phase phase) override;
  void advance() override;
  void set_step(std::int64_t step) override { step_ = step; }
  Facts facts() const override;

 private:
  void require_team() const;
  std::unique_ptr<HostBuild> compile(bool exchanged);
  HostBuild& build() const { return *builds_[exchanged_ ? 1 : 0]; }

  const Graph& graph_;
  Precision precision_;
  int threads_;
  bool fused_;
  HostBackend backend_;
  std::int64_t step_ = 1;
  bool exchanged_ = false;
  std::unique_ptr<HostMemory> memory_;
  std::unique_ptr<HostBuild> builds_[2];  // the second from the first advance() on
};

}  // namespace breakeven::training
