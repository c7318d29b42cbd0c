// The memory of a program's tensors: each has some from when it is first asked for. Both
// compilations of a graph (kernels/training/program.h, advance()) share it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "kernels/host/buffer.h"
#include "kernels/training/host_program.h"

namespace breakeven::training {

class HostMemory {
 public:
  HostMemory(const Graph& graph, Precision precision);

  /// A tensor's memory, poisoned at first; null for kNoTensor.
  std::byte* bytes(TensorId id);

  /// Its memory, or null where it has none.
  std::byte* existing(TensorId id);

  /// The tensor's stored bytes.
  std::size_t size(TensorId id) const;

  /// See HostBuild::share().
  void share(TensorId id, TensorId with);

  /// Whether two tensors are one place of memory.
  bool shared(TensorId id, TensorId with) const { return root(id) == root(with); }

  /// A parameter's next value, or the parameter or state that a tensor is the next value of;
  /// kNoTensor for others.
  TensorId partner(TensorId id) const { return partners_.at(static_cast<std::size_t>(id)); }

  /// The bf16 copy of a parameter or of its next value.
  Bf16* copy(TensorId id);
  bool has_copy(TensorId id) const { return copies_.contains(id); }

  const HostScratch& scratch(std::int64_t floats);
  void make_scratch();  ///< after compiling

 private:
  TensorId root(TensorId id) const;

  const Graph& graph_;
  Precision precision_;
  std::vector<TensorId> roots_;     // by tensor: another of the same memory, or itself
  std::vector<TensorId> partners_;  // by tensor
  std::vector<HostBuffer> buffers_;
  std::map<TensorId, HostBuffer> copies_;
  HostScratch scratch_;
};

}  // namespace breakeven::training
