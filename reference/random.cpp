#include "reference/random.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "reference/convert.h"
#include "reference/parallel.h"

namespace breakeven {
namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9;  // golden ratio
constexpr std::uint32_t kWeyl1 = 0xBB67AE85;  // sqrt(3) - 1
constexpr int kRounds = 10;

// Elements are made this many at a time in buffers that stay in the first-level cache.
constexpr std::size_t kChunk = 1024;
constexpr std::size_t kLanes = 16;  // blocks that run side by side, so that the rounds vectorise

// Blocks `first` ... `first + kLanes - 1`, block after block. Each word of the state is an array
// over lanes: every step is then a loop that one vector instruction or a few can do.
void philox_lanes(RandomStream stream, std::uint64_t first, std::uint32_t* out) {
  std::uint32_t x0[kLanes];
  std::uint32_t x1[kLanes];
  std::uint32_t x2[kLanes];
  std::uint32_t x3[kLanes];
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const std::uint64_t block = first + lane;
    x0[lane] = static_cast<std::uint32_t>(block);
    x1[lane] = static_cast<std::uint32_t>(block >> 32);
    x2[lane] = stream.operand;
    x3[lane] = 0;
  }
  auto key0 = static_cast<std::uint32_t>(stream.seed);
  auto key1 = static_cast<std::uint32_t>(stream.seed >> 32);
  for (int round = 0; round < kRounds; ++round, key0 += kWeyl0, key1 += kWeyl1) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const std::uint64_t product0 = std::uint64_t{kMultiplier0} * x0[lane];
      const std::uint64_t product1 = std::uint64_t{kMultiplier1} * x2[lane];
      x0[lane] = static_cast<std::uint32_t>(product1 >> 32) ^ x1[lane] ^ key0;
      x2[lane] = static_cast<std::uint32_t>(product0 >> 32) ^ x3[lane] ^ key1;
      x1[lane] = static_cast<std::uint32_t>(product1);
      x3[lane] = static_cast<std::uint32_t>(product0);
    }
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    out[4 * lane + 0] = x0[lane];
    out[4 * lane + 1] = x1[lane];
    out[4 * lane + 2] = x2[lane];
    out[4 * lane + 3] = x3[lane];
  }
}

// A word to an odd multiple of 2^-24 in (-1, 1), exact in f32: its upper 25 bits, the last one set.
float to_float(std::uint32_t word) {
  return static_cast<float>((static_cast<std::int32_t>(word) >> 7) | 1) * 0x1p-24f;
}

// Two words to an odd multiple of 2^-53.
double to_double(std::uint32_t low, std::uint32_t high) {
  const auto bits = static_cast<std::int64_t>((std::uint64_t{high} << 32) | low);
  return static_cast<double>((bits >> 10) | 1) * 0x1p-53;
}

std::int8_t to_int8(std::uint32_t word) {
  return static_cast<std::int8_t>(static_cast<int>((std::uint64_t{word} * 255) >> 32) - 127);
}

template <class T, class Convert>
void convert(const std::uint32_t* words, std::size_t count, std::byte* out, Convert convert_one) {
  T values[kChunk];
  for (std::size_t i = 0; i < count; ++i) values[i] = convert_one(words[i]);
  std::memcpy(out, values, count * sizeof(T));
}

void words_to_elements(ElementType type, const std::uint32_t* words, std::size_t count,
                       std::byte* out) {
  using Word = std::uint32_t;
  switch (type) {
    case ElementType::f32:
      return convert<float>(words, count, out, to_float);
    case ElementType::bf16:
      return convert<std::uint16_t>(words, count, out,
                                    [](Word word) { return bf16_from_float(to_float(word)); });
    case ElementType::f16:
      return convert<std::uint16_t>(words, count, out,
                                    [](Word word) { return f16_from_float(to_float(word)); });
    case ElementType::e4m3:
      return convert<std::uint8_t>(words, count, out,
                                   [](Word word) { return e4m3_from_float(to_float(word)); });
    case ElementType::s8:
      return convert<std::int8_t>(words, count, out, to_int8);
    case ElementType::f64: {
      double values[kChunk / 2];
      for (std::size_t i = 0; i < count; ++i) {
        values[i] = to_double(words[2 * i], words[2 * i + 1]);
      }
      std::memcpy(out, values, count * sizeof(double));
      return;
    }
    case ElementType::s32:
      break;
  }
  throw std::invalid_argument("no operand is made of s32 elements");
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round, key[0] += kWeyl0, key[1] += kWeyl1) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
  }
  return counter;
}

void random_words(RandomStream stream, std::uint64_t first, std::span<std::uint32_t> out) {
  std::uint32_t words[4 * kLanes];
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t block = (first + done) / 4;
    const std::size_t skip = (first + done) % 4;
    if (out.size() - done <= 4) {  // single elements, as sampled checks ask for
      const auto one = philox4x32(
          {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
           stream.operand, 0},
          {static_cast<std::uint32_t>(stream.seed), static_cast<std::uint32_t>(stream.seed >> 32)});
      const std::size_t count = std::min(out.size() - done, 4 - skip);
      std::copy_n(one.data() + skip, count, out.data() + done);
      done += count;
      continue;
    }
    if (skip == 0 && out.size() - done >= 4 * kLanes) {
      philox_lanes(stream, block, out.data() + done);
      done += 4 * kLanes;
      continue;
    }
    philox_lanes(stream, block, words);
    const std::size_t count = std::min(out.size() - done, 4 * kLanes - skip);
    std::copy_n(words + skip, count, out.data() + done);
    done += count;
  }
}

void random_elements(RandomStream stream, ElementType type, std::uint64_t first, std::size_t count,
                     std::byte* out) {
  const std::size_t words_each = type == ElementType::f64 ? 2 : 1;
  std::uint32_t words[kChunk];
  for (std::size_t done = 0; done < count;) {
    // The first chunk is cut so that the others start at a block, which is the fast path.
    const std::size_t skip = (first + done) % 4;
    const std::size_t part = std::min(count - done, kChunk / words_each - skip);
    random_words(stream, (first + done) * words_each, {words, part * words_each});
    words_to_elements(type, words, part, out + done * element_bytes(type));
    done += part;
  }
}

void random_values(RandomStream stream, ElementType type, std::uint64_t first, std::size_t count,
                   double* out) {
  std::byte elements[kChunk * 8];
  for (std::size_t done = 0; done < count;) {
    const std::size_t part = std::min(count - done, kChunk - (first + done) % 4);
    random_elements(stream, type, first + done, part, elements);
    decode_elements(type, elements, 0, part, out + done);
    done += part;
  }
}

double mean_square(ElementType type) {
  return type == ElementType::s8 ? (255.0 * 255.0 - 1) / 12 : 1.0 / 3;
}

void random_fill(RandomStream stream, ElementType type, std::span<std::byte> out) {
  constexpr std::size_t kPart = 4 * kChunk;  // at least a page of any type
  const std::size_t bytes_each = element_bytes(type);
  const auto count = static_cast<std::int64_t>(out.size() / bytes_each);
  const auto parts = static_cast<std::int64_t>((count + kPart - 1) / kPart);
#pragma omp parallel for schedule(static) if (worth_threads(10.0 * static_cast<double>(count)))
  for (std::int64_t part = 0; part < parts; ++part) {
    const auto first = static_cast<std::size_t>(part) * kPart;
    const std::size_t here = std::min(kPart, static_cast<std::size_t>(count) - first);
    random_elements(stream, type, first, here, out.data() + first * bytes_each);
  }
}

}  // namespace breakeven
