#include "reports/claims_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "reports/text.h"
#include "reports/words.h"

namespace breakeven {

Side side_of(const Estimate& ratio, double limit) {
  if (!ratio.interval.decides()) return Side::undecided;
  if (ratio.interval.low > limit) return Side::above;
  return ratio.interval.high < limit ? Side::below : Side::undecided;
}

int Sweep::count(Side side) const {
  return static_cast<int>(std::count_if(points.begin(), points.end(), [&](const Point& point) {
    return side_of(point.ratio) == side;
  }));
}

std::optional<double> Sweep::from() const {
  double last_other = -std::numeric_limits<double>::infinity();
  for (const Point& point : points) {
    if (side_of(point.ratio) != Side::above) last_other = std::max(last_other, point.place);
  }
  std::optional<double> first;
  for (const Point& point : points) {
    if (point.place > last_other && (!first || point.place < *first)) first = point.place;
  }
  return first;
}

bool carries(int above, int below, int undecided) { return below == 0 && above > undecided; }

void rule(Judgement& judgement, const Sweep& sweep, std::string (*place_text)(double)) {
  const int above = sweep.count(Side::above);
  const int below = sweep.count(Side::below);
  const int undecided = sweep.count(Side::undecided);
  const auto from = sweep.from();
  judgement.ruling = Ruling::not_measured;
  if (above + below == 0) return;
  // Undecided places below all sure ones are a lower end; scattered ones say nothing.
  const bool lower_end =
      from && std::none_of(sweep.points.begin(), sweep.points.end(), [&](const Sweep::Point& p) {
        return p.place < *from && side_of(p.ratio) == Side::above;
      });
  if (from && above < static_cast<int>(sweep.points.size()) && (below > 0 || lower_end)) {
    judgement.ruling = Ruling::holds_from;
    judgement.from = place_text(*from);
  } else if (below > 0) {
    judgement.ruling = Ruling::does_not_hold;
  } else if (carries(above, below, undecided)) {
    judgement.ruling = Ruling::holds;
  }
}

std::string counts_text(const Sweep& sweep) {
  std::string text =
      fmt::format("{} of {} for certain", sweep.count(Side::above), sweep.points.size());
  if (const int below = sweep.count(Side::below); below > 0) {
    text += fmt::format(", {} the other way", below);
  }
  if (const int undecided = sweep.count(Side::undecided); undecided > 0) {
    text += fmt::format(", {} can't tell", undecided);
  }
  return text;
}

std::string size_place(double size) { return fmt::format("size {:.6g}", std::round(size)); }

std::string flops_place(double flops) { return format_number(flops / 1e9, 3) + " GFLOP a call"; }

std::string joined_parts(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text;
}

std::string pair_name(const Pair& pair) {
  return pair.op + " " + pair.shape + " " + pair.precision +
         (pair.mode.empty() ? "" : " " + pair.mode);
}

Evidence evidence(const Run& run, std::string text, const std::vector<const Case*>& rows) {
  Evidence evidence{std::move(text), {}};
  for (const Case* row : rows) evidence.rows.push_back({&run, row});
  return evidence;
}

std::string RivalPairs::left_out_text() const {
  if (left_out == 0) return "";
  return fmt::format(" {} the naive loop as the only CPU row and {} nothing.",
                     left_out == 1 ? "1 pair has" : fmt::format("{} pairs have", left_out),
                     left_out == 1 ? "decides" : "decide");
}

RivalPairs rival_pairs(const Run& run, std::string_view op) {
  RivalPairs rivals;
  for (const Pair& pair : run.pairs) {
    if (!pair.op.starts_with(op)) continue;
    if (!pair.rival) {
      ++rivals.left_out;
    } else {
      rivals.pairs.push_back(&pair);
    }
  }
  return rivals;
}

Evidence pair_evidence(const Run& run, const Pair& pair) {
  std::string text = pair_name(pair) + ": " + ratio_text(pair.speedup);
  if (pair.every_call) text += ", transfers at every call " + ratio_text(*pair.every_call);
  return evidence(run, text, {&pair.gpu.favourite(), &pair.cpu.favourite()});
}

void add_pairs(Judgement& judgement, const Run& run, const std::vector<const Pair*>& pairs) {
  if (pairs.empty()) return;
  const auto by_speedup = [](const Pair* a, const Pair* b) {
    return a->speedup.value < b->speedup.value;
  };
  const auto [worst, best] = std::minmax_element(pairs.begin(), pairs.end(), by_speedup);
  judgement.sentence +=
      fmt::format(" Highest: {} in {}; lowest: {} in {}.", ratio_phrase((*best)->speedup),
                  pair_name(**best), ratio_phrase((*worst)->speedup), pair_name(**worst));
  std::vector<const Pair*> order = {*best};
  if (*worst != *best) order.push_back(*worst);
  for (const Pair* pair : pairs) {
    if (pair != *best && pair != *worst) order.push_back(pair);
  }
  for (const Pair* pair : order) judgement.evidence.push_back(pair_evidence(run, *pair));
}

Judgement no_gpu(const Run& run, const std::string& cpu_alone,
                 const std::vector<Evidence>& evidence) {
  Judgement judgement;
  judgement.sentence = run.has_gpu_rows()
                           ? "No GPU row here has a verified, tuned CPU row to be held against."
                           : fmt::format("No GPU row ({}).", gpu_absence(run));
  if (!cpu_alone.empty()) judgement.sentence += " Of the CPU alone: " + cpu_alone + ".";
  judgement.evidence = evidence;
  return judgement;
}

}  // namespace breakeven
