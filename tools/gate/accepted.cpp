#include "tools/gate/accepted.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <set>

#include "reports/json_text.h"
#include "reports/text.h"
#include "tools/gate/verdict_parts.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;

void require_known_keys(const json& entry, const Place& place,
                        const std::vector<std::string_view>& known) {
  for (const auto& [key, value] : entry.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string list;
    for (const std::string_view name : known)
      list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", name);
    place.fail(
        fmt::format("\"{}\" is no key of it; it takes {}", shortened(key, kNameLimit), list));
  }
}

/// Of a text that says something: a reason of blanks is none.
std::string words_at(const json& entry, const char* key, const Place& place) {
  std::string text = text_at(entry, key, place);
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) place.at(key).fail("is empty");
  return text;
}

void read_form(const json& entry, const Place& place, Acceptance& acceptance) {
  const bool counter = entry.contains("counter"), up_to = entry.contains("up_to"),
             missing = entry.contains("missing");
  if (missing ? counter || up_to : !up_to) {
    place.fail(
        "is none of the three forms: \"up_to\" (a slowdown), \"counter\" and \"up_to\", or "
        "\"missing\": true");
  }
  if (missing) {
    if (entry["missing"] != true) place.at("missing").fail("must be true");
    acceptance.missing = true;
    return;
  }
  if (counter) acceptance.counter = words_at(entry, "counter", place);
  if (!entry["up_to"].is_number()) place.at("up_to").fail("is not a number");
  acceptance.up_to = entry["up_to"].get<double>();
  if (!counter && *acceptance.up_to <= 1) {
    place.at("up_to").fail("must be above 1: 1.15 accepts what is up to 15 % slower");
  }
}

Acceptance read_entry(const json& entry, const Place& place) {
  if (!entry.is_object()) place.fail("is not an object");
  require_known_keys(entry, place, {"row", "up_to", "counter", "missing", "reason", "expires"});
  Acceptance acceptance;
  acceptance.row = words_at(entry, "row", place);
  read_form(entry, place, acceptance);
  acceptance.reason = words_at(entry, "reason", place);
  acceptance.expires = words_at(entry, "expires", place);
  if (!valid_date(acceptance.expires)) {
    place.at("expires").fail(fmt::format("\"{}\" is no date; write it as 2027-01-31",
                                         shortened(acceptance.expires, kNameLimit)));
  }
  acceptance.place = place.file + ": " + place.where;
  return acceptance;
}

/// How an entry fared with one thing that refuses the change, the best last.
enum class Fit { none, expired, exceeded, covers };

Fit within(const Acceptance& entry, bool enough, std::string_view today) {
  if (!enough) return Fit::exceeded;
  return today <= entry.expires ? Fit::covers : Fit::expired;
}

bool of_slowdowns(const Acceptance& entry) { return entry.counter.empty() && !entry.missing; }

Fit fit_slowdown(const Acceptance& entry, std::string_view row, const Estimate& ratio,
                 std::string_view today) {
  if (!of_slowdowns(entry) || !matches(entry.row, row)) return Fit::none;
  return within(entry, ratio.value <= *entry.up_to, today);
}

Fit fit_counter(const Acceptance& entry, std::string_view row, const CounterChange& change,
                std::string_view today) {
  if (entry.counter != change.name || entry.counter.empty() || !matches(entry.row, row)) {
    return Fit::none;
  }
  const bool fell = change.head < change.base;
  return within(entry, fell ? change.head >= *entry.up_to : change.head <= *entry.up_to, today);
}

Fit fit_missing(const Acceptance& entry, std::string_view row, std::string_view today) {
  return entry.missing && matches(entry.row, row) ? within(entry, true, today) : Fit::none;
}

template <class FitOf>
const Acceptance* first_covering(std::span<const Acceptance> accepted, FitOf fit_of) {
  const auto found = std::find_if(accepted.begin(), accepted.end(), [&](const Acceptance& entry) {
    return fit_of(entry) == Fit::covers;
  });
  return found == accepted.end() ? nullptr : &*found;
}

/// What came of one entry over all rows.
struct Fate {
  Fit fit = Fit::none;
  std::string row;  ///< the first that fared so
};

class Accepting {
 public:
  Accepting(std::span<const Acceptance> accepted, std::string_view today)
      : accepted_(accepted), today_(today), fates_(accepted.size()) {}

  void accept(RowJudgement& row) {
    if (!row.gates) return;
    covered_ = true;
    reasons_.clear();
    until_.clear();
    if (lost(row)) {
      require(row, [&](const Acceptance& entry) { return fit_missing(entry, row.name, today_); });
    }
    if (row.verdict == Verdict::regressed && row.decision) {
      require(row, [&](const Acceptance& entry) {
        return fit_slowdown(entry, row.name, row.decision->ratio, today_);
      });
    }
    for (const CounterChange& change : row.changes) {
      if (!change.worse) continue;
      require(row, [&](const Acceptance& entry) {
        return fit_counter(entry, row.name, change, today_);
      });
    }
    if (!covered_ || reasons_.empty()) return;
    row.gates = false;
    for (const std::string& reason : reasons_) {
      row.accepted += (row.accepted.empty() ? "" : "; ") + reason;
    }
    row.accepted_until = until_;
  }

