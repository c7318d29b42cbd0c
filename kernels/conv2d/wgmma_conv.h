// Convolutions for the wgmma pipeline (kernels/matmul/wgmma_pipeline.h): the same stages, sums and
// stores, on tiles that TMA gathers from the images itself, in im2col mode. No thread computes the
// address of a pixel; one names the first of a tile and the filter's tap.
//
//                      A, rows m                    B, columns n                k
// forward              x gathered, pixels of y      filters                     taps x channels
// backward data        dy gathered, pixels of dx    filters, along channels     taps x filters
// backward weights     dy, along filters            x gathered, along channels  pixels of y
//
// k goes tap by tap in slabs of 128 bytes of channels; what a tap's last slab has beyond its
// channels is zeros by A: an infinity among the filters spoils outputs of the tap before it, too.
// Backward weights has columns tap by tap in slabs of 64 channels in the same way, and leaves out
// the sums beyond when it stores.
#pragma once

#include <cstdint>

#include "kernels/conv2d/gather.h"
#include "kernels/matmul/wgmma_pipeline.h"
#include "reference/conv2d.h"

namespace breakeven::conv2d {

/// One product over gathered pixels: a grid of them, and the taps that each sees. Backward data has
/// one for each residue of dx's rows and columns modulo the stride, see kernels/conv2d/gather.h.
struct PixelProduct {
  int m;        ///< pixels; they are dx's rows, or y's
  int k_tiles;  ///< 0: without a tap, the sums are zeros
  int grid_h, grid_w;
  FastDivisor by_width, by_height;  ///< of the grid
  int lower_h, lower_w;             ///< where the grid's first pixel lies in the gathered tensor
  int taps_h, taps_w;               ///< at least 1
  int tap_h, tap_w;                 ///< from one tap to the next, in the gathered tensor
  int filter;                       ///< of the first tap, in elements of a filter
  int filter_h, filter_w;           ///< to the next; below 0 where the filter is read in reverse
  int first_h, first_w;             ///< pixel of dx
};

/// The most products of one launch: stride_h x stride_w of backward data.
inline constexpr int kMostPixelProducts = 4;

/// A kernel's parameter.
struct WgmmaConv {
  matmul::WgmmaProblem to;  ///< C as stores see it, and the tiles of the largest product
  int products;
  int parts;       ///< of k
  float* partial;  ///< [parts, elements of C], where there are several
  std::int64_t partial_stride;
  int channels;            ///< of the gathered tensor
  int slabs;               ///< of 128 bytes of them
  int step_h, step_w;      ///< from one pixel of the grid to the next, in the gathered tensor
  int spread_h, spread_w;  ///< the same in C, whose images are height x width; not for weights
  int height, width;
  PixelProduct product[kMostPixelProducts];

  /// The grid's pixel number `index`; images that there aren't follow the last.
  __device__ __forceinline__ ptx::Im2colPlace place(const PixelProduct& of, int index) const {
    const int row = of.by_width.divide(index);
    const int image = of.by_height.divide(row);
    return {0, of.lower_w + (index - row * of.grid_w) * step_w,
            of.lower_h + (row - image * of.grid_h) * step_h, image};
  }
};

/// A cluster's turn: a tile of a product and a part of k, [begin, end) in tiles, which may be
/// empty.
struct ConvTurn {
  int product, tile, part;
  int begin, end;

  __device__ __forceinline__ ConvTurn(const WgmmaConv& p, int turn) {
    const int tiles = p.to.tile_rows * p.to.tile_columns;
    tile = turn / p.parts;
    part = turn - tile * p.parts;
    product = p.products == 1 ? 0 : tile / tiles;
    tile -= product * tiles;
    const std::int64_t k_tiles = p.product[product].k_tiles;
    begin = static_cast<int>(k_tiles * part / p.parts);
    end = static_cast<int>(k_tiles * (part + 1) / p.parts);
  }
};

/// A tap of the filter and a channel, which go on slab by slab.
struct TapSlab {
  int a = 0, b = 0, channel = 0;

  template <int kChannels>
  __device__ __forceinline__ void advance(int taps_w, int channels) {
    channel += kChannels;
    if (channel < channels) return;
    channel = 0;
    if (++b == taps_w) {
      b = 0;
      ++a;
    }
  }
  __device__ __forceinline__ std::uint16_t offset_h(const PixelProduct& of) const {
    return static_cast<std::uint16_t>(a * of.tap_h);
  }
  __device__ __forceinline__ std::uint16_t offset_w(const PixelProduct& of) const {
    return static_cast<std::uint16_t>(b * of.tap_w);
  }
};

/// Slab number `slab` of those that follow one another by TapSlab::advance.
__device__ __forceinline__ TapSlab tap_slab(const WgmmaConv& p, const PixelProduct& of, int slab,
                                            int channels) {
  const int tap = slab / p.slabs;
  const int a = tap / of.taps_w;
  return {a, tap - a * of.taps_w, (slab - tap * p.slabs) * channels};
}

/// Pixels as rows: forward, and backward data, whose filters lie along n.
template <class Operands, class Tile>
struct FetchPixelRows {
  const ptx::Im2colMap& pixels;
  const ptx::TensorMap& filters;
  const WgmmaConv& p;
  const PixelProduct& of;
  ptx::Im2colPlace place;
  TapSlab at;
  int column;  ///< filter, or channel of dx
  int rank;

