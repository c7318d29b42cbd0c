// The tiles of the f32 convolutions on the matrix product's main loop.
#pragma once

#include "kernels/matmul/sgemm_pipeline.h"

namespace breakeven::conv2d {

using LargeTiles = matmul::ThreadTiles<4, 2, 4, 8, 2, 2, 16>;  // 128x128x16, 256 threads
using SmallTiles = matmul::ThreadTiles<2, 2, 4, 8, 2, 1, 16>;  // 64x64x16, 128 threads

}  // namespace breakeven::conv2d
