#include "reference/training/convergence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "reference/compare.h"

namespace breakeven {
namespace {

constexpr std::size_t kSteps = static_cast<std::size_t>(kCurveSteps);  // place in an answer
constexpr std::size_t kMetric = kSteps + 1;

// The answer's numbers are f32, whatever the precision.
constexpr double kStoredRoundoff = 0x1p-24;

}  // namespace

double Target::value(Metric metric) const {
  if (reached.empty()) throw std::logic_error("no target is recorded; see record_targets.cpp");
  return metric == Metric::accuracy ? *std::min_element(reached.begin(), reached.end()) - margin
                                    : *std::max_element(reached.begin(), reached.end()) + margin;
}

ExpectedCurve expected_curve(const ModelSize& size, const Dataset& data, Precision precision,
                             std::int64_t steps) {
  const auto losses = [&](std::uint64_t perturbed) {
    InterpreterLearner learner(size, data.test_size(), precision, perturbed);
    std::vector<double> curve;
    learner.start(kSeed);
    for (std::int64_t step = 0; step < steps; ++step) {
      curve.push_back(learner.step(data.batch(step, kSeed)));
    }
    return curve;
  };
  const auto must_be_finite = [](double loss, std::size_t step) {
    if (std::isfinite(loss)) return;
    throw std::domain_error(
        fmt::format("the reference diverges: its loss after {} steps is {}; take a smaller rate or "
                    "fewer steps",
                    step, loss));
  };
  ExpectedCurve expected{losses(0), {}};
  for (const double loss : expected.losses) {
    must_be_finite(loss, expected.spreads.size());
    expected.spreads.push_back(kStoredRoundoff * std::fabs(loss));
  }
  for (int run = 1; run <= kCurveRuns; ++run) {
    const std::vector<double> moved = losses(static_cast<std::uint64_t>(run));
    double most = 0;
    for (std::size_t step = 0; step < moved.size(); ++step) {
      must_be_finite(moved[step], step);
      most = std::max(most, std::fabs(moved[step] - expected.losses[step]));
      expected.spreads[step] = std::max(expected.spreads[step], most);
    }
  }
  return expected;
}

Convergence::Convergence(std::string shape, const ModelSize& size_, std::optional<Target> target,
                         std::shared_ptr<const Dataset> data)
    : Workload("convergence_" + model_name(size_), std::move(shape)),
      size(size_),
      target_(std::move(target)),
      data_(std::move(data)) {
  if (target_ && 2 * target_->steps < kCurveSteps) {
    throw std::invalid_argument(fmt::format(
        "{}/{}: a target after {} steps gives a row {} of them, and its curve has {}; "
        "record it for {} at least",
        op(), this->shape(), target_->steps, 2 * target_->steps, kCurveSteps, kCurveSteps / 2));
  }
}

const Dataset& Convergence::data() const {
  const std::lock_guard lock(mutex_);
  if (data_ == nullptr) data_ = dataset_for(size);
  const std::string found = data_->description();
  if (target_ && !target_->data.empty() && target_->data != found) {
    throw DataMissing(
        fmt::format("targets.json is of other data ({}) than what is here ({}): install the data "
                    "that it names, or record targets anew (reference/training/record_targets.cpp)",
                    target_->data, found));
  }
  return *data_;
}

std::string Convergence::missing() const {
  const std::lock_guard lock(mutex_);
  return data_ != nullptr ? "" : data_missing(size);
}

Goal Convergence::goal() const {
  if (!target_) return {};
  return {.most_steps = 2 * target_->steps,
          .evaluate_every = target_->evaluate_every,
          .target = target_->value(data().metric()),
          .to_target = true};
}

std::vector<std::pair<std::string, std::int64_t>> Convergence::dimensions() const {
  return {{"items_per_step", samples_per_step(size)},
          {"most_steps", target_ ? 2 * target_->steps : kCurveSteps}};
}

Operand Convergence::output(Precision) const {
  return {"curve", ElementType::f32, static_cast<std::int64_t>(kMetric + 1)};
}

void Convergence::fill_input(std::size_t, Precision, std::span<std::byte>) const {
  throw std::logic_error(op() + " has no operands; it takes its data batch by batch");
}

void Convergence::write_answer(const TrainingRun& run, std::span<std::byte> out) const {
  if (out.size() != output(Precision::f32).bytes()) {
    throw std::invalid_argument(fmt::format("{}/{}: the answer has {} bytes, the buffer {}", op(),
                                            shape(), output(Precision::f32).bytes(), out.size()));
  }
  for (std::size_t i = 0; i < kSteps; ++i) {
    store_element(ElementType::f32, out.data(), i, run.losses.at(i));
  }
  store_element(ElementType::f32, out.data(), kSteps, static_cast<double>(run.steps_to_target));
  store_element(ElementType::f32, out.data(), kMetric, run.metric);
}

const ExpectedCurve& Convergence::expected(Precision precision) const {
  const Dataset& examples = data();
  const std::lock_guard lock(mutex_);
  const auto found = expected_.find(precision);
  if (found != expected_.end()) return found->second;
  return expected_.emplace(precision, expected_curve(size, examples, precision, kCurveSteps))
      .first->second;
}

Check Convergence::check(Precision precision, std::span<const std::byte> answer) const {
  if (answer.size() != output(precision).bytes()) {
    throw std::invalid_argument(fmt::format("{}/{}: the answer has {} bytes, not {}", op(), shape(),
                                            answer.size(), output(precision).bytes()));
  }
  const ExpectedCurve& curve = expected(precision);
  Check check{0, kCurveSpreads,
              fmt::format("{} losses, spread of {} perturbed fp64 runs", kCurveSteps, kCurveRuns)};
  std::string where;
  // A row that runs the reference itself is here compared with itself: of its losses that says
  // nothing but that they can be repeated.
  for (std::size_t i = 0; i < kSteps; ++i) {
    const double loss = load_element(ElementType::f32, answer.data(), i);
    const double error = scaled_error(loss, curve.losses[i], curve.spreads[i]);
    if (error <= check.error) continue;
    check.error = error;
    where = fmt::format(": after {} steps the loss is {:.6g}, not {:.6g} within {:.2g}", i, loss,
                        curve.losses[i], kCurveSpreads * curve.spreads[i]);
  }
  if (!check.ok()) {
    check.method += where;
    return check;
  }
  const double steps = load_element(ElementType::f32, answer.data(), kSteps);
  const double metric = load_element(ElementType::f32, answer.data(), kMetric);
  const Goal wanted = goal();
  const Metric kind = data().metric();
  // f32 rounds what was compared in f64.
  const double slack = kind == Metric::accuracy ? -1e-6 : 1e-6;
  const bool reached =
      !wanted.to_target || (steps >= 1 && steps <= static_cast<double>(wanted.most_steps) &&
                            reaches(kind, metric, wanted.target * (1 + slack)));
  if (reached && std::isfinite(metric)) return check;
  constexpr double kMissed = 1e9;  // finite, since it is no matter of the answer's numbers
  check.error = kMissed;
  check.method +=
      fmt::format(": {} {:.4g} after {} steps, the target is {:.4g}", metric_name(kind), metric,
                  steps >= 1 ? static_cast<std::int64_t>(steps) : wanted.most_steps, wanted.target);
  return check;
}

}  // namespace breakeven
