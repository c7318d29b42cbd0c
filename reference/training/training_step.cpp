#include "reference/training/training_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <stdexcept>

#include "reference/random.h"
#include "reference/training/interpreter.h"
#include "reference/training/kept_answer.h"
#include "reference/training/training_check.h"

namespace breakeven {
namespace {

constexpr std::uint32_t kSampleStream = 0x40000;

std::vector<TensorId> tensors_of(const Graph& graph, TensorKind kind) {
  std::vector<TensorId> ids;
  for (TensorId id = 0; id < static_cast<TensorId>(graph.tensors().size()); ++id) {
    if (graph.tensor(id).kind == kind) ids.push_back(id);
  }
  return ids;
}

// States of about the size that they have in training: of second moments that of squared gradients,
// which must be positive.
void fill_states(Graph& graph) {
  for (const TensorId id : tensors_of(graph, TensorKind::state)) {
    const double offset = graph.tensor(id).fill.offset;
    graph.set_fill(id, {.scale = offset == 0 ? 1e-3 : 0.1, .offset = offset});
  }
  for (const Node& node : graph.nodes()) {
    if (node.op == Op::adamw) graph.set_fill(node.inputs[3], {.scale = 0.9e-6, .offset = 1e-6});
  }
}

Purpose purpose_of(StepPart part) {
  return part == StepPart::inference ? Purpose::inference : Purpose::training;
}

// Queries and keys of about 2, and scores of about 4. Those that training starts from are so small
// that attention is nearly uniform, and its gradients by queries and keys are then lost in bf16's
// roundings.
void fill_attention(Graph& graph) {
  for (const TensorId id : tensors_of(graph, TensorKind::parameter)) {
    const Tensor& tensor = graph.tensor(id);
    if (!tensor.name.ends_with(".attn.c_attn.weight")) continue;
    graph.set_fill(id, {.scale = 3.4 / std::sqrt(static_cast<double>(tensor.shape[1]))});
  }
}

Model build_step(const ModelSize& size, Purpose purpose) {
  Model model = build_model(size, purpose);
  fill_states(model.graph);
  fill_attention(model.graph);
  return model;
}

std::vector<TensorId> answered(const Model& model, Purpose purpose) {
  if (purpose == Purpose::inference) return {model.logits};
  std::vector<TensorId> ids = {model.loss, model.graph.gradient(model.logits)};
  for (const TensorId id : tensors_of(model.graph, TensorKind::parameter)) {
    ids.push_back(model.graph.gradient(id));
  }
  for (const TensorId id : tensors_of(model.graph, TensorKind::updated)) ids.push_back(id);
  return ids;
}

std::vector<AnswerPart> lay_out(const Model& model, Purpose purpose) {
  const std::vector<TensorId> ids = answered(model, purpose);
  std::int64_t all = 0;
  for (const TensorId id : ids) all += model.graph.tensor(id).elements();
  std::vector<AnswerPart> parts;
  std::int64_t first = 0;
  for (const TensorId id : ids) {
    const std::int64_t whole = model.graph.tensor(id).elements();
    const std::int64_t count = all <= kWholeAnswer ? whole : std::min(whole, kSamples);
    parts.push_back({id, first, count, whole});
    first += count;
  }
  return parts;
}

double stored_bytes(const Tensor& tensor, Precision precision) {
  return static_cast<double>(tensor.elements()) *
         static_cast<double>(element_bytes(stored_type(tensor, precision)));
}

// What passes a phase's borders, each tensor once.
double phase_bytes(const Model& model, const std::vector<AnswerPart>& parts, Phase phase,
                   Precision precision) {
  enum : unsigned { kRead = 1, kWritten = 2, kWanted = 4 };
  std::vector<unsigned> seen(model.graph.tensors().size(), 0);
  const auto mark = [&](const std::vector<TensorId>& ids, unsigned what) {
    for (const TensorId id : ids) {
      if (id != kNoTensor) seen[static_cast<std::size_t>(id)] |= what;
    }
  };
  for (const Node& node : model.graph.nodes()) {
    mark(node.inputs, node.phase == phase ? kRead : kWanted);
    if (node.phase == phase) mark(node.outputs, kWritten);
  }
  for (const AnswerPart& part : parts) mark({part.tensor}, kWanted);
  double bytes = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const bool passes =
        (seen[i] & kWritten) != 0 ? (seen[i] & kWanted) != 0 : (seen[i] & kRead) != 0;
    if (passes) bytes += stored_bytes(model.graph.tensors()[i], precision);
  }
  return bytes;
}

using Dimensions = std::vector<std::pair<std::string, std::int64_t>>;

Dimensions dimensions_of(const Mlp& size) {
  Dimensions dimensions = {{"n", size.batch}, {"in", size.widths.front()}};
  for (std::size_t i = 1; i + 1 < size.widths.size(); ++i) {
    dimensions.emplace_back(fmt::format("hidden{}", i), size.widths[i]);
  }
  dimensions.emplace_back("classes", size.widths.back());
  return dimensions;
}

Dimensions dimensions_of(const Lenet& size) {
  return {{"n", size.batch}, {"side", size.side}, {"classes", size.classes}};
}

Dimensions dimensions_of(const Resnet& size) {
  return {{"n", size.batch},
          {"side", size.side},
          {"classes", size.classes},
          {"stages", static_cast<std::int64_t>(size.blocks.size())},
          {"width", size.width}};
}

Dimensions dimensions_of(const Gpt& size) {
  return {{"n", size.batch},     {"steps", size.steps}, {"layers", size.layers},
          {"width", size.width}, {"heads", size.heads}, {"vocabulary", size.vocabulary}};
}

}  // namespace

