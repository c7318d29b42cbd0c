// JSON in a file that anybody wrote: reading it, and saying where it is wrong.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace breakeven {

/// A place in a file, to be named when something is wrong there.
struct Place {
  std::string file;
  std::string where;
  const std::string* row = nullptr;  ///< the name of a row, which says the place; may be empty
  std::size_t row_index = 0;         ///< in "benchmarks"

  /// Throws std::runtime_error: "file: where: what".
  [[noreturn]] void fail(std::string_view what) const;
  Place at(const std::string& inner) const {
    return {file, where.empty() ? inner : where + "." + inner, row, row_index};
  }
};

/// The whole of a regular file or pipe, at most 1 GiB. Throws std::runtime_error with one line
/// where it can't be read; `what` says what was wanted: "a results JSON file".
std::string read_text(const std::filesystem::path& path, std::string_view what);

/// Arrays and objects in one another that are read: code that copies or writes JSON calls itself
/// for each, and the stack ends.
inline constexpr int kDeepestJson = 100;

/// `text` as JSON. Throws std::runtime_error with one line: empty, malformed (line and column), cut
/// off in the middle, NaN or infinity, a number that no double holds, more than kDeepestJson
/// levels.
nlohmann::json parse_json(std::string_view text, const Place& place);

/// For those who listen to nlohmann's parser themselves: throws what parse_json() throws for the
/// error that it met at `byte`, and for text that is empty.
[[noreturn]] void fail_json(std::string_view text, const Place& place, std::size_t byte,
                            const nlohmann::json::exception& error);
void require_not_blank(std::string_view text, const Place& place);

/// A line of NDJSON; discarded (is_discarded()) where it is no JSON or too deep.
nlohmann::json parse_json_line(std::string_view line);

/// A string as it is, anything else as JSON.
std::string as_text(const nlohmann::json& value);

/// The string under `key`. Throws std::runtime_error where there is none.
std::string text_at(const nlohmann::json& object, const char* key, const Place& place);

}  // namespace breakeven
