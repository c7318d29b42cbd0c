// Signed sums of channels, which conv2d_check_signs() compares: what its two halves share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "reference/compare.h"
#include "reference/conv2d.h"
#include "reference/conv2d_operands.h"

namespace breakeven {

inline constexpr std::int64_t kConv2dPanels = 8;

using Panels = std::array<double, kConv2dPanels>;

/// Which elements of the answer one sum takes: channels of one panel of a group, of some images.
class Signs {
 public:
  explicit Signs(const Conv2d& conv);

  std::int64_t group() const { return group_; }    ///< channels of a group
  std::int64_t panels() const { return panels_; }  ///< of a group: up to kConv2dPanels
  std::int64_t begin(std::int64_t panel) const { return panel * group_ / panels_; }
  std::int64_t width(std::int64_t panel) const { return begin(panel + 1) - begin(panel); }

  /// Images are summed in this many batches, cut evenly; one by one for gradients of weights, where
  /// an image isn't the answer's.
  std::int64_t batches() const { return batches_; }
  std::int64_t batch_begin(std::int64_t batch) const { return batch * images() / batches_; }
  std::int64_t batch_end(std::int64_t batch) const { return batch_begin(batch + 1); }

  /// The elements of the smallest sum.
  std::int64_t least_elements() const { return images() / batches_ * (group_ / panels_); }

  double of_image(std::int64_t image) const { return image_signs_[image]; }
  double of_channel(std::int64_t channel) const { return channel_signs_[channel]; }

  /// Adds the signed channels of one pixel to sums[group].
  void add_pixel(const double* values, double sign, Panels* sums) const;

  /// Signed sums of filters, or of a gradient of filters, [tap][source channel]: over filters, or
  /// over the input's channels where those are the answer's.
  std::vector<Panels> of_filters(const Conv2d& conv, const Elements& elements) const;

 private:
  std::int64_t channels() const { return static_cast<std::int64_t>(channel_signs_.size()); }
  std::int64_t images() const { return static_cast<std::int64_t>(image_signs_.size()); }

  std::int64_t group_;
  std::int64_t panels_;
  std::int64_t batches_;
  std::vector<double> channel_signs_;
  std::vector<std::int32_t> group_of_;
  std::vector<std::int32_t> panel_of_;  // of each channel, inside its group
  std::vector<double> image_signs_;
};

/// Compares signed sums, each in units of sqrt(elements in it) sigma.
class SignedSums {
 public:
  SignedSums(const Conv2d& conv, Precision precision, const Signs& signs);

  /// Adds the panels of one group; `squares` are those of one factor of each product, summed over
  /// `images`. Element indices are index * kConv2dPanels + panel.
  void compare(std::int64_t index, const Panels& got, const Panels& expected, double squares,
               std::int64_t images, ErrorMeasure& worst) const;

  double limit() const { return limit_; }

 private:
  const Signs& signs_;
  double mean_square_;
  double floor_;
  double limit_;
};

/// y or dx; indices are those of batch, row, column, group.
ErrorMeasure compare_signed_pixels(const Conv2d& conv, Precision precision, const Elements& answer,
                                   const Signs& signs, const SignedSums& sums);
std::size_t compare_signed_pixels_bytes(const Conv2d& conv);

/// dw; indices are those of tap, channel of the input.
ErrorMeasure compare_signed_weights(const Conv2d& conv, Precision precision, const Elements& answer,
                                    const Signs& signs, const SignedSums& sums);
std::size_t compare_signed_weights_bytes(const Conv2d& conv);

}  // namespace breakeven
