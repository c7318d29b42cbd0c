// How an answer of a convolution is judged: bounds and three checks. Units and bounds are those of
// matrix products (reference/matmul_check.h): an element's error is |got - exact| / (|exact| +
// sigma) with sigma^2 the sum of its squared products (and its bias), and the limit grows like the
// square root of how many products one element sums.
//
// The algebraic check. Every direction but bias_relu is linear in what makes its channels, so with
// random signs t a signed sum of channels is itself a small convolution, as Freivalds' check has it
// for matrix products:
//     forward:           sum_k t_k y[n,p,q,k]     = x  convolved with    sum_k t_k w[k,...]
//     backward data:     sum_c t_c dx[n,h,w,c]    = dy back through      sum_c t_c w[...,c]
//     backward weights:  sum_k t_k dw[k,r,s,c]    = x  correlated with   sum_k t_k dy[...,k]
// Sums stay inside one group, whose channels are cut into up to 8 panels with a sum each. Narrow
// panels also sum y and dx over images, with signs again, up to 64 elements in all: with few
// channels (depthwise, a first layer's dx) the work would else be that of the whole convolution. As
// in Freivalds' check a wrong element always shows where it is off by more than about
// limit sqrt(elements of a sum) sigma.
//
// A signed sum is blind to an exchange of two of its elements that have the same sign: two channels
// of a panel, two images of a batch. Samples therefore visit each channel and image of y and dx, as
// far as 4096 samples and 2^26 products reach, and each filter and channel of dw, at one tap. They
// show an exchange of whole channels, filters or images; one of a few elements can pass.
//
// bias_relu is not linear. Up to twice the size its answers are compared whole; beyond that, up to
// 4096 samples see a fault that reaches a share f of the elements with probability
// 1 - (1 - f)^4096 (0.98 for a thousandth), each image, row, column and filter is sampled where
// there are as many samples, and every element must be finite and not below 0. What is
// wrong in single elements of a large bias_relu can pass; the same kernels' conv2d_forward can't.
#pragma once

#include <cstddef>
#include <span>

#include "reference/conv2d.h"

namespace breakeven {

/// The products that one element of the answer sums at most, its bias counted as one. An upper
/// bound: where an image is small against the filter, no element may reach it.
std::int64_t conv2d_length(const Conv2d& conv);

/// The limit of one element: matmul_limit() of that many products.
double conv2d_limit(const Conv2d& conv, Precision precision);

/// Whether check() compares every element: 2^27 flops (bias_relu: 2^28) and 2^22 elements at most.
bool conv2d_checks_all(const Conv2d& conv);

/// Every element against plain fp64 sums over the definition.
Check conv2d_check_full(const Conv2d& conv, Precision precision, std::span<const std::byte> answer);

/// Bytes of the fp64 operands that the full check holds.
std::size_t conv2d_check_full_bytes(const Conv2d& conv);

/// Corners and seeded random elements against fp64: 8 to 256 of them, about 2^22 products, or what
/// visits each channel, filter and image; bias_relu: 64 to 4096, about 2^24 products, and the sign
/// of every element.
Check conv2d_check_samples(const Conv2d& conv, Precision precision,
                           std::span<const std::byte> answer);

/// The algebraic check over the whole answer. The error is the worst signed sum's residual over its
/// typical size, sqrt(its elements) sigma. Throws std::invalid_argument for bias_relu.
Check conv2d_check_signs(const Conv2d& conv, Precision precision,
                         std::span<const std::byte> answer);

/// Bytes that the algebraic check holds: signed filters and, for each OpenMP thread, some rows.
std::size_t conv2d_check_signs_bytes(const Conv2d& conv);

}  // namespace breakeven
