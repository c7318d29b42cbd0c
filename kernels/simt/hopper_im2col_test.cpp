// TMA in im2col mode: the manual's own examples, what the model refuses, and mistakes that it must
// show.
#include "kernels/simt/hopper_im2col.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "kernels/simt/testing.h"

namespace breakeven::simt {
namespace {

using ptx::Im2colView;
using ptx::Swizzle;
using testing::HasSubstr;

/// An NHWC tensor of 2-byte elements, 1, 2, 3 ...
class Images {
 public:
  explicit Images(const Im2colView& view)
      : view_(view),
        count_(static_cast<std::size_t>(view.images * view.height * view.width * view.channels)),
        elements_(static_cast<f16*>(::operator new(count_ * 2, std::align_val_t{16}))) {
    for (std::size_t i = 0; i < count_; ++i) {
      elements_[i] = std::bit_cast<f16>(static_cast<std::uint16_t>(i + 1));
    }
  }
  ~Images() { ::operator delete(elements_, std::align_val_t{16}); }
  Images(const Images&) = delete;
  Images& operator=(const Images&) = delete;

  ptx::Im2colMap map(Swizzle swizzle = Swizzle::none) const {
    return ptx::make_im2col_map(elements_, view_, swizzle);
  }
  /// What stands there; 0 outside.
  std::uint16_t at(std::int64_t image, std::int64_t h, std::int64_t w, std::int64_t c) const {
    const Im2colView& v = view_;
    if (image < 0 || image >= v.images || h < 0 || h >= v.height || w < 0 || w >= v.width ||
        c >= v.channels) {
      return 0;
    }
    return std::bit_cast<std::uint16_t>(
        elements_[((image * v.height + h) * v.width + w) * v.channels + c]);
  }

