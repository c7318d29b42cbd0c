#include "kernels/training/host_program.h"

#include <omp.h>

#include <cstring>
#include <stdexcept>
#include <utility>

#include "kernels/training/host_memory.h"
#include "kernels/training/host_pointwise.h"
#include "reference/training/training_step.h"

namespace breakeven::training {
namespace {

constexpr Phase kPhases[] = {Phase::forward, Phase::backward, Phase::update};

std::size_t at(TensorId id) { return static_cast<std::size_t>(id); }

// What reference/training/training_step.h asks for; logits of inference have no reader.
std::set<TensorId> answers_of(const Graph& graph) {
  std::set<TensorId> answers;
  for (TensorId id = 0; id < static_cast<TensorId>(graph.tensors().size()); ++id) {
    const TensorKind kind = graph.tensor(id).kind;
    if (kind == TensorKind::loss || kind == TensorKind::updated) answers.insert(id);
    if (kind == TensorKind::parameter) answers.insert(graph.gradient(id));
  }
  for (const Node& node : graph.nodes()) {
    if (node.op == Op::cross_entropy) answers.insert(graph.gradient(node.inputs[0]));
  }
  answers.erase(kNoTensor);
  return answers;
}

// Indices are addresses in the loops that read them.
void check_indices(const Tensor& tensor, std::span<const std::byte> values) {
  for (std::size_t i = 0; i < values.size() / sizeof(std::int32_t); ++i) {
    std::int32_t index = 0;
    std::memcpy(&index, values.data() + i * sizeof index, sizeof index);
    if (index >= 0 && index < tensor.fill.limit) continue;
    throw std::invalid_argument(tensor.name + "[" + std::to_string(i) + "] is " +
                                std::to_string(index) + ", not in 0 .. " +
                                std::to_string(tensor.fill.limit - 1));
  }
}

}  // namespace

HostBuild::HostBuild(const Graph& graph, Precision precision, int threads, bool fused,
                     HostMemory& memory, bool exchanged, const std::int64_t* step)
    : graph_(graph),
      precision_(precision),
      threads_(threads),
      fused_(fused),
      memory_(memory),
      exchanged_(exchanged),
      step_(step),
      readers_(graph.tensors().size()),
      writer_(graph.tensors().size()),
      answered_(answers_of(graph)),
      taken_(graph.nodes().size(), 0),
      phases_(graph.tensors().size(), Phase::forward) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    for (const TensorId input : node(i).inputs) {
      if (input == kNoTensor) continue;
      std::vector<std::size_t>& readers = readers_[at(input)];
      if (readers.empty() || readers.back() != i) readers.push_back(i);
    }
    for (const TensorId output : node(i).outputs) {
      if (output == kNoTensor) continue;
      writer_[at(output)] = i;
      phases_[at(output)] = node(i).phase;
    }
  }
}

void HostBuild::compile(const HostBackend& backend) {
  for (TensorId id = 0; id < static_cast<TensorId>(graph_.tensors().size()); ++id) {
    if (from_outside(graph_.tensor(id).kind)) bytes(id);
  }
  for (current_ = 0; current_ < graph_.nodes().size(); ++current_) {
    if (!taken(current_)) backend(*this, current_);
  }
  memory_.make_scratch();
}

std::vector<std::size_t> HostBuild::readers(TensorId id) const { return readers_.at(at(id)); }

std::optional<std::size_t> HostBuild::only_reader(TensorId id) const {
  const std::vector<std::size_t>& readers = readers_.at(at(id));
  if (readers.size() != 1 || answered_.contains(id)) return std::nullopt;
  return readers.front();
}

bool HostBuild::may_overwrite(TensorId id) const {
  if (only_reader(id) != current_) return false;
  const std::optional<std::size_t> writer = writer_.at(at(id));
  if (!writer || phases_[at(id)] != node(current_).phase) return false;
  if (node(*writer).op != Op::flatten) return true;
  // Another shape of a tensor that others may read.
  const TensorId flat = node(*writer).inputs[0];
  return only_reader(flat) == *writer && writer_[at(flat)] &&
         phases_[at(flat)] == node(current_).phase;
}

void HostBuild::take(std::size_t index) {
  taken_.at(index) = 1;
  for (const TensorId output : node(index).outputs) {
    if (output != kNoTensor) phases_[at(output)] = node(current_).phase;
  }
}

void HostBuild::make(TensorId id) {
  made_.insert(id);
  phases_.at(at(id)) = node(current_).phase;
}

TensorId HostBuild::own(TensorId id) const {
  if (!exchanged_ || id == kNoTensor) return id;
  const TensorId partner = memory_.partner(id);
  return partner == kNoTensor ? id : partner;
}

std::byte* HostBuild::bytes(TensorId id) { return memory_.bytes(own(id)); }

std::byte* HostBuild::working(TensorId id) {
  if (precision_ != Precision::bf16 || graph_.tensor(id).storage != Storage::full) return bytes(id);
  return reinterpret_cast<std::byte*>(memory_.copy(own(id)));
}

