#include "reference/random.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace breakeven {
namespace {

constexpr ElementType kInputTypes[] = {ElementType::f64, ElementType::f32,  ElementType::bf16,
                                       ElementType::f16, ElementType::e4m3, ElementType::s8};

// kat_vectors of the authors' library Random123.
TEST(Philox, PublishedAnswers) {
  using Block = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, ManyWordsAreTheSameAsSingleOnes) {
  const RandomStream stream{.seed = 0x123456789abcdef, .operand = 3};
  const std::uint64_t first = (std::uint64_t{1} << 34) - 37;  // the block's upper half changes
  std::vector<std::uint32_t> words(300);
  random_words(stream, first, words);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint64_t block = (first + i) / 4;
    const auto expected = philox4x32(
        {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 3, 0},
        {0x89abcdef, 0x01234567});
    ASSERT_EQ(words[i], expected[(first + i) % 4]) << i;
  }
}

TEST(Random, AnElementDependsOnItsIndexAlone) {
  const RandomStream stream{.operand = 1};
  for (const ElementType type : kInputTypes) {
    std::vector<double> whole(5000);
    random_values(stream, type, 0, whole.size(), whole.data());
    for (const std::size_t count : {1u, 2u, 3u, 5u, 63u, 1023u, 1024u, 1500u}) {
      for (std::size_t first = 0; first + count <= 3100; first += 1031) {
        std::vector<double> part(count);
        random_values(stream, type, first, count, part.data());
        ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + first))
            << count << " elements from " << first;
      }
    }
  }
}

TEST(Random, BytesDoNotDependOnTheThreadCount) {
  const int threads = omp_get_max_threads();
  for (const ElementType type : kInputTypes) {
    std::vector<std::byte> one(100003 * element_bytes(type));
    std::vector<std::byte> many(one.size());
    omp_set_num_threads(1);
    random_fill({.operand = 2}, type, one);
    omp_set_num_threads(5);
    random_fill({.operand = 2}, type, many);
    omp_set_num_threads(threads);
    EXPECT_EQ(one, many);
  }
}

TEST(Random, UniformFromMinusOneToOne) {
  std::vector<double> values(200000);
  for (const ElementType type : {ElementType::f64, ElementType::f32}) {
    random_values({}, type, 0, values.size(), values.data());
    double sum = 0;
    double squares = 0;
    for (const double value : values) {
      ASSERT_LT(std::fabs(value), 1.0);
      ASSERT_NE(value, 0.0);
      sum += value;
      squares += value * value;
    }
    const auto count = static_cast<double>(values.size());
    EXPECT_NEAR(sum / count, 0, 5 / std::sqrt(3 * count));
    EXPECT_NEAR(squares / count, 1.0 / 3, 0.005);
  }
}

TEST(Random, F64UsesMoreBitsThanF32) {
  std::vector<double> values(100);
  random_values({}, ElementType::f64, 0, values.size(), values.data());
  EXPECT_FALSE(std::all_of(values.begin(), values.end(), [](double value) {
    return static_cast<double>(static_cast<float>(value)) == value;
  }));
}

TEST(Random, Int8TakesEveryValueButMinus128) {
  std::vector<double> values(100000);
  random_values({}, ElementType::s8, 0, values.size(), values.data());
  std::vector<int> counts(256);
  for (const double value : values) ++counts[static_cast<int>(value) + 128];
  EXPECT_EQ(counts[0], 0);
  for (int i = 1; i < 256; ++i) EXPECT_NEAR(counts[i], 392, 120) << i - 128;
}

TEST(Random, OperandsAndSeedsDiffer) {
  std::vector<std::byte> a(64);
  std::vector<std::byte> b(64);
  std::vector<std::byte> c(64);
  random_fill({.seed = 1, .operand = 0}, ElementType::f32, a);
  random_fill({.seed = 1, .operand = 1}, ElementType::f32, b);
  random_fill({.seed = 2, .operand = 0}, ElementType::f32, c);
  EXPECT_NE(a, b);
  EXPECT_NE(a, c);
}

TEST(Random, NoS32Operands) {
  std::vector<std::byte> bytes(4);
  EXPECT_THROW(random_elements({}, ElementType::s32, 0, 1, bytes.data()), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven
