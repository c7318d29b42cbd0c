#include "kernels/conv2d/cudnn_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace breakeven::conv2d {
namespace {

using enum PlanNote;
constexpr std::size_t kPlenty = std::size_t{80} << 30;
constexpr std::size_t kMebibyte = std::size_t{1} << 20;

struct FakePlan {
  std::string name;
  double seconds = 1;
  PlanNotes notes = 0;
  std::size_t workspace_bytes = 0;
  std::string build_error = {};
  std::string run_error = {};
  bool out_of_memory = false;
};

// Plans with a past: what is built, run and released.
class FakeSource final : public PlanSource {
 public:
  explicit FakeSource(std::vector<FakePlan> plans) : plans_(std::move(plans)) {}

  std::size_t size() const override { return plans_.size(); }
  std::string name(std::size_t plan) const override { return plans_.at(plan).name; }
  PlanNotes notes(std::size_t plan) const override { return plans_.at(plan).notes; }
  std::size_t build(std::size_t plan) override {
    if (!plans_.at(plan).build_error.empty()) throw std::runtime_error(plans_[plan].build_error);
    built[plan] = true;
    most_built = std::max(most_built, built.size());
    return plans_[plan].workspace_bytes;
  }
  double seconds(std::size_t plan, double best) override {
    EXPECT_TRUE(built.contains(plan)) << plan << " is timed without being built";
    bests.push_back(best);
    if (plans_[plan].out_of_memory) throw NoWorkspace("out of memory");
    if (!plans_[plan].run_error.empty()) throw std::runtime_error(plans_[plan].run_error);
    return plans_[plan].seconds;
  }
  void release(std::size_t plan) override { built.erase(plan); }

  std::map<std::size_t, bool> built;
  std::size_t most_built = 0;
  std::vector<double> bests;  // as they were handed to seconds()

