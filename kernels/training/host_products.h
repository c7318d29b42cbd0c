// What backends share whose products write plain f32 and leave everything after them to the host's
// loops: linear layers by any matrix product, and bias, ReLU and GELU in one pass after a product.
#pragma once

#include <cstddef>
#include <optional>

#include "kernels/training/host_program.h"
#include "kernels/training/host_team.h"

namespace breakeven::training {

/// What is done to a forward product's result in one pass: bias and activation of the columns.
struct AfterProduct {
  std::optional<Op> activation;  ///< relu or gelu: its node is taken
  TensorId bias = kNoTensor;
  TensorId kept = kNoTensor;  ///< the biased product itself, where something else reads it
  TensorId result = kNoTensor;

  TensorId product() const { return kept != kNoTensor ? kept : result; }  ///< where it is written
};

/// Of the linear layer or convolution nodes()[index]; takes the activation where build.fused().
AfterProduct after_product(HostBuild& build, std::size_t index);

/// Appends the pass, where there is something to do.
void call_after_product(HostBuild& build, const AfterProduct& after);

/// Appends the sums of dy's columns, unless db is kNoTensor or made by another call.
void call_bias_gradient(HostBuild& build, TensorId dy, TensorId db);

/// Compiles a linear layer or one of its gradients. Throws Unsupported for precisions but f32.
void compile_linear(HostBuild& build, std::size_t index, Multiply multiply);

/// Whether an operation is one that compile_linear() takes.
bool is_linear(Op op);

/// Throws Unsupported for bf16, whose products a BLAS hasn't got.
void require_f32(const HostBuild& build);

}  // namespace breakeven::training
