// The sections of the page, in the order in which html.cpp puts them together. Each function gives
// the inner HTML of its section, escaped; a section without data says so in one line.
#pragma once

#include <cstddef>
#include <string>

#include "reports/words.h"

namespace breakeven {

/// listing.cpp: the lines of a table or list that grows with the cases. A page of few cases shows
/// all; one of many shows the first and says how many it leaves out.
class Listing {
 public:
  explicit Listing(const Page& page);

  /// Whether there is room for another line; counts those for which there is none.
  bool takes();
  bool full() const { return taken_ == most_; }

  /// "<p class=none>…</p>" on what was left out, "" where nothing was; `lines` as in "pairs".
  std::string note(const char* lines) const;

 private:
  std::size_t most_;
  std::size_t taken_ = 0;
  std::size_t left_out_ = 0;
};

/// Of all runs.
std::size_t case_count(const Page& page);

/// "100,000".
std::string with_commas(std::size_t count);

// html_answer.cpp
std::string answer_html(const Page& page);

// html_charts.cpp
std::string speedup_html(const Page& page);
std::string throughput_html(const Page& page);
std::string roofline_html(const Page& page);
std::string cache_html(const Page& page);
std::string threads_html(const Page& page);
std::string heat_map_html(const Page& page);
std::string ladder_html(const Page& page);

// html_pairs.cpp: the tables of ratios of section 2.
std::string pairs_html(const Page& page);

// html_networks.cpp
std::string networks_html(const Page& page);

// html_training.cpp
std::string training_html(const Page& page);

// html_precision.cpp
std::string precision_html(const Page& page);

// html_energy.cpp
std::string energy_html(const Page& page);

// html_claims.cpp
std::string claims_html(const Page& page);

// html_costs.cpp: by the prices that the user gave; "" without them.
std::string costs_html(const Page& page);

// html_changes.cpp: the verdict of --verdict and the histories of --history
std::string changes_html(const Page& page);

// html_machines.cpp; the first is empty without two runs of one machine
std::string before_after_html(const Page& page);
std::string machines_html(const Page& page);

// html_history.cpp; empty without a history
std::string history_html(const Page& page);

// html_rows.cpp
std::string rows_html(const Page& page);

// html_table.cpp
std::string table_html(const Page& page);

/// raw_data.cpp: every sample, column by column, as compact JSON that may stand inside a script.
std::string raw_data_json(const Page& page);

/// "r-0", "rB-12": the id of a case's detail, the same in the table's link.
std::string case_id(const Run& run, const Case& c);

/// " data-run=… data-op=… data-precision=… data-device=…" of a block that belongs to one of them,
/// so that the page's filters can hide it; what is empty is left out.
std::string facets(const std::string& run, const std::string& op, const std::string& precision,
                   const std::string& device = "");

/// A chart with its caption.
std::string figure_html(const Chart& chart);

/// All charts of a section; "" where it has none.
std::string charts_of(const Page& page, const std::string& section);

/// " <small>n16 64x56x56 -&gt; 64, 3x3</small>" of a convolution; empty for others, whose names or
/// places say enough.
std::string sizes_html(const Case& c);

/// "p-0", "pB-12": the id of a pair's line in the table of pairs.
std::string pair_id(const Run& run, const Pair& pair);

// html_trace.cpp: from a figure to the rows that it rests on.

/// Whether every row is unfolded on this page, so that it can be linked to.
bool rows_unfold(const Page& page);

/// `text` as a link to the case's detail, with `title` on hover where it is not empty; without the
/// link where the page unfolds no rows.
std::string row_link(const Page& page, const Run& run, const Case& c, const std::string& text,
                     const std::string& title);

/// " title=\"…\"": what is shown on hover.
std::string title_attribute(const std::string& text);

/// The rows of some figures as links, and the command that measures them again.
std::string trace_html(const Page& page, const Run& run, const std::vector<const Case*>& rows);

/// "<p class=none>…</p>": what is missing.
std::string absent(const std::string& sentence);

/// The error with its limit, as in "3.1e-7 ≤ 1.2e-5"; empty where neither was measured. Not
/// escaped.
std::string error_text(const Case& c);

}  // namespace breakeven
