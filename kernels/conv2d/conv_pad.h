// Few channels made more: copies of tensors whose channels fill whole 16-byte vectors, with zeros
// behind those that there are, for the sake of an image's three.
#pragma once

#include <cstdint>

#include "kernels/conv2d/conv.h"

namespace breakeven::conv2d {

/// to[rows, padded] = from[rows, channels], zeros behind; elements of 1, 2 or 4 bytes. Rows of `to`
/// are whole vectors of 16 bytes, and it has fewer than 2^31 elements.
PreparedLaunch prepare_padding(const void* from, void* to, std::int64_t rows, int channels,
                               int padded, int element_bytes);

}  // namespace breakeven::conv2d