 private:
  std::vector<FakePlan> plans_;
};

PlanRules rules() {
  return plan_rules(Precision::f32, Conv2dOp::forward, Algorithm::direct, kPlenty);
}

std::string refusal(std::vector<FakePlan> plans) {
  FakeSource source(std::move(plans));
  try {
    choose_plan(source, rules());
  } catch (const Unsupported& reason) {
    EXPECT_TRUE(source.built.empty());
    return reason.what();
  }
  return "chosen";
}

TEST(ChoosePlan, TheFastestIsKeptAndNoOtherStaysBuilt) {
  FakeSource source({{"a", 3}, {"b", 1, 0, 64}, {"c", 2}});
  const PlanChoice choice = choose_plan(source, rules());
  EXPECT_EQ(choice.plan, 1u);
  EXPECT_EQ(choice.seconds, 1);
  EXPECT_EQ(choice.workspace_bytes, 64u);
  EXPECT_EQ(source.built, (std::map<std::size_t, bool>{{1, true}}));
  EXPECT_EQ(source.most_built, 2u);
  EXPECT_EQ(tally_text(choice.tally), "3 offered, 3 timed");
  EXPECT_TRUE(std::isinf(source.bests.at(0)));
  EXPECT_EQ(source.bests.at(1), 3);
  EXPECT_EQ(source.bests.at(2), 1);
}

TEST(ChoosePlan, OfEqualsTheOneThatTheHeuristicsPrefer) {
  FakeSource source({{"a", 2}, {"b", 1}, {"c", 1}});
  EXPECT_EQ(choose_plan(source, rules()).plan, 1u);
}

TEST(ChoosePlan, TheSamePlanOfAnotherHeuristicIsTimedOnce) {
  FakeSource source({{"a", 2}, {"a", 1}, {"b", 3}});
  const PlanChoice choice = choose_plan(source, rules());
  EXPECT_EQ(choice.plan, 0u);
  EXPECT_EQ(source.bests.size(), 2u);
  EXPECT_EQ(tally_text(choice.tally), "3 offered, 1 repeated, 2 timed");
}

TEST(ChoosePlan, WhatCannotBeBuiltOrThrowsOrHasNoTimeIsLeftOut) {
  FakePlan unbuildable = {"a", 0.1};
  unbuildable.build_error = "needs another GPU";
  FakePlan throws = {"b", 0.1};
  throws.run_error = "launch failed";
  FakeSource source({unbuildable, throws, {"c", std::nan("")}, {"d", 5}});
  const PlanChoice choice = choose_plan(source, rules());
  EXPECT_EQ(choice.plan, 3u);
  EXPECT_EQ(tally_text(choice.tally), "4 offered, 1 can't be built, 2 failed, 1 timed");
  EXPECT_EQ(choice.tally.first_reason, "needs another GPU");
  EXPECT_EQ(source.built.size(), 1u);
}

TEST(ChoosePlan, WorkspaceOverTheLimitOrOutOfMemoryIsLeftOut) {
  FakePlan unavailable = {"b", 0.1, 0, 4096};
  unavailable.out_of_memory = true;
  FakeSource source(
      {{"a", 0.1, 0, kMostWorkspaceBytes + 1}, unavailable, {"c", 5, 0, kMostWorkspaceBytes}});
  const PlanChoice choice = choose_plan(source, rules());
  EXPECT_EQ(choice.plan, 2u);
  EXPECT_EQ(tally_text(choice.tally), "3 offered, 2 want too much workspace, 1 timed");
  EXPECT_EQ(source.bests.size(), 2u);  // the first isn't even run
}

TEST(ChoosePlan, WrongNotesAreNotEvenBuilt) {
  FakeSource source(
      {{"a", 0.1, plan_notes({tensor_core})}, {"b", 5, plan_notes({strict_nan_prop})}});
  EXPECT_EQ(choose_plan(source, rules()).plan, 1u);
  EXPECT_EQ(source.most_built, 1u);
}

TEST(ChoosePlan, NoneLeftIsOneClearLine) {
  FakePlan unbuildable = {"b"};
  unbuildable.build_error = "no kernel\n  for this filter\n";
  EXPECT_EQ(
      refusal({{"a", 1, plan_notes({winograd})}, unbuildable, {"c", 1, 0, std::size_t{1} << 40}}),
      "cuDNN has no plan for this row: 3 offered, 1 of other numerics, 1 can't be built, 1 want "
      "too much workspace; workspace limit: 512 MiB; the first reason: no kernel for this "
      "filter");
  EXPECT_EQ(refusal({}), "cuDNN has no plan for this row: 0 offered");
  FakePlan throws = {"a"};
  throws.run_error = "illegal address";
  EXPECT_EQ(
      refusal({throws}),
      "cuDNN has no plan for this row: 1 offered, 1 failed; the first reason: illegal address");
}

bool allowed(Precision precision, Conv2dOp op, std::initializer_list<PlanNote> notes,
             Algorithm algorithm = Algorithm::direct, bool repeatable = false) {
  FakeSource source({{"plan", 1, plan_notes(notes)}});
  try {
    choose_plan(source, plan_rules(precision, op, algorithm, kPlenty, repeatable));
    return true;
  } catch (const Unsupported&) {
    return false;
  }
}

TEST(PlanRules, StrictF32IsNeitherTf32NorWinograd) {
  const auto f32 = [](std::initializer_list<PlanNote> notes) {
    return allowed(Precision::f32, Conv2dOp::forward, notes);
  };
  EXPECT_TRUE(f32({}));
  EXPECT_TRUE(f32({strict_nan_prop, runtime_compilation}));
  for (const PlanNote note :
       {tensor_core, down_convert_inputs, reduced_precision_reduction, fft, winograd,
        winograd_tile_4x4, winograd_tile_6x6, winograd_tile_13x13, reordered_operands}) {
    EXPECT_FALSE(f32({note})) << notes_text(plan_notes({note}));
    EXPECT_FALSE(f32({strict_nan_prop, note})) << notes_text(plan_notes({note}));
  }
}

TEST(PlanRules, TensorCoresElsewhereButNoOtherNumerics) {
  for (const Precision precision : {Precision::f64, Precision::tf32, Precision::bf16,
                                    Precision::f16, Precision::int8, Precision::fp8}) {
    const Conv2dOp forward = Conv2dOp::forward;
    EXPECT_TRUE(allowed(precision, forward, {tensor_core})) << traits(precision).name;
    EXPECT_FALSE(allowed(precision, forward, {tensor_core, winograd})) << traits(precision).name;
    EXPECT_FALSE(allowed(precision, forward, {fft})) << traits(precision).name;
    EXPECT_FALSE(allowed(precision, forward, {tensor_core, down_convert_inputs}));
    EXPECT_EQ(allowed(precision, forward, {tensor_core, reduced_precision_reduction}),
              precision == Precision::fp8);
  }
  // Reordered filters are another layout than the row's.
  EXPECT_FALSE(allowed(Precision::int8, Conv2dOp::forward, {tensor_core, reordered_operands}));
}

TEST(PlanRules, GradientsRepeat) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    EXPECT_TRUE(allowed(precision, Conv2dOp::forward, {nondeterministic}));
    EXPECT_TRUE(allowed(precision, Conv2dOp::bias_relu, {nondeterministic}));
    EXPECT_FALSE(allowed(precision, Conv2dOp::backward_data, {nondeterministic}));
    EXPECT_FALSE(allowed(precision, Conv2dOp::backward_weights, {nondeterministic}));
  }
}

