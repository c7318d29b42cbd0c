// How a convolution's output rows are cut into the matrices of im2col.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/conv2d/im2col.h"
#include "reference/conv2d.h"

namespace breakeven::conv2d {

/// Rows that are done one after the other.
using Block = std::vector<Rows>;

/// All output rows of `conv`, each once, in matrices of at most `most_rows`. What adds to something
/// that several matrices have in common, an image's gradient or the filters', is cut into at most
/// `parts` blocks of whole images; else every matrix is a block, and their number is a multiple of
/// `parts` where there are enough rows. In nchw, where an image's channels lie apart, no matrix
/// spans two images.
inline std::vector<Block> row_blocks(const Conv2d& conv, std::int64_t most_rows,
                                     std::int64_t parts) {
  const auto ceil_div = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const Conv2dSize& size = conv.size;
  const bool adds = conv.direction == Conv2dOp::backward_weights ||
                    (conv.direction == Conv2dOp::backward_data && !is_matrix_product(conv.size));
  const std::int64_t block_images = adds ? ceil_div(size.n, parts) : size.n;
  const std::int64_t span_images = conv.layout == Conv2dLayout::nchw ? 1 : block_images;
  const std::int64_t multiple = adds ? 1 : ceil_div(parts, ceil_div(size.n, span_images));
  std::vector<Block> blocks;
  for (std::int64_t image = 0; image < size.n;) {
    const std::int64_t block_end = std::min(image + block_images, size.n);
    if (adds) blocks.emplace_back();
    while (image < block_end) {
      const std::int64_t images = std::min(span_images, block_end - image);
      const std::int64_t rows = images * size.p();
      const std::int64_t pieces =
          std::min(ceil_div(ceil_div(rows, most_rows), multiple) * multiple, rows);
      for (std::int64_t piece = 0; piece < pieces; ++piece) {
        const std::int64_t begin = rows * piece / pieces, end = rows * (piece + 1) / pieces;
        if (!adds) blocks.emplace_back();
        blocks.back().push_back({image * size.p() + begin, end - begin});
      }
      image += images;
    }
  }
  return blocks;
}

}  // namespace breakeven::conv2d
