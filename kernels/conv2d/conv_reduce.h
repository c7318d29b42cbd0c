// The second pass where k was cut: the partial sums, stored like the output, added up in an order
// that their number alone decides, then bias and activation.
#pragma once

#include "kernels/conv2d/implicit_gemm.h"

namespace breakeven::conv2d {

/// For outputs of float, bf16 and f16 from sums of float, and of std::int32_t from std::int32_t;
/// fewer than 2^31 of them.
template <class Output, class Sum>
PreparedLaunch reduce_conv(const ImplicitGemm& p, const Conv& conv);

}  // namespace breakeven::conv2d
