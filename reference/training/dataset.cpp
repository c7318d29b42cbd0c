#include "reference/training/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <numeric>
#include <utility>

#include "reference/random.h"

namespace breakeven {

// Written by the build from digits/digits.txt: its name and text.
std::vector<std::pair<std::string_view, std::string_view>> digits_files();

namespace {

constexpr std::uint32_t kOrderStream = 0x50000;  // and the epoch
constexpr std::uint32_t kWindowStream = 0x60000;

// FNV-1a in hexadecimal, so that data of the same size isn't taken for the same.
std::string checksum(std::initializer_list<std::string_view> parts) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const std::string_view part : parts) {
    for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  }
  return fmt::format("{:016x}", hash);
}

std::string_view bytes_of(const std::vector<std::uint8_t>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size()};
}

// A whole number below `limit`, for each of 32 random bits.
std::int64_t below(std::uint32_t word, std::int64_t limit) {
  return static_cast<std::int64_t>((std::uint64_t{word} * static_cast<std::uint64_t>(limit)) >> 32);
}

// An order of 0 ... count - 1: Fisher-Yates.
std::vector<std::int64_t> shuffled(std::int64_t count, RandomStream stream) {
  std::vector<std::uint32_t> words(static_cast<std::size_t>(count));
  random_words(stream, 0, words);
  std::vector<std::int64_t> order(words.size());
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t i = count; i > 1; --i) {
    std::swap(order[i - 1], order[below(words[i - 1], i)]);
  }
  return order;
}

class DigitsDataset final : public Dataset {
 public:
  DigitsDataset(const ModelSize& size, Digits digits) : size_(size), digits_(std::move(digits)) {
    const auto all = static_cast<std::int64_t>(digits_.classes.size());
    if (all <= kTrainedDigits) throw std::runtime_error("there are too few digits");
    batch_ = samples_per_step(size);
    if (batch_ > kTrainedDigits) {
      throw std::invalid_argument(fmt::format(
          "a batch of {} is more than the {} digits to train on", batch_, kTrainedDigits));
    }
    // Digits come writer by writer: one order for all, so that both parts have every hand.
    order_ = shuffled(all, {.seed = 1, .operand = kOrderStream - 1});
    for (std::int64_t i = kTrainedDigits; i < all; ++i) append(order_[i], test_);
  }

  Examples batch(std::int64_t step, std::uint64_t seed) const override {
    const std::int64_t batches = kTrainedDigits / batch_;
    const auto epoch = static_cast<std::uint32_t>(step / batches);
    const std::vector<std::int64_t> order =
        shuffled(kTrainedDigits, {.seed = seed, .operand = kOrderStream + epoch});
    Examples examples;
    for (std::int64_t i = step % batches * batch_, end = i + batch_; i < end; ++i) {
      append(order_[order[i]], examples);
    }
    return examples;
  }

  const Examples& test() const override { return test_; }
  ModelSize test_size() const override {
    ModelSize size = size_;
    const auto count = static_cast<std::int64_t>(test_.target.size());
    if (auto* mlp = std::get_if<Mlp>(&size)) mlp->batch = count;
    if (auto* lenet = std::get_if<Lenet>(&size)) lenet->batch = count;
    return size;
  }
  Metric metric() const override { return Metric::accuracy; }
  std::string description() const override {
    return fmt::format("UCI digits: {} images to train on, {} to test, checksum {}", kTrainedDigits,
                       test_.target.size(),
                       checksum({bytes_of(digits_.pixels), bytes_of(digits_.classes)}));
  }

 private:
  void append(std::int64_t index, Examples& to) const {
    constexpr std::int64_t kPixels = kDigitSide * kDigitSide;
    for (std::int64_t p = 0; p < kPixels; ++p) {
      to.input.push_back(digits_.pixels[index * kPixels + p] / 8.0 - 1);
    }
    to.target.push_back(digits_.classes[index]);
  }

