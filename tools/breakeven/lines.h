// Text on the terminal: one line out of many, and many words on lines of 80 columns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace breakeven {

inline constexpr std::size_t kTerminalColumns = 80;

/// The last line of `text` that says anything, cut to 300 bytes, without control characters.
std::string last_line(std::string_view text);

/// The words of `text` on lines of at most 80 columns, each line but the first behind `indent`
/// blanks; `first` columns of the first line are taken already. A longer word gets its own line.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t first = 0);

/// Columns that a UTF-8 text takes, one for each code point.
std::size_t columns(std::string_view text);

/// `text` with blanks behind it (or before it) up to `width` columns.
std::string pad_right(std::string_view text, std::size_t width);
std::string pad_left(std::string_view text, std::size_t width);

/// Rows of cells as an aligned table: the first `left_columns` flush left, the others flush right,
/// two blanks between. No line ends in blanks.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t left_columns);

}  // namespace breakeven