std::int64_t AnswerPart::element(std::int64_t i) const {
  if (count == whole || i == 0) return i;
  if (i == count - 1) return whole - 1;
  // One from each of `count` equal pieces, so that every region of the tensor is seen.
  const std::int64_t low = i * whole / count;
  const std::int64_t high = (i + 1) * whole / count;
  std::array<std::uint32_t, 1> word;
  random_words({.operand = kSampleStream + static_cast<std::uint32_t>(tensor)},
               static_cast<std::uint64_t>(i), word);
  return low + static_cast<std::int64_t>(word[0]) % (high - low);
}

ElementType stored_type(const Tensor& tensor, Precision precision) {
  switch (precision) {
    case Precision::f64:
    case Precision::f32:
    case Precision::tf32:
    case Precision::bf16:
      break;
    default:
      throw std::invalid_argument(
          fmt::format("models have no precision {}; f64, f32, tf32 and bf16 they have",
                      traits(precision).name));
  }
  if (tensor.storage == Storage::index) return ElementType::s32;
  if (precision == Precision::f64) return ElementType::f64;
  return tensor.storage == Storage::full ? ElementType::f32 : traits(precision).input;
}

std::string part_name(StepPart part) {
  switch (part) {
    case StepPart::step:
      return "training_step";
    case StepPart::forward:
      return "training_forward";
    case StepPart::backward:
      return "training_backward";
    case StepPart::update:
      return "training_update";
    case StepPart::inference:
      return "inference";
  }
  throw std::invalid_argument("no such part of a training step");
}

std::optional<Phase> phase_of(StepPart part) {
  switch (part) {
    case StepPart::forward:
      return Phase::forward;
    case StepPart::backward:
      return Phase::backward;
    case StepPart::update:
      return Phase::update;
    default:
      return std::nullopt;
  }
}

struct TrainingStep::Shared {
  Shared(const ModelSize& size, Purpose purpose)
      : model(build_step(size, purpose)), parts(lay_out(model, purpose)) {
    for (TensorId id = 0; id < static_cast<TensorId>(model.graph.tensors().size()); ++id) {
      if (from_outside(model.graph.tensor(id).kind)) sources.push_back(id);
    }
  }

  const Model model;
  const std::vector<AnswerPart> parts;
  std::vector<TensorId> sources;
  // Taken once for all parts and implementations that a process checks.
  std::mutex mutex;
  std::map<Precision, std::shared_ptr<const ExpectedAnswer>> expected;
};

TrainingStep::TrainingStep(std::shared_ptr<Shared> shared, std::string shape,
                           const ModelSize& size_, StepPart part_)
    : Workload(part_name(part_) + "_" + model_name(size_), std::move(shape)),
      size(size_),
      part(part_),
      purpose(purpose_of(part_)),
      model(shared->model),
      shared_(std::move(shared)) {}

TrainingStep::TrainingStep(std::string shape, const ModelSize& size_, StepPart part_)
    : TrainingStep(std::make_shared<Shared>(size_, purpose_of(part_)), std::move(shape), size_,
                   part_) {}