  ModelSize size_;
  Digits digits_;
  std::int64_t batch_ = 0;
  std::vector<std::int64_t> order_;
  Examples test_;
};

class TextDataset final : public Dataset {
 public:
  TextDataset(const Gpt& size, std::string_view text, std::int64_t test_windows)
      : size_(size), test_windows_(test_windows), checksum_(checksum({text})) {
    constexpr std::size_t kBlock = 4096;
    std::string held_back;
    for (std::size_t at = 0; at < text.size(); at += kBlock) {
      (at / kBlock % 10 == 9 ? held_back : trained_) += text.substr(at, kBlock);
    }
    const auto room = static_cast<std::int64_t>(held_back.size()) - size.steps;
    if (room < test_windows || static_cast<std::int64_t>(trained_.size()) <= size.steps) {
      throw std::invalid_argument(fmt::format("a text of {} bytes is too short for windows of {}",
                                              text.size(), size.steps));
    }
    for (std::int64_t i = 0; i < test_windows; ++i) {
      append(held_back, room * i / test_windows, test_);
    }
  }

  Examples batch(std::int64_t step, std::uint64_t seed) const override {
    std::vector<std::uint32_t> words(static_cast<std::size_t>(size_.batch));
    random_words({.seed = seed, .operand = kWindowStream},
                 static_cast<std::uint64_t>(step * size_.batch), words);
    Examples examples;
    const auto room = static_cast<std::int64_t>(trained_.size()) - size_.steps;
    for (const std::uint32_t word : words) append(trained_, below(word, room), examples);
    return examples;
  }

  const Examples& test() const override { return test_; }
  ModelSize test_size() const override {
    Gpt size = size_;
    size.batch = test_windows_;
    return size;
  }
  Metric metric() const override { return Metric::loss; }
  std::string description() const override {
    return fmt::format("English text: {} bytes to train on, {} to test, checksum {}",
                       trained_.size(), test_.target.size(), checksum_);
  }

 private:
  void append(std::string_view text, std::int64_t at, Examples& to) const {
    for (std::int64_t t = 0; t < size_.steps; ++t) {
      to.input.push_back(static_cast<unsigned char>(text[at + t]));
      to.target.push_back(static_cast<unsigned char>(text[at + t + 1]));
    }
  }

  Gpt size_;
  std::int64_t test_windows_;
  std::string checksum_;
  std::string trained_;
  Examples test_;
};

// Files of the package, in the order that they are read in.
constexpr const char* kTextFolder = "/usr/share/games/fortunes";
constexpr const char* kTextFiles[] = {"computers", "cookie",     "definitions", "literature",
                                      "people",    "platitudes", "science",     "songs-poems"};

std::vector<std::filesystem::path> text_files() {
  const char* own = std::getenv("BREAKEVEN_TEXT");
  if (own != nullptr && *own != '\0') return {own};
  std::vector<std::filesystem::path> files;
  for (const char* name : kTextFiles) files.push_back(std::filesystem::path(kTextFolder) / name);
  return files;
}

// The first file that isn't there, or "".
std::string missing_text() {
  std::error_code error;
  for (const std::filesystem::path& file : text_files()) {
    if (std::filesystem::is_regular_file(file, error)) continue;
    return fmt::format(
        "the text {} isn't there: tools/setup installs the package fortunes, or "
        "BREAKEVEN_TEXT names another text file",
        file.string());
  }
  return "";
}

}  // namespace

std::string metric_name(Metric metric) { return metric == Metric::accuracy ? "accuracy" : "loss"; }

