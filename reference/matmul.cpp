#include "reference/matmul.h"

#include <fmt/format.h>

#include <stdexcept>

#include "reference/matmul_check.h"
#include "reference/random.h"

namespace breakeven {

Matmul::Matmul(std::string shape, std::int64_t m_, std::int64_t n_, std::int64_t k_, bool trans_a_,
               bool trans_b_)
    : Workload("matmul", std::move(shape)),
      m(m_),
      n(n_),
      k(k_),
      trans_a(trans_a_),
      trans_b(trans_b_) {
  if (m < 1 || n < 1 || k < 1) {
    throw std::invalid_argument(
        fmt::format("matmul dimensions must be 1 or more, got m={} n={} k={}", m, n, k));
  }
}

std::vector<std::pair<std::string, std::int64_t>> Matmul::dimensions() const {
  return {{"m", m}, {"n", n}, {"k", k}};
}

Cost Matmul::cost(Precision precision) const {
  double bytes = static_cast<double>(output(precision).bytes());
  for (const Operand& input : inputs(precision)) bytes += static_cast<double>(input.bytes());
  return {2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k), bytes};
}

std::vector<Operand> Matmul::inputs(Precision precision) const {
  const ElementType type = traits(precision).input;
  return {{"a", type, m * k}, {"b", type, k * n}};
}

Operand Matmul::output(Precision precision) const { return {"c", traits(precision).output, m * n}; }

void Matmul::fill_input(std::size_t index, Precision precision, std::span<std::byte> out) const {
  const Operand operand = inputs(precision).at(index);
  if (out.size() != operand.bytes()) {
    throw std::invalid_argument(fmt::format("matmul/{}: operand {} has {} bytes, the buffer {}",
                                            shape(), operand.name, operand.bytes(), out.size()));
  }
  random_fill({.operand = static_cast<std::uint32_t>(index)}, operand.type, out);
}

bool Matmul::checks_all(Precision precision) const {
  constexpr double kFullFlops = 1 << 27;           // about 0.05 s on two cores
  constexpr std::int64_t kFullElements = 1 << 22;  // 32 MiB as doubles
  return cost(precision).flops <= kFullFlops && m * k + k * n + m * n <= kFullElements;
}

std::size_t Matmul::check_bytes(Precision precision) const {
  return checks_all(precision) ? matmul_check_full_bytes(*this)
                               : matmul_check_freivalds_bytes(*this);
}

Check Matmul::check(Precision precision, std::span<const std::byte> answer) const {
  if (checks_all(precision)) return matmul_check_full(*this, precision, answer);
  Check samples = matmul_check_samples(*this, precision, answer);
  if (!samples.ok()) return samples;
  Check freivalds = matmul_check_freivalds(*this, precision, answer);
  if (!freivalds.ok()) return freivalds;
  return {samples.error, samples.limit, samples.method + " + " + freivalds.method};
}

}  // namespace breakeven
