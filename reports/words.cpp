#include "reports/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <tuple>

#include "reports/text.h"
#include "reports/training.h"

namespace breakeven {
namespace {

constexpr std::array<const char*, 4> kGpuModules = {"cuda", "cublas", "cudnn", "cublas_cudnn"};

std::string plural(std::size_t count, const std::string& one, const std::string& many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string joined(const std::vector<std::string>& parts, const char* separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : separator) + part;
  return text;
}

// The lead says no more than can be read: the tables below have the rest.
constexpr std::size_t kMostParts = 24;

std::string first_parts(std::vector<std::string> parts) {
  const std::size_t count = parts.size();
  if (count > kMostParts) parts.resize(kMostParts);
  return joined(parts, "; ") +
         (count > kMostParts ? fmt::format("; and {} more below", count - kMostParts) : "");
}

// Modules by reason, in order of the file, so that one reason is said once; `brief` leaves out what
// follows its first colon, as the words of a loader.
std::vector<std::string> module_reasons(const std::vector<const Unavailable*>& modules,
                                        bool brief = false) {
  std::vector<std::pair<std::string, std::vector<std::string>>> by_reason;
  for (const Unavailable* module : modules) {
    const std::string reason =
        brief ? module->reason.substr(0, module->reason.find(": ")) : module->reason;
    auto found = std::find_if(by_reason.begin(), by_reason.end(),
                              [&](const auto& entry) { return entry.first == reason; });
    if (found == by_reason.end()) found = by_reason.insert(found, {reason, {}});
    found->second.push_back(module->module);
  }
  std::vector<std::string> texts;
  for (const auto& [reason, names] : by_reason) {
    texts.push_back(fmt::format("{}: {}", joined(names, ", "), shortened(reason, 600)));
  }
  return texts;
}

std::string size_text(double value) { return fmt::format("{:.6g}", std::round(value)); }

// "at 512–2048; can't tell at 4096": sizes next to each other with one verdict are said together.
std::string verdicts_text(const std::vector<std::pair<double, Verdict>>& verdicts) {
  std::map<Verdict, std::vector<std::string>> ranges;
  for (std::size_t i = 0; i < verdicts.size();) {
    const auto [first, verdict] = verdicts[i];
    double last = first;
    while (i < verdicts.size() && verdicts[i].second == verdict) last = verdicts[i++].first;
    ranges[verdict].push_back(
        first == last ? size_text(first) : fmt::format("{}–{}", size_text(first), size_text(last)));
  }
  std::string text = "at " + joined(ranges[Verdict::gpu_wins], ", ");
  if (const auto& sizes = ranges[Verdict::undecided]; !sizes.empty()) {
    text += "; can't tell at " + joined(sizes, ", ");
  }
  if (const auto& sizes = ranges[Verdict::cpu_wins]; !sizes.empty()) {
    text += "; the CPU wins at " + joined(sizes, ", ");
  }
  return text;
}

// Forward, backward and update of a training step have tables of their own.
bool is_part_of_step(const std::string& op) {
  return is_training(op) && !op.starts_with("training_step_") && !op.starts_with("inference_");
}

// The lead is read first and in one breath: of the convolutions it has the forward one, of models
// the whole step.
bool in_lead(const std::string& op) {
  if (is_training(op)) return op.starts_with("training_step_");
  return !op.starts_with("conv2d_") || op == "conv2d_forward";
}

std::string speedup_sentence(const Run& run) {
  std::vector<std::string> parts;
  for (const Answer& answer : run.answers) {
    if (!answer.geometric_mean || !in_lead(answer.op)) continue;
    std::string part = fmt::format("{} {}{}: {}", answer.op, answer.precision,
                                   answer.mode.empty() ? "" : " " + answer.mode,
                                   ratio_text(*answer.geometric_mean));
    part += fmt::format(" over {}", plural(answer.pairs.size(), "pair", "pairs"));
    if (const auto& crossover = answer.crossovers.resident) {
      part += ", GPU wins " + crossover_text(*crossover);
    }
    parts.push_back(part);
  }
  for (const Pair& pair : run.network_pairs) {
    if (!in_lead(pair.op)) continue;
    parts.push_back(fmt::format("{} {} of all layers of {}: {}", pair.op, pair.precision,
                                pair.shape, ratio_text(pair.speedup)));
  }
  if (parts.empty()) {
    return "Speedups of the GPU over the strongest CPU row were measured; they stand below.";
  }
  return fmt::format(
      "Geometric-mean speedup of the GPU over the strongest CPU row (packed weights aside), "
      "operands resident: {}.",
      first_parts(parts));
}

}  // namespace

std::string run_cell(const Page& page, const Run& run) {
  return page.runs.size() > 1 ? fmt::format("{}: ", run.label) : "";
}

std::optional<double> rate_of_case(const Case& c) {
  return c.segments.op == "stream" ? c.bytes_per_second() : c.flops_per_second();
}

const char* rate_unit(const std::string& op, const std::string& precision) {
  if (op == "stream") return "GB/s";
  return precision == "int8" ? "GOP/s" : "GFLOP/s";
}

std::string rate_text(const std::string& op, const std::string& precision, double per_second) {
  return fmt::format("{} {}", format_number(per_second / 1e9), rate_unit(op, precision));
}

std::string implementation_text(const std::string& implementation) {
  return implementation == "naive" ? "naive (a strawman)" : implementation;
}

std::vector<Headline> headlines(const Run& run) {
  using Key = std::tuple<std::string, std::string, std::string>;
  std::map<Key, Headline> all;
  for_each_stretch(run.cases, same_work, [&](std::span<const Case> cases) {
    const CaseName& name = cases.front().segments;
    if (name.op == "peak" || is_part_of_step(name.op)) return;
    std::vector<const Case*> candidates;
    for (const Case& c : cases) {
      if (!run.trusts(c) || is_framework(c) || is_pipeline(c) || !rate_of_case(c) ||
          !moves_memory(run, c)) {
        continue;
      }
      if (options_text(c.segments, {"launch"}).empty()) candidates.push_back(&c);
    }
    if (candidates.empty()) return;
    Headline& best = all[{name.op, name.precision, name.device}];
    ++best.shapes;
    const Best choice = best_by_other_rounds(candidates);
    const Case& favourite = choice.favourite();
    std::vector<double> values;
    for (const auto& [round, seconds] : choice.seconds) values.push_back(seconds);
    const Estimate seconds = median_estimate(values);
    const double work = *favourite.counter(name.op == "stream" ? "bytes" : "flops");
    if (work / seconds.value <= best.per_second) return;
    best.per_second = work / seconds.value;
    best.seconds = seconds;
    best.favourite = &favourite;
    best.rounds_chosen = choice.chosen.at(&favourite);
    best.share_of_ceiling.reset();
    if (favourite.share_of_ceiling) {
      best.share_of_ceiling =
          *favourite.share_of_ceiling * favourite.seconds->value / seconds.value;
    }
  });
  std::vector<Headline> list;
  for (auto& [key, best] : all) {
    if (best.favourite == nullptr) continue;
    std::tie(best.op, best.precision, best.device) = key;
    list.push_back(std::move(best));
  }
  return list;
}

std::string gpu_absence(const Run& run) {
  std::vector<const Unavailable*> modules;
  for (const Unavailable& module : run.results.unavailable) {
    if (std::count(kGpuModules.begin(), kGpuModules.end(), module.module) > 0) {
      modules.push_back(&module);
    }
  }
  if (!modules.empty()) return joined(module_reasons(modules, true), "; ");
  const bool failed = std::any_of(run.cases.begin(), run.cases.end(), [](const Case& c) {
    return c.segments.device == "gpu" && c.failure;
  });
  if (failed) return "every GPU row failed";
  return "the file holds no GPU row and no reason for it";
}

std::string ratio_text(const Estimate& ratio) {
  const std::string value = format_number(ratio.value, 3);
  if (!(ratio.interval.coverage > 0)) return fmt::format("{}x (no interval: one round)", value);
  const std::string interval = fmt::format("{}–{}", format_number(ratio.interval.low, 3),
                                           format_number(ratio.interval.high, 3));
  if (!ratio.interval.decides()) {
    return fmt::format("can't tell ({}, only {} rounds)", interval, ratio.samples);
  }
  if (ratio.interval.low <= 1 && ratio.interval.high >= 1) {
    return fmt::format("can't tell ({})", interval);
  }
  return fmt::format("{}x ({})", value, interval);
}

std::string ratio_phrase(const Estimate& ratio) {
  const Interval& interval = ratio.interval;
  const bool tells = interval.decides() && (interval.low > 1 || interval.high < 1);
  if (tells || !(interval.coverage > 0)) return ratio_text(ratio);
  return fmt::format("somewhere between {}x and {}x", format_number(interval.low, 3),
                     format_number(interval.high, 3));
}

std::string crossover_text(const Crossover& crossover, const char* what) {
  // A GPU win below a size where the CPU wins has no place in "from ... on".
  const auto& verdicts = crossover.verdicts;
  const double up_to = crossover.gpu_wins_from ? crossover.cpu_wins_to.value_or(0)
                                               : std::numeric_limits<double>::infinity();
  const bool wins_before = std::any_of(verdicts.begin(), verdicts.end(), [&](const auto& v) {
    return v.second == Verdict::gpu_wins && v.first < up_to;
  });
  if (wins_before) return verdicts_text(verdicts);
  if (!crossover.gpu_wins_from) {
    return crossover.cpu_wins_to ? fmt::format("at no measured {}; the CPU wins up to {}", what,
                                               size_text(*crossover.cpu_wins_to))
                                 : "nowhere for certain";
  }
  if (!crossover.cpu_wins_to) {
    return fmt::format("from {} on; the CPU wins at no measured {} for certain",
                       size_text(*crossover.gpu_wins_from), what);
  }
  return fmt::format(
      "from a {} between {} and {}{} on", what, size_text(*crossover.cpu_wins_to),
      size_text(*crossover.gpu_wins_from),
      crossover.interpolated ? fmt::format(" (about {})", size_text(*crossover.interpolated)) : "");
}

std::string coverage_text(const Interval& interval) {
  return interval.coverage > 0 ? format_percent(interval.coverage) : "none";
}

namespace {

// Of each precision the highest rate: "230.8 GFLOP/s in f32 (matmul square_512 by …), …".
std::string reached_text(const Run& run) {
  const std::vector<Headline> all = headlines(run);
  std::map<std::string, const Headline*> best_of;
  for (const Headline& best : all) {
    if (best.op == "stream" || best.device != "cpu" || !in_lead(best.op)) continue;
    const Headline*& place = best_of[best.precision];
    if (place == nullptr || best.per_second > place->per_second) place = &best;
  }
  std::vector<std::string> parts;
  for (const auto& [precision, best] : best_of) {
    const CaseName& name = best->favourite->segments;
    parts.push_back(fmt::format(
        "{} in {} ({} {} by {}{})", rate_text(best->op, precision, best->per_second), precision,
        best->op, name.shape, implementation_text(name.implementation),
        best->share_of_ceiling
            ? fmt::format(", {} of measured peak", format_percent(*best->share_of_ceiling))
            : ""));
  }
  return first_parts(parts);
}

}  // namespace

std::string answer_sentence(const Page& page) {
  std::vector<std::string> sentences;
  for (const Run& run : page.runs) {
    const std::string prefix = run.label.empty() ? "" : fmt::format("Run {}: ", run.label);
    if (!run.answers.empty()) {
      sentences.push_back(prefix + speedup_sentence(run));
      continue;
    }
    std::string text =
        prefix +
        (run.has_gpu_rows()
             ? "No speedup was measured here: no GPU row has a verified, tuned CPU row of the "
               "same shape, precision and mode."
             : fmt::format("No speedup was measured here ({}).", gpu_absence(run)));
    if (const std::string reached = reached_text(run); !reached.empty()) {
      text += fmt::format(" The CPU reaches {}.", reached);
    }
    text += networks_sentence(run);
    sentences.push_back(text);
  }
  return joined(sentences, " ");
}

}  // namespace breakeven