 private:
  Im2colView view_;
  std::size_t count_;
  f16* elements_;
};

/// Channel `channel` of every pixel of an unswizzled copy.
std::vector<std::uint16_t> loaded(const ptx::Im2colMap& map, const Im2colCopy& copy, int channel) {
  std::vector<std::byte> shared(static_cast<std::size_t>(box_bytes(map)), std::byte{0xEE});
  load_im2col(map, copy, shared.data(), 0);
  std::vector<std::uint16_t> values(static_cast<std::size_t>(map.view.pixels));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::memcpy(&values[i], shared.data() + (i * map.view.box_channels + channel) * 2, 2);
  }
  return values;
}

// PTX ISA, figures 13 and 14: images of 14 x 9 under a 3x3 filter with and without padding.
TEST(LoadIm2col, TurnsAtTheCornersOfTheBox) {
  for (const auto& [lower, upper, offset] : {std::tuple{-1, -1, 0}, {0, -2, 2}}) {
    const Im2colView view = {.images = 2,
                             .height = 9,
                             .width = 14,
                             .channels = 16,
                             .lower_h = lower,
                             .lower_w = lower,
                             .upper_h = upper,
                             .upper_w = upper,
                             .pixels = 64,
                             .box_channels = 8};
    const Images images(view);
    const auto values = loaded(images.map(), {{8, 7, 4, 0}, offset, offset}, 3);
    const int columns = 14 + upper - lower, rows = 9 + upper - lower;
    int pixel = (4 - lower) * columns + 7 - lower;
    for (const std::uint16_t value : values) {
      ASSERT_EQ(value, images.at(pixel / columns / rows, pixel / columns % rows + lower + offset,
                                 pixel % columns + lower + offset, 8 + 3))
          << pixel;
      ++pixel;
    }
  }
}

// Figure 15: with a stride the copy brings as many pixels, from further apart.
TEST(LoadIm2col, StepsByTheStride) {
  const Im2colView view = {.images = 3,
                           .height = 8,
                           .width = 14,
                           .channels = 16,
                           .lower_h = -1,
                           .lower_w = -1,
                           .upper_h = -1,
                           .upper_w = -1,
                           .stride_h = 2,
                           .stride_w = 2,
                           .pixels = 32,
                           .box_channels = 16};
  const Images images(view);
  const auto values = loaded(images.map(), {{0, 7, 5, 0}, 1, 1}, 0);
  // Columns -1, 1 ... 11 of the box' 14, rows -1, 1, 3, 5 of its 8, each one on.
  EXPECT_EQ(values[0], images.at(0, 6, 8, 0));
  EXPECT_EQ(values[2], images.at(0, 6, 12, 0));
  EXPECT_EQ(values[3], images.at(1, 0, 0, 0));
  EXPECT_EQ(values[10], images.at(1, 2, 0, 0));
  EXPECT_EQ(values[31], images.at(2, 0, 0, 0));
}

TEST(LoadIm2col, FillsWithZerosOutsideTheTensor) {
  const Im2colView view = {.images = 1,
                           .height = 2,
                           .width = 2,
                           .channels = 24,
                           .lower_h = -1,
                           .lower_w = -1,
                           .upper_h = 1,
                           .upper_w = 1,
                           .pixels = 20,
                           .box_channels = 64};
  const Images images(view);
  const ptx::Im2colMap map = images.map(Swizzle::b128);
  std::vector<std::byte> shared(4096, std::byte{0xEE});
  load_im2col(map, {{8, -1, -1, 0}, 0, 0}, shared.data(), 1024);
  for (int pixel = 0; pixel < 24; ++pixel) {
    for (std::uint32_t c = 0; c < 64; ++c) {
      std::uint16_t value = 0;
      std::memcpy(&value, &shared[swizzled(1024u + pixel * 128u + c * 2, Swizzle::b128)], 2);
      const std::int64_t h = pixel / 4 - 1, w = pixel % 4 - 1;
      const std::uint16_t inside = images.at(0, h, w, 8 + c);
      ASSERT_EQ(value, pixel < 20 ? inside : 0xEEEE) << pixel << " " << c;
    }
  }
}

TEST(CheckedIm2colMap, RefusesWhatTheDriverRefuses) {
  const auto refused = [](auto change) {
    Im2colView view = {.height = 4, .width = 4, .channels = 64, .pixels = 64, .box_channels = 64};
    const Images images(view);
    ptx::Im2colMap map = images.map(Swizzle::b128);
    change(map);
    try {
      checked_im2col_map(map);
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  using Map = ptx::Im2colMap;
  EXPECT_EQ(refused([](Map&) {}), "taken");
  EXPECT_THAT(refused([](Map& map) { map.global += 8; }), HasSubstr("aligned"));
  EXPECT_THAT(refused([](Map& map) { map.view.channels = 60; }), HasSubstr("multiple of 16"));
  EXPECT_THAT(refused([](Map& map) { map.view.lower_w = -129; }), HasSubstr("-128 ... 127"));
  EXPECT_THAT(refused([](Map& map) { map.view.upper_h = 128; }), HasSubstr("-128 ... 127"));
  EXPECT_THAT(refused([](Map& map) { map.view.upper_w = -4; }), HasSubstr("empty"));
  EXPECT_THAT(refused([](Map& map) { map.view.lower_h = 4; }), HasSubstr("empty"));
  EXPECT_THAT(refused([](Map& map) { map.view.stride_h = 9; }), HasSubstr("1 ... 8"));
  EXPECT_THAT(refused([](Map& map) { map.view.pixels = 1025; }), HasSubstr("1 ... 1024"));
  EXPECT_THAT(refused([](Map& map) { map.view.box_channels = 32; }), HasSubstr("swizzle"));
  EXPECT_THAT(refused([](Map& map) { map.view.height = map.view.width = std::int64_t{1} << 20; }),
              HasSubstr("2^40"));
}

enum class Slip {
  none,
  no_wait,      // reads what the copy hasn't brought yet
  few_bytes,    // announces the bytes inside the tensor only
  outside_box,  // begins left of the bounding box
  off_stride,   // begins between two steps
  large_offset,
  unaligned,
  over_reader,  // a second copy before the first has come
};

/// Adds up 16 pixels of 64 channels.
template <Slip kSlip>
__global__ void sum_pixels(const __grid_constant__ ptx::Im2colMap map, float* sum) {
  ptx::SharedMemory shared;
  auto* const box = shared.take<f16>(16 * 64 + 64, 1024);
  auto* const barrier = shared.take<ptx::Mbarrier>(1);
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(barrier, 1);
    ptx::mbarrier_fence_init();
    ptx::mbarrier_arrive_expect_tx(barrier, kSlip == Slip::few_bytes ? 1024 : 2048);
    const int w = kSlip == Slip::outside_box ? -3 : kSlip == Slip::off_stride ? 0 : -1;
    ptx::tma_load_im2col(box + (kSlip == Slip::unaligned ? 8 : 0), map, barrier, {0, w, -1, 0},
                         kSlip == Slip::large_offset ? 256 : 1, 1);
    if (kSlip == Slip::over_reader) {
      ptx::tma_load_im2col(box, map, barrier, {0, -1, -1, 0}, 1, 1);
    }
  }
  __syncthreads();
  if (kSlip != Slip::no_wait) ptx::mbarrier_wait(barrier, 0);
  if (threadIdx.x == 32) {
    float total = 0;
    for (int i = 0; i < 16 * 64; ++i) total += to_float(box[i]);
    *sum = total;
  }
}

/// "", "wrong" or the fault, under one seed.
template <Slip kSlip>
std::string outcome(std::uint64_t seed) {
  const Im2colView view = {.images = 2,
                           .height = 4,
                           .width = 5,
                           .channels = 64,
                           .lower_h = -1,
                           .lower_w = -1,
                           .upper_h = -1,
                           .upper_w = 0,
                           .stride_h = 1,
                           .stride_w = 2,
                           .pixels = 16,
                           .box_channels = 64};
  const Images images(view);
  float expected = 0;
  for (int pixel = 0; pixel < 16; ++pixel) {
    for (int c = 0; c < 64; ++c) {
      expected +=
          to_float(std::bit_cast<f16>(images.at(pixel / 12, pixel / 3 % 4, pixel % 3 * 2, c)));
    }
  }
  const SettingsGuard guard;
  settings().seed = seed;
  float sum = 0;
  try {
    launch(sum_pixels<kSlip>, {dim3(1), dim3(64), 2048 + 128 + 64}, {}, images.map(Swizzle::b128),
           &sum);
  } catch (const Fault& fault) {
    return fault.what();
  }
  return sum == expected ? "" : "wrong";
}

template <Slip kSlip>
int seen(const std::string& text = "") {
  int count = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string result = outcome<kSlip>(seed);
    if (result.empty()) continue;
    ++count;
    EXPECT_THAT(result, HasSubstr(text));
  }
  return count;
}

TEST(TmaLoadIm2col, BringsPixelsToAKernel) { EXPECT_EQ(seen<Slip::none>(), 0); }

TEST(TmaLoadIm2colMistake, IsSeen) {
  if (!kThreadSanitizer) {
    EXPECT_GE(seen<Slip::no_wait>(), 4);
  }
  EXPECT_EQ(seen<Slip::few_bytes>("more than its barrier"), 20);
  EXPECT_EQ(seen<Slip::outside_box>("outside the bounding box"), 20);
  EXPECT_EQ(seen<Slip::off_stride>("between two steps"), 20);
  EXPECT_EQ(seen<Slip::large_offset>("above 255"), 20);
  EXPECT_EQ(seen<Slip::unaligned>("tma_load_im2col"), 20);
  EXPECT_EQ(seen<Slip::over_reader>("still writes"), 20);
}

}  // namespace
}  // namespace breakeven::simt
