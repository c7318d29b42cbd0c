// JSON as text, piece by piece: for data too large to be built as a tree first.
#pragma once

#include <string>
#include <string_view>

namespace breakeven {

/// Appends a JSON string in ASCII alone. What is no UTF-8 becomes U+FFFD; < > & are escaped, so
/// that the text may stand inside a script element.
void append_json_text(std::string& out, std::string_view text);

/// Appends a JSON number: whole ones below 1e15 as they are, others with so many significant
/// digits; null where it is not finite.
void append_json_number(std::string& out, double value, int digits);

}  // namespace breakeven