  __device__ __forceinline__ FetchPixelRows(const ptx::Im2colMap& gathered,
                                            const ptx::TensorMap& plain, const WgmmaConv& conv,
                                            const ConvTurn& turn, TilePosition origin,
                                            int block_rank)
      : pixels(gathered),
        filters(plain),
        p(conv),
        of(conv.product[turn.product]),
        place(conv.place(of, origin.row)),
        column(origin.column),
        rank(block_rank) {
    if (turn.begin < turn.end) {
      at = tap_slab(conv, of, turn.begin, Operands::depth);
    } else {
      at.channel = conv.channels;  // zeros, of both
    }
  }

  __device__ __forceinline__ void operator()(char* a, char* b, ptx::Mbarrier* full) {
    place.channel = at.channel;
    ptx::tma_load_im2col(a, pixels, full, place, at.offset_w(of), at.offset_h(of));
    const int filter = of.filter + at.a * of.filter_h + at.b * of.filter_w;
    if constexpr (Operands::along_n) {
      matmul::load_b<Operands, Tile::n, Tile::cluster>(b, filters, full, filter + column,
                                                       at.channel, rank);
    } else {
      matmul::load_b<Operands, Tile::n, Tile::cluster>(b, filters, full, column,
                                                       filter + at.channel, rank);
    }
    at.advance<Operands::depth>(of.taps_w, p.channels);
  }
};

/// Pixels along k: backward weights.
template <class Operands, class Tile>
struct FetchPixelDepth {
  static constexpr int kShare = Tile::n / Tile::cluster;  ///< columns that a block brings to all
  static constexpr std::uint16_t kAll = (1 << Tile::cluster) - 1;
  const ptx::Im2colMap& pixels;
  const ptx::TensorMap& gradients;
  const WgmmaConv& p;
  TapSlab first;
  int filter;
  int pixel;
  int rank;

  __device__ __forceinline__ FetchPixelDepth(const ptx::Im2colMap& gathered,
                                             const ptx::TensorMap& plain, const WgmmaConv& conv,
                                             const ConvTurn& turn, TilePosition origin,
                                             int block_rank)
      : pixels(gathered),
        gradients(plain),
        p(conv),
        first(tap_slab(conv, conv.product[0], (origin.column + block_rank * kShare) / 64, 64)),
        filter(origin.row),
        pixel(turn.begin * Operands::depth),
        rank(block_rank) {}

  __device__ __forceinline__ void operator()(char* a, char* b, ptx::Mbarrier* full) {
    const PixelProduct& of = p.product[0];
    matmul::load_a<Operands, Tile::m>(a, gradients, full, filter, pixel);
    ptx::Im2colPlace place = p.place(of, pixel);
    TapSlab at = first;
#pragma unroll
    for (int n = 0; n < kShare; n += 64) {
      // Behind the last tap zeros, from behind the last channel.
      const bool there = at.a < of.taps_h;
      place.channel = there ? at.channel : p.channels;
      const std::uint16_t offset_w = there ? at.offset_w(of) : std::uint16_t{0};
      const std::uint16_t offset_h = there ? at.offset_h(of) : std::uint16_t{0};
      char* const to = b + (rank * kShare + n) * 128;
      if constexpr (Tile::cluster > 1) {
        ptx::tma_load_im2col_multicast(to, pixels, full, place, offset_w, offset_h, kAll);
      } else {
        ptx::tma_load_im2col(to, pixels, full, place, offset_w, offset_h);
      }
      at.advance<64>(of.taps_w, p.channels);
    }
    pixel += Operands::depth;
  }
};

/// Where backward weights' columns, slabs of 64 channels tap by tap, lie in a row of dw.
template <int kColumns>
struct TapColumns {
  int n;                     ///< of dw: where no column is
  int first[kColumns / 64];  ///< of a slab, in dw
  int count[kColumns / 64];  ///< channels in it; 0 and less behind the last tap

  __device__ __forceinline__ TapColumns(const WgmmaConv& p, int n0) : n(p.to.n) {
    const int taps = p.product[0].taps_h * p.product[0].taps_w;
#pragma unroll
    for (int i = 0; i < kColumns / 64; ++i) {
      const int slab = n0 / 64 + i;
      const int tap = slab / p.slabs;
      const int channel = (slab - tap * p.slabs) * 64;
      first[i] = tap * p.channels + channel;
      count[i] = tap < taps ? p.channels - channel : 0;
    }
  }
  __device__ __forceinline__ int operator()(int, int column, int lane) const {
    const int within = column % 64 + lane;
    return within < count[column / 64] ? first[column / 64] + within : n;
  }
};

/// Where one product's pixels lie among dx's.
struct SpreadRows {
  const WgmmaConv& p;
  const PixelProduct& of;

