// Real data that models are trained on, split once and for all. Which examples a step sees depends
// on the seed and the step alone, so that every implementation sees the same.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "reference/training/models.h"

namespace breakeven {

/// What a model's "input" and "target" take, as the interpreter has them: pixels or tokens, classes
/// or tokens, as doubles.
struct Examples {
  std::vector<double> input;
  std::vector<double> target;
};

/// How well a model does on the examples that it wasn't trained on.
enum class Metric {
  accuracy,  ///< share of examples whose class has the largest logit; more is better
  loss,      ///< mean cross-entropy in nats a token; less is better
};

std::string metric_name(Metric metric);  ///< "accuracy", "loss"

/// Data for one model's batches. Immutable; safe to share between threads.
class Dataset {
 public:
  virtual ~Dataset() = default;

  /// What step `step` of a run, 0 first, is trained on.
  virtual Examples batch(std::int64_t step, std::uint64_t seed) const = 0;

  /// The examples that are held back, one batch of them, and the size of the model that takes it.
  virtual const Examples& test() const = 0;
  virtual ModelSize test_size() const = 0;
  virtual Metric metric() const = 0;

  /// What the data is, with a checksum of it, for a row's facts and targets.json.
  virtual std::string description() const = 0;

  /// The metric of a test batch's logits.
  double measure(std::span<const double> logits) const;
};

/// The data isn't on this machine; one line that says what to do.
class DataMissing : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Images of 8 x 8 pixels from 0 to 16, row after row, and their classes: see digits/README.md.
struct Digits {
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> classes;
};

inline constexpr std::int64_t kDigitSide = 8;

/// Parses lines of 64 pixels in base 17 ("0" ... "9", "a" ... "g"), a space and the class. Throws
/// std::runtime_error with the number of a line that is none.
Digits parse_digits(std::string_view text);

/// Digits in seeded order for mlp, whose first width must be 64, and lenet of side 8. The first
/// kTrainedDigits are trained on, epoch by epoch in a new order, whole batches only; the others are
/// held back. A pixel p is p / 8 - 1, which every precision has exactly.
inline constexpr std::int64_t kTrainedDigits = 1400;
std::unique_ptr<Dataset> digits_dataset(const ModelSize& size);

/// Windows of a text's bytes for gpt of 256 tokens: each predicts the next byte. Of every ten
/// blocks of 4096 bytes the last is held back; `test_windows` of these, evenly spread, are tested
/// on. Throws std::invalid_argument where the text is too short for that.
std::unique_ptr<Dataset> text_dataset(const Gpt& size, std::string_view text,
                                      std::int64_t test_windows = 16);

/// The installed text: the file that the environment's BREAKEVEN_TEXT names, or else what Debian's
/// package "fortunes" installs, sayings in plain English. At least kTextBytes. Throws DataMissing.
inline constexpr std::size_t kTextBytes = 500'000;
std::string installed_text();

/// digits for mlp and lenet, the installed text for gpt; std::invalid_argument for other models.
std::unique_ptr<Dataset> dataset_for(const ModelSize& size);

/// Why dataset_for() has no data here, or "". Cheap.
std::string data_missing(const ModelSize& size);

}  // namespace breakeven
