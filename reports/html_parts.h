// The sections of the page, in the order in which html.cpp puts them together. Each function gives
// the inner HTML of its section, escaped; a section without data says so in one line.
#pragma once

#include <string>

#include "reports/words.h"

namespace breakeven {

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

// html_networks.cpp
std::string networks_html(const Page& page);

// html_training.cpp
std::string training_html(const Page& page);

// html_tables.cpp
std::string precision_html(const Page& page);
std::string energy_html(const Page& page);
std::string claims_html(const Page& page);
std::string changes_html(const Page& page);

// html_rows.cpp
std::string rows_html(const Page& page);
std::string table_html(const Page& page);

/// raw_data.cpp: every sample, column by column, as compact JSON (not yet escaped for a script).
std::string raw_data_json(const Page& page);

/// "r-0", "rB-12": the id of a case's detail, the same in the table's link.
std::string case_id(const Run& run, const Case& c);

/// " <small>n16 64x56x56 -&gt; 64, 3x3</small>" of a convolution; empty for others, whose names or
/// places say enough.
std::string sizes_html(const Case& c);

/// "<p class=none>…</p>": what is missing.
std::string absent(const std::string& sentence);

/// The error with its limit, as in "3.1e-7 ≤ 1.2e-5"; empty where neither was measured.
std::string error_html(const Case& c);

}  // namespace breakeven
