// One compilation of a graph for a GPU: the tensors' memory, and the launches that do its nodes,
// each prepared once; later nodes may be taken into a launch. The same text runs on the emulator.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "kernels/matmul/gemm.h"
#include "kernels/training/device_memory.h"
#include "kernels/training/optimizer.h"
#include "kernels/training/program.h"
#include "kernels/training/training.h"
#include "reference/training/training_step.h"

namespace breakeven::training {

using matmul::Gpu;

/// Memory by tensor, for both compilations of a graph: in every other step a parameter or state and
/// its next value have exchanged theirs. What nobody asks for has none.
class DeviceTensors {
 public:
  /// Both must outlive it.
  DeviceTensors(const Graph& graph, Precision precision, ProgramMemory& memory);

  /// The tensor whose memory is `id`'s in a step: its partner in an exchanged one.
  TensorId place(TensorId id, bool exchanged) const;

  /// By place. A parameter's working copy in bf16 is beside its f32 values.
  void* data(TensorId place);
  void* copy(TensorId place);

  /// data(), or nullptr where there is none.
  void* existing(TensorId place) const;
  void* existing_copy(TensorId place) const;
  std::size_t bytes(TensorId id) const;
  std::size_t copy_bytes(TensorId id) const;

  /// Gives both the same memory. `overwritten`: the second one's values are lost by that.
  void share(TensorId id, TensorId with, bool overwritten);
  bool overwritten(TensorId id) const { return overwritten_.contains(id); }

  /// One for all launches of both compilations; larger if an earlier one was too small.
  void* workspace(std::size_t bytes);

  /// Scalars of AdamW by its constants: one for all its updates.
  AdamwScalars* adamw(const AdamW& constants);
  void upload_step(std::int64_t step);
  const std::vector<std::pair<AdamW, AdamwScalars*>>& adamw_scalars() const { return adamw_; }

 private:
  TensorId root(TensorId id) const;

  const Graph& graph_;
  Precision precision_;
  ProgramMemory& memory_;
  std::vector<void*> data_;
  std::vector<void*> copies_;
  std::vector<TensorId> shared_with_;
  std::set<TensorId> overwritten_;
  void* workspace_ = nullptr;
  std::size_t workspace_bytes_ = 0;
  std::vector<std::pair<AdamW, AdamwScalars*>> adamw_;
  std::int64_t step_ = 1;
};

/// What a phase enqueues, and what it writes, for Program::poison().
struct DevicePhase {
  std::vector<PreparedLaunch> launches;
  std::vector<TensorId> written;
};

class DeviceBuild {
 public:
  DeviceBuild(const Graph& graph, Precision precision, const Gpu& gpu, bool fused, bool exchanged,
              DeviceTensors& tensors, ProgramMemory& memory);

  const Graph& graph() const { return graph_; }
  const Node& node(std::size_t index) const { return graph_.nodes()[index]; }
  Precision precision() const { return precision_; }
  ElementType storage() const;  ///< of activations and working copies
  const Gpu& gpu() const { return gpu_; }
  bool fused() const { return fused_; }

  /// Of a tensor: its sizes, the last of them, and the product of the others.
  const std::vector<std::int64_t>& shape(TensorId id) const { return graph_.tensor(id).shape; }
  std::int64_t columns(TensorId id) const { return shape(id).back(); }
  std::int64_t rows(TensorId id) const { return graph_.tensor(id).elements() / columns(id); }

  const std::vector<std::size_t>& readers(TensorId id) const;
  /// The only node that reads a tensor, where there is one and the tensor is in no answer.
  std::optional<std::size_t> only_reader(TensorId id) const;
  /// Whether a tensor is complete before a node runs: from outside, or of an earlier one.
  bool written_before(TensorId id, std::size_t index) const;

  /// Nodes are compiled in order, but those that were taken.
  void begin(std::size_t index);
  void take(std::size_t index);
  bool taken(std::size_t index) const { return taken_[index] != 0; }

  /// A tensor that a launch of another node writes already, such as a bias's gradient.
  void mark_written(TensorId id) { done_.insert(id); }
  bool is_written(TensorId id) const { return done_.contains(id); }

  /// Null for kNoTensor. data() of a parameter is f32, weights() what products and norms read.
  void* data(TensorId id);
  template <class T>
  T* data(TensorId id) {
    return static_cast<T*>(data(id));
  }
  const void* weights(TensorId id);
  bf16* next_copy(TensorId parameter);  ///< that its update writes; null but in bf16

  void share(TensorId id, TensorId with);
  /// `id` is written over the values of `with`, which read() then refuses.
  void overwrite(TensorId id, TensorId with);

  AdamwScalars* adamw(const AdamW& constants) { return tensors_.adamw(constants); }

  /// Device memory that holds these values for as long as the program lives.
  template <class T>
  const T* table(std::span<const T> values) {
    return static_cast<const T*>(upload(std::as_bytes(values)));
  }

  /// Appends launches to the phase of the node that is being compiled. Workspace is one for all:
  /// `prepare` is called when compiling is over.
  void call(PreparedLaunch launch);
  using Prepare = std::function<PreparedLaunch(void* workspace)>;
  void call(std::size_t workspace_bytes, Prepare prepare);

  /// A fact of the row; the same name twice joins different values.
  void fact(const std::string& name, const std::string& value);

  /// The most that a launch called so far asks for.
  std::size_t workspace_bytes() const;

  /// Prepares everything that was called. The phases by Phase, and the facts, are then complete.
  void finish();
  std::array<DevicePhase, 3>& phases() { return phases_; }
  const std::map<std::string, std::set<std::string>>& facts() const { return facts_; }

 private:
  struct Pending {
    Phase phase;
    std::size_t workspace_bytes;
    Prepare prepare;
  };

  const void* upload(std::span<const std::byte> bytes);
  void writes(std::size_t index);
  DevicePhase& phase() { return phases_[static_cast<std::size_t>(node(current_).phase)]; }

  const Graph& graph_;
  Precision precision_;
  Gpu gpu_;
  bool fused_;
  bool exchanged_;
  DeviceTensors& tensors_;
  ProgramMemory& memory_;
  std::vector<std::vector<std::size_t>> readers_;
  std::vector<std::size_t> writers_;  // by tensor; one past the nodes: from outside
  std::vector<char> in_answer_;
  std::vector<char> taken_;
  std::set<TensorId> done_;
  std::size_t current_ = 0;
  std::vector<Pending> pending_;
  std::array<DevicePhase, 3> phases_;
  std::map<std::string, std::set<std::string>> facts_;
};

}  // namespace breakeven::training
