// Bias and ReLU as a kernel of their own, behind a convolution that has neither: what fusing saves.
#pragma once

#include "kernels/conv2d/conv.h"

namespace breakeven::conv2d {

/// "" or why the two steps can't stand for conv2d_bias_relu in this precision.
std::string bias_relu_unsupported(const Conv& conv, Precision precision);

/// output = max(0, output + bias), in place. The output is NHWC, of f32.
PreparedLaunch prepare_bias_relu(const Conv& conv);

}  // namespace breakeven::conv2d
