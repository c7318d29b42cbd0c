// Softmax and cross-entropy of rows of logits, forward and backward in one call, on the CPU. Bound
// by memory bandwidth where a row exceeds the second-level cache, else by the exponentials, which
// are taken twice: storing them would round them, in bf16, or need a row of scratch.
#pragma once

#include "kernels/training/host_math.h"
#include "kernels/training/host_team.h"

namespace breakeven::training {

/// loss[0] = the mean over rows of logsumexp(logits[row]) - logits[row, targets[row]], and
/// dlogits = (softmax(logits) - onehot(targets)) / rows; dlogits may be logits; null: not computed.
/// scratch: a float for each row. Targets lie in [0, cols); HostProgram::write() has checked them.
template <class T>
void cross_entropy(MatrixSize size, const T* logits, const std::int32_t* targets, float* loss,
                   T* dlogits, float* scratch);

}  // namespace breakeven::training
