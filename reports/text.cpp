#include "reports/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace breakeven {
namespace {

bool invisible(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x061C || c == 0xFEFF ||
         (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || (c >= 0xFFF9 && c <= 0xFFFB) || (c & 0xFFFE) == 0xFFFE ||
         (c >= 0xE0000 && c <= 0xE007F);
}

struct Scale {
  double factor;
  const char* unit;
};

Scale seconds_scale(double seconds) {
  if (seconds < 1e-6) return {1e9, "ns"};
  if (seconds < 1e-3) return {1e6, "µs"};
  if (seconds < 1) return {1e3, "ms"};
  return {1, "s"};
}

}  // namespace

CodePoint decode_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xF0 && lead < 0xF5   ? 4
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                                                           : 0;
  if (length == 0 || text.size() < length) return {kMalformed, 1};
  char32_t value = lead & (0xFF >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {kMalformed, 1};
    value = (value << 6) | (byte(i) & 0x3F);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[length] || value > 0x10FFFF || surrogate) return {kMalformed, 1};
  return {value, length};
}

std::string visible_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const auto plain = [](char c) { return c >= 0x20 && c < 0x7F; };
  while (!text.empty()) {
    const auto end = std::find_if_not(text.begin(), text.end(), plain);
    const auto run = static_cast<std::size_t>(end - text.begin());
    out += text.substr(0, run);
    text.remove_prefix(run);
    if (text.empty()) break;
    const CodePoint point = decode_utf8(text);
    if (point.value == kMalformed) {
      out += fmt::format("[byte {:02X}]", static_cast<unsigned char>(text[0]));
    } else if (invisible(point.value)) {
      out += fmt::format("[U+{:04X}]", static_cast<std::uint32_t>(point.value));
    } else {
      out += text.substr(0, point.bytes);
    }
    text.remove_prefix(point.bytes);
  }
  return out;
}

std::string escape_html(std::string_view text, std::size_t most) {
  std::string out = text.size() > most ? shortened(text, most) : visible_text(text);
  constexpr std::string_view kMarkup = "&<>\"'";
  if (out.find_first_of(kMarkup) == std::string::npos) return out;
  std::string escaped;
  escaped.reserve(out.size() + out.size() / 8);
  for (const char c : out) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string shortened(std::string_view text, std::size_t limit) {
  // Every code point becomes at least one: what can't be shown any more need not be looked at.
  std::size_t first = 0;
  for (std::size_t points = 0; points <= limit && first < text.size(); ++points) {
    first += decode_utf8(text.substr(first)).bytes;
  }
  std::string visible = visible_text(text.substr(0, first));
  std::string_view rest = visible;
  std::size_t cut = 0;  // bytes of the first limit - 1 code points
  for (std::size_t points = 0; !rest.empty(); ++points) {
    if (points == limit) return visible.substr(0, cut) + "…";
    const std::size_t bytes = decode_utf8(rest).bytes;
    if (points + 1 < limit) cut += bytes;
    rest.remove_prefix(bytes);
  }
  return visible;
}

std::string hash_text(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return fmt::format("{:016x}", hash);
}

std::string shell_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string(R"('\'')") : std::string(1, c);
  return quoted + "'";
}

std::string shell_word(std::string_view text) {
  const bool plain = !text.empty() && text.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_./:-") == std::string_view::npos;
  return plain ? std::string(text) : shell_quoted(text);
}

std::string format_number(double value, int digits) {
  if (value == 0) return "0";
  const int magnitude = static_cast<int>(std::floor(std::log10(std::abs(value))));
  return fmt::format("{:.{}f}", value, std::clamp(digits - 1 - magnitude, 0, 15));
}

std::string format_scientific(double value) {
  if (value == 0) return "0";
  std::string text = fmt::format("{:.1e}", value);
  const std::size_t exponent = text.find('e');
  if (exponent == std::string::npos) return text;
  return fmt::format("{}e{}", text.substr(0, exponent), std::stoi(text.substr(exponent + 1)));
}

std::string format_seconds(double seconds) {
  const Scale scale = seconds_scale(seconds);
  return fmt::format("{} {}", format_number(seconds * scale.factor), scale.unit);
}

std::string format_seconds_interval(double low, double high) {
  const Scale scale = seconds_scale(low);
  return fmt::format("{}–{} {}", format_number(low * scale.factor),
                     format_number(high * scale.factor), scale.unit);
}

std::string format_bytes(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{} {}", format_number(bytes, 3), kUnits[unit]);
}

std::string format_percent(double fraction) {
  return fmt::format("{} %", format_number(fraction * 100, 3));
}

}  // namespace breakeven
