// How an answer of a matrix product is judged: measures, bounds and three checks.
//
// Unit. sigma_ij = sqrt(sum_l (a_il b_lj)^2) is the typical size of c_ij, since inputs have random
// signs. An element's error is |got - exact| / (|exact| + sigma_ij).
//
// Bound. With roundings that are independent and have mean zero, errors grow like sqrt(k), not k
// (Higham & Mary, "A new approach to probabilistic rounding error analysis", SISC 41(5), 2019):
//     limit = 3 sqrt(k) u_accumulate + 4 u_multiply + u_output.
// A plain f32 sum has an rms error of 0.27 sqrt(k) u sigma (its partial sums are a random walk);
// the worst of two million, over k from 1 to 65536, had 1.75 sqrt(k) u. Products of truncated tf32
// operands are off by at most 2 u_multiply each, always towards zero. The output's rounding is the
// worst case. A tf32 answer is off by about 3e-4, so it passes for f32 only where k is above 10^6.
// int8 is exact: limit 0.
//
// Freivalds' check ("Probabilistic machines can use less running time", IFIP 1977): with random
// signs x, C x must equal A (B x), at the cost of reading each operand once. Columns are cut into
// 8 panels with an x each, which costs less than 8 vectors x over all columns and sees smaller
// errors: a row's residual in a panel of p columns carries the legitimate noise of p elements, so
// one wrong element shows where it is off by more than about limit sqrt(p) sigma, always (its
// coefficient is 1 or -1), and for int8 whatever its size. Smaller errors of single elements are
// caught only where a sample hits them; errors of many elements show in many rows and panels.
#pragma once

#include <cstddef>
#include <span>

#include "reference/matmul.h"

namespace breakeven {

/// The limit above, for one element of a sum of `k` products.
double matmul_limit(Precision precision, std::int64_t k);

/// The limit of a signed sum of `panel` such elements, in units of sqrt(panel) sigma.
double freivalds_limit(Precision precision, std::int64_t k, std::int64_t panel);

/// Every element against an fp64 product. 4mnk flops, 8 (mk + kn) bytes.
Check matmul_check_full(const Matmul& matmul, Precision precision,
                        std::span<const std::byte> answer);

/// Bytes of the fp64 operands, and of a transposed one's two copies, that the full check holds.
std::size_t matmul_check_full_bytes(const Matmul& matmul);

/// The corners and seeded random elements against fp64: 8 to 256 of them, about 2^22 products.
Check matmul_check_samples(const Matmul& matmul, Precision precision,
                           std::span<const std::byte> answer);

/// Freivalds' check over the whole result. The error is the worst row's residual in a panel over
/// its typical size, sqrt(p mean(sigma^2)). Operands are made again in pieces, never held whole.
Check matmul_check_freivalds(const Matmul& matmul, Precision precision,
                             std::span<const std::byte> answer);

/// Bytes of its sums over panels: 64 each for k and m, and 72 per row and part of A's squares.
std::size_t matmul_check_freivalds_bytes(const Matmul& matmul);

}  // namespace breakeven
