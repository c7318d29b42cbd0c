// The data behind the page, column by column: a sample costs some ten bytes instead of a row of
// JSON, so that a report can carry all of them.

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "reports/html_parts.h"

namespace breakeven {
namespace {

using nlohmann::json;

// Six digits: as much as any clock here resolves, and short.
double rounded(double value) {
  if (value == 0) return 0;
  return std::stod(fmt::format("{:.6g}", value));
}

// A number as JSON, without the ".0" of a whole one.
json number(double value) {
  const double short_value = rounded(value);
  if (std::abs(short_value) < 1e15 && short_value == std::floor(short_value)) {
    return static_cast<std::int64_t>(short_value);
  }
  return short_value;
}

// The i-th element of every column belongs to the i-th case; null where it has none.
json cases_json(const std::vector<Case>& cases) {
  json columns = {{"name", json::array()},      {"threads", json::array()},
                  {"failure", json::array()},   {"round", json::array()},
                  {"process", json::array()},   {"nanoseconds", json::array()},
                  {"counters", json::object()}, {"texts", json::object()}};
  for (const Case& c : cases) {
    for (const auto& [key, value] : c.counters) columns["counters"].emplace(key, json::array());
    for (const auto& [key, text] : c.texts) columns["texts"].emplace(key, json::array());
  }
  for (const Case& c : cases) {
    columns["name"].push_back(c.name);
    columns["threads"].push_back(c.threads);
    columns["failure"].push_back(c.failure ? json(*c.failure) : json());
    for (auto& [key, column] : columns["counters"].items()) {
      const auto value = c.counter(key);
      column.push_back(value ? number(*value) : json());
    }
    for (auto& [key, column] : columns["texts"].items()) {
      const auto text = c.texts.find(key);
      column.push_back(text == c.texts.end() ? json() : json(text->second));
    }
    json rounds = json::array();
    json processes = json::array();
    json times = json::array();
    for (const Round& round : c.rounds) {
      rounds.push_back(round.number);
      processes.push_back(round.process ? json(*round.process) : json());
      json samples = json::array();
      for (const double seconds : round.seconds) samples.push_back(number(seconds * 1e9));
      times.push_back(std::move(samples));
    }
    columns["round"].push_back(std::move(rounds));
    columns["process"].push_back(std::move(processes));
    columns["nanoseconds"].push_back(std::move(times));
  }
  return columns;
}

}  // namespace

std::string raw_data_json(const Page& page) {
  json data = {{"page_schema", 1}, {"runs", json::array()}};
  for (const Run& run : page.runs) {
    json entry = {{"file", run.results.file},       {"breakeven_schema", run.results.schema},
                  {"command", run.results.command}, {"context", run.results.context},
                  {"cases", cases_json(run.cases)}, {"skipped", json::array()},
                  {"unavailable", json::array()}};
    for (const Skipped& skip : run.results.skipped) {
      entry["skipped"].push_back({{"name", skip.name}, {"reason", skip.reason}});
    }
    for (const Unavailable& module : run.results.unavailable) {
      entry["unavailable"].push_back({{"module", module.module},
                                      {"reason", module.reason},
                                      {"competitors", module.competitors}});
    }
    data["runs"].push_back(std::move(entry));
  }
  // A file's name may be no UTF-8: the strict dump would throw.
  return data.dump(-1, ' ', true, json::error_handler_t::replace);
}

}  // namespace breakeven
