// The journal of a run: every finished case on a line of its own, on the disk before the next one.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "tools/breakeven/process.h"

namespace breakeven {

/// NDJSON. The first line is {"journal":1,"plan":{...}}; then, in order of their ends,
/// {"round","process","case","rows":[...]}, {...,"skip":reason}, {...,"error":{...}} and
/// {"context":{...}}. Only one process at a time may hold a journal.
class Journal {
 public:
  /// Starts a new one at `path`. Throws std::runtime_error where the file can't be written.
  static Journal create(const std::filesystem::path& path, const nlohmann::json& plan);

  /// Opens one that was left unfinished and cuts off a torn last line. Throws std::runtime_error
  /// where it can't be written, or another process holds it.
  static Journal take_up(const std::filesystem::path& path);

  /// Throws std::runtime_error where another process holds the journal at `path`.
  static void require_free(const std::filesystem::path& path) { Journal(path, 0); }

  /// Appends a line and waits until it is on the disk. Throws std::runtime_error where that fails;
  /// the lines before it are whole then.
  void append(const nlohmann::json& record);

  const std::filesystem::path& path() const { return path_; }

 private:
  Journal(std::filesystem::path path, int flags);
  std::filesystem::path path_;
  FileDescriptor file_;
  off_t good_bytes_ = 0;
};

/// Calls `visit` with every whole record after the first line, in order, and returns the first
/// line's plan, null where not even that is whole. Throws std::runtime_error where the file is
/// missing or not a journal, naming the line; a torn last line is passed over.
nlohmann::json read_journal(const std::filesystem::path& path,
                            const std::function<void(const nlohmann::json&)>& visit);

}  // namespace breakeven
