// Which rung of the ladders a call takes: what a tuner measured on this GPU, else what models
// expect.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/matmul/gemm.h"
#include "reference/matmul.h"

namespace breakeven::matmul {

/// One measured answer: the fastest rung for this product on this GPU.
struct TunedChoice {
  int compute_capability;
  int sms;
  Precision precision;
  GemmShape shape;
  std::string_view rung;
  std::string_view tiling;  ///< "": the rung chose it
};

/// What `breakeven-bench --tune` wrote into kernels/matmul/tuned.cpp.
std::span<const TunedChoice> tuned_choices();

/// A rung and the tiling that it is told to take, -1 where it is left to choose.
struct Choice {
  const Rung* rung = nullptr;
  int tiling = -1;
};

/// Every rung of every ladder, in the ladders' order.
const std::vector<const Rung*>& all_rungs();

/// The rung called `name` for that precision, or nullptr.
const Rung* find_rung(std::string_view name, Precision precision);

/// Index of the tiling called `name`; -1 for "". Throws std::invalid_argument where it has none.
int tiling_index(const Rung& rung, std::string_view name);

/// "", or why `gpu` or the rung itself can't do this call.
std::string unsupported_reason(const Rung& rung, const Gemm& gemm, const Gpu& gpu);

/// The nearest entry of `tuned` for this GPU, precision and transposition whose dimensions each lie
/// within a factor of 1.25, and whose rung can do the call; {} without one.
Choice tuned_choice(std::span<const TunedChoice> tuned, const Gemm& gemm, Precision precision,
                    const Gpu& gpu);

/// The rung that is expected to be the fastest. {} where no ladder has that precision or none of
/// its rungs can do the call.
Choice choose(const Gemm& gemm, Precision precision, const Gpu& gpu);

/// C = op(A) op(B) of a workload, with dense operands and without their addresses.
Gemm dense_gemm(const Matmul& matmul);

}  // namespace breakeven::matmul
