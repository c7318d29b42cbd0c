// Matrix product: C[m,n] = op(A) op(B), all row-major and dense.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reference/workload.h"

namespace breakeven {

/// C[m,n] = op(A)[m,k] op(B)[k,n], alpha = 1, beta = 0. A is stored as [m,k], or as [k,m] if
/// `trans_a`; B as [k,n], or as [n,k] if `trans_b`; leading dimensions are the stored row lengths.
class Matmul final : public Workload {
 public:
  /// Throws std::invalid_argument if a dimension is below 1.
  Matmul(std::string shape, std::int64_t m, std::int64_t n, std::int64_t k, bool trans_a = false,
         bool trans_b = false);

  const std::int64_t m;
  const std::int64_t n;
  const std::int64_t k;
  const bool trans_a;
  const bool trans_b;

  std::vector<std::pair<std::string, std::int64_t>> dimensions() const override;
  Cost cost(Precision precision) const override;                    ///< 2mnk; A, B and C once
  std::vector<Operand> inputs(Precision precision) const override;  ///< "a", "b"
  Operand output(Precision precision) const override;               ///< "c"
  void fill_input(std::size_t index, Precision precision, std::span<std::byte> out) const override;

  /// Every element against fp64 where that is cheap, else samples and Freivalds' check over the
  /// whole result; see reference/matmul_check.h. Takes time in proportion to the operands.
  Check check(Precision precision, std::span<const std::byte> answer) const override;
  std::size_t check_bytes(Precision precision) const override;

 private:
  bool checks_all(Precision precision) const;
};

}  // namespace breakeven