TEST(PlanRules, EverythingRepeatsWhereThatIsAsked) {
  const auto repeatable = [](Conv2dOp op, std::initializer_list<PlanNote> notes) {
    return allowed(Precision::bf16, op, notes, Algorithm::direct, true);
  };
  for (const Conv2dOp op : {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                            Conv2dOp::backward_weights}) {
    EXPECT_FALSE(repeatable(op, {nondeterministic}));
    EXPECT_TRUE(repeatable(op, {tensor_core}));
  }
}

TEST(PlanRules, WinogradUnderItsOwnNameIsNothingElse) {
  const auto plan = [](std::initializer_list<PlanNote> notes) {
    return allowed(Precision::f32, Conv2dOp::forward, notes, Algorithm::winograd);
  };
  EXPECT_TRUE(plan({winograd}));
  EXPECT_TRUE(plan({winograd_tile_6x6}));
  EXPECT_FALSE(plan({}));
  EXPECT_FALSE(plan({fft}));
  EXPECT_FALSE(plan({winograd, tensor_core}));
}

TEST(PlanRules, TheWorkspaceLimitIsStatedAndFitsTheDevice) {
  const auto limit = [](std::size_t free_bytes) {
    return plan_rules(Precision::f32, Conv2dOp::forward, Algorithm::direct, free_bytes)
        .most_workspace_bytes;
  };
  EXPECT_EQ(limit(kPlenty), 512 * kMebibyte);
  EXPECT_EQ(limit(kReservedBytes + 100 * kMebibyte), 100 * kMebibyte);
  EXPECT_EQ(limit(kReservedBytes), 0u);
  EXPECT_EQ(limit(0), 0u);
}

TEST(Unsupported, OldGpusLackPrecisions) {
  EXPECT_EQ(unsupported_precision(Precision::f32, 70), "");
  EXPECT_EQ(unsupported_precision(Precision::bf16, 75),
            "bf16 needs compute capability 8.0 or newer");
  EXPECT_EQ(unsupported_precision(Precision::tf32, 80), "");
  EXPECT_NE(unsupported_precision(Precision::tf32, 75), "");
  EXPECT_NE(unsupported_precision(Precision::fp8, 86), "");
  EXPECT_EQ(unsupported_precision(Precision::fp8, 89), "");
}

TEST(Text, NotesAndReasonsInOneLine) {
  EXPECT_EQ(notes_text(0), "none");
  EXPECT_EQ(notes_text(plan_notes({winograd, tensor_core})), "tensor_core winograd");
  EXPECT_EQ(one_line("  a\n\n b\t\tc \n"), "a b c");
  EXPECT_EQ(one_line(""), "");
  EXPECT_EQ(one_line(std::string(1000, 'x')).size(), 240u);
  EXPECT_EQ(one_line(std::string(240, 'x')), std::string(240, 'x'));
  EXPECT_EQ(refusal_text("No valid engine configs for _\n{\"engineId\":1}\nWarning: NOT_SUPPORTED; "
                         "Reason: type\nWarning: other\n"),
            "No valid engine configs for _ NOT_SUPPORTED; Reason: type");
  EXPECT_EQ(refusal_text("Conv strides not set.\n"), "Conv strides not set.");
}

}  // namespace
}  // namespace breakeven::conv2d
