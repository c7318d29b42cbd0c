#include <algorithm>
#include <stdexcept>

#include "kernels/training/device_build.h"

namespace breakeven::training {
namespace {

bool is_outside(TensorKind kind) {
  return kind == TensorKind::input || kind == TensorKind::target || kind == TensorKind::parameter ||
         kind == TensorKind::state;
}

bool same(const AdamW& a, const AdamW& b) {
  return a.rate == b.rate && a.beta1 == b.beta1 && a.beta2 == b.beta2 && a.epsilon == b.epsilon;
}

AdamwScalars scalars_of(const AdamW& of, std::int64_t step) {
  return adamw_scalars(static_cast<float>(of.rate), static_cast<float>(of.beta1),
                       static_cast<float>(of.beta2), static_cast<float>(of.epsilon),
                       static_cast<int>(step));
}

}  // namespace

DeviceTensors::DeviceTensors(const Graph& graph, Precision precision, ProgramMemory& memory)
    : graph_(graph),
      precision_(precision),
      memory_(memory),
      data_(graph.tensors().size()),
      copies_(graph.tensors().size()),
      shared_with_(graph.tensors().size(), kNoTensor) {}

TensorId DeviceTensors::place(TensorId id, bool exchanged) const {
  if (!exchanged) return id;
  const Tensor& tensor = graph_.tensor(id);
  if (tensor.kind == TensorKind::updated) return tensor.updates;
  const TensorId next = graph_.updated(id);
  return next == kNoTensor ? id : next;
}

TensorId DeviceTensors::root(TensorId id) const {
  while (shared_with_[static_cast<std::size_t>(id)] != kNoTensor) {
    id = shared_with_[static_cast<std::size_t>(id)];
  }
  return id;
}

std::size_t DeviceTensors::bytes(TensorId id) const {
  const Tensor& tensor = graph_.tensor(id);
  return static_cast<std::size_t>(tensor.elements()) *
         element_bytes(stored_type(tensor, precision_));
}

std::size_t DeviceTensors::copy_bytes(TensorId id) const {
  return static_cast<std::size_t>(graph_.tensor(id).elements()) * sizeof(bf16);
}

void* DeviceTensors::data(TensorId place) {
  void*& data = data_[static_cast<std::size_t>(root(place))];
  if (data == nullptr) data = memory_.allocate(bytes(place));
  return data;
}

void* DeviceTensors::copy(TensorId place) {
  void*& copy = copies_[static_cast<std::size_t>(place)];
  if (copy == nullptr) copy = memory_.allocate(copy_bytes(place));
  return copy;
}

void* DeviceTensors::existing(TensorId place) const {
  return data_[static_cast<std::size_t>(root(place))];
}

void* DeviceTensors::existing_copy(TensorId place) const {
  return copies_[static_cast<std::size_t>(place)];
}

void DeviceTensors::share(TensorId id, TensorId with, bool overwritten) {
  if (overwritten) overwritten_.insert(with);
  const TensorId a = root(id), b = root(with);
  if (a == b) return;  // the other compilation did
  if (bytes(a) != bytes(b)) {
    throw std::logic_error(graph_.tensor(id).name + " and " + graph_.tensor(with).name +
                           " can't share memory: their sizes differ");
  }
  if (existing(a) != nullptr && existing(b) != nullptr) {
    throw std::logic_error(graph_.tensor(id).name + " and " + graph_.tensor(with).name +
                           " have memory of their own already");
  }
  const bool first_has = existing(a) != nullptr;
  shared_with_[static_cast<std::size_t>(first_has ? b : a)] = first_has ? a : b;
}

void* DeviceTensors::workspace(std::size_t bytes) {
  if (bytes > workspace_bytes_) {
    workspace_ = memory_.allocate(bytes);
    workspace_bytes_ = bytes;
  }
  return workspace_;
}

AdamwScalars* DeviceTensors::adamw(const AdamW& constants) {
  for (const auto& [known, scalars] : adamw_) {
    if (same(known, constants)) return scalars;
  }
  auto* scalars = static_cast<AdamwScalars*>(memory_.allocate(sizeof(AdamwScalars)));
  adamw_.emplace_back(constants, scalars);
  upload_step(step_);
  return scalars;
}

void DeviceTensors::upload_step(std::int64_t step) {
  step_ = step;
  for (const auto& [constants, to] : adamw_) {
    const AdamwScalars scalars = scalars_of(constants, step);
    memory_.upload(to, std::as_bytes(std::span(&scalars, 1)));
  }
}

DeviceBuild::DeviceBuild(const Graph& graph, Precision precision, const Gpu& gpu, bool fused,
                         bool exchanged, DeviceTensors& tensors, ProgramMemory& memory)
    : graph_(graph),
      precision_(precision),
      gpu_(gpu),
      fused_(fused),
      exchanged_(exchanged),
      tensors_(tensors),
      memory_(memory),
      readers_(graph.tensors().size()),
      writers_(graph.tensors().size(), graph.nodes().size()),
      in_answer_(graph.tensors().size()),
      taken_(graph.nodes().size()) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    for (const TensorId id : node(i).inputs) {
      if (id == kNoTensor) continue;
      auto& readers = readers_[static_cast<std::size_t>(id)];
      if (readers.empty() || readers.back() != i) readers.push_back(i);
    }
    for (const TensorId id : node(i).outputs) {
      if (id == kNoTensor) continue;
      writers_[static_cast<std::size_t>(id)] = i;
      if (node(i).op == Op::cross_entropy_backward) in_answer_[static_cast<std::size_t>(id)] = 1;
    }
  }
  for (TensorId id = 0; id < static_cast<TensorId>(graph.tensors().size()); ++id) {
    if (graph.tensor(id).kind != TensorKind::parameter) continue;
    const TensorId gradient = graph.gradient(id);
    if (gradient != kNoTensor) in_answer_[static_cast<std::size_t>(gradient)] = 1;
  }
}

