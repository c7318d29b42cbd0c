#include "reports/thinning.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>
#include <utility>

namespace breakeven {
namespace {

constexpr int kFinest = 512;  // cells along an axis: about a pixel each

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  int cell(double value, int cells) const {
    const double share = high > low ? (value - low) / (high - low) : 0;
    return std::min(cells - 1, static_cast<int>(share * cells));
  }
};

}  // namespace

std::vector<std::size_t> marks_to_draw(const std::vector<MarkPlace>& marks, std::size_t most) {
  std::vector<std::size_t> kept(marks.size());
  for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = i;
  if (marks.size() <= most) return kept;
  std::vector<MarkPlace> logs(marks.size());
  Range x, y;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    logs[i] = {std::log(marks[i].x), std::log(marks[i].y)};
    if (!std::isfinite(logs[i].x) || !std::isfinite(logs[i].y)) continue;
    x.add(logs[i].x);
    y.add(logs[i].y);
  }
  std::erase_if(
      kept, [&](std::size_t i) { return !std::isfinite(logs[i].x) || !std::isfinite(logs[i].y); });
  std::unordered_set<int> taken;
  for (int cells = kFinest; kept.size() > most && cells > 0; cells /= 2) {
    taken.clear();
    std::erase_if(kept, [&](std::size_t i) {
      return !taken.insert(x.cell(logs[i].x, cells) * kFinest + y.cell(logs[i].y, cells)).second;
    });
  }
  return kept;
}

std::string MarkCount::text() const {
  return drawn == all ? "" : fmt::format(" ({} of {} marks drawn)", drawn, all);
}

}  // namespace breakeven
