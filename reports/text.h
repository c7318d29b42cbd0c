// Text that is safe to show: names, labels and facts in a results file are written by anybody.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace breakeven {

struct CodePoint {
  char32_t value;     ///< kMalformed where the text is no UTF-8 there
  std::size_t bytes;  ///< that it takes; of what is malformed 1
};
inline constexpr char32_t kMalformed = 0xFFFFFFFF;

/// The first code point of a text that is not empty; overlong forms, surrogates and torn sequences
/// are malformed.
CodePoint decode_utf8(std::string_view text);

/// Replaces what a reader can't see or what could reorder a line (C0 and C1 controls, bidirectional
/// marks, byte-order mark, line separators, tags, noncharacters, malformed UTF-8) by its code
/// point, as in [U+202E]. The result is valid UTF-8 on one line, and every character of it may
/// stand in XML.
std::string visible_text(std::string_view text);

/// Code points of one text that a page shows; the raw data have the rest. Names are shown in many
/// places, and so fewer of them.
inline constexpr std::size_t kMostShown = 2000;
inline constexpr std::size_t kMostOfName = 400;

/// visible_text with & < > " ' escaped: for HTML or SVG text and quoted attributes. Of text that is
/// longer than `most` bytes `most` code points, the last an ellipsis.
std::string escape_html(std::string_view text, std::size_t most = kMostShown);

/// One word of a POSIX shell, in single quotes: its text is taken as it is.
std::string shell_quoted(std::string_view text);

/// The same, without quotes where the text needs none.
std::string shell_word(std::string_view text);

/// 64-bit FNV-1a, in hexadecimal.
std::string hash_text(std::string_view text);

/// visible_text cut to `limit` code points, the last of them an ellipsis where something was cut.
std::string shortened(std::string_view text, std::size_t limit);

/// A number with about `digits` significant digits and no exponent: 0.01234, 12.34, 12345.
std::string format_number(double value, int digits = 4);

/// A small number in scientific notation: 3.1e-7.
std::string format_scientific(double value);

/// A duration with its unit: 812.4 ns, 1.234 ms, 2.500 s.
std::string format_seconds(double seconds);

/// Both ends of an interval in the unit of the lower: 1.210–1.260 ms.
std::string format_seconds_interval(double low, double high);

/// A power of 1024: 23.5 GiB.
std::string format_bytes(double bytes);

/// A fraction as a percentage: 0.694 is "69.4 %".
std::string format_percent(double fraction);

}  // namespace breakeven