ElementType DeviceBuild::storage() const {
  return precision_ == Precision::bf16 ? ElementType::bf16 : ElementType::f32;
}

const std::vector<std::size_t>& DeviceBuild::readers(TensorId id) const {
  return readers_[static_cast<std::size_t>(id)];
}

std::optional<std::size_t> DeviceBuild::only_reader(TensorId id) const {
  const std::vector<std::size_t>& all = readers(id);
  if (all.size() != 1 || in_answer_[static_cast<std::size_t>(id)] != 0) return std::nullopt;
  return all[0];
}

bool DeviceBuild::written_before(TensorId id, std::size_t index) const {
  return is_outside(graph_.tensor(id).kind) || writers_[static_cast<std::size_t>(id)] < index;
}

void DeviceBuild::begin(std::size_t index) {
  current_ = index;
  writes(index);
}

void DeviceBuild::take(std::size_t index) {
  taken_[index] = 1;
  writes(index);
}

void DeviceBuild::writes(std::size_t index) {
  for (const TensorId id : node(index).outputs) {
    if (id != kNoTensor) phase().written.push_back(tensors_.place(id, exchanged_));
  }
}

void* DeviceBuild::data(TensorId id) {
  return id == kNoTensor ? nullptr : tensors_.data(tensors_.place(id, exchanged_));
}

const void* DeviceBuild::weights(TensorId id) {
  if (id == kNoTensor || precision_ != Precision::bf16) return data(id);
  return tensors_.copy(tensors_.place(id, exchanged_));
}

bf16* DeviceBuild::next_copy(TensorId parameter) {
  if (precision_ != Precision::bf16) return nullptr;
  const TensorId next = graph_.updated(parameter);
  return static_cast<bf16*>(tensors_.copy(tensors_.place(next, exchanged_)));
}

void DeviceBuild::share(TensorId id, TensorId with) { tensors_.share(id, with, false); }

void DeviceBuild::overwrite(TensorId id, TensorId with) { tensors_.share(id, with, true); }

const void* DeviceBuild::upload(std::span<const std::byte> bytes) {
  void* to = memory_.allocate(bytes.size());
  memory_.upload(to, bytes);
  return to;
}

void DeviceBuild::call(PreparedLaunch launch) {
  call(0, [launch = std::move(launch)](void*) { return launch; });
}

void DeviceBuild::call(std::size_t workspace_bytes, Prepare prepare) {
  pending_.push_back({node(current_).phase, workspace_bytes, std::move(prepare)});
}

void DeviceBuild::fact(const std::string& name, const std::string& value) {
  facts_[name].insert(value);
}

std::size_t DeviceBuild::workspace_bytes() const {
  std::size_t most = 0;
  for (const Pending& pending : pending_) most = std::max(most, pending.workspace_bytes);
  return most;
}

void DeviceBuild::finish() {
  void* workspace = tensors_.workspace(workspace_bytes());
  for (const Pending& pending : pending_) {
    phases_[static_cast<std::size_t>(pending.phase)].launches.push_back(pending.prepare(workspace));
  }
  pending_.clear();
}

}  // namespace breakeven::training
