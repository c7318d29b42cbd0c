// Section 8: what a precision brings in speed, and what it costs in error.

#include <fmt/format.h>

#include <array>
#include <map>
#include <tuple>
#include <vector>

#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

/// The rows of one operation, device and precision on work that was done in f32, too.
struct Range {
  std::size_t rows = 0;
  const Case* worst = nullptr;         ///< of the largest error
  const PrecisionGain* low = nullptr;  ///< of the ratios to f32; none of f32 itself
  const PrecisionGain* high = nullptr;

  void add(const Case& c) {
    ++rows;
    if (worst == nullptr || c.counter("error") > worst->counter("error")) worst = &c;
  }
  void add(const PrecisionGain& gain) {
    add(*gain.other);
    if (low == nullptr || gain.ratio.value < low->ratio.value) low = &gain;
    if (high == nullptr || gain.ratio.value > high->ratio.value) high = &gain;
  }
};

std::string gain_link(const Page& page, const Run& run, const PrecisionGain& gain) {
  return row_link(page, run, *gain.other, ratio_text(gain.ratio),
                  fmt::format("{} against {}", gain.other->name, gain.f32->name));
}

std::string gains_cell(const Page& page, const Run& run, const Range& range) {
  if (range.low == nullptr) return "1x";
  std::string cell = gain_link(page, run, *range.low);
  if (range.high != range.low) cell += " to " + gain_link(page, run, *range.high);
  return cell;
}

}  // namespace

std::string precision_html(const Page& page) {
  std::string rows;
  Listing listing(page);
  for (const Run& run : page.runs) {
    std::map<std::tuple<std::string, std::string, std::string>, Range> ranges;
    for (const auto* gains : {&run.cpu_gains, &run.gpu_gains}) {
      const char* device = gains == &run.cpu_gains ? "cpu" : "gpu";
      const Case* last = nullptr;
      for (const PrecisionGain& gain : *gains) {
        ranges[{gain.work->op, device, gain.precision}].add(gain);
        if (gain.f32 != last) ranges[{gain.work->op, device, "f32"}].add(*gain.f32);
        last = gain.f32;
      }
    }
    for (const auto& [key, range] : ranges) {
      if (!listing.takes()) continue;
      const auto& [op, device, precision] = key;
      rows += fmt::format(
          "<tr><td>{}{}<td>{}<td>{}<td class=\"n\">{}<td>{}<td>{}<td>{}</tr>\n",
          run_cell(page, run), escape_html(op), escape_html(device), escape_html(precision),
          range.rows, gains_cell(page, run, range),
          row_link(page, run, *range.worst, error_text(*range.worst), range.worst->name),
          escape_html(range.worst->text("verify_method")));
    }
  }
  if (rows.empty()) {
    return absent(
        "Not shown: no work has verified rows in f32 and another precision on one device.");
  }
  return charts_of(page, "precision") +
         "<div class=\"scroll\"><table class=\"wide\"><caption>Ratios of different precisions are "
         "no speedups: "
         "they enter no mean and no crossover. Of each shape the best row, chosen on the other "
         "rounds; the lowest and the highest ratio over shapes. The error of training and "
         "inference "
         "counts spreads of perturbed runs, that of all others is relative.</caption><thead><tr>"
         "<th scope=\"col\">Operation<th scope=\"col\">Device<th scope=\"col\">Precision"
         "<th scope=\"col\">Shapes<th scope=\"col\">Times as fast as f32<th scope=\"col\">"
         "Largest error and its limit<th scope=\"col\">Checked by</tr></thead>\n<tbody>" +
         rows + "</tbody></table></div>\n" + listing.note("rows");
}

}  // namespace breakeven
