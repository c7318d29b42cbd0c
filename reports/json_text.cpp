#include "reports/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <stdexcept>

#include "reports/text.h"

namespace breakeven {
namespace {

using nlohmann::json;

constexpr std::size_t kLargestFileBytes = std::size_t{1} << 30;

// "line 3, column 20" of the byte at `offset`; columns count bytes from 1.
std::string line_and_column(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t start = before.rfind('\n');
  const std::size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return fmt::format("line {}, column {}", line, column);
}

// Where a token that isn't JSON but looks like a number begins: NaN, -nan, Infinity, inf.
std::optional<std::size_t> non_finite_token(std::string_view text, std::size_t near) {
  std::size_t start = std::min(near, text.size());
  const auto part_of_word = [](char c) {
    return c == '-' || c == '+' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  while (start > 0 && part_of_word(text[start - 1])) --start;
  std::string word;
  for (std::size_t i = start; i < text.size() && part_of_word(text[i]) && word.size() < 9; ++i) {
    if (text[i] != '-' && text[i] != '+') word += static_cast<char>(text[i] | 0x20);
  }
  if (word == "nan" || word == "inf" || word == "infinity") return start;
  return std::nullopt;
}

}  // namespace

void Place::fail(std::string_view what) const {
  std::string place = where;
  if (row) {
    place = fmt::format("benchmarks[{}]", row_index);
    if (!row->empty()) place += fmt::format(" \"{}\"", shortened(*row, 120));
    if (!where.empty()) place += "." + where;
  }
  const std::string said = shortened(what, 600);  // it may repeat a text of the file
  throw std::runtime_error(visible_text(place.empty()
                                            ? fmt::format("{}: {}", file, said)
                                            : fmt::format("{}: {}: {}", file, place, said)));
}

std::string read_text(const std::filesystem::path& path, std::string_view what) {
  const Place place{path.string(), ""};
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) place.fail("no such file");
  if (error) place.fail(fmt::format("can't read: {}", error.message()));
  if (std::filesystem::is_directory(status)) {
    place.fail(fmt::format("is a directory: name {}", what));
  }
  if (!std::filesystem::is_regular_file(status) && !std::filesystem::is_fifo(status)) {
    place.fail(fmt::format("is not a file: name {}", what));
  }
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) place.fail(fmt::format("can't read: {}", std::strerror(errno)));
  std::string text;
  const auto size = std::filesystem::file_size(path, error);  // of a pipe there is none
  if (!error && size <= kLargestFileBytes) text.reserve(size + 1);
  std::array<char, 1 << 16> block;
  while (in.read(block.data(), block.size()), in.gcount() > 0) {
    text.append(block.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > kLargestFileBytes)
      place.fail(fmt::format("is larger than 1 GiB: not {}", what));
  }
  if (in.bad()) place.fail(fmt::format("can't read: {}", std::strerror(errno)));
  return text;
}

void require_not_blank(std::string_view text, const Place& place) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    place.fail("is empty: the run that should have written it did not finish");
  }
}

void fail_json(std::string_view text, const Place& place, std::size_t byte,
               const json::exception& error) {
  constexpr int kNumberOverflow = 406;
  if (error.id == kNumberOverflow) {
    // A number that no double holds; the message quotes it.
    const std::string_view message = error.what();
    const std::size_t quote = message.find('\'');
    const std::string_view number =
        quote == std::string_view::npos
            ? std::string_view()
            : message.substr(quote + 1, message.rfind('\'') - quote - 1);
    const std::size_t offset = text.find(number);
    place.at(line_and_column(text, offset == std::string_view::npos ? 0 : offset))
        .fail(fmt::format("the number {} is too large", number));
  }
  const std::size_t offset = byte > 0 ? byte - 1 : 0;
  if (const auto token = non_finite_token(text, offset)) {
    place.at(line_and_column(text, *token))
        .fail(
            "NaN and infinity are not JSON (Google Benchmark 1.7 writes them for a counter "
            "without a value): remove that counter and measure again");
  }
  if (offset >= text.size()) {
    place.at(line_and_column(text, text.size()))
        .fail(
            "the file ends in the middle (truncated): measure again, or finish the run with "
            "--resume");
  }
  place.at(line_and_column(text, offset)).fail("not valid JSON");
}

json parse_json(std::string_view text, const Place& place) {
  require_not_blank(text, place);
  const auto limited = [&](int depth, json::parse_event_t, json&) {
    if (depth >= kDeepestJson) place.fail(fmt::format("is nested more than {} deep", kDeepestJson));
    return true;
  };
  try {
    return json::parse(text, limited);
  } catch (const json::parse_error& error) {
    fail_json(text, place, error.byte, error);
  } catch (const json::out_of_range& error) {
    fail_json(text, place, 0, error);
  }
}

json parse_json_line(std::string_view line) {
  bool too_deep = false;
  const auto limited = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth >= kDeepestJson;
    return !too_deep;
  };
  json parsed = json::parse(line, limited, false);
  return too_deep ? json(json::value_t::discarded) : parsed;
}

std::string as_text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string text_at(const json& object, const char* key, const Place& place) {
  const auto found = object.find(key);
  if (found == object.end()) place.fail(fmt::format("\"{}\" is missing", key));
  if (!found->is_string()) place.at(key).fail("is not a string");
  return found->get<std::string>();
}

}  // namespace breakeven
