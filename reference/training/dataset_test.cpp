#include "reference/training/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

namespace breakeven {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t kPixels = kDigitSide * kDigitSide;

const Mlp kMlp = {.batch = 64, .widths = {kPixels, 16, 10}};

// An image with its class, to compare examples by.
std::vector<double> image(const Examples& examples, std::size_t i) {
  std::vector<double> pixels(
      examples.input.begin() + static_cast<std::ptrdiff_t>(i * kPixels),
      examples.input.begin() + static_cast<std::ptrdiff_t>((i + 1) * kPixels));
  pixels.push_back(examples.target[i]);
  return pixels;
}

std::multiset<std::vector<double>> images(const Examples& examples) {
  std::multiset<std::vector<double>> all;
  for (std::size_t i = 0; i < examples.target.size(); ++i) all.insert(image(examples, i));
  return all;
}

TEST(Digits, ParsesALine) {
  std::string line(kPixels, '0');
  line[1] = '9';
  line[2] = 'a';
  line[3] = 'g';
  const Digits digits = parse_digits(line + " 7\n" + line + " 0\n");
  ASSERT_EQ(digits.pixels.size(), 2 * kPixels);
  EXPECT_EQ(digits.pixels[1], 9);
  EXPECT_EQ(digits.pixels[2], 10);
  EXPECT_EQ(digits.pixels[kPixels + 3], 16);
  EXPECT_EQ(digits.classes, (std::vector<std::uint8_t>{7, 0}));
}

TEST(Digits, RefusesLinesThatAreNone) {
  const std::string good = std::string(kPixels, '0') + " 7\n";
  for (std::string bad : {std::string("\n"), std::string(kPixels, 'h') + " 7\n",
                          std::string(kPixels, '0') + " x\n", std::string(kPixels, '0') + "7\n"}) {
    EXPECT_THAT([&] { parse_digits(good + bad); },
                ThrowsMessage<std::runtime_error>(HasSubstr("line 2")));
  }
}

TEST(Digits, OneEpochSeesWhatIsTrainedOnOnceAndNothingHeldBack) {
  Mlp size = kMlp;
  size.batch = 100;  // divides kTrainedDigits
  const auto data = digits_dataset(size);
  std::multiset<std::vector<double>> seen;
  for (std::int64_t step = 0; step < kTrainedDigits / size.batch; ++step) {
    const Examples batch = data->batch(step, 3);
    ASSERT_EQ(batch.target.size(), 100);
    seen.merge(images(batch));
  }
  const std::multiset<std::vector<double>> held_back = images(data->test());
  EXPECT_EQ(seen.size(), kTrainedDigits);
  EXPECT_EQ(held_back.size(), 1797 - kTrainedDigits);
  // Every image once: together they are the file's, whose pixels sum up to 561718.
  double sum = 0;
  for (const auto& set : {seen, held_back}) {
    for (const auto& pixels : set) {
      for (std::int64_t p = 0; p < kPixels; ++p) sum += (pixels[p] + 1) * 8;
    }
  }
  EXPECT_EQ(sum, 561718);
  std::multiset<std::vector<double>> again;
  for (std::int64_t step = 14; step < 28; ++step) again.merge(images(data->batch(step, 3)));
  EXPECT_EQ(again, seen) << "the next epoch has the same images";
  EXPECT_NE(images(data->batch(0, 3)), images(data->batch(14, 3))) << "in another order";
}

TEST(Digits, EveryClassIsInBothParts) {
  const auto data = digits_dataset(kMlp);
  std::set<double> classes(data->test().target.begin(), data->test().target.end());
  EXPECT_EQ(classes.size(), 10);
  EXPECT_EQ(*classes.rbegin(), 9);
}

TEST(Digits, TheSeedAndTheStepDecide) {
  const auto data = digits_dataset(kMlp);
  const auto other = digits_dataset(kMlp);
  EXPECT_EQ(data->batch(5, 1).input, other->batch(5, 1).input);
  EXPECT_NE(data->batch(5, 1).input, data->batch(5, 2).input);
  EXPECT_NE(data->batch(5, 1).input, data->batch(6, 1).input);
}

TEST(Digits, TheModelMustTakeThem) {
  EXPECT_THROW(digits_dataset(Mlp{.batch = 64, .widths = {784, 10}}), std::invalid_argument);
  EXPECT_THROW(digits_dataset(Lenet{.side = 28}), std::invalid_argument);
  EXPECT_THROW(digits_dataset(Mlp{.batch = 1401, .widths = {64, 10}}), std::invalid_argument);
  EXPECT_THROW(dataset_for(Resnet{}), std::invalid_argument);
  const auto data = digits_dataset(Lenet{.batch = 8, .side = kDigitSide});
  EXPECT_EQ(std::get<Lenet>(data->test_size()).batch, 397);
}

TEST(Metric, AccuracyIsTheShareOfLargestLogits) {
  const auto data = digits_dataset(kMlp);
  const std::size_t count = data->test().target.size();
  std::vector<double> logits(count * 10);
  for (std::size_t i = 0; i < count; ++i) {
    const auto right = static_cast<std::size_t>(data->test().target[i]);
    logits[i * 10 + (i < 97 ? (right + 1) % 10 : right)] = 1;
  }
  EXPECT_NEAR(data->measure(logits), 300.0 / 397, 1e-12);
  logits[3] = NAN;
  EXPECT_TRUE(std::isnan(data->measure(logits)));
  logits.pop_back();
  EXPECT_THROW(data->measure(logits), std::invalid_argument);
}

// Block b of 4096 bytes is all byte b, so that a window tells where it lies.
std::string blocks(int count) {
  std::string text;
  for (int b = 0; b < count; ++b) text += std::string(4096, static_cast<char>(b));
  return text;
}

const Gpt kGpt = {.batch = 4, .steps = 16};

TEST(Text, TheLastOfTenBlocksIsHeldBack) {
  const auto data = text_dataset(kGpt, blocks(40), 8);
  const Examples& test = data->test();
  ASSERT_EQ(test.input.size(), 8 * 16);
  for (const double byte : test.input) EXPECT_EQ(static_cast<int>(byte) % 10, 9);
  std::set<double> seen;
  for (std::int64_t step = 0; step < 200; ++step) {
    const Examples batch = data->batch(step, 1);
    ASSERT_EQ(batch.input.size(), 4 * 16);
    seen.insert(batch.input.begin(), batch.input.end());
  }
  EXPECT_EQ(seen.size(), 36) << "windows come from everywhere";
  for (const double byte : seen) EXPECT_NE(static_cast<int>(byte) % 10, 9);
}

TEST(Text, PredictsTheNextByte) {
  std::string text(100'000, '\0');
  std::iota(text.begin(), text.end(), '\0');
  const auto data = text_dataset(kGpt, text, 8);
  const Examples batch = data->batch(2, 1);
  EXPECT_EQ(batch.input[1], std::fmod(batch.input[0] + 1, 256));
  EXPECT_TRUE(std::equal(batch.input.begin() + 1, batch.input.begin() + 16, batch.target.begin()));
  EXPECT_EQ(batch.target[15], std::fmod(batch.input[15] + 1, 256));
}

TEST(Text, IsDescribedWithAChecksum) {
  std::string text = blocks(40);
  const std::string before = text_dataset(kGpt, text)->description();
  EXPECT_EQ(text_dataset(kGpt, text)->description(), before);
  std::swap(text.front(), text.back());
  EXPECT_NE(text_dataset(kGpt, text)->description(), before) << "other text of the same size";
}

TEST(Text, RefusesWhatIsTooShort) {
  EXPECT_THROW(text_dataset(kGpt, "short"), std::invalid_argument);
  Gpt words = kGpt;
  words.vocabulary = 50257;
  EXPECT_THROW(text_dataset(words, blocks(40)), std::invalid_argument);
}

TEST(Text, LossIsTheMeanCrossEntropy) {
  const auto data = text_dataset(kGpt, blocks(40), 8);
  std::vector<double> logits(8 * 16 * 256, 5.0);
  EXPECT_NEAR(data->measure(logits), std::log(256.0), 1e-12);
  // The right byte's logit raised: log(255 + e^2) - 2.
  for (std::size_t i = 0; i < 8 * 16; ++i) {
    logits[i * 256 + static_cast<std::size_t>(data->test().target[i])] += 2;
  }
  EXPECT_NEAR(data->measure(logits), std::log(255 + std::exp(2.0)) - 2, 1e-12);
}

class InstalledText : public ::testing::Test {
 protected:
  void TearDown() override {
    ::unsetenv("BREAKEVEN_TEXT");
    std::filesystem::remove(path_);
  }
  void write(std::size_t bytes) {
    std::ofstream(path_) << std::string(bytes, 'x');
    ::setenv("BREAKEVEN_TEXT", path_.c_str(), 1);
  }
  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / "breakeven_dataset_test.txt";
};

TEST_F(InstalledText, IsTheFileThatTheEnvironmentNames) {
  write(kTextBytes);
  EXPECT_EQ(installed_text(), std::string(kTextBytes, 'x'));
  EXPECT_EQ(data_missing(Gpt{}), "");
  EXPECT_EQ(dataset_for(Gpt{})->metric(), Metric::loss);
}

TEST_F(InstalledText, MustBeLongEnough) {
  write(kTextBytes - 1);
  EXPECT_THAT(installed_text,
              ThrowsMessage<DataMissing>(HasSubstr("499999 bytes, and 500000 are needed: let")));
}

TEST_F(InstalledText, SaysWhatToDoWhereItIsAbsent) {
  ::setenv("BREAKEVEN_TEXT", "/nowhere/text", 1);
  EXPECT_THAT(installed_text, ThrowsMessage<DataMissing>(HasSubstr("tools/setup installs")));
  EXPECT_THAT(data_missing(Gpt{}), HasSubstr("/nowhere/text isn't there"));
  EXPECT_EQ(data_missing(kMlp), "");
}

}  // namespace
}  // namespace breakeven