Bf16* HostBuild::next_copy(TensorId parameter) {
  if (precision_ != Precision::bf16 || !memory_.has_copy(own(parameter))) return nullptr;
  return memory_.copy(own(memory_.partner(parameter)));
}

void HostBuild::share(TensorId id, TensorId with) { memory_.share(own(id), own(with)); }

const HostScratch& HostBuild::scratch(std::int64_t floats) { return memory_.scratch(floats); }

void HostBuild::call(HostCall call) { calls_[phase()].push_back(std::move(call)); }

HostProgram::HostProgram(const Graph& graph, Precision precision, int threads, bool fused,
                         HostBackend backend)
    : graph_(graph),
      precision_(precision),
      threads_(threads),
      fused_(fused),
      backend_(std::move(backend)) {
  if (precision != Precision::f32 && precision != Precision::bf16) {
    throw Unsupported("training programs of a CPU compute in f32 or bf16, not in " +
                      std::string(traits(precision).name));
  }
  memory_ = std::make_unique<HostMemory>(graph, precision);
  builds_[0] = compile(false);
}

HostProgram::~HostProgram() = default;

std::unique_ptr<HostBuild> HostProgram::compile(bool exchanged) {
  require_team();
  std::unique_ptr<HostBuild> build(
      new HostBuild(graph_, precision_, threads_, fused_, *memory_, exchanged, &step_));
  build->compile(backend_);
  return build;
}

// Scratch is made for as many threads as were told.
void HostProgram::require_team() const {
  if (omp_get_max_threads() > threads_) {
    throw std::logic_error("a program for " + std::to_string(threads_) + " threads meets " +
                           std::to_string(omp_get_max_threads()) + " of OpenMP");
  }
}

void HostProgram::write(TensorId id, std::span<const std::byte> values) {
  const Tensor& tensor = graph_.tensor(id);
  if (!from_outside(tensor.kind)) {
    throw std::invalid_argument(tensor.name + " is written by a node, not from outside");
  }
  if (values.size() != memory_->size(id)) {
    throw std::invalid_argument(tensor.name + " has " + std::to_string(memory_->size(id)) +
                                " bytes, the values " + std::to_string(values.size()));
  }
  if (tensor.storage == Storage::index) check_indices(tensor, values);
  std::byte* data = build().bytes(id);
  std::memcpy(data, values.data(), values.size());
  const TensorId own = build().own(id);
  if (!memory_->has_copy(own)) return;
  add_bias<float, Bf16>({1, tensor.elements()}, reinterpret_cast<const float*>(data), nullptr,
                        memory_->copy(own));
}

std::vector<float> HostProgram::read(TensorId id) {
  const Tensor& tensor = graph_.tensor(id);
  const std::byte* data = build().memory_.existing(build().own(id));
  // Of tensors that share memory the last one written is there, and its other shapes.
  TensorId held = id;
  for (const Node& node : graph_.nodes()) {
    for (const TensorId output : node.outputs) {
      if (output == kNoTensor || !memory_->shared(build().own(output), build().own(id))) continue;
      if (node.op != Op::flatten) held = output;
    }
  }
  TensorId content = id;
  for (std::optional<std::size_t> writer;; content = graph_.nodes()[*writer].inputs[0]) {
    writer = build().writer_.at(at(content));
    if (!writer || graph_.nodes()[*writer].op != Op::flatten) break;
  }
  if (data == nullptr || held != content) {
    throw std::invalid_argument("the program keeps no " + tensor.name);
  }
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  const ElementType type = stored_type(tensor, precision_);
#pragma omp parallel for schedule(static)
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(load_element(type, data, i));
  }
  return values;
}

void HostProgram::run() {
  for (const Phase phase : kPhases) run(phase);
}

void HostProgram::run(Phase phase) {
  require_team();
  for (const HostCall& call : build().calls_[static_cast<std::size_t>(phase)]) call();
}

void HostProgram::poison(Phase phase) {
  for (const Node& node : graph_.nodes()) {
    for (const TensorId output : node.outputs) {
      if (output == kNoTensor || build().phases_[at(output)] != phase) continue;
      const TensorId own = build().own(output);
      if (std::byte* data = memory_->existing(own)) {
        breakeven::poison({data, memory_->size(own)});
      }
      if (memory_->has_copy(own)) {
        const auto bytes = static_cast<std::size_t>(graph_.tensor(own).elements()) * sizeof(Bf16);
        breakeven::poison({reinterpret_cast<std::byte*>(memory_->copy(own)), bytes});
      }
    }
  }
}

void HostProgram::advance() {
  const bool exchanged = !exchanged_;
  if (!builds_[exchanged ? 1 : 0]) builds_[exchanged ? 1 : 0] = compile(exchanged);
  exchanged_ = exchanged;
  ++step_;
}

Facts HostProgram::facts() const {
  Facts facts;
  for (const auto& [name, values] : builds_[0]->facts_) {
    std::string& joined = facts[name];
    for (const std::string& value : values) joined += (joined.empty() ? "" : ", ") + value;
  }
  return facts;
}

}  // namespace breakeven::training
