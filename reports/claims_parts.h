// What the judges of claims share.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reports/claims.h"

namespace breakeven {

/// What a ratio says against a limit; undecided without an interval, or where it holds the limit.
enum class Side { above, below, undecided };
Side side_of(const Estimate& ratio, double limit = 1);

/// Ratios along a sweep: place (size, flops, batch) and ratio, above 1 where the claim is right.
struct Sweep {
  struct Point {
    double place;
    Estimate ratio;
  };
  std::vector<Point> points;

  void add(double place, const Estimate& ratio) { points.push_back({place, ratio}); }
  int count(Side side) const;
  /// The smallest place from which on every point is surely above 1; absent where the last isn't.
  std::optional<double> from() const;
};

/// Whether figures carry a claim together: none against it, and more for it than undecided ones.
bool carries(int above, int below, int undecided);

/// What a sweep rules. All points surely above 1: holds. From some place on: holds from there,
/// which `place_text` puts into words. Some undecided, none below, and more above than undecided:
/// holds. None decided, or too few: not measured. Else: does not hold.
void rule(Judgement& judgement, const Sweep& sweep, std::string (*place_text)(double));

/// "12 of 14 for certain, 1 the other way, 1 can't tell".
std::string counts_text(const Sweep& sweep);

/// "size 512", "2.1 GFLOP a call".
std::string size_place(double size);
std::string flops_place(double flops);

/// "; " between parts.
std::string joined_parts(const std::vector<std::string>& parts);

/// "matmul square_512 f32", with its mode.
std::string pair_name(const Pair& pair);

/// The rows of one run as those of a figure.
Evidence evidence(const Run& run, std::string text, const std::vector<const Case*>& rows);

/// Pairs with a tuned CPU row: a win over the naive loop alone supports no claim.
struct RivalPairs {
  std::vector<const Pair*> pairs;
  int left_out = 0;

  /// " 2 pairs have the naive loop as their only CPU row and decide nothing."; "" without such.
  std::string left_out_text() const;
};

/// Of the operations that begin with `op`.
RivalPairs rival_pairs(const Run& run, std::string_view op = "");

/// A pair's speedup, and with transfers where they were measured.
Evidence pair_evidence(const Run& run, const Pair& pair);

/// The lowest and the highest ratio of some pairs, in words and first in the evidence, then all.
void add_pairs(Judgement& judgement, const Run& run, const std::vector<const Pair*>& pairs);

/// Not measured, for want of GPU rows or of pairs: says which, then `cpu_alone`, which may be
/// empty, as what these rows say of the CPU alone. Evidence of that may stand in the judgement
/// already.
Judgement no_gpu(const Run& run, const std::string& cpu_alone,
                 const std::vector<Evidence>& evidence = {});

}  // namespace breakeven
