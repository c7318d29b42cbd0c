#include "reports/json_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>

#include "reports/text.h"

namespace breakeven {
namespace {

// Printable ASCII that means nothing to JSON or HTML.
bool plain(char c) {
  return c >= 0x20 && c < 0x7F && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

void append_unit(std::string& out, std::uint32_t unit) {
  fmt::format_to(std::back_inserter(out), "\\u{:04x}", unit);
}

}  // namespace

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto end = std::find_if_not(text.begin(), text.end(), plain);
    const auto run = static_cast<std::size_t>(end - text.begin());
    out += text.substr(0, run);
    text.remove_prefix(run);
    if (text.empty()) break;
    const CodePoint point = decode_utf8(text);
    if (point.value == '"' || point.value == '\\') {
      out += '\\';
      out += text[0];
    } else if (point.value == kMalformed) {
      append_unit(out, 0xFFFD);
    } else if (point.value > 0xFFFF) {  // UTF-16's pair of surrogates
      append_unit(out, 0xD800 + static_cast<std::uint32_t>((point.value - 0x10000) >> 10));
      append_unit(out, 0xDC00 + static_cast<std::uint32_t>((point.value - 0x10000) & 0x3FF));
    } else {
      append_unit(out, static_cast<std::uint32_t>(point.value));
    }
    text.remove_prefix(point.bytes);
  }
  out += '"';
}

void append_json_number(std::string& out, double value, int digits) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  std::array<char, 40> text;
  char* const last = text.data() + text.size();
  const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
  const auto end =
      whole ? std::to_chars(text.data(), last, static_cast<std::int64_t>(value)).ptr
            : std::to_chars(text.data(), last, value, std::chars_format::general, digits).ptr;
  out.append(text.data(), end);
}

}  // namespace breakeven
