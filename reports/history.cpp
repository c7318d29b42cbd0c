#include "reports/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "reports/change_points.h"
#include "reports/json_text.h"
#include "reports/text.h"

namespace breakeven {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw std::runtime_error(fmt::format("{}: {}", visible_text(path.string()), what));
}

constexpr std::string_view kRemedy = ": mend the line, or delete it";

void take_rows(const json& rows, const Place& place, std::size_t index, MachineHistory& history) {
  for (const auto& [name, value] : rows.items()) {
    const double seconds = value.is_number() ? value.get<double>() : 0;
    if (!(seconds > 0) || !std::isfinite(seconds)) {
      place.at(shortened(name, 100))
          .fail(fmt::format("is not a positive, finite number of seconds{}", kRemedy));
    }
    RowHistory& series = history.rows[name];
    series.measurements.push_back(index);
    series.seconds.push_back(seconds);
  }
}

std::string word_at(const json& line, const char* key, const Place& place) {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_string() || found->get_ref<const std::string&>().empty()) {
    place.at(key).fail(fmt::format("is not a text{}", kRemedy));
  }
  return found->get<std::string>();
}

void take_record(const json& line, const Place& place, MachineHistory& history) {
  const json version = line.is_object() ? line.value("gate_history", json()) : json();
  if (version.is_number_integer() && version != kHistoryVersion) {
    place.fail(fmt::format("is a line of version {}: only version {} can be read here",
                           version.dump(), kHistoryVersion));
  }
  if (version != kHistoryVersion) place.fail(fmt::format("is no line of a history{}", kRemedy));
  const auto rows = line.find("seconds");
  if (rows == line.end() || !rows->is_object()) {
    place.at("seconds").fail(fmt::format("is not an object{}", kRemedy));
  }
  const std::size_t index = history.measurements.size();
  history.measurements.push_back({word_at(line, "commit", place), word_at(line, "date", place)});
  take_rows(*rows, place, index, history);
}

/// Takes a file's text in pieces of any size, and keeps no more of it than a line.
class Lines {
 public:
  Lines(std::string file, MachineHistory& history, std::vector<std::string>& torn)
      : file_(std::move(file)), history_(history), torn_(torn) {}

  void add(std::string_view text) {
    for (std::size_t end; (end = text.find('\n')) != std::string_view::npos;) {
      begun_ += text.substr(0, end);
      ++number_;
      take(begun_);
      begun_.clear();
      text.remove_prefix(end + 1);
    }
    begun_ += text;
    if (begun_.size() > kLongestLine) {
      ++number_;
      place().fail("is longer than 256 MiB: no line of a history; move the file elsewhere");
    }
  }

  /// What has no end now was being written when its writer stopped.
  void finish() {
    if (blank(begun_)) return;
    ++number_;
    torn_.push_back(place().file);
  }

 private:
  static constexpr std::size_t kLongestLine = std::size_t{256} << 20;

  static bool blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
  }
  Place place() const { return {fmt::format("{}:{}", file_, number_), ""}; }

  void take(std::string_view line) {
    if (blank(line)) return;
    json record;
    const auto shallow = [&](int depth, json::parse_event_t, json&) {
      if (depth < kDeepestJson) return true;
      place().fail(fmt::format("is nested more than {} deep{}", kDeepestJson, kRemedy));
    };
    try {
      record = json::parse(line, shallow);
    } catch (const json::parse_error& error) {
      // The parser wanted more than there is: torn, and the file's last line once.
      if (error.byte > line.size()) return torn_.push_back(place().file);
      place().fail(fmt::format("column {}: is not JSON{}", error.byte, kRemedy));
    } catch (const json::out_of_range&) {
      place().fail(fmt::format("holds a number that is too large{}", kRemedy));
    }
    take_record(record, place(), history_);
  }

  std::string file_;
  MachineHistory& history_;
  std::vector<std::string>& torn_;
  std::string begun_;  ///< the line whose end hasn't come yet
  std::size_t number_ = 0;
};

