#include "tools/breakeven/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "reports/json_text.h"

namespace breakeven {
namespace {

using nlohmann::json;

constexpr int kJournalVersion = 1;

[[noreturn]] void fail(const std::filesystem::path& path, int error) {
  throw std::runtime_error(fmt::format("{}: {}", path.string(), std::strerror(error)));
}

/// Bytes of the whole lines of a journal; all of them were written in one piece each.
off_t whole_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  off_t bytes = 0;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    bytes += static_cast<off_t>(line.size()) + 1;
  }
  return bytes;
}

}  // namespace

Journal::Journal(std::filesystem::path path, int flags)
    : path_(std::move(path)),
      file_(open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0644)) {
  if (!file_.open()) fail(path_, errno);
  if (flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) fail(path_, errno);
    throw std::runtime_error(fmt::format(
        "{}: another run is writing it; wait for it or choose another place", path_.string()));
  }
}

Journal Journal::create(const std::filesystem::path& path, const json& plan) {
  Journal journal(path, O_CREAT);
  if (ftruncate(journal.file_.get(), 0) != 0 && errno != EINVAL) fail(path, errno);
  journal.append({{"journal", kJournalVersion}, {"plan", plan}});
  return journal;
}

Journal Journal::take_up(const std::filesystem::path& path) {
  Journal journal(path, 0);
  journal.good_bytes_ = whole_bytes(path);
  if (ftruncate(journal.file_.get(), journal.good_bytes_) != 0) fail(path, errno);
  return journal;
}

void Journal::append(const json& record) {
  const std::string line = record.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
  std::string_view left = line;
  int error = 0;
  while (!left.empty() && error == 0) {
    const ssize_t written = write(file_.get(), left.data(), left.size());
    if (written >= 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  // Devices that can't be flushed (EINVAL) hold nothing back either.
  if (error == 0 && fsync(file_.get()) != 0 && errno != EINVAL) error = errno;
  if (error != 0) {
    [[maybe_unused]] const int ignored = ftruncate(file_.get(), good_bytes_);
    fail(path_, error);
  }
  good_bytes_ += static_cast<off_t>(line.size());
}

json read_journal(const std::filesystem::path& path,
                  const std::function<void(const json&)>& visit) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(path, errno);
  json plan;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const bool torn = file.eof();  // the last line, without its end
    if (torn) break;
    const json record = parse_json_line(line);
    const bool first = number == 1;
    if (!record.is_object() || (first && (record.value("journal", json()) != kJournalVersion ||
                                          !record.contains("plan")))) {
      throw std::runtime_error(
          fmt::format("{}:{}: not a line of a journal of this version; delete the file to give up "
                      "what it holds",
                      path.string(), number));
    }
    if (first) {
      plan = record["plan"];
    } else {
      visit(record);
    }
  }
  return plan;
}

}  // namespace breakeven
