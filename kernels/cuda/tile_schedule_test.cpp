#include "kernels/cuda/tile_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <list>
#include <random>
#include <vector>

namespace breakeven {
namespace {

constexpr TileOrder kOrders[] = {TileOrder::rows, TileOrder::grouped, TileOrder::hilbert};

/// How often each tile comes; a tile outside the rectangle fails the test.
std::vector<int> visits(const TileSchedule& schedule) {
  std::vector<int> count(schedule.tiles(), 0);
  for (std::int64_t index = 0; index < schedule.tiles(); ++index) {
    const TilePosition tile = schedule.at(index);
    if (tile.row < 0 || tile.row >= schedule.rows || tile.column < 0 ||
        tile.column >= schedule.columns) {
      ADD_FAILURE() << "tile " << tile.row << ", " << tile.column << " of " << schedule.rows
                    << " x " << schedule.columns;
      continue;
    }
    ++count[static_cast<std::int64_t>(tile.row) * schedule.columns + tile.column];
  }
  return count;
}

TEST(TileSchedule, EachTileComesOnceForAThousandRandomProblems) {
  std::mt19937_64 random(1);
  const auto below = [&](int end) { return static_cast<int>(random() % end); };
  for (int problem = 0; problem < 1000; ++problem) {
    const int m = 1 + below(8192), n = 1 + below(8192);
    const int tile_m = 64 << below(3), tile_n = 64 << below(3);
    TileSchedule schedule{(m + tile_m - 1) / tile_m, (n + tile_n - 1) / tile_n};
    schedule.group = 1 + below(16);
    for (const TileOrder order : kOrders) {
      schedule.order = order;
      const std::vector<int> count = visits(schedule);
      ASSERT_EQ(std::count(count.begin(), count.end(), 1), schedule.tiles())
          << schedule.rows << " x " << schedule.columns << " group " << schedule.group;
    }
  }
}

TEST(TileSchedule, EachTileComesOnceInEverySmallRectangle) {
  for (int rows = 1; rows <= 24; ++rows) {
    for (int columns = 1; columns <= 24; ++columns) {
      for (const TileOrder order : kOrders) {
        const std::vector<int> count = visits({rows, columns, order, 5});
        ASSERT_EQ(std::count(count.begin(), count.end(), 1), rows * columns)
            << rows << " x " << columns;
      }
    }
  }
}

TEST(TileSchedule, IndicesBeyondInt32) {
  for (const TileOrder order : kOrders) {
    const TileSchedule schedule{100'000, 90'000, order};
    const TilePosition last = schedule.at(schedule.tiles() - 1);
    EXPECT_LT(last.row, schedule.rows);
    EXPECT_LT(last.column, schedule.columns);
    EXPECT_GE(last.row, 0);
    EXPECT_GE(last.column, 0);
  }
  EXPECT_EQ((TileSchedule{100'000, 90'000}.at(8'999'999'999).row), 99'999);
  EXPECT_EQ((TileSchedule{100'000, 90'000, TileOrder::grouped, 8}.at(8'999'999'999).column),
            89'999);
}

// Rectangles of an even long side and an odd short one have no path of single steps from corner to
// corner: there, one step may be diagonal.
TEST(TileSchedule, NeighboursOnTheHilbertCurveAreNeighboursInTheMatrix) {
  for (int rows = 1; rows <= 40; ++rows) {
    for (int columns = 1; columns <= 40; ++columns) {
      const TileSchedule schedule{rows, columns, TileOrder::hilbert};
      int diagonal = 0;
      for (std::int64_t index = 1; index < schedule.tiles(); ++index) {
        const TilePosition from = schedule.at(index - 1), to = schedule.at(index);
        const int down = std::abs(to.row - from.row), right = std::abs(to.column - from.column);
        ASSERT_LE(std::max(down, right), 1) << rows << " x " << columns << " at " << index;
        diagonal += down + right == 2;
      }
      EXPECT_LE(diagonal, 1) << rows << " x " << columns;
    }
  }
}

TEST(TileSchedule, GroupedWalksDownABandFirst) {
  const TileSchedule schedule{5, 3, TileOrder::grouped, 2};
  const std::vector<std::pair<int, int>> expected = {{0, 0}, {1, 0}, {0, 1}, {1, 1}, {0, 2},
                                                     {1, 2}, {2, 0}, {3, 0}, {2, 1}, {3, 1},
                                                     {2, 2}, {3, 2}, {4, 0}, {4, 1}, {4, 2}};
  for (std::size_t index = 0; index < expected.size(); ++index) {
    const TilePosition tile = schedule.at(static_cast<std::int64_t>(index));
    EXPECT_EQ(std::pair(tile.row, tile.column), expected[index]) << index;
  }
}

/// The least recently used of a fixed number of entries leaves.
class LruCache {
 public:
  LruCache(std::size_t entries, std::size_t keys) : entries_(entries), where_(keys, order_.end()) {}

  void touch(std::size_t key) {
    if (where_[key] != order_.end()) {
      order_.splice(order_.begin(), order_, where_[key]);
      return;
    }
    ++misses_;
    if (order_.size() == entries_) {
      where_[order_.back()] = order_.end();
      order_.pop_back();
    }
    order_.push_front(key);
    where_[key] = order_.begin();
  }

  std::int64_t misses() const { return misses_; }

 private:
  std::size_t entries_;
  std::list<std::size_t> order_;
  std::vector<std::list<std::size_t>::iterator> where_;
  std::int64_t misses_ = 0;
};

struct Machine {
  std::int64_t l2_bytes;
  int blocks;  ///< that run at the same time
};
constexpr Machine kH100 = {50 << 20, 132};
constexpr Machine kA6000 = {6 << 20, 84};

/// L2 misses, in slabs of `tile` rows of A or columns of B by `slab_k` of k, of a bf16 product of
/// dimension `size`. The machine's blocks take tiles in order and walk along k in step, a slab of A
/// and one of B each at a time; the next tiles start when all have finished.
std::int64_t misses(const Machine& machine, int size, int tile, TileOrder order) {
  constexpr int kSlabK = 128;
  const int tiles = size / tile, slabs = size / kSlabK;
  const TileSchedule schedule{tiles, tiles, order, 8};
  const std::int64_t slab_bytes = static_cast<std::int64_t>(tile) * kSlabK * 2;
  LruCache cache(machine.l2_bytes / slab_bytes, static_cast<std::size_t>(2) * tiles * slabs);
  for (std::int64_t first = 0; first < schedule.tiles(); first += machine.blocks) {
    const std::int64_t end = std::min(first + machine.blocks, schedule.tiles());
    for (int slab = 0; slab < slabs; ++slab) {
      for (std::int64_t index = first; index < end; ++index) {
        const TilePosition at = schedule.at(index);
        cache.touch(static_cast<std::size_t>(at.row) * slabs + slab);
        cache.touch(static_cast<std::size_t>(tiles + at.column) * slabs + slab);
      }
    }
  }
  return cache.misses();
}

void expect_fewer_misses(const Machine& machine, int size, double grouped_factor,
                         double hilbert_factor) {
  const std::int64_t rows = misses(machine, size, 128, TileOrder::rows);
  const std::int64_t grouped = misses(machine, size, 128, TileOrder::grouped);
  const std::int64_t hilbert = misses(machine, size, 128, TileOrder::hilbert);
  const std::int64_t least = 2 * static_cast<std::int64_t>(size / 128) * (size / 128);
  EXPECT_LT(grouped_factor * static_cast<double>(grouped), static_cast<double>(rows)) << grouped;
  EXPECT_LT(hilbert_factor * static_cast<double>(hilbert), static_cast<double>(rows)) << hilbert;
  EXPECT_GE(std::min(grouped, hilbert), least) << "each slab must be read once";
}

// At 8192, 25 of the 128 panels of 128 rows or columns (2 MiB each) fit into an H100's L2 cache. A
// wave of 132 blocks in rows of 64 tiles needs 67 panels; in bands of 8, 25; on the curve about 23,
// but waves end anywhere on it.
TEST(TileSchedule, PatchesMissLessThanRowsInA50MegabyteL2) {
  expect_fewer_misses(kH100, 8192, 2.9, 2.3);
}

TEST(TileSchedule, PatchesMissLessThanRowsInA6MegabyteL2) {
  expect_fewer_misses(kA6000, 4096, 1.7, 1.6);
  expect_fewer_misses(kA6000, 8192, 3.2, 3.0);
}

// What fits is read once whatever the order: the simulation must not invent a gain.
TEST(TileSchedule, OrderDoesNotMatterWhereBothOperandsFit) {
  const Machine roomy = {1 << 30, 132};
  for (const TileOrder order : kOrders) {
    EXPECT_EQ(misses(roomy, 2048, 128, order), 2 * 16 * 16);
  }
}

}  // namespace
}  // namespace breakeven
