// What calls cost by the prices that the user gave. Nothing is assumed: without a price no cost.

#include <fmt/format.h>

#include <set>

#include "reports/html_parts.h"
#include "reports/text.h"
#include "reports/training.h"

namespace breakeven {
namespace {

bool is_step(const Case& c) { return c.segments.op.starts_with("training_step_"); }

// Whole training steps, then the rows that answers rest on; not all the others. Parts of a step,
// bandwidth and whole trainings are no calls that anybody pays for by the million.
std::vector<const Case*> priced_cases(const Run& run) {
  std::set<const Case*> wanted;
  for (const Pair& pair : run.pairs) {
    wanted.insert(&pair.gpu.favourite());
    wanted.insert(&pair.cpu.favourite());
  }
  for (const Headline& best : headlines(run)) wanted.insert(best.favourite);
  std::vector<const Case*> steps, calls;
  for (const Case& c : run.cases) {
    const std::string& op = c.segments.op;
    if (!run.trusts(c) || !c.seconds) continue;
    if (is_step(c)) {
      steps.push_back(&c);
    } else if (wanted.contains(&c) && op != "stream" &&
               (!is_training(op) || op.starts_with("inference_"))) {
      calls.push_back(&c);
    }
  }
  steps.insert(steps.end(), calls.begin(), calls.end());
  return steps;
}

std::string cost_row(const Page& page, const Run& run, const Case& c, const Price& price) {
  const Estimate& time = *c.seconds;
  const auto million = [&](double seconds) {
    return format_number(1e6 * Prices::cost(price, seconds));
  };
  const std::string interval =
      time.interval.coverage > 0
          ? fmt::format(" ({}–{})", million(time.interval.low), million(time.interval.high))
          : "";
  const auto joules = c.counter("energy_joules");
  return fmt::format(
      "<tr><td>{}{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{}{}"
      "<td class=\"n\">{}</tr>\n",
      run_cell(page, run), row_link(page, run, c, c.name, ""),
      is_step(c) ? "training step" : "call", format_seconds(time.value),
      format_number(price.per_hour), format_scientific(Prices::cost(price, time.value)),
      million(time.value), interval, joules ? format_number(*joules) + " J" : "–");
}

std::string sources_html(const Prices& prices) {
  std::string items;
  for (const Price& price : prices.prices) {
    items += fmt::format(
        "<li>{}{}: {} {} an hour{}</li>\n", price.device == "gpu" ? "GPU" : "CPU",
        price.machine.empty() ? "" : " whose name has “" + escape_html(price.machine) + "”",
        format_number(price.per_hour), escape_html(prices.currency),
        price.note.empty() ? "; no source is given" : " (" + escape_html(price.note) + ")");
  }
  return "<ul>\n" + items + "</ul>\n";
}

}  // namespace

std::string costs_html(const Page& page) {
  if (page.prices.prices.empty()) return "";
  std::string rows;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const Case* c : priced_cases(run)) {
      const Price* price = page.prices.of(run, c->segments.device);
      if (price != nullptr && listing.takes()) rows += cost_row(page, run, *c, *price);
    }
  }
  const std::string currency = escape_html(page.prices.currency);
  return fmt::format(
             "<h3 id=\"cost\">Cost</h3>\n<p>By the prices in <code>{}</code>, which somebody gave "
             "and nobody measured:</p>\n",
             escape_html(page.prices.file)) +
         sources_html(page.prices) +
         (rows.empty()
              ? absent("No cost is shown: no row of a priced device enters an answer.")
              : fmt::format(
                    "<details><summary>Cost of training steps and calls, beside their energy"
                    "</summary><div class=\"scroll\"><table><caption>Hourly price × median time; "
                    "in brackets with the ends of the time’s interval.</caption><thead><tr>"
                    "<th scope=\"col\">Case<th scope=\"col\">Of a<th scope=\"col\">Time"
                    "<th scope=\"col\">{0} an hour<th scope=\"col\">{0} for one<th scope=\"col\">"
                    "{0} for a million<th scope=\"col\">Energy of one</tr></thead>\n<tbody>",
                    currency) +
                    rows + "</tbody></table></div>" + listing.note("rows") + "</details>\n");
}

}  // namespace breakeven
