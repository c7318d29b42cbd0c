// What the tests of the hand-written convolutions share.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "kernels/conv2d/conv_check.h"

namespace breakeven::conv2d {

inline constexpr Conv2dOp kOps[] = {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                                    Conv2dOp::backward_weights};

inline std::string name_of(const Rung& rung) {
  return std::string(rung.name) + "_" + std::string(traits(rung.precision).name);
}

inline void expect_right(const Rung& rung, const ConvCase& test) {
  SCOPED_TRACE(name_of(rung) + " " + to_string(test));
  try {
    const Check check = run_rung(rung, test);
    EXPECT_LE(check.error, check.limit) << check.method;
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

/// Whether the rung takes the case; pointers don't matter to any rung's answer but for alignment.
inline bool takes(const Rung& rung, const ConvCase& test) {
  return unsupported_reason(rung, {test.size, test.op, test.layout}, test.gpu).empty();
}

/// Whether it is an implicit GEMM whose threads gather: any channels, any stride. What TMA gathers
/// is more limited and has its own test, wgmma_conv_test.cpp.
inline bool threads_gather(const Rung& rung) {
  const std::string name = rung.name;
  return name == "implicit_sgemm" || name == "implicit_mma";
}

/// One multiprocessor, so that sums stay whole where many would cut k, of the first architecture
/// that has the rung.
inline Gpu smallest_gpu(const Rung& rung) { return {rung.min_compute_capability, 1}; }

}  // namespace breakeven::conv2d