  __device__ __forceinline__ std::int64_t operator()(int index) const {
    const int row = of.by_width.divide(index);
    const int image = of.by_height.divide(row);
    const int h = of.first_h + (row - image * of.grid_h) * p.spread_h;
    const int w = of.first_w + (index - row * of.grid_w) * p.spread_w;
    return (static_cast<std::int64_t>(image) * p.height + h) * p.width + w;
  }
};

/// The gathered tensor as each product walks it.
template <int kCount>
struct ConvMaps {
  ptx::Im2colMap of[kCount];
};

/// For run_wgmma_pipeline().
template <Conv2dOp kOp, class Operands_, class Tile_>
struct WgmmaConvWork {
  using Operands = Operands_;
  using Tile = Tile_;
  static constexpr bool kWeights = kOp == Conv2dOp::backward_weights;
  /// Of 168 on average; places of pixels take a few more than a matrix' rows.
  static constexpr int fetch_registers = kWeights ? 56 : matmul::kFetchRegisters;
  static constexpr int multiply_registers = kWeights ? 224 : matmul::kMultiplyRegisters;
  using Fetch =
      std::conditional_t<kWeights, FetchPixelDepth<Operands, Tile>, FetchPixelRows<Operands, Tile>>;
  static_assert(!kWeights || (Operands::along_m && Operands::along_n));
  static_assert(kWeights ||
                (!Operands::along_m && Operands::along_n == (kOp == Conv2dOp::backward_data)));

  static constexpr bool kSpread = kOp == Conv2dOp::backward_data;
  using Maps = ConvMaps<kSpread ? kMostPixelProducts : 1>;
  const Maps& pixels;
  const ptx::TensorMap& plain;
  const ptx::TensorMap& map_c;
  const WgmmaConv& p;

  __device__ __forceinline__ void prefetch() const {
    ptx::tma_prefetch_descriptor(pixels.of[0]);
    ptx::tma_prefetch_descriptor(plain);
    if (Tile::staged) ptx::tma_prefetch_descriptor(map_c);
  }
  __device__ __forceinline__ int turns() const {
    return p.to.tile_rows * p.to.tile_columns * p.parts * p.products;
  }
  /// An empty part takes one of zeros.
  __device__ __forceinline__ int k_tiles(int turn) const {
    const ConvTurn at(p, turn);
    return max(at.end - at.begin, 1);
  }
  __device__ __forceinline__ Fetch fetch(int turn, int rank) const {
    const ConvTurn at(p, turn);
    return {pixels.of[kSpread ? at.product : 0],
            plain,
            p,
            at,
            matmul::wgmma_origin<Tile>(p.to, at.tile, rank),
            rank};
  }

  template <int kParts>
  __device__ __forceinline__ void store(float (&d)[kParts][Tile::n / 2], int turn, int rank,
                                        int group, char* staging) const {
    using Output = typename Operands::Output;
    const ConvTurn at(p, turn);
    const TilePosition origin = matmul::wgmma_origin<Tile>(p.to, at.tile, rank);
    const int m0 = origin.row + group * kParts * 64;
    if (p.parts > 1) {
      matmul::WgmmaProblem to = p.to;
      to.c = p.partial + at.part * p.partial_stride;
      to.store_pairs = p.to.ldc % 2 == 0;  // the workspace itself is aligned
      store_plain<float>(d, to, at.product, m0, origin.column);
      return;
    }
    matmul::finish_sums<Output, kParts, Tile::n>(d, p.to, origin.column);
    if constexpr (Tile::staged) {
      if (p.to.store_by_tma) {
        matmul::stage_sums<Output, kParts, Tile::n>(d, map_c, p.to,
                                                    staging + group * matmul::kWgmmaStagingBytes,
                                                    m0, origin.column, 1 + group);
        return;
      }
    }
    store_plain<Output>(d, p.to, at.product, m0, origin.column);
  }

 private:
  template <class T, int kParts>
  __device__ __forceinline__ void store_plain(const float (&d)[kParts][Tile::n / 2],
                                              matmul::WgmmaProblem to, int product, int m0,
                                              int n0) const {
    using matmul::store_sums;
    if constexpr (kWeights) {
      store_sums<T, kParts, Tile::n>(d, to, m0, n0, matmul::WgmmaSameRows{},
                                     TapColumns<Tile::n>(p, n0));
    } else if constexpr (kSpread) {
      to.m = p.product[product].m;
      store_sums<T, kParts, Tile::n>(d, to, m0, n0, SpreadRows{p, p.product[product]});
    } else {
      store_sums<T, kParts, Tile::n>(d, to, m0, n0);
    }
  }
};

template <Conv2dOp kOp, class Operands, class Tile>
__global__ void __launch_bounds__(128 * (Tile::consumers + 1), 1)
    wgmma_conv(const __grid_constant__ typename WgmmaConvWork<kOp, Operands, Tile>::Maps pixels,
               const __grid_constant__ ptx::TensorMap plain,
               const __grid_constant__ ptx::TensorMap map_c, const __grid_constant__ WgmmaConv p) {
  matmul::run_wgmma_pipeline(WgmmaConvWork<kOp, Operands, Tile>{pixels, plain, map_c, p});
}

}  // namespace breakeven::conv2d