void read_file(const fs::path& path, MachineHistory& history, std::vector<std::string>& torn) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(path, fmt::format("can't read: {}", std::strerror(errno)));
  Lines lines(path.string(), history, torn);
  std::array<char, 1 << 16> block;
  while (in.read(block.data(), block.size()), in.gcount() > 0) {
    lines.add({block.data(), static_cast<std::size_t>(in.gcount())});
  }
  if (in.bad()) fail(path, fmt::format("can't read: {}", std::strerror(errno)));
  lines.finish();
}

/// Not a pipe, which would never end.
bool is_month(const fs::path& file) {
  std::error_code ignored;
  return file.extension() == ".ndjson" && fs::is_regular_file(file, ignored);
}

std::vector<fs::path> sorted_entries(const fs::path& directory) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    entries.push_back(entry.path());
  if (error) fail(directory, error.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace

void parse_history(std::string_view text, const std::string& file, MachineHistory& history,
                   std::vector<std::string>& torn) {
  Lines lines(file, history, torn);
  lines.add(text);
  lines.finish();
}

std::vector<MachineHistory> read_history(const fs::path& directory,
                                         std::vector<std::string>& torn) {
  std::error_code ignored;
  if (!fs::exists(directory, ignored)) fail(directory, "no such directory");
  if (!fs::is_directory(directory, ignored)) {
    fail(directory, "is a file: name the directory that --history wrote");
  }
  std::vector<MachineHistory> machines;
  bool one_machine = false;
  for (const fs::path& folder : sorted_entries(directory)) {
    one_machine = one_machine || is_month(folder);
    if (!fs::is_directory(folder, ignored)) continue;
    MachineHistory machine;
    machine.fingerprint = folder.filename().string();
    for (const fs::path& file : sorted_entries(folder)) {
      if (is_month(file)) read_file(file, machine, torn);
    }
    if (!machine.measurements.empty()) machines.push_back(std::move(machine));
  }
  if (machines.empty() && one_machine) {
    fail(directory, "is of one machine: name the directory above it");
  }
  if (machines.empty()) fail(directory, "holds no history: `gate run --history` writes one");
  return machines;
}

std::vector<MachineHistory> read_histories(const std::vector<fs::path>& places,
                                           std::vector<std::string>& torn) {
  std::map<std::string, MachineHistory> machines;
  std::set<fs::path> seen;
  const auto add = [&](const fs::path& file) {
    const fs::path whole = fs::absolute(file).lexically_normal();
    if (!seen.insert(whole).second) fail(file, "is given twice as a history");
    MachineHistory& machine = machines[whole.parent_path().filename().string()];
    read_file(file, machine, torn);
  };
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (!fs::is_directory(place, ignored)) {
      if (!fs::is_regular_file(place, ignored)) fail(place, "no such file or directory");
      add(place);
      continue;
    }
    const std::size_t before = seen.size();
    for (const fs::path& entry : sorted_entries(place)) {
      if (is_month(entry)) add(entry);
      if (!fs::is_directory(entry, ignored)) continue;
      for (const fs::path& file : sorted_entries(entry)) {
        if (is_month(file)) add(file);
      }
    }
    if (seen.size() == before) fail(place, "holds no history: `gate run --history` writes one");
  }
  std::vector<MachineHistory> histories;
  for (auto& [name, machine] : machines) {
    machine.fingerprint = name;
    if (!machine.measurements.empty()) histories.push_back(std::move(machine));
  }
  if (histories.empty() && !places.empty()) {
    fail(places.front(), "holds no whole line of a history: `gate run --history` writes them");
  }
  return histories;
}

std::vector<RowChange> row_changes(const RowHistory& row) {
  std::vector<double> logs;
  logs.reserve(row.seconds.size());
  for (const double seconds : row.seconds) logs.push_back(std::log(seconds));
  std::vector<RowChange> changes;
  for (const ChangePoint& point : change_points(logs)) {
    // JSON and charts know no infinity.
    const double ratio =
        std::min(std::exp(point.after - point.before), std::numeric_limits<double>::max());
    changes.push_back({row.measurements[point.index - 1], row.measurements[point.index],
                       std::exp(point.before), std::exp(point.after), ratio, point.p_value});
  }
  return changes;
}

}  // namespace breakeven
