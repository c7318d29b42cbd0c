// Sums over a network's layers, their ratios, and where a GPU starts to win along the batch.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "reports/model.h"
#include "reports/training.h"

namespace breakeven {
namespace {

struct NetworkLayer {
  std::string name;
  int times;
};

// "conv1*1 block*4": what docs/results.md puts under network.NAME. Empty where the file has no such
// list or a broken one: how many layers a network has is never guessed from the rows.
std::vector<NetworkLayer> layers_of(const Run& run, const std::string& network) {
  std::vector<NetworkLayer> layers;
  const std::string text = run.fact("network." + network);
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(' ', start), text.size());
    const std::string entry = text.substr(start, end - start);
    const std::size_t star = entry.rfind('*');
    int times = 0;
    if (star != std::string::npos) {
      std::from_chars(entry.data() + star + 1, entry.data() + entry.size(), times);
    }
    if (times < 1 || times > 1000000) return {};
    layers.push_back({entry.substr(0, star), times});
    start = end + 1;
  }
  return layers;
}

// Network, batch, operation, precision, device, implementation.
using SumKey = std::tuple<std::string, double, std::string, std::string, std::string, std::string>;

SumKey key_of(const CaseName& name, const std::string& network, double batch) {
  return {network, batch, name.op, name.precision, name.device, name.implementation};
}

struct Group {
  std::map<std::string, const Case*> timed;  // by layer
  std::map<std::string, std::string> why;    // layers without a time
};

double batch_of(const Case& c) { return is_convolution(c) ? c.counter("n").value_or(0) : 0; }

// Which layer a shape is.
struct Place {
  std::string network;
  std::string layer;
  double batch;
};

// Shapes are unique only among operations that share them: a matmul's "xx" is none of conv2d's.
using PlaceKey = std::pair<std::string, std::string>;

PlaceKey place_key(const CaseName& name) {
  return {name.op.starts_with("conv2d_") ? "conv2d" : name.op, name.shape};
}

// For rows that failed or were skipped: they know only their shape's name.
std::map<PlaceKey, Place> places_of(const Run& run) {
  std::map<PlaceKey, Place> places;
  for (const Case& c : run.cases) {
    const std::string network = c.text("network");
    if (!network.empty()) places[place_key(c.segments)] = {network, c.text("layer"), batch_of(c)};
  }
  return places;
}

std::map<SumKey, Group> groups_of(const Run& run) {
  const std::map<PlaceKey, Place> places = places_of(run);
  std::map<SumKey, Group> groups;
  for (const Case& c : run.cases) {
    if (!c.segments.options.empty()) continue;
    if (c.seconds) {
      const std::string network = c.text("network");
      if (network.empty()) continue;
      groups[key_of(c.segments, network, batch_of(c))].timed[c.text("layer")] = &c;
      continue;
    }
    const auto place = places.find(place_key(c.segments));
    if (place == places.end()) continue;
    const auto& [network, layer, batch] = place->second;
    groups[key_of(c.segments, network, batch)].why[layer] = "failed";
  }
  for (const Skipped& skip : run.results.skipped) {
    const CaseName name = split_case_name(skip.name);
    const auto place = places.find(place_key(name));
    if (place == places.end() || !name.options.empty()) continue;
    // An implementation of which every layer was skipped has no sum to be incomplete.
    const auto group = groups.find(key_of(name, place->second.network, place->second.batch));
    if (group != groups.end()) group->second.why.emplace(place->second.layer, "skipped");
  }
  return groups;
}

// Sums times x value over the layers, in every round that all of them have.
void sum_rounds(const std::vector<std::pair<const Case*, int>>& layers, Case& total) {
  std::map<int, std::pair<std::size_t, double>> sums;  // round -> layers that have it, seconds
  for (const auto& [c, times] : layers) {
    for (const Round& round : c->rounds) {
      auto& [count, seconds] = sums[round.number];
      ++count;
      seconds += times * round.median_seconds;
    }
  }
  std::vector<double> values;
  for (const auto& [number, sum] : sums) {
    if (sum.first != layers.size()) continue;
    Round round;
    round.number = number;
    round.seconds = {sum.second};
    round.median_seconds = sum.second;
    total.rounds.push_back(std::move(round));
    values.push_back(sum.second);
  }
  if (!values.empty()) total.seconds = median_estimate(values);
}

