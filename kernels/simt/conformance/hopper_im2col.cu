// Conformance of TMA in im2col mode: what a copy leaves in shared memory, byte by byte, against a
// convolution's own formula, pixel by pixel of its output.
#include <algorithm>
#include <cstring>

#include "kernels/simt/conformance/check.h"

namespace breakeven::conformance {
namespace {

constexpr int kMostBytes = 128 * 128;

struct Copy {
  ptx::Im2colPlace from;
  int offset_w, offset_h;
};

// In a cluster of kBlocks, each copies its share of the pixels to all.
template <int kBlocks>
__global__ void load_pixels(const __grid_constant__ ptx::Im2colMap map, const Copy* copies,
                            int count, int bytes, std::uint32_t* out) {
  ptx::SharedMemory shared;
  char* const box = shared.take<char>(kMostBytes, 1024);
  ptx::Mbarrier* const barrier = shared.take<ptx::Mbarrier>(1);
  const int me = static_cast<int>(threadIdx.x);
  const int rank = kBlocks > 1 ? ptx::cluster_rank() : 0;
  if (me == 0) {
    ptx::tma_prefetch_descriptor(map);
    ptx::mbarrier_init(barrier, 1);
    ptx::mbarrier_fence_init();
  }
  if (kBlocks > 1) {
    ptx::cluster_sync();
  } else {
    __syncthreads();
  }
  for (int i = 0; i < count; ++i) {
    if (me == 0) {
      ptx::mbarrier_arrive_expect_tx(barrier, bytes);
      const Copy copy = copies[i * kBlocks + rank];
      const auto offset_w = static_cast<std::uint16_t>(copy.offset_w);
      const auto offset_h = static_cast<std::uint16_t>(copy.offset_h);
      if (kBlocks > 1) {
        ptx::tma_load_im2col_multicast(box + rank * (bytes / kBlocks), map, barrier, copy.from,
                                       offset_w, offset_h, (1 << kBlocks) - 1);
      } else {
        ptx::tma_load_im2col(box, map, barrier, copy.from, offset_w, offset_h);
      }
    }
    ptx::mbarrier_wait(barrier, i & 1);
    const std::uint32_t* const words = reinterpret_cast<const std::uint32_t*>(box);
    for (int word = me; word < bytes / 4; word += 64) {
      out[(static_cast<int>(blockIdx.x) * count + i) * (bytes / 4) + word] = words[word];
    }
    if (kBlocks > 1) {
      ptx::cluster_sync();
    } else {
      __syncthreads();
    }
  }
}

int draw(Random& random, int low, int high) {
  return low + static_cast<int>(random.below(static_cast<std::uint32_t>(high - low + 1)));
}

/// Images with any corners and strides, as convolutions and their gradients have them.
ptx::Im2colView some_view(Random& random, int pixels, int box_channels, int element_bytes) {
  ptx::Im2colView view;
  view.images = draw(random, 1, 3);
  view.channels = draw(random, 1, 10) * (16 / element_bytes);
  const auto axis = [&](std::int64_t& extent, int& lower, int& upper, int& stride) {
    extent = draw(random, 1, 13);
    stride = draw(random, 1, 3);
    lower = draw(random, -4, std::min(2, static_cast<int>(extent) - 1));
    const int most = 4, least = lower + 1 - static_cast<int>(extent);
    upper = draw(random, std::max(least, -4), most);
  };
  axis(view.height, view.lower_h, view.upper_h, view.stride_h);
  axis(view.width, view.lower_w, view.upper_w, view.stride_w);
  view.pixels = pixels;
  view.box_channels = box_channels;
  return view;
}

/// Of the output: how many places the filter has in an image.
struct Grid {
  int h, w;
};
Grid grid_of(const ptx::Im2colView& view) {
  const auto places = [](std::int64_t extent, int lower, int upper, int stride) {
    return (static_cast<int>(extent) + upper - lower - 1) / stride + 1;
  };
  return {places(view.height, view.lower_h, view.upper_h, view.stride_h),
          places(view.width, view.lower_w, view.upper_w, view.stride_w)};
}

ptx::Im2colPlace place_of(const ptx::Im2colView& view, int pixel, int channel) {
  const Grid grid = grid_of(view);
  return {channel, view.lower_w + pixel % grid.w * view.stride_w,
          view.lower_h + pixel / grid.w % grid.h * view.stride_h, pixel / grid.w / grid.h};
}

/// Byte `byte` of the channels from `from`.channel on, of the pixel under the tap; 0 outside.
unsigned char expected_byte(const std::vector<unsigned char>& tensor, const ptx::Im2colView& view,
                            int element_bytes, const Copy& copy, int pixel, int byte) {
  const ptx::Im2colPlace at = place_of(view, pixel, 0);
  const std::int64_t h = at.h + copy.offset_h, w = at.w + copy.offset_w;
  const std::int64_t pixel_bytes = view.channels * element_bytes;
  const std::int64_t in_pixel = copy.from.channel * element_bytes + byte;
  if (at.image >= view.images || h < 0 || h >= view.height || w < 0 || w >= view.width ||
      in_pixel < 0 || in_pixel >= pixel_bytes) {
    return 0;
  }
  return tensor[static_cast<std::size_t>(
      ((at.image * view.height + h) * view.width + w) * pixel_bytes + in_pixel)];
}

template <class T, ptx::Swizzle kSwizzle, int kWidth, int kBlocks = 1>
std::string check_im2col(std::uint64_t seed) {
  constexpr int kSize = static_cast<int>(sizeof(T)), kCount = 6;
  Random random(seed);
  // Of a cluster's blocks each brings whole repetitions of the swizzle.
  const int share = kBlocks > 1 ? 8 * draw(random, 1, 4) : draw(random, 1, kMostBytes / kWidth);
  const ptx::Im2colView view = some_view(random, share, kWidth / kSize, kSize);
  const Grid grid = grid_of(view);
  const int all = static_cast<int>(view.images) * grid.h * grid.w;
  const auto tensor = random_bits<unsigned char>(
      random,
      static_cast<std::size_t>(view.images * view.height * view.width * view.channels * kSize));
  const int bytes = kBlocks * share * kWidth;
  std::vector<Copy> copies;
  std::vector<unsigned char> expected(static_cast<std::size_t>(kCount * bytes));
  for (int i = 0; i < kCount; ++i) {
    // Also beyond the last image, and the last channel.
    const int first = draw(random, 0, all + 3);
    const int channel = draw(random, 0, static_cast<int>(view.channels) + 1);
    const int offset_w = draw(random, 0, 5), offset_h = draw(random, 0, 5);
    for (int block = 0; block < kBlocks; ++block) {
      copies.push_back({place_of(view, first + block * share, channel), offset_w, offset_h});
    }
    for (int at = 0; at < bytes; ++at) {
      const int pieces = kSwizzle == ptx::Swizzle::none ? 1 : kWidth / 16;
      const int place = at ^ (at / 128 % pieces) * 16;
      expected[static_cast<std::size_t>(i * bytes + place)] =
          expected_byte(tensor, view, kSize, copies.back(), first + at / kWidth, at % kWidth);
    }
  }
  std::vector<std::uint32_t> words(expected.size() / 4);
  std::memcpy(words.data(), expected.data(), expected.size());
  std::vector<std::uint32_t> expected_words;
  for (int block = 0; block < kBlocks; ++block) {
    expected_words.insert(expected_words.end(), words.begin(), words.end());
  }
  DeviceArray<unsigned char> device_tensor(tensor);
  DeviceArray<Copy> device_copies(copies);
  DeviceArray<std::uint32_t> out(expected_words.size());
  const auto map =
      ptx::make_im2col_map(reinterpret_cast<const T*>(device_tensor.data()), view, kSwizzle);
  launch(load_pixels<kBlocks>, {dim3(kBlocks), dim3(64), kMostBytes + 64, kBlocks}, {}, map,
         device_copies.data(), kCount, bytes, out.data());
  return compare(out.values(), expected_words);
}

}  // namespace

std::vector<Check> hopper_im2col_checks() {
  using ptx::Swizzle;
  return {{"tma_load_im2col, not swizzled", 90, 90, check_im2col<f16, Swizzle::none, 48>},
          {"tma_load_im2col, 128-byte swizzle", 90, 90, check_im2col<bf16, Swizzle::b128, 128>},
          {"tma_load_im2col of floats", 90, 90, check_im2col<float, Swizzle::b128, 128>},
          {"tma_load_im2col_multicast", 90, 90, check_im2col<f16, Swizzle::b128, 128, 2>}};
}

}  // namespace breakeven::conformance
