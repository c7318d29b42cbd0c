// Section 12: every row with every sample.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "reports/html.h"
#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

// Cases whose samples are drawn, not only listed: a drawing costs as much as twenty samples.
constexpr std::size_t kMostStrips = 250;

// Samples of a page that are listed as text; of more a round's median is, and the page's script
// puts the samples in its place from the embedded data when a row is unfolded.
constexpr std::size_t kMostSamples = 10'000;

struct Shown {
  bool strips;
  bool samples;
};

struct Unit {
  double factor;
  const char* name;
};

Unit unit_of(double seconds) {
  if (seconds < 1e-6) return {1e9, "ns"};
  if (seconds < 1e-3) return {1e6, "µs"};
  if (seconds < 1) return {1e3, "ms"};
  return {1, "s"};
}

// A strip of ticks from the fastest to the slowest sample: the distribution without bins. They are
// the dashes of one line, which takes half the text of a line for each.
std::string strip_svg(const Case& c) {
  std::vector<double> order;
  for (const Round& round : c.rounds) {
    order.insert(order.end(), round.seconds.begin(), round.seconds.end());
  }
  std::sort(order.begin(), order.end());
  const double low = order.front();
  const double high = order.back();
  if (!(high > low)) return "";
  const auto x = [&](double seconds) {
    return static_cast<int>(std::lround(232 * (seconds - low) / (high - low)));
  };
  std::string dashes = "1";
  int last = 0;
  for (const double seconds : order) {
    const int next = x(seconds);
    if (next <= last + 1) continue;  // the tick before it is as good as at the same place
    dashes += fmt::format(" {} 1", next - last - 1);
    last = next;
  }
  // Hidden from screen readers: the samples themselves follow. Without styles the median is the
  // long tick; its colour is the style sheet's.
  return fmt::format(
      "<svg class=\"strip\" width=\"240\" height=\"18\" stroke=\"#0072b2\" aria-hidden=\"true\">"
      "<path d=\"M4 9h233\" stroke-width=\"8\" stroke-dasharray=\"{}\"/><path class=\"m\" "
      "d=\"M{}.5 1v16\"/></svg>",
      dashes, 4 + x(c.seconds->value));
}

std::string times_html(const Case& c, bool samples) {
  const Unit unit = unit_of(c.seconds->value);
  std::string out = fmt::format("<pre>{}", unit.name);
  for (const Round& round : c.rounds) {
    if (!samples) {
      out += " " + format_number(round.median_seconds * unit.factor);
      continue;
    }
    out += fmt::format("\n{}:", round.number);
    for (const double seconds : round.seconds) out += " " + format_number(seconds * unit.factor);
  }
  return out + "</pre>";
}

// Prepare, transfers and host time beside the call, the check, and what the kernel said of itself.
std::string remarks_html(const Case& c) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : " · ") + text; };
  if (const std::string size = dimension_text(c); !size.empty()) add(escape_html(size));
  struct Part {
    const char* key;
    const char* name;
  };
  for (const Part part : {Part{"prepare_seconds", "prepare"}, Part{"upload_seconds", "upload"},
                          Part{"download_seconds", "download"}, Part{"host_seconds", "host"}}) {
    if (const auto seconds = c.counter(part.key)) {
      add(fmt::format("{} {}", part.name, format_seconds(*seconds)));
    }
  }
  const std::string method = c.text("verify_method");
  const std::string error = escape_html(error_text(c));
  if (!error.empty()) {
    add("error " + error + (method.empty() ? "" : " (" + escape_html(method) + ")"));
  }
  if (const auto bytes = c.counter("peak_bytes")) add("peak memory " + format_bytes(*bytes));
  if (const auto clock = c.counter("clock_mhz")) add(format_number(*clock) + " MHz");
  if (const auto throttled = c.counter("throttled"); throttled && *throttled > 0) {
    add("throttled");
  }
  if (c.stopping) {
    std::string stop = "stopped: " + escape_html(c.stopping->reason);
    if (c.stopping->half_width) stop += ", ± " + format_percent(*c.stopping->half_width);
    add(stop);
  }
  for (const auto& [key, text] : c.texts) {
    if (key == "verify_method" && !error.empty()) continue;  // said with the error
    // The shape's name holds its layer and its network.
    if ((key == "layer" || key == "network") && c.segments.shape.find(text) != std::string::npos)
      continue;
    add((key == "label" ? "" : escape_html(key) + ": ") + escape_html(text));
  }
  return out.empty() ? "" : "<p>" + out + "</p>";
}

std::string detail_html(const Run& run, const Case& c, Shown shown) {
  std::string out = fmt::format("<details id=\"{}\"><summary><code>{}</code> {}</summary>\n",
                                case_id(run, c), escape_html(c.name, kMostOfName),
                                c.seconds ? format_seconds(c.seconds->value) : "failed");
  if (c.seconds) {
    out += (shown.strips ? strip_svg(c) : "") + times_html(c, shown.samples);
  } else {
    out += fmt::format("<p class=\"bad\">{} ({} {} failed; no time is shown)</p>",
                       escape_html(*c.failure), c.failed_rows, c.failed_rows == 1 ? "row" : "rows");
  }
  return out + remarks_html(c) + "<pre>" + escape_html(reproduce_command(run, c)) +
         "</pre></details>\n";
}

}  // namespace

std::string rows_html(const Page& page) {
  if (case_count(page) > kMostDetailedCases) {
    return absent(
        fmt::format("Left to the raw data: {} cases are too many to unfold here. Every "
                    "sample is embedded in this file.",
                    with_commas(case_count(page))));
  }
  std::size_t samples = 0;
  for (const Run& run : page.runs) {
    for (const Case& c : run.cases) samples += c.samples();
  }
  const Shown shown{case_count(page) <= kMostStrips, samples <= kMostSamples};
  std::string out =
      shown.samples
          ? "<p>Every sample in the order in which it was taken, each line beginning with the "
            "number of its round"
          : "<p data-medians>The medians of the rounds in order; where scripts run, all samples "
            "(of "
            "which there are too many to list them twice: they are in the raw data below)";
  out += fmt::format("{}; and the command that measures the row again.{}</p>\n",
                     shown.strips ? "; the strip of all samples with the median marked" : "",
                     shown.strips ? ""
                                  : fmt::format(" Strips of the samples are drawn for up to {} "
                                                "cases, and where scripts run.",
                                                kMostStrips));
  for (const Run& run : page.runs) {
    for (const Case& c : run.cases) out += detail_html(run, c, shown);
  }
  return out;
}

}  // namespace breakeven