double Dataset::measure(std::span<const double> logits) const {
  const std::vector<double>& target = test().target;
  const std::size_t classes = logits.size() / target.size();
  if (classes == 0 || classes * target.size() != logits.size()) {
    throw std::invalid_argument(
        fmt::format("{} logits aren't those of {} examples", logits.size(), target.size()));
  }
  double sum = 0;
  for (std::size_t i = 0; i < target.size(); ++i) {
    const std::span<const double> row = logits.subspan(i * classes, classes);
    // Not a number is never the largest: it must not look like an answer.
    if (!std::all_of(row.begin(), row.end(), [](double v) { return std::isfinite(v); })) {
      return std::nan("");
    }
    const auto wanted = static_cast<std::size_t>(target[i]);
    const auto largest = std::max_element(row.begin(), row.end());
    if (metric() == Metric::accuracy) {
      sum += static_cast<std::size_t>(largest - row.begin()) == wanted ? 1 : 0;
      continue;
    }
    double shares = 0;
    for (const double logit : row) shares += std::exp(logit - *largest);
    sum += std::log(shares) + *largest - row[wanted];
  }
  return sum / static_cast<double>(target.size());
}

Digits parse_digits(std::string_view text) {
  constexpr std::size_t kPixels = kDigitSide * kDigitSide;
  Digits digits;
  std::size_t line_number = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++line_number;
    const auto pixel = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'g'); };
    const bool good = line.size() == kPixels + 2 &&
                      std::all_of(line.begin(), line.begin() + kPixels, pixel) &&
                      line[kPixels] == ' ' && line.back() >= '0' && line.back() <= '9';
    if (!good) throw std::runtime_error(fmt::format("digits: line {} is no digit", line_number));
    for (const char c : line.substr(0, kPixels)) {
      digits.pixels.push_back(static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10));
    }
    digits.classes.push_back(static_cast<std::uint8_t>(line.back() - '0'));
  }
  return digits;
}

std::unique_ptr<Dataset> digits_dataset(const ModelSize& size) {
  const auto* mlp = std::get_if<Mlp>(&size);
  const auto* lenet = std::get_if<Lenet>(&size);
  const bool fits = mlp != nullptr ? mlp->widths.front() == kDigitSide * kDigitSide
                                   : lenet != nullptr && lenet->side == kDigitSide;
  if (!fits) throw std::invalid_argument("this model takes no images of 8 x 8 pixels");
  return std::make_unique<DigitsDataset>(size, parse_digits(digits_files().front().second));
}

std::unique_ptr<Dataset> text_dataset(const Gpt& size, std::string_view text,
                                      std::int64_t test_windows) {
  if (size.vocabulary != 256) throw std::invalid_argument("bytes need a vocabulary of 256 tokens");
  return std::make_unique<TextDataset>(size, text, test_windows);
}

std::string installed_text() {
  if (const std::string missing = missing_text(); !missing.empty()) throw DataMissing(missing);
  std::string text;
  for (const std::filesystem::path& path : text_files()) {
    std::ifstream file(path, std::ios::binary);
    text.append(std::istreambuf_iterator<char>(file), {});
    if (!file) throw DataMissing(fmt::format("the text {} can't be read", path.string()));
  }
  if (text.size() < kTextBytes) {
    const std::vector<std::filesystem::path> files = text_files();
    const std::string read = files.size() == 1
                                 ? files.front().string()
                                 : fmt::format("in {} files of {}", files.size(), kTextFolder);
    throw DataMissing(fmt::format(
        "the text {} has {} bytes, and {} are needed: let BREAKEVEN_TEXT name a longer one", read,
        text.size(), kTextBytes));
  }
  return text;
}

std::unique_ptr<Dataset> dataset_for(const ModelSize& size) {
  if (std::holds_alternative<Mlp>(size) || std::holds_alternative<Lenet>(size)) {
    return digits_dataset(size);
  }
  if (const auto* gpt = std::get_if<Gpt>(&size)) return text_dataset(*gpt, installed_text());
  throw std::invalid_argument("there is no data for " + model_name(size));
}

std::string data_missing(const ModelSize& size) {
  return std::holds_alternative<Gpt>(size) ? missing_text() : "";
}

}  // namespace breakeven
