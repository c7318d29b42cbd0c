// The forest plot of a verdict: a line a row, its interval, its estimate, and the margin.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "reports/verdict.h"

namespace breakeven {

/// Rows that one plot shows; the others are counted below it.
inline constexpr std::size_t kMostForestRows = 60;

/// 0.02 is "2 %".
std::string margin_text(double margin);

/// The style (see svg.h) that stands for a verdict of a row beside its word.
int verdict_style(const VerdictRow& row);

/// "REGRESSED", "REGRESSED, accepted".
std::string verdict_words(const VerdictRow& row);

/// A static SVG of these rows in this order, at most kMostForestRows of them, on a logarithmic axis
/// of head / base with `verdict`'s margins; rows without a ratio say why. Needs a row. `id`:
/// letters, digits and - only.
std::string forest_svg(const GateVerdict& verdict, const std::vector<const VerdictRow*>& rows,
                       const std::string& id, const std::string& title);

}  // namespace breakeven
