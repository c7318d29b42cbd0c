#include "tools/breakeven/cli_checks.h"

#include <fmt/format.h>

#include <charconv>
#include <stdexcept>

#include "tools/breakeven/commands.h"

namespace breakeven {

OptionCheck whole_number(const char* flag, std::uint64_t least, std::uint64_t most) {
  return [=](const std::string& text) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end || value < least || value > most) {
      throw std::runtime_error(
          fmt::format("{} {}: give a whole number from {} to {}", flag, text, least, most));
    }
    return std::string();
  };
}

void refuse_empty_values(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& value : option->results()) {
      if (!value.empty()) continue;
      throw std::runtime_error(
          fmt::format("{} '': an empty value; give one, or leave it out", option->get_name()));
    }
  }
}

double duration_of(const char* flag, const std::string& text) {
  try {
    return parse_duration(text);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(fmt::format("{} {}", flag, error.what()));
  }
}

OptionCheck positive_number(const char* flag, double most) {
  return [=](const std::string& text) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end || !(value > 0) || value > most) {
      throw std::runtime_error(
          fmt::format("{} {}: give a number above 0, at most {:g}", flag, text, most));
    }
    return std::string();
  };
}

}  // namespace breakeven