// Work of all layers, and their largest error as a share of its limit: an unchecked layer leaves
// the sum unchecked.
void sum_counters(const std::vector<std::pair<const Case*, int>>& layers, Case& total) {
  double flops = 0;
  double error = 0;
  bool counted = true;
  bool verified = true;
  for (const auto& [c, times] : layers) {
    const auto own = c->counter("flops");
    counted = counted && own;
    flops += times * own.value_or(0);
    verified = verified && c->verified();
    if (verified && *c->counter("error") > 0) {
      error = std::max(error, *c->counter("error") / *c->counter("tolerance"));
    }
  }
  if (counted) total.counters["flops"] = flops;
  if (verified) {
    total.counters["error"] = error;
    total.counters["tolerance"] = 1;
    total.check_error();
  }
}

NetworkSum make_sum(const Run& run, const SumKey& key, const Group& group) {
  NetworkSum sum;
  CaseName& name = sum.total.segments;
  std::tie(sum.network, sum.batch, name.op, name.precision, name.device, name.implementation) = key;
  name.shape = sum.network + (sum.batch > 0 ? fmt::format("_n{:.0f}", sum.batch) : "");
  sum.total.name = fmt::format("{}/{}/{}/{}/{}", name.op, name.shape, name.device,
                               name.implementation, name.precision);
  if (sum.batch > 0) sum.total.counters["n"] = sum.batch;
  std::vector<std::pair<const Case*, int>> layers;
  for (const NetworkLayer& layer : layers_of(run, sum.network)) {
    sum.layers += layer.times;
    const auto found = group.timed.find(layer.name);
    // A row that counts its layer otherwise than the list is none of this network's.
    if (found != group.timed.end() && found->second->counter("times") == layer.times) {
      layers.emplace_back(found->second, layer.times);
      sum.covered += layer.times;
      continue;
    }
    const auto why = group.why.find(layer.name);
    sum.missing.push_back(layer.name + (why == group.why.end() ? "" : " (" + why->second + ")"));
  }
  if (sum.layers == 0) {
    for (const auto& [layer, c] : group.timed) {
      sum.covered += static_cast<int>(c->counter("times").value_or(1));
    }
    return sum;
  }
  if (!sum.missing.empty()) return sum;
  sum.total.threads = layers.front().first->threads;
  sum_rounds(layers, sum.total);
  sum.no_round = !sum.total.seconds;
  if (sum.complete()) sum_counters(layers, sum.total);
  return sum;
}

using SeriesKey = std::tuple<std::string, std::string, std::string, std::string, bool>;

void add_to_series(const std::vector<Pair>& pairs, bool whole_network,
                   std::map<SeriesKey, std::map<double, const Pair*>>& series) {
  for (const Pair& pair : pairs) {
    const Case& c = pair.gpu.favourite();
    std::string name = c.text(whole_network ? "network" : "layer");
    double batch = batch_of(c);
    if (const auto swept = sweep_batch(c)) {
      name = sweep_name(c.segments.shape);
      batch = *swept;
    }
    if (name.empty() || !(batch > 0)) continue;
    series[{pair.op, pair.precision, pair.mode, name, whole_network}][batch] = &pair;
  }
}

}  // namespace

void find_networks(Run& run) {
  for (const auto& [key, group] : groups_of(run)) {
    NetworkSum sum = make_sum(run, key, group);
    sum.total.texts["network"] = sum.network;
    apply_ceiling(run, sum.total);
    run.networks.push_back(std::move(sum));
  }
  std::vector<const Case*> complete;
  for (const NetworkSum& sum : run.networks) {
    if (sum.complete()) complete.push_back(&sum.total);
  }
  run.network_pairs = pair_up(complete).pairs;
}

void find_batch_series(Run& run) {
  std::map<SeriesKey, std::map<double, const Pair*>> all;
  add_to_series(run.pairs, false, all);
  add_to_series(run.network_pairs, true, all);
  for (const auto& [key, pairs] : all) {
    if (pairs.size() < 2) continue;
    BatchSeries series;
    std::tie(series.op, series.precision, series.mode, series.name, series.whole_network) = key;
    series.crossovers = find_crossovers({pairs.begin(), pairs.end()});
    run.batch_series.push_back(std::move(series));
  }
}

}  // namespace breakeven
