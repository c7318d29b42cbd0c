#include "reference/training/training_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "reference/compare.h"
#include "reference/training/interpreter.h"

namespace breakeven {
namespace {

// The differences of two answers over one part.
Spread difference(const AnswerPart& part, const std::vector<double>& a,
                  const std::vector<double>& b) {
  Spread spread;
  double common = 0;
  double own = 0;
  for (std::int64_t i = part.first; i < part.first + part.count; ++i) {
    // Infinite where it is no number, so that it can't be lost in a maximum.
    const double off = scaled_error(b[i], a[i], 1);
    spread.root_mean_square += off * off / static_cast<double>(part.count);
    spread.largest = std::max(spread.largest, off);
    common += (b[i] - a[i]) * a[i];
    own += a[i] * a[i];
  }
  spread.root_mean_square = std::sqrt(spread.root_mean_square);
  if (own > 0) spread.gain = std::fabs(common) / own;
  return spread;
}

// What errors of this size have along the tensor where they know nothing of it.
double chance_gain(const AnswerPart& part, const std::vector<double>& exact,
                   double root_mean_square) {
  double squares = 0;
  for (std::int64_t i = part.first; i < part.first + part.count; ++i)
    squares += exact[i] * exact[i];
  return squares == 0 ? 0 : root_mean_square / std::sqrt(squares);
}

bool is_sampled(const TrainingStep& step) {
  const std::vector<AnswerPart>& parts = step.answer_parts();
  return std::any_of(parts.begin(), parts.end(),
                     [](const AnswerPart& part) { return part.count < part.whole; });
}

double coarsest_roundoff(const PrecisionTraits& types) {
  return std::max({types.accumulate_roundoff, types.output_roundoff, types.multiply_roundoff});
}

// What storing a part's values in its own type does at least.
double storing(const TrainingStep& step, Precision precision, const AnswerPart& part,
               const std::vector<double>& values) {
  double squares = 0;
  for (std::int64_t i = part.first; i < part.first + part.count; ++i) {
    squares += values[i] * values[i];
  }
  // One number, the loss, may by chance hardly move: it gets the precision's own roundoff.
  const PrecisionTraits& types = traits(precision);
  const Tensor& tensor = step.model.graph.tensor(part.tensor);
  double roundoff = types.accumulate_roundoff;
  if (tensor.kind == TensorKind::loss || tensor.storage == Storage::working) {
    roundoff = coarsest_roundoff(types);
  }
  return roundoff * std::sqrt(squares / static_cast<double>(part.count));
}

}  // namespace

std::vector<double> starting_values(const TrainingStep& step, TensorId id, Precision precision) {
  const Tensor& tensor = step.model.graph.tensor(id);
  ElementType type = stored_type(tensor, precision);
  // Parameters equal their working copies, which then needn't be told apart here.
  if (tensor.kind == TensorKind::parameter) type = traits(precision).input;
  return initial_values(step.model.graph, id, type);
}

std::vector<double> interpreted_answer(const TrainingStep& step, Precision precision,
                                       std::uint64_t seed, const NodeRunner& runner,
                                       double roundings) {
  const Graph& graph = step.model.graph;
  std::vector<double> answer(static_cast<std::size_t>(step.output(precision).elements));
  std::vector<const AnswerPart*> part_of(graph.tensors().size(), nullptr);
  for (const AnswerPart& part : step.answer_parts()) {
    part_of[static_cast<std::size_t>(part.tensor)] = &part;
  }
  const Observer move = seed == 0 ? Observer{} : perturbation(graph, precision, seed, roundings);
  Interpreter interpreter(graph);
  interpreter.release_early(true);
  interpreter.run_with(runner);
  interpreter.fill_with([&](TensorId id) { return starting_values(step, id, precision); });
  interpreter.observe([&](TensorId id, std::vector<double>& values) {
    if (move) move(id, values);
    const AnswerPart* part = part_of[static_cast<std::size_t>(id)];
    if (part == nullptr) return;
    for (std::int64_t i = 0; i < part->count; ++i) {
      answer[part->first + i] = values[part->element(i)];
    }
  });
  interpreter.run();
  return answer;
}

ExpectedAnswer expected_answer(const TrainingStep& step, Precision precision) {
  ExpectedAnswer expected;
  expected.values = interpreted_answer(step, precision, 0);
  const std::vector<AnswerPart>& parts = step.answer_parts();
  const double least_gain = coarsest_roundoff(traits(precision));
  for (const AnswerPart& part : parts) {
    const double least = storing(step, precision, part, expected.values);
    expected.spreads.push_back({least, least, least_gain});
  }
  const bool small = static_cast<std::int64_t>(expected.values.size()) <= kSmallAnswer;
  expected.runs = small ? kMoreRuns : kPerturbedRuns;
  for (int run = 1; run <= expected.runs; ++run) {
    const std::vector<double> moved =
        interpreted_answer(step, precision, static_cast<std::uint64_t>(run), run_node, kSpreads);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Spread spread = difference(parts[i], expected.values, moved);
      Spread& most = expected.spreads[i];
      most.root_mean_square = std::max(most.root_mean_square, spread.root_mean_square / kSpreads);
      most.largest = std::max(most.largest, spread.largest / kSpreads);
      most.gain = std::max(most.gain, spread.gain / kSpreads);
    }
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Spread& spread = expected.spreads[i];
    const double chance = chance_gain(parts[i], expected.values, spread.root_mean_square);
    spread.gain = std::max(spread.gain, chance);
  }
  return expected;
}

