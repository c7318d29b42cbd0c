// Embedding of tokens and positions on the CPU. Bound by memory bandwidth: forward and backward
// copy or add one row a token; backward also writes the whole table's gradient.
#pragma once

#include "kernels/training/host_math.h"
#include "kernels/training/host_team.h"
#include "reference/training/graph.h"

namespace breakeven::training {

/// x[b steps + t] = wte[tokens[b steps + t]] + wpe[t], rows of `cols`. Tokens are rows of wte;
/// HostProgram::write() has checked them. Sequence::heads isn't read.
template <class T>
void embedding(const Sequence& sequence, std::int64_t cols, const std::int32_t* tokens,
               const T* wte, const T* wpe, T* x);

/// dwte[vocabulary, cols]: each row the sum of dx over its tokens, in their order; dwpe[steps,
/// cols] likewise over the sequences.
template <class T>
void embedding_backward(const Sequence& sequence, MatrixSize table, const T* dx,
                        const std::int32_t* tokens, float* dwte, float* dwpe);

}  // namespace breakeven::training
