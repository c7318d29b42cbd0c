// How much of a table a page holds.

#include <fmt/format.h>

#include "reports/html.h"
#include "reports/html_parts.h"

namespace breakeven {
namespace {

// Of every table, on a page that leaves its single cases to the raw data.
constexpr std::size_t kMostLines = 200;

}  // namespace

std::size_t case_count(const Page& page) {
  std::size_t count = 0;
  for (const Run& run : page.runs) count += run.cases.size();
  return count;
}

std::string with_commas(std::size_t count) {
  std::string text = fmt::format("{}", count);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

Listing::Listing(const Page& page)
    : most_(case_count(page) > kMostDetailedCases ? kMostLines : kMostDetailedCases) {}

bool Listing::takes() {
  ++(full() ? left_out_ : taken_);
  return left_out_ == 0;
}

std::string Listing::note(const char* lines) const {
  if (left_out_ == 0) return "";
  return absent(fmt::format(
      "The first {} of {} {} are listed. What they rest on is all in the embedded raw data.",
      with_commas(taken_), with_commas(taken_ + left_out_), lines));
}

}  // namespace breakeven