TrainingStep::TrainingStep(const TrainingStep& step, StepPart part_)
    : TrainingStep(step.shared_, step.shape(), step.size, part_) {
  if (step.purpose != purpose) {
    throw std::invalid_argument(
        fmt::format("{}/{}: inference shares no graph with training", op(), shape()));
  }
}

TrainingStep::~TrainingStep() = default;

TensorId TrainingStep::source(std::size_t index) const { return shared_->sources.at(index); }

const std::vector<AnswerPart>& TrainingStep::answer_parts() const { return shared_->parts; }

Dimensions TrainingStep::dimensions() const {
  return std::visit([](const auto& own) { return dimensions_of(own); }, size);
}

Cost TrainingStep::cost(Precision precision) const {
  if (const std::optional<Phase> phase = phase_of(part)) {
    double flops = 0;
    for (const Node& node : model.graph.nodes()) {
      if (node.phase == *phase) flops += node_flops(model.graph, node);
    }
    return {flops, phase_bytes(model, shared_->parts, *phase, precision)};
  }
  double bytes = 0;
  for (const Operand& input : inputs(precision)) bytes += static_cast<double>(input.bytes());
  std::vector<TensorId> written = tensors_of(model.graph, TensorKind::updated);
  if (purpose == Purpose::inference) written = {model.logits};
  for (const TensorId id : written) bytes += stored_bytes(model.graph.tensor(id), precision);
  return {model_flops(model.graph), bytes};
}

Items TrainingStep::items() const {
  if (part == StepPart::update) return {};
  const bool tokens = std::holds_alternative<Gpt>(size);
  return {static_cast<double>(samples_per_step(size)), tokens ? "tokens" : "samples"};
}

std::vector<Operand> TrainingStep::inputs(Precision precision) const {
  std::vector<Operand> operands;
  for (const TensorId id : shared_->sources) {
    const Tensor& tensor = model.graph.tensor(id);
    operands.push_back({tensor.name, stored_type(tensor, precision), tensor.elements()});
  }
  return operands;
}

Operand TrainingStep::output(Precision precision) const {
  const std::vector<AnswerPart>& parts = answer_parts();
  const Tensor full{
      "answer", TensorKind::loss, Storage::full, {parts.back().first + parts.back().count}};
  return {full.name, stored_type(full, precision), full.elements()};
}

void TrainingStep::fill_input(std::size_t index, Precision precision,
                              std::span<std::byte> out) const {
  const TensorId id = source(index);
  const Tensor& tensor = model.graph.tensor(id);
  const ElementType type = stored_type(tensor, precision);
  const std::vector<double> values = starting_values(*this, id, precision);
  if (out.size() != values.size() * element_bytes(type)) {
    throw std::invalid_argument(fmt::format("{}/{}: {} has {} bytes, the buffer {}", op(), shape(),
                                            tensor.name, values.size() * element_bytes(type),
                                            out.size()));
  }
#pragma omp parallel for schedule(static)
  for (std::size_t i = 0; i < values.size(); ++i) store_element(type, out.data(), i, values[i]);
}

void TrainingStep::write_answer(Precision precision, std::span<std::byte> out,
                                const std::function<double(TensorId, std::int64_t)>& value) const {
  const Operand answer = output(precision);
  if (out.size() != answer.bytes()) {
    throw std::invalid_argument(fmt::format("{}/{}: the answer has {} bytes, the buffer {}", op(),
                                            shape(), answer.bytes(), out.size()));
  }
  for (const AnswerPart& each : answer_parts()) {
    for (std::int64_t i = 0; i < each.count; ++i) {
      store_element(answer.type, out.data(), static_cast<std::size_t>(each.first + i),
                    value(each.tensor, each.element(i)));
    }
  }
}

Check TrainingStep::check(Precision precision, std::span<const std::byte> answer) const {
  std::shared_ptr<const ExpectedAnswer> expected;
  {
    const std::lock_guard lock(shared_->mutex);
    std::shared_ptr<const ExpectedAnswer>& kept = shared_->expected[precision];
    if (kept == nullptr) {
      kept = std::make_shared<const ExpectedAnswer>(kept_answer(*this, precision));
    }
    expected = kept;
  }
  return judge_answer(*this, precision, *expected, answer);
}

std::size_t TrainingStep::check_bytes(Precision) const { return expected_answer_bytes(*this); }

}  // namespace breakeven
