#include "tools/gate/history.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "reports/json_text.h"
#include "reports/text.h"
#include "tools/breakeven/process.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int kVersion = 1;

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw std::runtime_error(fmt::format("{}: {}", visible_text(path.string()), what));
}

/// "2026-11", of a date that begins so.
std::string month_of(const std::string& date) {
  const bool digits = date.size() >= 7 && date[4] == '-' &&
                      std::all_of(date.begin(), date.begin() + 7,
                                  [](char c) { return c == '-' || (c >= '0' && c <= '9'); });
  return digits ? date.substr(0, 7) : std::string();
}

void require_whole(const fs::path& directory, const HistoryEntry& entry) {
  const auto lacks = [&](const char* what, const char* remedy) {
    fail(directory,
         fmt::format("nothing was appended: head's results have no {}; {}", what, remedy));
  };
  if (entry.commit.empty()) {
    lacks("commit", "run the gate in the repository, or give the program's context git.commit");
  }
  if (month_of(entry.date).empty()) lacks("date", "Google Benchmark writes one into the context");
  if (entry.fingerprint.empty()) lacks("machine", "`gate run` writes it into the context");
  if (entry.seconds.empty()) lacks("row with a time", "is every row in error?");
}

void write_all(int file, std::string_view text, const fs::path& path) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path, std::strerror(errno));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

constexpr std::string_view kRemedy = ": mend the line, or delete it";

void take_rows(const json& rows, const Place& place, std::size_t index, MachineHistory& history) {
  for (const auto& [name, value] : rows.items()) {
    const double seconds = value.is_number() ? value.get<double>() : 0;
    if (!(seconds > 0) || !std::isfinite(seconds)) {
      place.at(shortened(name, 100))
          .fail(fmt::format("is not a positive, finite number of seconds{}", kRemedy));
    }
    Series& series = history.rows[name];
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
  if (version.is_number_integer() && version != kVersion) {
    place.fail(fmt::format("is a line of version {}: only version {} can be read here",
                           version.dump(), kVersion));
  }
  if (version != kVersion) place.fail(fmt::format("is no line of a history{}", kRemedy));
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

void append_history(const fs::path& directory, const HistoryEntry& entry) {
  require_whole(directory, entry);
  const fs::path folder = directory / entry.fingerprint;
  const fs::path path = folder / (month_of(entry.date) + ".ndjson");
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(folder, error.message());
  const FileDescriptor file(open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (!file.open()) fail(path, std::strerror(errno));
  if (flock(file.get(), LOCK_EX) != 0) fail(path, std::strerror(errno));
  json rows = json::object();
  for (const auto& [name, seconds] : entry.seconds) rows[visible_text(name)] = seconds;
  const json line = {{"gate_history", kVersion},
                     {"commit", entry.commit},
                     {"date", entry.date},
                     {"seconds", std::move(rows)}};
  // After a torn line, which a full disk may leave, a whole one begins on a line of its own.
  char last = '\n';
  const off_t size = lseek(file.get(), 0, SEEK_END);
  if (size > 0 && pread(file.get(), &last, 1, size - 1) != 1) fail(path, std::strerror(errno));
  const std::string text =
      (last == '\n' ? "" : "\n") + line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  write_all(file.get(), text, path);
  if (fsync(file.get()) != 0) fail(path, std::strerror(errno));
}

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

}  // namespace breakeven::gate
