// Checks of options that CLI11 doesn't have, or whose lines say too little.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>

namespace breakeven {

using OptionCheck = std::function<std::string(const std::string&)>;

/// A whole number; the line names the range, not the type. Throws std::runtime_error.
OptionCheck whole_number(const char* flag, std::uint64_t least, std::uint64_t most);

/// A number above 0 and at most `most`. Throws std::runtime_error.
OptionCheck positive_number(const char* flag, double most);

/// An empty value is a variable that a script forgot to set, not a wish for everything. Throws
/// std::runtime_error.
void refuse_empty_values(const CLI::App& command);

/// parse_duration() of a flag's value, which its line names.
double duration_of(const char* flag, const std::string& text);

}  // namespace breakeven
