// The gate's histories: a line of values for each row, and where it changed.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "reports/html_parts.h"
#include "reports/svg.h"
#include "reports/text.h"

namespace breakeven {
namespace {

constexpr std::size_t kMostValues = 60;  // of a row that are drawn
constexpr std::size_t kMostMachines = 10;
constexpr std::size_t kMostChanged = 100;  // rows of a machine that changed
constexpr std::size_t kMostSteady = 60;    // and that didn't
constexpr std::size_t kMostChanges = 3;    // of a row
constexpr std::size_t kNameLimit = 300;
constexpr int kSlower = 7, kFaster = 3;  // styles

struct Told {
  const std::string* name;
  const RowHistory* row;
  std::vector<RowChange> changes;  ///< oldest first
};

std::string number(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

/// Ten characters: as much of a commit as is ever needed, and of a date its day.
std::string begin_of(const std::string& text) {
  return escape_html(shortened(text.substr(0, 10), 10));
}

/// The last values, logarithmic, with levels and markers at the changes among them.
class Sparkline {
 public:
  explicit Sparkline(const Told& told)
      : told_(told), first_(told.row->seconds.size() - shown(*told.row)) {
    for (std::size_t i = first_; i < told.row->seconds.size(); ++i) {
      low_ = std::min(low_, std::log(told.row->seconds[i]));
      high_ = std::max(high_, std::log(told.row->seconds[i]));
    }
    shown_low_ = std::exp(low_);
    shown_high_ = std::exp(high_);
    // Noise of less than a percent isn't drawn as if it were a mountain.
    constexpr double kLeast = 0.02;
    const double missing = std::max(kLeast - (high_ - low_), 0.0) / 2;
    low_ -= missing;
    high_ += missing;
  }

  static std::size_t shown(const RowHistory& row) {
    return std::min(row.seconds.size(), kMostValues);
  }

  std::string svg() const {
    const auto& seconds = told_.row->seconds;
    std::string line;
    for (std::size_t i = first_; i < seconds.size(); ++i) {
      line += fmt::format("{}{} {}", line.empty() ? "M" : "L", number(x(i)), number(y(seconds[i])));
    }
    std::string out = fmt::format(
        "<svg class=\"spark\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\" "
        "aria-label=\"{2} values, {3} to {4}\"><g class=\"s1\"><path class=\"st\" d=\"{5}\" "
        "fill=\"none\" stroke=\"{6}\" stroke-width=\"1.4\"/><path class=\"fi\" fill=\"{6}\" "
        "d=\"M{7} {8}a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0\"/></g>",
        kWidth, kHeight, shown(*told_.row), format_seconds(shown_low_), format_seconds(shown_high_),
        line, style_colour(1), number(x(seconds.size() - 1) - 2.5), number(y(seconds.back())));
    for (std::size_t i = 0; i < told_.changes.size(); ++i) out += mark(i);
    return out + "</svg>";
  }

 private:
  static constexpr double kWidth = 260, kHeight = 40, kEdge = 6;

  double x(std::size_t index) const {
    const std::size_t steps = std::max<std::size_t>(shown(*told_.row), 2) - 1;
    return kEdge +
           (kWidth - 2 * kEdge) * static_cast<double>(index - first_) / static_cast<double>(steps);
  }
  double y(double seconds) const {
    return kHeight - kEdge - (kHeight - 2 * kEdge) * (std::log(seconds) - low_) / (high_ - low_);
  }

  std::size_t index_of(std::size_t measurement) const {
    const auto& all = told_.row->measurements;
    return static_cast<std::size_t>(std::lower_bound(all.begin(), all.end(), measurement) -
                                    all.begin());
  }

  std::string mark(std::size_t i) const {
    const RowChange& change = told_.changes[i];
    const std::size_t at = index_of(change.first_after);
    if (at <= first_) return "";
    const int style = change.ratio > 1 ? kSlower : kFaster;
    const double middle = (x(at) + x(at - 1)) / 2;
    // The triangle's direction says it without the colour: up is slower.
    const std::string tip = change.ratio > 1
                                ? fmt::format("M{} 0l4 6h-8z", number(middle))
                                : fmt::format("M{} {}l4-6h-8z", number(middle), number(kHeight));
    return fmt::format(
        "<g class=\"s{0}\"><path class=\"st\" d=\"M{1} 0V{2}\" stroke=\"{3}\" "
        "stroke-dasharray=\"3 2\" fill=\"none\"/><path class=\"fi\" d=\"{4}\" fill=\"{3}\"/></g>",
        style, number(middle), number(kHeight), style_colour(style), tip);
  }

  const Told& told_;
  std::size_t first_;
  double low_ = std::numeric_limits<double>::infinity();
  double high_ = -std::numeric_limits<double>::infinity();
  double shown_low_ = 0;  // seconds, before the range is widened
  double shown_high_ = 0;
};

std::string change_html(const MachineHistory& machine, const RowChange& change) {
  const Measurement& before = machine.measurements[change.last_before];
  const Measurement& after = machine.measurements[change.first_after];
  return fmt::format(
      "<b class=\"nw\">{} {}</b> <code>{}..{}</code> <span class=\"nw\">{}:</span> <span "
      "class=\"nw\">{} → {},</span> p {}",
      change.ratio > 1 ? "▲" : "▼", escape_html(change_text({change.ratio, {}, 0})),
      begin_of(before.commit), begin_of(after.commit), begin_of(after.date),
      format_seconds(change.before_seconds), format_seconds(change.after_seconds),
      p_text(change.p_value));
}

std::string row_html(const MachineHistory& machine, const Told& told) {
  std::string changes;
  const std::size_t shown = std::min(told.changes.size(), kMostChanges);
  for (std::size_t i = 0; i < shown; ++i) {
    changes +=
        (i > 0 ? "<br>" : "") + change_html(machine, told.changes[told.changes.size() - 1 - i]);
  }
  if (told.changes.size() > shown) {
    changes += fmt::format("<br>and {} older", told.changes.size() - shown);
  }
  return fmt::format(
      "<tr><th scope=\"row\">{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td>{}</tr>\n",
      escape_html(shortened(*told.name, kNameLimit)), Sparkline(told).svg(),
      format_seconds(told.row->seconds.back()), told.row->seconds.size(),
      changes.empty() ? "–" : changes);
}

std::string table(const MachineHistory& machine, const std::vector<Told>& rows, std::size_t most,
                  const char* column) {
  const std::size_t shown = std::min(rows.size(), most);
  std::string out = fmt::format(
      "<div class=\"scroll\"><table class=\"changes\"><thead><tr><th scope=\"col\">Row<th "
      "scope=\"col\">The last {} "
      "values at most<th scope=\"col\">Last<th scope=\"col\">Values<th "
      "scope=\"col\">{}</tr></thead>"
      "\n<tbody>",
      kMostValues, column);
  for (std::size_t i = 0; i < shown; ++i) out += row_html(machine, rows[i]);
  out += "</tbody></table></div>\n";
  if (rows.size() > shown) {
    out += absent(fmt::format("{} more rows: `breakeven gate history` tells all changes.",
                              rows.size() - shown));
  }
  return out;
}

std::string machine_html(const Page& page, const MachineHistory& machine) {
  std::vector<Told> changed, steady;
  for (const auto& [name, row] : machine.rows) {
    Told told{&name, &row, row_changes(row)};
    (told.changes.empty() ? steady : changed).push_back(std::move(told));
  }
  std::stable_sort(changed.begin(), changed.end(), [](const Told& a, const Told& b) {
    return a.changes.back().first_after > b.changes.back().first_after;
  });
  std::string out = fmt::format(
      "<h3>History <small>machine {}{}: {} measurements, {} of {} rows changed</small></h3>\n",
      escape_html(shortened(machine.fingerprint, 40)),
      page.verdict && !page.verdict->head.machine.empty() &&
              page.verdict->head.machine != machine.fingerprint
          ? ", another one than the verdict's"
          : "",
      machine.measurements.size(), changed.size(), machine.rows.size());
  if (changed.empty()) {
    out += "<p>No row shows a change point.</p>\n";
  } else {
    out +=
        "<p>Change points of E-divisive means on logarithms of the times, each with the commits "
        "between which it lies, the newest first. Noise alone shows one in a series of 100 "
        "values out of about 13.</p>\n" +
        table(machine, changed, kMostChanged, "Changes: commits, date, before → after");
  }
  if (steady.empty()) return out;
  return out + fmt::format("<details><summary>{} {} without a change</summary>\n{}</details>\n",
                           steady.size(), steady.size() == 1 ? "row" : "rows",
                           table(machine, steady, kMostSteady, "Changes"));
}

}  // namespace

std::string history_html(const Page& page) {
  std::vector<const MachineHistory*> machines;
  for (const MachineHistory& machine : page.histories) machines.push_back(&machine);
  // The verdict's machine first.
  std::stable_partition(machines.begin(), machines.end(), [&](const MachineHistory* machine) {
    return page.verdict && page.verdict->head.machine == machine->fingerprint;
  });
  std::string out;
  const std::size_t shown = std::min(machines.size(), kMostMachines);
  for (std::size_t i = 0; i < shown; ++i) out += machine_html(page, *machines[i]);
  if (machines.size() > shown) {
    out += absent(fmt::format("{} more machines: `breakeven gate history` tells of all.",
                              machines.size() - shown));
  }
  if (!page.torn.empty()) {
    out += absent(fmt::format("{} torn line{} of the history {} passed over, the first at {}.",
                              page.torn.size(), page.torn.size() == 1 ? "" : "s",
                              page.torn.size() == 1 ? "was" : "were",
                              shortened(page.torn.front(), 200)));
  }
  return out;
}

}  // namespace breakeven
