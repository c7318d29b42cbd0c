// What happened to each row over many commits, and where it changed.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace breakeven::gate {

/// One commit's measurement on one machine: a line of a history file.
struct HistoryEntry {
  std::string commit;
  std::string date;         ///< ISO 8601, as the results say it
  std::string fingerprint;  ///< of the machine
  std::map<std::string, double> seconds;  ///< row -> median over rounds, seconds a call
};

/// A change between two neighbouring commits of one row.
struct ChangePoint {
  std::size_t index = 0;  ///< the first commit that is different
  double before = 0;      ///< means of the neighbouring segments, seconds
  double after = 0;
  double p_value = 1;
};

/// E-divisive means (Matteson & James 2014) as Hunter and Otava use it: windows of `window` commits
/// that overlap by half, the split with the largest weighted difference of means, kept where a
/// Student's t-test of its two sides gives p < `p_limit`; then the weakest points are merged away
/// until all that are left pass against their neighbouring segments. Deterministic.
std::vector<ChangePoint> change_points(std::span<const double> series, int window = 50,
                                       double p_limit = 0.001);

/// E-divisive's statistic of the split before `index`, 0 < index < series.size():
/// mn/(m+n) (2 E|X-Y| - E|X-X'| - E|Y-Y'|), each E over all pairs, of different samples inside a
/// side, as Matteson & James define it. Linear-time from sorted prefix sums would do; this is what
/// change_points uses for a window.
double e_divisive_statistic(std::span<const double> series, std::size_t index);

/// DIR/<fingerprint>/<YYYY-MM>.ndjson, by the entry's date. Appends one line in one write under a
/// lock and flushes it. Throws std::runtime_error where that can't be done, or the entry has no
/// commit, date, fingerprint or rows.
void append_history(const std::filesystem::path& directory, const HistoryEntry& entry);

}  // namespace breakeven::gate
