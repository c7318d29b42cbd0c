// The ceilings of the AMX tile unit: products of 16-row tiles from tile registers only. Four
// accumulator tiles cover the unit's latency (52 cycles at one product in 16); two more tiles hold
// a and step.
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/host/features.h"
#include "kernels/peak/peak_kernel.h"

namespace breakeven::peak {

void amx(Registry& registry);

namespace {

constexpr int kRows = 16;
constexpr int kRowBytes = 64;
constexpr int kTileBytes = kRows * kRowBytes;

// Palette 1 of the architecture manual: 8 tiles, here all of 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {kRowBytes, kRowBytes, kRowBytes, kRowBytes,
                                 kRowBytes, kRowBytes, kRowBytes, kRowBytes};
  std::uint8_t rows[16] = {kRows, kRows, kRows, kRows, kRows, kRows, kRows, kRows};
};
static_assert(sizeof(TileConfig) == 64);

struct alignas(64) Tile {
  std::byte bytes[kTileBytes];
};

// Every element of the tile is the element of `size` bytes at `element`.
Tile filled(const std::byte* element, std::size_t size) {
  Tile tile;
  for (std::size_t i = 0; i < kTileBytes; i += size) std::memcpy(tile.bytes + i, element, size);
  return tile;
}

// Tile 4 holds a, tile 5 step; tiles 0 to 3 accumulate.
[[gnu::target("amx-tile")]] void start(const Tile& a, const Tile& step) {
  const TileConfig config;
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, a.bytes, kRowBytes);
  _tile_loadd(5, step.bytes, kRowBytes);
}

template <class T>
[[gnu::target("amx-tile")]] double finish() {
  Tile tiles[4];
  _tile_stored(0, tiles[0].bytes, kRowBytes);
  _tile_stored(1, tiles[1].bytes, kRowBytes);
  _tile_stored(2, tiles[2].bytes, kRowBytes);
  _tile_stored(3, tiles[3].bytes, kRowBytes);
  _tile_release();
  double sum = 0;
  for (const Tile& tile : tiles) {
    for (std::size_t i = 0; i < kTileBytes; i += sizeof(T)) {
      T value;
      std::memcpy(&value, tile.bytes + i, sizeof value);
      sum += static_cast<double>(value);
    }
  }
  return sum;
}

[[gnu::target("amx-tile,amx-bf16")]] double bf16(std::int64_t count, const std::byte* a,
                                                 const std::byte* step) {
  start(filled(a, 2), filled(step, 2));
  std::int64_t left = count;
  for (; left >= 4; left -= 4) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  for (; left > 0; --left) _tile_dpbf16ps(0, 4, 5);
  return finish<float>();
}

[[gnu::target("amx-tile,amx-int8")]] double int8(std::int64_t count, const std::byte* a,
                                                 const std::byte* step) {
  start(filled(a, 1), filled(step, 1));
  std::int64_t left = count;
  for (; left >= 4; left -= 4) {
    _tile_dpbssd(0, 4, 5);
    _tile_dpbssd(1, 4, 5);
    _tile_dpbssd(2, 4, 5);
    _tile_dpbssd(3, 4, 5);
  }
  for (; left > 0; --left) _tile_dpbssd(0, 4, 5);
  return finish<std::int32_t>();
}

}  // namespace

void amx(Registry& registry) {
  const CpuFeatures& cpu = cpu_features();
  constexpr std::int64_t kSums = 256;  // in one accumulator tile
  constexpr std::int64_t kBf16Fmas = kSums * 32, kInt8Fmas = kSums * 64;
  add_ceilings(registry, {{"amx", Precision::bf16, kBf16Fmas, bf16, cpu.amx_bf16, "AMX BF16"},
                          {"amx", Precision::int8, kInt8Fmas, int8, cpu.amx_int8, "AMX INT8"}});
}

}  // namespace breakeven::peak
