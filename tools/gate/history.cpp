#include "tools/gate/history.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "reports/text.h"
#include "tools/breakeven/process.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

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
  const json line = {{"gate_history", kHistoryVersion},
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

}  // namespace breakeven::gate
