// In which order the tiles of an output matrix are computed. Blocks that run at the same time share
// rows of A and columns of B in the L2 cache, and read the fewer different ones the squarer the
// patch of tiles that they cover: a row of tiles needs all of B, a patch a little of both.
//
// rows     row by row: the plain order, and the worst for wide matrices.
// grouped  bands of `group` rows, each walked column by column: patches of group x (blocks /
// group). hilbert  a Hilbert curve generalised to any rectangle: every stretch of it covers a
// compact patch,
//          whatever the number of blocks, and neighbours on the curve are neighbours in the matrix.
#pragma once

#include <cstdint>

#include "kernels/cuda/primitives.h"

namespace breakeven {

enum class TileOrder { rows, grouped, hilbert };

struct TilePosition {
  int row;
  int column;
};

namespace detail {

/// A rectangle with the directions in which the curve enters it: along `along`, across `across`;
/// one component of each is zero, and the signs say which way.
struct CurvePart {
  int row, column;                ///< the cell where the curve enters
  int along_row, along_column;    ///< extent in the curve's main direction
  int across_row, across_column;  ///< extent in the other
};

__host__ __device__ constexpr int magnitude(int value) { return value < 0 ? -value : value; }
__host__ __device__ constexpr int sign(int value) { return (value > 0) - (value < 0); }

/// Cell number `index` of the curve through rows x columns cells. Follows Cerveny's "gilbert": a
/// rectangle is cut into two along its length, or into three (up, along, down) as Hilbert's square,
/// with even halves wherever that is possible; each cut is followed into the part that holds the
/// index, so it takes about 2 log2(rows + columns) steps.
__host__ __device__ constexpr TilePosition curve_cell(int rows, int columns, std::int64_t index) {
  CurvePart part =
      columns >= rows ? CurvePart{0, 0, 0, columns, rows, 0} : CurvePart{0, 0, rows, 0, 0, columns};
  while (true) {
    const int length = magnitude(part.along_row + part.along_column);
    const int width = magnitude(part.across_row + part.across_column);
    const int step_row = sign(part.along_row), step_column = sign(part.along_column);
    const int side_row = sign(part.across_row), side_column = sign(part.across_column);
    if (width == 1 || length == 1) {
      const int by = static_cast<int>(index);
      return width == 1 ? TilePosition{part.row + step_row * by, part.column + step_column * by}
                        : TilePosition{part.row + side_row * by, part.column + side_column * by};
    }
    // Halves rounded down, also of negative extents; then to an even length where there is one.
    int half_row = part.along_row >> 1, half_column = part.along_column >> 1;
    int low_row = part.across_row >> 1, low_column = part.across_column >> 1;
    const int half = magnitude(half_row + half_column);
    const int low = magnitude(low_row + low_column);
    if (2 * length > 3 * width) {
      if (half % 2 != 0 && length > 2) {
        half_row += step_row;
        half_column += step_column;
      }
      const std::int64_t first =
          static_cast<std::int64_t>(magnitude(half_row + half_column)) * width;
      if (index < first) {
        part.along_row = half_row;
        part.along_column = half_column;
      } else {
        index -= first;
        part.row += half_row;
        part.column += half_column;
        part.along_row -= half_row;
        part.along_column -= half_column;
      }
      continue;
    }
    if (low % 2 != 0 && width > 2) {
      low_row += side_row;
      low_column += side_column;
    }
    const std::int64_t lower = magnitude(low_row + low_column);
    const std::int64_t first = lower * magnitude(half_row + half_column);
    const std::int64_t second = length * (width - lower);
    if (index < first) {
      part = {part.row, part.column, low_row, low_column, half_row, half_column};
    } else if (index < first + second) {
      index -= first;
      part = {part.row + low_row, part.column + low_column,  part.along_row,
              part.along_column,  part.across_row - low_row, part.across_column - low_column};
    } else {
      index -= first + second;
      part = {part.row + part.along_row - step_row + low_row - side_row,
              part.column + part.along_column - step_column + low_column - side_column,
              -low_row,
              -low_column,
              -(part.along_row - half_row),
              -(part.along_column - half_column)};
    }
  }
}

}  // namespace detail

/// rows x columns tiles, both at least 1, in one of the orders.
struct TileSchedule {
  int rows = 1;
  int columns = 1;
  TileOrder order = TileOrder::rows;
  int group = 8;  ///< rows of a band, for grouped

  __host__ __device__ constexpr std::int64_t tiles() const {
    return static_cast<std::int64_t>(rows) * columns;
  }

  /// The tile that comes at `index`, 0 <= index < tiles(). Each tile comes exactly once.
  __host__ __device__ constexpr TilePosition at(std::int64_t index) const {
    if (order == TileOrder::hilbert) return detail::curve_cell(rows, columns, index);
    if (order == TileOrder::rows) {
      return {static_cast<int>(index / columns), static_cast<int>(index % columns)};
    }
    const std::int64_t band_tiles = static_cast<std::int64_t>(group) * columns;
    const int first_row = static_cast<int>(index / band_tiles) * group;
    const int height = rows - first_row < group ? rows - first_row : group;
    const auto within = static_cast<std::int64_t>(index % band_tiles);
    return {first_row + static_cast<int>(within % height), static_cast<int>(within / height)};
  }
};

/// Which row of the output in memory a row of the product is.
struct SameRows {
  __device__ __forceinline__ std::int64_t operator()(std::int64_t row) const { return row; }
};

}  // namespace breakeven
