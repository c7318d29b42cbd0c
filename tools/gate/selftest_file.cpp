#include "tools/gate/selftest_file.h"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "reports/json_text.h"
#include "tools/gate/hypothesis.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

double share_at(const json& object, const char* key, const Place& place) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number() || !(found->get<double>() >= 0)) {
    place.at(key).fail("is not a share, 0 or more");
  }
  return found->get<double>();
}

Verdict verdict_at(const json& object, const Place& place) {
  const std::string word = text_at(object, "verdict", place);
  for (const Verdict verdict :
       {Verdict::regressed, Verdict::improved, Verdict::equivalent, Verdict::inconclusive}) {
    if (word == verdict_word(verdict)) return verdict;
  }
  place.at("verdict").fail(fmt::format("is \"{}\", no verdict on two equal programs", word));
}

SelftestRow read_row(const json& object, const Place& place) {
  if (!object.is_object()) place.fail("is not an object");
  SelftestRow row;
  row.name = text_at(object, "name", place);
  if (row.name.empty()) place.at("name").fail("is empty");
  row.noise = share_at(object, "noise", place);
  if (object.contains("detectable")) row.detectable = share_at(object, "detectable", place);
  const auto gateable = object.find("gateable");
  if (gateable == object.end() || !gateable->is_boolean()) {
    place.at("gateable").fail("is neither true nor false");
  }
  row.gateable = gateable->get<bool>();
  row.verdict = verdict_at(object, place);
  return row;
}

}  // namespace

std::string to_json(const Selftest& selftest) {
  json rows = json::array();
  for (const SelftestRow& row : selftest.rows) {
    json object = {{"name", row.name},
                   {"noise", row.noise},
                   {"gateable", row.gateable},
                   {"verdict", verdict_word(row.verdict)}};
    if (row.detectable) object["detectable"] = *row.detectable;
    rows.push_back(std::move(object));
  }
  const json document = {{"gate_selftest", kVersion},
                         {"machine", selftest.machine},
                         {"fingerprint", fingerprint(selftest.machine)},
                         {"program", selftest.program},
                         {"rounds", selftest.rounds},
                         {"false_positive_rate", selftest.false_positive_rate},
                         {"rows", rows}};
  return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Selftest parse_selftest(std::string_view text, const std::string& file) {
  const Place place{file, ""};
  const json document = parse_json(text, place);
  if (!document.is_object() || document.value("gate_selftest", json()) != kVersion) {
    place.fail(fmt::format("is no selftest of `breakeven gate selftest`, version {}", kVersion));
  }
  Selftest selftest;
  selftest.program = text_at(document, "program", place);
  const auto machine = document.find("machine");
  if (machine != document.end() && machine->is_object()) {
    for (const auto& [key, value] : machine->items()) selftest.machine[key] = as_text(value);
  }
  selftest.false_positive_rate = share_at(document, "false_positive_rate", place);
  const auto rounds = document.find("rounds");
  if (rounds == document.end() || !rounds->is_number_unsigned() ||
      rounds->get<std::uint64_t>() > kMostRounds) {
    place.at("rounds").fail("is no number of rounds");
  }
  selftest.rounds = rounds->get<int>();
  const auto rows = document.find("rows");
  if (rows == document.end() || !rows->is_array()) place.at("rows").fail("is not an array");
  for (std::size_t i = 0; i < rows->size(); ++i) {
    selftest.rows.push_back(read_row((*rows)[i], place.at(fmt::format("rows[{}]", i))));
    const SelftestRow& row = selftest.rows.back();
    if (!row.gateable) selftest.not_gateable.insert(row.name);
  }
  return selftest;
}

Selftest read_selftest(const std::filesystem::path& path) {
  return parse_selftest(read_text(path, "a selftest.json"), path.string());
}

}  // namespace breakeven::gate