Check judge_answer(const TrainingStep& step, Precision precision, const ExpectedAnswer& expected,
                   std::span<const std::byte> answer) {
  const Operand output = step.output(precision);
  if (answer.size() != output.bytes()) {
    throw std::invalid_argument(fmt::format("{}/{}: the answer has {} bytes, not {}", step.op(),
                                            step.shape(), output.bytes(), answer.size()));
  }
  std::vector<double> got(static_cast<std::size_t>(output.elements));
  for (std::size_t i = 0; i < got.size(); ++i) got[i] = load_element(output.type, answer.data(), i);

  const bool nothing = std::all_of(expected.values.begin(), expected.values.end(),
                                   [](double value) { return value == 0; });
  const std::vector<AnswerPart>& parts = step.answer_parts();
  const std::string method = fmt::format("{} fp64, spread of {} perturbed runs",
                                         is_sampled(step) ? "samples" : "full", expected.runs);
  if (nothing) {
    return {std::numeric_limits<double>::infinity(), kSpreads,
            method + ": the expected answer is all zeros"};
  }
  double worst = 0;
  std::string where;
  for (std::size_t i = 0; i < expected.spreads.size(); ++i) {
    const AnswerPart& part = parts[i];
    const Spread& spread = expected.spreads[i];
    const Spread off = difference(part, expected.values, got);
    const double error = std::max({scaled_error(off.root_mean_square, 0, spread.root_mean_square),
                                   scaled_error(off.largest, 0, 2 * spread.largest),
                                   scaled_error(off.gain, 0, 2 * spread.gain)});
    if (error <= worst) continue;
    worst = error;
    where = fmt::format("{} is off by {:.3g} (root mean square; worst {:.3g}; gain {:.2g})",
                        step.model.graph.tensor(part.tensor).name, off.root_mean_square,
                        off.largest, off.gain);
  }
  if (worst <= kSpreads) return {worst, kSpreads, method};
  return {worst, kSpreads, method + ": " + where};
}

std::size_t expected_answer_bytes(const TrainingStep& step) {
  std::int64_t elements = 0;
  std::int64_t largest = 0;
  for (const Tensor& tensor : step.model.graph.tensors()) {
    // States and updates are there one parameter at a time.
    largest = std::max(largest, tensor.elements());
    const bool passing = tensor.kind == TensorKind::state || tensor.kind == TensorKind::updated;
    if (!passing) elements += tensor.elements();
  }
  const std::int64_t answers =
      3 * (step.answer_parts().back().first + step.answer_parts().back().count);
  constexpr std::int64_t kPassing = 8;  // states, updates and the perturbation's shares
  return static_cast<std::size_t>(elements + kPassing * largest + answers) * sizeof(double);
}

}  // namespace breakeven
