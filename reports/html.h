// The report as one self-contained HTML file: no network, readable without scripts and styles.
#pragma once

#include <string>

#include "reports/words.h"

namespace breakeven {

/// Above this many cases the page keeps its charts and its table, but leaves single samples to the
/// embedded raw data.
inline constexpr std::size_t kMostDetailedCases = 2000;

std::string render_html(const Page& page);

}  // namespace breakeven
