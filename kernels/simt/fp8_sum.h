// How tensor cores add products of fp8. Hopper's keep about 14 bits of a sum (DeepSeek-V3 technical
// report, arXiv:2412.19437, section 3.3.2), and so do Ada's (Zhang et al., "SageAttention2",
// arXiv:2411.10958). The products of one instruction and the
// sum so far are cut, towards zero, to 13 bits behind the point of the largest exponent among them,
// and so is their total (Xie et al., "MMA-Sim: Bit-Accurate Reference Model of Tensor Cores and
// Matrix Cores", arXiv:2511.10909). A sum over all of a long k loses what is small beside it; a
// kernel that moves its sums to f32 every so often doesn't.
#pragma once

namespace breakeven::simt {

/// sums[rows,columns] += a b, for one instruction: a is [32][rows], b [32][columns], of e4m3's
/// values.
void add_fp8_products(const float* a, const float* b, int rows, int columns, float* sums);

}  // namespace breakeven::simt
