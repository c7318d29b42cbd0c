#include "bench/options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <functional>
#include <map>

namespace breakeven {
namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <class Number>
Number whole_number(std::string_view flag, std::string_view text, Number least) {
  const auto number = parse_number<Number>(text);
  if (!number || *number < least) {
    throw UsageError(fmt::format("{}={}: give a whole number of {} or more", flag, text, least));
  }
  return *number;
}

/// "0.05" as Google Benchmark takes it up to 1.7, "0.05s" as it does from 1.8 on.
double seconds(std::string_view flag, std::string_view text) {
  std::string_view digits = text;
  if (digits.ends_with('s')) digits.remove_suffix(1);
  const auto number = parse_number<double>(digits);
  if (!number || !std::isfinite(*number) || *number <= 0) {
    throw UsageError(
        fmt::format("{}={}: give a batch's length in seconds, e.g. 0.05 or 0.05s", flag, text));
  }
  return *number;
}

/// "90s", "8m", "1h30m" in seconds.
double duration(std::string_view flag, std::string_view text) {
  double total = 0;
  for (std::string_view rest = text; !rest.empty() || text.empty();) {
    const std::size_t unit = rest.find_first_of("hms");
    const auto number = parse_number<double>(rest.substr(0, unit));
    if (unit == std::string_view::npos || !number || !std::isfinite(*number) || *number <= 0) {
      throw UsageError(fmt::format("{}={}: give a time such as 90s, 8m or 1h30m", flag, text));
    }
    total += *number * (rest[unit] == 'h' ? 3600 : rest[unit] == 'm' ? 60 : 1);
    rest.remove_prefix(unit + 1);
  }
  return total;
}

std::string format_name(std::string_view flag, std::string_view text) {
  if (text != "console" && text != "json" && text != "csv") {
    throw UsageError(fmt::format("{}={}: give console, json or csv", flag, text));
  }
  return std::string(text);
}

bool truth(std::string_view flag, std::string_view text) {
  for (const char* yes : {"true", "yes", "on", "1", "t", "y"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"false", "no", "off", "0", "f", "n"}) {
    if (text == no) return false;
  }
  throw UsageError(fmt::format("{}={}: give true or false", flag, text));
}

std::string not_empty(std::string_view flag, std::string_view text) {
  if (text.empty()) throw UsageError(fmt::format("{}: give a value, {}=VALUE", flag, flag));
  return std::string(text);
}

/// A flag and what its value does; the flag's own name is passed for messages.
using Setter = std::function<void(BenchOptions&, std::string_view flag, std::string_view value)>;

const std::map<std::string_view, Setter>& value_flags() {
  static const std::map<std::string_view, Setter> flags = {
      {"--module", [](auto& o, auto f, auto v) { o.module = not_empty(f, v); }},
      {"--shapes", [](auto& o, auto f, auto v) { o.shapes.emplace_back(not_empty(f, v)); }},
      {"--threads",
       [](auto& o, auto f, auto v) {
         // 0 and negative numbers are refused with the allowed range, once that is known.
         const auto number = parse_number<int>(v);
         if (!number) throw UsageError(fmt::format("{}={}: give a whole number", f, v));
         o.threads = number;
       }},
      {"--cases", [](auto& o, auto f, auto v) { o.cases = not_empty(f, v); }},
      {"--events", [](auto& o, auto f, auto v) { o.events = not_empty(f, v); }},
      {"--seed", [](auto& o, auto f, auto v) { o.seed = whole_number<std::uint64_t>(f, v, 0); }},
      {"--tune",
       [](auto& o, auto f, auto v) {
         o.mode = Mode::tune;
         o.tune_seconds = duration(f, v);
       }},
      {"--tune_out", [](auto& o, auto f, auto v) { o.tune_out = not_empty(f, v); }},
      {"--benchmark_filter", [](auto& o, auto, auto v) { o.filter = v; }},
      {"--benchmark_min_time",
       [](auto& o, auto f, auto v) { o.min_batch_seconds = seconds(f, v); }},
      {"--benchmark_repetitions",
       [](auto& o, auto f, auto v) { o.repetitions = whole_number<int>(f, v, 1); }},
      {"--benchmark_format", [](auto& o, auto f, auto v) { o.format = format_name(f, v); }},
      {"--benchmark_out", [](auto& o, auto f, auto v) { o.out = not_empty(f, v); }},
      {"--benchmark_out_format", [](auto& o, auto f, auto v) { o.out_format = format_name(f, v); }},
      {"--benchmark_color",
       [](auto& o, auto f, auto v) {
         if (v != "auto") o.color = truth(f, v);
       }},
      {"--benchmark_counters_tabular", [](auto& o, auto f, auto v) { o.tabular = truth(f, v); }},
      {"--benchmark_list_tests",
       [](auto& o, auto f, auto v) {
         if (truth(f, v)) o.mode = Mode::list_names;
       }},
  };
  return flags;
}

const std::map<std::string_view, Setter>& bare_flags() {
  static const std::map<std::string_view, Setter> flags = {
      {"--verify", [](auto& o, auto, auto) { o.mode = Mode::verify; }},
      {"--tune", [](auto& o, auto, auto) { o.mode = Mode::tune; }},
      {"--largest_batch", [](auto& o, auto, auto) { o.mode = Mode::largest_batch; }},
      {"--list", [](auto& o, auto, auto) { o.mode = Mode::list; }},
      {"--modules", [](auto& o, auto, auto) { o.mode = Mode::modules; }},
      {"--facts", [](auto& o, auto, auto) { o.mode = Mode::facts; }},
      {"--energy", [](auto& o, auto, auto) { o.energy = true; }},
      {"--help", [](auto& o, auto, auto) { o.mode = Mode::help; }},
      {"--benchmark_list_tests", [](auto& o, auto, auto) { o.mode = Mode::list_names; }},
      {"--benchmark_counters_tabular", [](auto& o, auto, auto) { o.tabular = true; }},
  };
  return flags;
}

void apply(BenchOptions& options, const std::string& argument) {
  const std::size_t equals = argument.find('=');
  const std::string_view flag = std::string_view(argument).substr(0, equals);
  const bool has_value = equals != std::string::npos;
  const auto& known = has_value ? value_flags() : bare_flags();
  const auto& other = has_value ? bare_flags() : value_flags();
  if (const auto found = known.find(flag); found != known.end()) {
    found->second(options, flag, has_value ? std::string_view(argument).substr(equals + 1) : "");
  } else if (other.contains(flag)) {
    throw UsageError(has_value ? fmt::format("{}: takes no value", flag)
                               : fmt::format("{}: give a value, {}=VALUE", flag, flag));
  } else if (flag.starts_with("--benchmark_") || flag.starts_with("--v")) {
    options.benchmark_flags.push_back(argument);
  } else if (flag.starts_with("-")) {
    throw UsageError(fmt::format("unknown flag {}; --help lists the flags", flag));
  } else {
    throw UsageError(fmt::format(
        "unexpected argument '{}'; rows are chosen with --benchmark_filter=REGEX", argument));
  }
}

}  // namespace

