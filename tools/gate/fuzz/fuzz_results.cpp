#include <cmath>
#include <optional>

#include "reports/results.h"
#include "tools/gate/fuzz/fuzz.h"

namespace breakeven::gate::fuzz {
namespace {

void require_time(const std::optional<double>& seconds, bool zero_allowed) {
  if (!seconds) return;
  require(std::isfinite(*seconds) && (*seconds > 0 || (zero_allowed && *seconds == 0)),
          "a time that is not positive and finite");
}

void require_sound_row(const Row& row) {
  require(!row.name.empty(), "a row without a name");
  require(row.failure.has_value() != row.seconds.has_value(), "a row needs a time or a failure");
  require(!row.failure || !row.failure->empty(), "a failure without a reason");
  require_time(row.seconds, false);
  require_time(row.cpu_seconds, true);
  require(std::isfinite(row.iterations), "iterations are not finite");
  require(row.threads >= 0 && row.round.value_or(0) >= 0 && row.process.value_or(0) >= 0,
          "a negative count");
  for (const auto& [key, value] : row.counters) require(std::isfinite(value), "a counter is not");
}

}  // namespace

void fuzz_results(std::string_view input) {
  Results results;
  const bool whole = reads([&] { results = parse_results(input, "fuzz.json"); });
  for (const Row& row : results.rows) {
    require_sound_row(row);
    require(row.repetition >= 0, "a repetition without a number");
  }
  // As the gate reads: some keys alone, no segments.
  const RowKeys wanted = {"arm", "stage", "flops"};
  std::size_t visited = 0;
  const bool by_row = reads([&] {
    visit_rows(input, "fuzz.json", &wanted, [&](const Row& row, const Place&) {
      require_sound_row(row);
      ++visited;
    });
  });
  if (!whole) return;
  require(by_row, "read as a whole, but not row by row");
  require(visited == results.rows.size(), "not as many rows as there are");
}

}  // namespace breakeven::gate::fuzz
