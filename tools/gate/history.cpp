#include "tools/gate/history.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
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

void take_line(const json& line, const Place& place, MachineHistory& history) {
  if (!line.is_object() || line.value("gate_history", json()) != kVersion) {
    place.fail(fmt::format("is no line of a history, version {}", kVersion));
  }
  const std::size_t index = history.measurements.size();
  history.measurements.push_back({text_at(line, "commit", place), text_at(line, "date", place)});
  const auto rows = line.find("seconds");
  if (rows == line.end() || !rows->is_object()) place.at("seconds").fail("is not an object");
  for (const auto& [name, value] : rows->items()) {
    const double seconds = value.is_number() ? value.get<double>() : 0;
    if (!(seconds > 0) || !std::isfinite(seconds)) {
      place.at(shortened(name, 100)).fail("is not a positive, finite number of seconds");
    }
    Series& series = history.rows[name];
    series.measurements.push_back(index);
    series.seconds.push_back(seconds);
  }
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
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      torn.push_back(file);
      return;
    }
    const Place place{fmt::format("{}:{}", file, number), ""};
    const std::string_view line = text.substr(0, end);
    // A torn line inside the file was the last one once.
    const json parsed = parse_json_line(line);
    if (parsed.is_discarded()) {
      if (line.find("NaN") != std::string_view::npos || line.ends_with('}')) {
        place.fail("is not JSON: mend the line, or delete it");
      }
      torn.push_back(file);
    } else {
      take_line(parsed, place, history);
    }
    text.remove_prefix(end + 1);
  }
}

std::vector<MachineHistory> read_history(const fs::path& directory,
                                         std::vector<std::string>& torn) {
  std::error_code ignored;
  if (!fs::exists(directory, ignored)) fail(directory, "no such directory");
  if (!fs::is_directory(directory, ignored)) {
    fail(directory, "is a file: name the directory that --history wrote");
  }
  std::vector<MachineHistory> machines;
  for (const fs::path& folder : sorted_entries(directory)) {
    if (!fs::is_directory(folder, ignored)) continue;
    MachineHistory machine;
    machine.fingerprint = folder.filename().string();
    for (const fs::path& file : sorted_entries(folder)) {
      if (file.extension() != ".ndjson") continue;
      parse_history(read_text(file, "a file of a history"), file.string(), machine, torn);
    }
    if (!machine.measurements.empty()) machines.push_back(std::move(machine));
  }
  if (machines.empty()) fail(directory, "holds no history: `gate run --history` writes one");
  return machines;
}

}  // namespace breakeven::gate