BenchOptions parse_options(std::span<const std::string> arguments) {
  BenchOptions options;
  for (const std::string& argument : arguments) apply(options, argument);
  return options;
}

std::string_view help_text() {
  return R"(breakeven-bench: measures the competitors of one kernel module with Google Benchmark

  --module=NAME      the kernel module to open (--modules lists them); may be left out where only
                     one has rows that match
  --shapes=FILE      more shapes, as JSON; may be repeated
  --threads=N        CPU threads of the rows without a threads key (default: the physical cores
                     that this process may use)
  --cases=FILE       run exactly the rows named there, one a line, in this order
  --events=PATH      append one JSON object a line: context, start, rows, verified, skip, error, end
  --verify           check every row once against the reference, time nothing
  --tune[=TIME]      find the fastest tiling of each product of a list on this GPU, within TIME
                     (90s, 8m, 1h30m), and write it into the sources, to be built and committed
  --tune_out=FOLDER  write it there instead of into kernels/
  --largest_batch    of each row of a training step or inference the largest batch that fits into
                     memory: by its footprint, then by running it in a process of its own
  --list             the rows of the module, as JSON
  --modules          the modules, as JSON; opens none
  --facts            what is known of this machine (and of the module), as JSON
  --seed=N           recorded; without --cases also shuffles the rows
  --energy           joules per call, by a loop of a second or more, where a counter can be read

  --benchmark_filter=REGEX           rows to run (ECMAScript; a leading '-' takes the others)
  --benchmark_repetitions=N          batches of each row (default 3)
  --benchmark_min_time=SECONDS       length of a batch (default 0.02)
  --benchmark_out=FILE               Google Benchmark's JSON, written when the run is over
  --benchmark_format=console|json|csv
  and every other --benchmark_* flag of Google Benchmark

Exit status: 0; 1 where a row failed, its answer was wrong, or a shape of a file was refused; 2 a
mistake on the command line.
)";
}

}  // namespace breakeven
