// accepted.json: what a project takes from a change knowingly, why, and until when.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/gate/judgement.h"

namespace breakeven::gate {

/// One entry, of one of three forms: a slowdown (`up_to`), a counter (`counter` and `up_to`), a row
/// that is missing or failed (`missing`).
struct Acceptance {
  std::string row;              ///< a name; `*` stands for any text
  std::string counter;          ///< "" unless of the second form
  std::optional<double> up_to;  ///< head / base of times; a counter's new value
  bool missing = false;
  std::string reason;
  std::string expires;  ///< YYYY-MM-DD, the last day
  std::string place;    ///< "accepted.json: accepted[2]", for messages
};

/// Reads {"accepted": [{"row", "up_to" > 1, "reason", "expires"}, {"row", "counter", "up_to", …},
/// {"row", "missing": true, …}]}. Throws std::runtime_error with one line that names the file and
/// the entry: a key that is not known, missing, empty or of the wrong type, no date, up_to ≤ 1 for
/// times, an entry of none of the forms.
std::vector<Acceptance> read_accepted(const std::filesystem::path& path);

/// The same for text that is already here; `file` is the name that messages give it.
std::vector<Acceptance> parse_accepted(std::string_view text, const std::string& file);

/// A day of the calendar, as YYYY-MM-DD.
bool valid_date(std::string_view text);

/// `*` stands for any text, also none; all else for itself.
bool matches(std::string_view pattern, std::string_view name);

/// The first entry that covers it on the day `today` (YYYY-MM-DD), or nullptr. A slowdown is
/// covered where its estimate is at most `up_to`.
const Acceptance* find_slowdown(std::span<const Acceptance> accepted, std::string_view row,
                                const Estimate& ratio, std::string_view today);

/// Of a counter that fell, `up_to` is the least that it may be.
const Acceptance* find_counter(std::span<const Acceptance> accepted, std::string_view row,
                               const CounterChange& change, std::string_view today);

/// A row that is missing or failed.
const Acceptance* find_missing(std::span<const Acceptance> accepted, std::string_view row,
                               std::string_view today);

/// Takes `gates` from rows and budgets of which everything that refuses the change is covered on
/// `today`, and gives them the reasons. Adds a remark for each entry that covers nothing, saying
/// whether it has expired, is exceeded, or is of no use. To be called before the exit status is
/// decided.
void accept(Judgement& judgement, std::span<const Acceptance> accepted, std::string_view today);

}  // namespace breakeven::gate
