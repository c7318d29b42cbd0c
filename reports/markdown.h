// The report for pull requests and terminals.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "reports/words.h"

namespace breakeven {

/// What a comment on GitHub may hold, less some room.
inline constexpr std::size_t kMarkdownLimit = 60000;  ///< characters

/// The answer in one line, the headline rows as a table, the rest folded. Never longer than
/// kMarkdownLimit; what had to be left out is counted.
std::string render_markdown(const Page& page);

/// Text that Markdown and HTML show as it is, inside a table cell too.
std::string escape_markdown(std::string_view text);

}  // namespace breakeven
