// Words about convolutions and the sums over a network's layers.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "reports/text.h"
#include "reports/training.h"
#include "reports/words.h"

namespace breakeven {

std::string wins_text(const Run& run, const Answer& answer, Transfers transfers) {
  const std::optional<Crossover>& squares = answer.crossovers.of(transfers);
  if (squares) return crossover_text(*squares);
  const bool model = is_training(answer.op);
  if (!model && !is_convolution(answer.pairs.front()->gpu.favourite())) {
    return "not measured: fewer than two square sizes";
  }
  std::size_t wins = 0;
  std::size_t layers = 0;  // of a model: sweeps over batches
  std::string only;
  const auto key = [](const auto& of) { return std::tie(of.op, of.precision, of.mode); };
  const auto& all = run.batch_series;
  auto series = std::lower_bound(
      all.begin(), all.end(), answer,
      [&](const BatchSeries& a, const Answer& wanted) { return key(a) < key(wanted); });
  for (; series != all.end() && key(*series) == key(answer); ++series) {
    const std::optional<Crossover>& crossover = series->crossovers.of(transfers);
    if (series->whole_network || !crossover) continue;
    ++layers;
    wins += crossover->gpu_wins_from ? 1 : 0;
    only = crossover_text(*crossover, "batch");
  }
  if (model) {
    if (layers == 0) return "not measured: no size of the model at two batches";
    return layers == 1 ? only : fmt::format("from some batch on in {} of {} sweeps", wins, layers);
  }
  if (layers == 0) return "not measured: no layer at two batches";
  return fmt::format("from some batch on in {} of {}", wins,
                     layers == 1 ? "1 layer" : fmt::format("{} layers", layers));
}

std::string dimension_text(const Case& c) {
  const auto at = [&](const char* key, double usual) { return c.counter(key).value_or(usual); };
  const auto m = c.counter("m");
  if (!is_convolution(c)) {
    return m && at("n", 0) > 0 && at("k", 0) > 0
               ? fmt::format("{:.0f}x{:.0f}x{:.0f}", *m, at("n", 0), at("k", 0))
               : "";
  }
  for (const char* key : {"n", "c", "h", "w", "k", "r", "s"}) {
    if (!c.counter(key)) return "";
  }
  std::string text =
      fmt::format("n{:.0f} {:.0f}x{:.0f}x{:.0f} -> {:.0f}, {:.0f}x{:.0f}", at("n", 0), at("c", 0),
                  at("h", 0), at("w", 0), at("k", 0), at("r", 0), at("s", 0));
  const auto add = [&](const char* name, const char* rows, const char* columns, double usual) {
    const double high = at(rows, usual);
    const double wide = at(columns, usual);
    if (high == usual && wide == usual) return;
    text += high == wide ? fmt::format(", {} {:.0f}", name, high)
                         : fmt::format(", {} {:.0f}x{:.0f}", name, high, wide);
  };
  add("pad", "pad_h", "pad_w", 0);
  add("stride", "stride_h", "stride_w", 1);
  add("dilation", "dilation_h", "dilation_w", 1);
  const double groups = at("groups", 1);
  if (groups > 1) {
    text += groups == at("c", 0) ? ", depthwise" : fmt::format(", groups {:.0f}", groups);
  }
  // Only the name holds the layout, and always does where it is NCHW.
  if (c.segments.shape.ends_with("_nchw")) text += ", NCHW";
  return text;
}

std::string network_text(const NetworkSum& sum) {
  return fmt::format("{} of {}{}", sum.total.segments.op, sum.network,
                     sum.batch > 0 ? fmt::format(", n{:.0f}", sum.batch) : "");
}

std::string layers_text(const NetworkSum& sum) {
  return sum.layers > 0 ? fmt::format("{} of {}", sum.covered, sum.layers)
                        : fmt::format("{} of an unknown number", sum.covered);
}

std::string covered_text(const NetworkSum& sum) {
  return layers_text(sum) + (sum.layers > 0 ? " layers" : " of layers");
}

std::string networks_sentence(const Run& run) {
  std::map<std::tuple<std::string, double, std::string>, std::vector<const Case*>> groups;
  for (const NetworkSum& sum : run.networks) {
    const CaseName& name = sum.total.segments;
    if (!sum.complete() || !run.trusts(sum.total) || name.device != "cpu" ||
        name.op != "conv2d_forward")
      continue;
    groups[{sum.network, sum.batch, name.precision}].push_back(&sum.total);
  }
  constexpr std::size_t kMostParts = 24;
  std::vector<std::string> parts;
  for (const auto& [key, sums] : groups) {
    if (parts.size() == kMostParts) {
      parts.push_back(fmt::format("and {} more below", groups.size() - kMostParts));
      break;
    }
    const Best best = best_by_other_rounds(sums);
    const CaseName& name = best.favourite().segments;
    parts.push_back(fmt::format("{} {} {} ({})", name.shape, name.precision,
                                format_seconds(median_of_rounds(best.seconds)),
                                implementation_text(name.implementation)));
  }
  if (parts.empty()) return "";
  return fmt::format(" All convolutions of a network, forward, take: {}.", fmt::join(parts, "; "));
}

}  // namespace breakeven
