// How a step's answer is judged. No bound is known beforehand for what a roundoff in one layer does
// to a gradient many layers away, so it is measured: the fp64 interpreter runs once as it is and
// kPerturbedRuns (of a small model kMoreRuns: its tensors of few elements hang on single kinks of
// ReLU) times with every value that a node writes moved by kSpreads times what the precision's
// roundings do (perturbation() in reference/training/interpreter.h). How far these runs are from
// the exact one, over kSpreads, is the tensor's spread. An answer may be off by kSpreads of it, in
// the root mean square over the tensor's elements, and by twice that in its worst element and in
// its gain, the part of its error that is a multiple of the tensor itself, as a forgotten factor's
// is. A gain's spread is at least what errors have that know nothing of the tensor, and the
// precision's coarsest roundoff, since values that are nearly equal are all rounded in one
// direction, which no random move shows. Runs are moved that far, rather than their spread
// multiplied, since a value that crosses a kink of ReLU or max pooling changes a gradient by as
// much however small the roundoff: it must have been seen.
//
// kSpreads and the factor 2 are chosen, not derived: right answers of random roundings reach 2.8,
// because of kinks that no perturbed run had crossed, and a single number is more scattered than a
// mean. In bf16, where the check forgives most, the errors of planted faults are: filters'
// gradients times 1.2, 10 for lenet at 64 images and 14 for resnet18 at 8; in gpt at 8 x 128
// tokens, queries' gradients forgotten 66, times 1.5 115, values' times 1.2 11. Of short sequences
// and few channels it sees less: training_step_test.cpp says what it plants.
//
// What an error of one element in a large tensor must be to show follows: about the largest that
// the perturbed runs have. A sampled answer shows faults that reach a share f of a tensor's
// elements with probability 1 - (1 - f)^4096.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "reference/training/interpreter.h"
#include "reference/training/training_step.h"

namespace breakeven {

inline constexpr int kPerturbedRuns = 3;
inline constexpr int kMoreRuns = 9;                    ///< of small models
inline constexpr std::int64_t kSmallAnswer = 1 << 20;  ///< elements; what a small model's has
inline constexpr double kSpreads = 4;

/// How far perturbed runs are from the exact one, over the elements of one part of the answer.
struct Spread {
  double root_mean_square = 0;
  double largest = 0;
  double gain = 0;  ///< |<moved - exact, exact>| / <exact, exact>; 0 where the exact part is zeros
};

struct ExpectedAnswer {
  std::vector<double> values;   ///< as AnswerPart says
  std::vector<Spread> spreads;  ///< by part
  int runs = 0;                 ///< perturbed ones
};

/// A source's values as fill_input() stores them.
std::vector<double> starting_values(const TrainingStep& step, TensorId id, Precision precision);

/// Takes these runs and the exact one of the interpreter: minutes for a large model.
ExpectedAnswer expected_answer(const TrainingStep& step, Precision precision);

/// The interpreter's answer, with values moved by `roundings` times `seed`'s perturbation unless
/// the seed is 0.
std::vector<double> interpreted_answer(const TrainingStep& step, Precision precision,
                                       std::uint64_t seed, const NodeRunner& runner = run_node,
                                       double roundings = 1);

/// The error is the worst part's, in spreads. Throws std::invalid_argument where the answer hasn't
/// the size of the workload's output.
Check judge_answer(const TrainingStep& step, Precision precision, const ExpectedAnswer& expected,
                   std::span<const std::byte> answer);

/// An upper bound of what expected_answer() holds.
std::size_t expected_answer_bytes(const TrainingStep& step);

}  // namespace breakeven
