// The help texts, written by hand so that they read well on 80 columns.
#pragma once

#include <span>
#include <string_view>

namespace breakeven {

struct CommandHelp {
  std::string_view name;
  std::string_view text;
};

/// One entry per command, in the order of the overview.
std::span<const CommandHelp> command_helps();

/// What `breakeven --help` prints.
std::string_view overview();

/// The text of a command, or the overview where there is no such command.
std::string_view help_of(std::string_view command);

}  // namespace breakeven
