#include "kernels/training/host_memory.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "reference/training/training_step.h"

namespace breakeven::training {
namespace {

HostBuffer touched(std::size_t bytes) {
  HostBuffer buffer(bytes);
  poison(buffer.span());
  return buffer;
}

}  // namespace

HostMemory::HostMemory(const Graph& graph, Precision precision)
    : graph_(graph),
      precision_(precision),
      roots_(graph.tensors().size()),
      partners_(graph.tensors().size(), kNoTensor),
      buffers_(graph.tensors().size()) {
  std::iota(roots_.begin(), roots_.end(), 0);
  for (std::size_t i = 0; i < partners_.size(); ++i) {
    const TensorId updates = graph.tensors()[i].updates;
    if (updates == kNoTensor) continue;
    partners_[i] = updates;
    partners_[static_cast<std::size_t>(updates)] = static_cast<TensorId>(i);
  }
}

TensorId HostMemory::root(TensorId id) const {
  while (roots_.at(static_cast<std::size_t>(id)) != id) id = roots_[static_cast<std::size_t>(id)];
  return id;
}

std::size_t HostMemory::size(TensorId id) const {
  const Tensor& tensor = graph_.tensor(id);
  return static_cast<std::size_t>(tensor.elements()) *
         element_bytes(stored_type(tensor, precision_));
}

std::byte* HostMemory::existing(TensorId id) {
  return buffers_[static_cast<std::size_t>(root(id))].data();
}

std::byte* HostMemory::bytes(TensorId id) {
  if (id == kNoTensor) return nullptr;
  HostBuffer& buffer = buffers_[static_cast<std::size_t>(root(id))];
  if (buffer.data() == nullptr) buffer = touched(size(id));
  return buffer.data();
}

void HostMemory::share(TensorId id, TensorId with) {
  TensorId one = root(id), other = root(with);
  if (one == other) return;
  if (size(id) != size(with)) {
    throw std::logic_error(graph_.tensor(id).name + " can't have the memory of " +
                           graph_.tensor(with).name + ", which has another size");
  }
  if (existing(one) != nullptr) std::swap(one, other);
  if (existing(one) != nullptr) {
    throw std::logic_error(graph_.tensor(id).name + " and " + graph_.tensor(with).name +
                           " have memory already");
  }
  roots_[static_cast<std::size_t>(one)] = other;
}

Bf16* HostMemory::copy(TensorId id) {
  HostBuffer& buffer = copies_[id];
  if (buffer.data() == nullptr) {
    buffer = touched(static_cast<std::size_t>(graph_.tensor(id).elements()) * sizeof(Bf16));
  }
  return buffer.as<Bf16>();
}

const HostScratch& HostMemory::scratch(std::int64_t floats) {
  scratch_.floats_ = std::max(scratch_.floats_, floats);
  return scratch_;
}

void HostMemory::make_scratch() {
  const auto bytes = static_cast<std::size_t>(scratch_.floats_) * sizeof(float);
  if (bytes <= scratch_.buffer_.bytes()) return;
  scratch_.buffer_ = touched(bytes);
  scratch_.data_ = scratch_.buffer_.as<float>();
}

}  // namespace breakeven::training
