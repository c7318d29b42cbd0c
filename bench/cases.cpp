#include "bench/cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "reference/shapes.h"

namespace breakeven {
namespace {

/// One way to run a case, and how its name says so: "/cache:cold/threads:2".
struct Variant {
  Options options;
  std::string suffix;
};

std::string suffix_of(const Options& options, bool name_threads) {
  std::string suffix;
  if (options.cache == Cache::cold) suffix += "/cache:cold";
  if (options.launch == Launch::graph) suffix += "/launch:graph";
  if (name_threads) suffix += fmt::format("/threads:{}", options.threads);
  return suffix;
}

std::vector<Variant> variants(const Implementation& implementation, std::string_view kind,
                              const ThreadRange& range) {
  std::vector<int> counts = {0};
  if (kind == "cpu") counts = implementation.threaded ? thread_sweep(range) : std::vector{1};
  std::vector<Variant> result;
  for (const Launch launch : implementation.launches) {
    for (const Cache cache : implementation.caches) {
      for (const int threads : counts) {
        const Options options = {threads, cache, launch};
        const bool named = counts.size() > 1 && threads != range.default_threads;
        result.push_back({options, suffix_of(options, named)});
      }
    }
  }
  return result;
}

/// splitmix64 (Steele, Lea and Flood, 2014): the same shuffle on every machine.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void shuffle(std::vector<Case>& cases, std::uint64_t seed) {
  for (std::size_t i = cases.size(); i > 1; --i) {
    std::swap(cases[i - 1], cases[next_random(seed) % i]);
  }
}

std::vector<Case> named_in_file(const std::vector<Case>& cases, const std::filesystem::path& path) {
  std::unordered_map<std::string_view, const Case*> by_name;
  for (const Case& c : cases) by_name.emplace(c.name, &c);
  std::vector<Case> result;
  for (const std::string& name : read_case_names(path)) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      throw UsageError(
          fmt::format("{}: no case is called '{}'; --list names them", path.string(), name));
    }
    result.push_back(*found->second);
  }
  return result;
}

std::vector<Case> matching(const std::vector<Case>& cases, const std::string& filter) {
  const Filter accepts(filter);
  std::vector<Case> result;
  for (const Case& c : cases) {
    if (accepts(c.name)) result.push_back(c);
  }
  if (result.empty()) {
    throw UsageError(
        fmt::format("--benchmark_filter={}: matches none of {} cases; --list names them", filter,
                    cases.size()));
  }
  return result;
}

bool is_segment(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Filter::Filter(const std::string& text) : negative_(text.starts_with('-')) {
  const std::string pattern = text.substr(negative_ ? 1 : 0);
  const bool takes_all = pattern.empty() || pattern == "all";  // as Google Benchmark reads them
  try {
    expression_.assign(takes_all ? std::string(".") : pattern,
                       std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    throw UsageError(
        fmt::format("--benchmark_filter={}: not a regular expression ({})", text, error.what()));
  }
}

std::vector<std::string> read_case_names(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> names;
  std::unordered_set<std::string> seen;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    if (!seen.insert(line).second) {
      throw UsageError(fmt::format("{}: '{}' stands there twice", path.string(), line));
    }
    names.push_back(line);
  }
  if (names.empty()) {
    throw UsageError(fmt::format("--cases={}: can't be read, or names no case", path.string()));
  }
  return names;
}

std::vector<int> thread_sweep(const ThreadRange& range) {
  std::set<int> counts = {range.default_threads, range.max_threads};
  for (int threads = 1; threads < range.max_threads; threads *= 2) counts.insert(threads);
  return {counts.begin(), counts.end()};
}

std::string CaseName::text() const {
  std::string result = fmt::format("{}/{}/{}/{}/{}", op, shape, device, implementation, precision);
  for (const auto& [key, value] : keys) result += fmt::format("/{}:{}", key, value);
  return result;
}

std::optional<CaseName> parse_case_name(std::string_view text) {
  std::vector<std::string_view> segments;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    segments.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (segments.size() < 5) return std::nullopt;
  if (!std::all_of(segments.begin(), segments.begin() + 5, is_segment)) return std::nullopt;
  if (!parse_precision(segments[4])) return std::nullopt;
  CaseName name{std::string(segments[0]), std::string(segments[1]), std::string(segments[2]),
                std::string(segments[3]), std::string(segments[4]), {}};
  std::string_view last_key;
  for (const std::string_view segment : std::span(segments).subspan(5)) {
    const std::size_t colon = segment.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const std::string_view key = segment.substr(0, colon);
    const std::string_view value = segment.substr(colon + 1);
    if (!is_segment(key) || !is_segment(value) || key <= last_key) return std::nullopt;
    name.keys.emplace(key, value);
    last_key = key;
  }
  return name;
}

LoadedShapes load_workloads(const std::vector<std::filesystem::path>& shape_files) {
  LoadedShapes loaded{built_in_workloads(), {}};
  TakenNames names;  // of all files
  std::set<std::string> networks;
  for (const auto& workload : loaded.workloads) networks.insert(workload->layer().network);
  for (const std::filesystem::path& path : shape_files) {
    ShapeFile file;
    try {
      file = load_shapes(path, names);
    } catch (const std::runtime_error& error) {
      throw UsageError(error.what());
    }
    // Layers of two files under one name would be summed up as one network.
    const std::string network = file.shapes.front().workload->layer().network;
    if (!network.empty() && !networks.insert(network).second) {
      throw UsageError(
          fmt::format("{}: there are layers of a network \"{}\" already; choose another name",
                      path.string(), network));
    }
    for (Shape& shape : file.shapes) {
      names.emplace(shape.workload->op() + "/" + shape.workload->shape(),
                    fmt::format("a {} shape in {}", shape.workload->op(), path.string()));
      loaded.workloads.push_back(std::move(shape.workload));
    }
    std::ranges::move(file.refused, std::back_inserter(loaded.refused));
  }
  return loaded;
}

std::vector<Case> expand_cases(const Registry& registry, const Workloads& workloads,
                               std::string_view kind, const ThreadRange& threads) {
  std::vector<Case> cases;
  std::unordered_set<std::string> names;
  for (const Implementation& implementation : registry.implementations()) {
    const std::vector<Variant> ways = variants(implementation, kind, threads);
    for (const auto& workload : workloads) {
      if (workload->op() != implementation.op) continue;
      for (const Precision precision : implementation.precisions) {
        const std::string stem = fmt::format("{}/{}/{}/{}/{}", workload->op(), workload->shape(),
                                             kind, implementation.name, traits(precision).name);
        for (const auto& [options, suffix] : ways) {
          if (!names.insert(stem + suffix).second) {
            throw std::runtime_error(fmt::format(
                "the module offers {} twice; rename one of its implementations", stem + suffix));
          }
          cases.push_back({stem + suffix, workload.get(), &implementation, precision, options,
                           implementation.unsupported(*workload, precision, options)});
        }
      }
    }
  }
  return cases;
}

std::vector<Case> select_cases(const std::vector<Case>& cases, const BenchOptions& options) {
  if (options.cases) return named_in_file(cases, *options.cases);
  std::vector<Case> selected = matching(cases, options.filter);
  if (options.seed) shuffle(selected, *options.seed);
  return selected;
}

}  // namespace breakeven