  void remark(Judgement& judgement) const {
    for (std::size_t i = 0; i < accepted_.size(); ++i) {
      const std::string text = told(judgement, accepted_[i], fates_[i]);
      if (!text.empty()) judgement.remarks.push_back(text);
    }
  }

 private:
  template <class FitOf>
  void require(const RowJudgement& row, FitOf fit_of) {
    bool found = false;
    for (std::size_t i = 0; i < accepted_.size(); ++i) {
      const Fit fit = fit_of(accepted_[i]);
      if (fit > fates_[i].fit) fates_[i] = {fit, row.name};
      if (fit != Fit::covers || found) continue;
      found = true;
      if (until_.empty() || accepted_[i].expires < until_) until_ = accepted_[i].expires;
      if (std::find(reasons_.begin(), reasons_.end(), accepted_[i].reason) == reasons_.end()) {
        reasons_.push_back(accepted_[i].reason);
      }
    }
    covered_ = covered_ && found;
  }

  static bool any_matches(const std::vector<RowJudgement>& rows, const std::string& pattern) {
    return std::any_of(rows.begin(), rows.end(),
                       [&](const RowJudgement& row) { return matches(pattern, row.name); });
  }

  static std::string told(const Judgement& judgement, const Acceptance& entry, const Fate& fate) {
    const std::string place = visible_text(entry.place);
    const std::string row = shortened(fate.row, kNameLimit);
    switch (fate.fit) {
      case Fit::covers:
        return "";
      case Fit::expired:
        return fmt::format("{} would accept {}, but expired after {}.", place, row, entry.expires);
      case Fit::exceeded:
        return fmt::format("{} accepts {} up to {}, which is exceeded.", place, row, *entry.up_to);
      case Fit::none:
        break;
    }
    // A run without times has no use for these, and says nothing against them.
    if (!judgement.times_judged && of_slowdowns(entry)) return "";
    const bool there =
        any_matches(judgement.rows, entry.row) || any_matches(judgement.budgets, entry.row);
    return fmt::format(
        "{} ({}) is unused: {}.", place, shortened(entry.row, kNameLimit),
        there ? "nothing that it accepts refuses this change" : "no row here has such a name");
  }

  std::span<const Acceptance> accepted_;
  std::string_view today_;
  std::vector<Fate> fates_;
  std::vector<std::string> reasons_;  ///< of the row at hand
  std::string until_;
  bool covered_ = true;
};

}  // namespace

std::vector<Acceptance> parse_accepted(std::string_view text, const std::string& file) {
  const Place place{file, ""};
  const json document = parse_json(text, place);
  if (!document.is_object()) place.fail("is not an object with a list \"accepted\"");
  require_known_keys(document, place, {"accepted"});
  if (!document.contains("accepted")) place.fail("\"accepted\" is missing");
  if (!document["accepted"].is_array()) place.at("accepted").fail("is not a list");
  std::vector<Acceptance> result;
  for (const json& entry : document["accepted"]) {
    result.push_back(read_entry(entry, place.at(fmt::format("accepted[{}]", result.size()))));
  }
  return result;
}

std::vector<Acceptance> read_accepted(const std::filesystem::path& path) {
  return parse_accepted(read_text(path, "a file of accepted changes"), path.string());
}

bool valid_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = 0;
    for (const char c : text.substr(at, digits)) {
      if (c < '0' || c > '9') return -1;
      value = 10 * value + (c - '0');
    }
    return value;
  };
  const int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  if (year < 0 || month < 0 || day < 0) return false;
  return std::chrono::year_month_day(std::chrono::year(year),
                                     std::chrono::month(static_cast<unsigned>(month)),
                                     std::chrono::day(static_cast<unsigned>(day)))
      .ok();
}

bool matches(std::string_view pattern, std::string_view name) {
  // Only the last star needs another try: what an earlier one takes can't help a later one.
  std::size_t p = 0, n = 0, star = std::string_view::npos, taken = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

const Acceptance* find_slowdown(std::span<const Acceptance> accepted, std::string_view row,
                                const Estimate& ratio, std::string_view today) {
  return first_covering(
      accepted, [&](const Acceptance& entry) { return fit_slowdown(entry, row, ratio, today); });
}

const Acceptance* find_counter(std::span<const Acceptance> accepted, std::string_view row,
                               const CounterChange& change, std::string_view today) {
  return first_covering(
      accepted, [&](const Acceptance& entry) { return fit_counter(entry, row, change, today); });
}

const Acceptance* find_missing(std::span<const Acceptance> accepted, std::string_view row,
                               std::string_view today) {
  return first_covering(accepted,
                        [&](const Acceptance& entry) { return fit_missing(entry, row, today); });
}

void accept(Judgement& judgement, std::span<const Acceptance> accepted, std::string_view today) {
  if (accepted.empty()) return;
  Accepting accepting(accepted, today);
  for (RowJudgement& row : judgement.rows) accepting.accept(row);
  for (RowJudgement& row : judgement.budgets) accepting.accept(row);
  accepting.remark(judgement);
}

}  // namespace breakeven::gate
