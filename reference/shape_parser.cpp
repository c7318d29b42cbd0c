// The schema of shape files, word for word as reference/shapes/README.md has it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <utility>

#include "reference/matmul.h"
#include "reference/shapes.h"
#include "reference/stream.h"

namespace breakeven {
namespace {

using Json = nlohmann::json;
using Keys = std::initializer_list<std::string_view>;

constexpr double kLargestBytes = 0x1p46;  // 64 TiB: no machine that this could run on has more
constexpr double kLargestFlops = 0x1p63;

// What a message starts with: the file, and the entry in it.
class Place {
 public:
  explicit Place(std::string text) : text_(std::move(text)) {}
  [[noreturn]] void refuse(const std::string& why) const {
    throw std::runtime_error(text_ + ": " + why);
  }
  Place entry(std::size_t index) const {
    return Place(fmt::format("{}: shapes[{}]", text_, index));
  }
  Place named(const std::string& name) const {
    return Place(fmt::format("{} \"{}\"", text_, name));
  }

 private:
  std::string text_;
};

// A value as a message shows it: on one line, cut short. Lists and objects are only named, since
// writing a deeply nested one out could exhaust the stack.
std::string shown(const Json& value) {
  if (value.is_structured()) {
    return fmt::format("{} of {} entries", value.is_array() ? "a list" : "an object", value.size());
  }
  std::string text = value.dump(-1, ' ', true);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

std::string listed(const Keys& keys) {
  std::string text;
  for (const std::string_view key : keys) text += (text.empty() ? "" : ", ") + std::string(key);
  return text;
}

// The library's message without its own prefix: "line 3, column 7: syntax error while ...".
std::string syntax_message(const Json::parse_error& error) {
  std::string text = error.what();
  const std::size_t line = text.find(" at line ");
  text = text.substr(line == std::string::npos ? 0 : line + 4);
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text.size() > 300 ? text.substr(0, 300) + "..." : text;
}

// The library itself keeps the last of two equal keys without a word.
Json parse_json(std::string_view text, const Place& file) {
  std::vector<std::set<std::string>> open_objects;
  const auto watch = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == Json::parse_event_t::object_end) open_objects.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto key = value.get<std::string>();
      if (!open_objects.back().insert(key).second) {
        file.refuse(fmt::format("the key {} occurs twice in one object; remove one", shown(value)));
      }
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::parse_error& error) {
    file.refuse("is not JSON: " + syntax_message(error));
  }
}

void require_object(const Json& value, const Place& place) {
  if (!value.is_object()) place.refuse("must be an object {...}, but is " + shown(value));
}

void allow_keys(const Json& object, const Keys& keys, const Place& place) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      place.refuse(fmt::format("unknown key {}; there are {}", shown(key), listed(keys)));
    }
  }
}

const Json& required(const Json& object, const std::string& key, const Place& place) {
  const auto found = object.find(key);
  if (found == object.end()) place.refuse(fmt::format("{} is missing", key));
  return *found;
}

std::string text_or(const Json& object, const std::string& key, const Place& place) {
  if (!object.contains(key)) return "";
  if (!object[key].is_string()) place.refuse(key + " must be text, but is " + shown(object[key]));
  return object[key].get<std::string>();
}

bool flag_or_false(const Json& object, const std::string& key, const Place& place) {
  if (!object.contains(key)) return false;
  if (!object[key].is_boolean()) {
    place.refuse(key + " must be true or false, but is " + shown(object[key]));
  }
  return object[key].get<bool>();
}

std::int64_t whole_number(const Json& object, const std::string& key, const Place& place) {
  const Json& value = required(object, key, place);
  // Numbers beyond 64 bits arrive here as floating point.
  if (value.is_number_float() && std::fabs(value.get<double>()) >= 0x1p63) {
    place.refuse(fmt::format("{} is {}, too large for any machine", key, shown(value)));
  }
  if (!value.is_number_integer()) {
    place.refuse(fmt::format("{} must be a whole number from 1 up, but is {}", key, shown(value)));
  }
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) {
    place.refuse(fmt::format("{} is {}, too large for any machine", key, shown(value)));
  }
  const auto number = value.get<std::int64_t>();
  if (number < 1) {
    place.refuse(fmt::format("{} must be a whole number from 1 up, but is {}", key, number));
  }
  return number;
}

std::string shape_name(const Json& object, const Place& place) {
  const Json& value = required(object, "name", place);
  std::string name = value.is_string() ? value.get<std::string>() : "";
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (name.empty() || name.size() > 64 || !(name[0] >= 'a' && name[0] <= 'z') ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    place.refuse(
        fmt::format("name {} must be 1 to 64 lower-case letters, digits and _, a letter "
                    "first",
                    shown(value)));
  }
  return name;
}

// `bytes` and `flops` are estimates in floating point, which can't overflow.
void require_possible(double bytes, double flops, const Place& place) {
  if (bytes > kLargestBytes) {
    place.refuse(
        fmt::format("its operands need {:.3g} TB of memory in f32, and 70 TB is the most "
                    "that is accepted; make it smaller",
                    bytes / 1e12));
  }
  if (flops > kLargestFlops) {
    place.refuse(
        fmt::format("one call takes {:.3g} operations, over 2^63; make it smaller", flops));
  }
}

std::unique_ptr<Workload> make_matmul(const Json& entry, const std::string& name,
                                      const Place& place) {
  allow_keys(entry, {"name", "m", "n", "k", "trans_a", "trans_b", "times", "gflop", "note"}, place);
  const std::int64_t m = whole_number(entry, "m", place);
  const std::int64_t n = whole_number(entry, "n", place);
  const std::int64_t k = whole_number(entry, "k", place);
  const auto dm = static_cast<double>(m);
  const auto dn = static_cast<double>(n);
  const auto dk = static_cast<double>(k);
  require_possible(4 * (dm * dk + dk * dn + dm * dn), 2 * dm * dn * dk, place);
  return std::make_unique<Matmul>(name, m, n, k, flag_or_false(entry, "trans_a", place),
                                  flag_or_false(entry, "trans_b", place));
}

std::unique_ptr<Workload> make_stream(const Json& entry, const std::string& name,
                                      const Place& place) {
  allow_keys(entry, {"name", "kind", "operand_bytes", "times", "gflop", "note"}, place);
  const auto kind = Stream::parse_kind(text_or(entry, "kind", place));
  if (!kind) {
    place.refuse(fmt::format("kind must be one of copy, scale, add, triad, gelu, but is {}",
                             shown(required(entry, "kind", place))));
  }
  const std::int64_t bytes = whole_number(entry, "operand_bytes", place);
  if (bytes % 8 != 0) place.refuse(fmt::format("operand_bytes {} is no multiple of 8", bytes));
  require_possible(3 * static_cast<double>(bytes), 0, place);
  return std::make_unique<Stream>(name, *kind, bytes);
}

Shape parse_entry(const Json& entry, const std::string& operation, const Place& unnamed,
                  std::set<std::string>& names) {
  require_object(entry, unnamed);
  const std::string name = shape_name(entry, unnamed);
  const Place place = unnamed.named(name);
  if (!names.insert(name).second) place.refuse("the name occurs twice; choose another");
  Shape shape;
  shape.workload =
      operation == "matmul" ? make_matmul(entry, name, place) : make_stream(entry, name, place);
  if (entry.contains("times")) shape.times = whole_number(entry, "times", place);
  if (entry.contains("gflop")) {
    if (!entry["gflop"].is_number() || !(entry["gflop"].get<double>() > 0)) {
      place.refuse("gflop must be a number above 0, but is " + shown(entry["gflop"]));
    }
    shape.gflop = entry["gflop"].get<double>();
  }
  text_or(entry, "note", place);
  return shape;
}

}  // namespace

std::vector<Shape> parse_shapes(std::string_view text, const std::string& file) {
  const Place place(file);
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    place.refuse("is empty; the form is shown in reference/shapes/README.md");
  }
  const Json root = parse_json(text, place);
  require_object(root, place);
  allow_keys(root, {"operation", "source", "shapes"}, place);
  const Json& operation = required(root, "operation", place);
  if (operation != "matmul" && operation != "stream") {
    place.refuse(fmt::format("operation must be matmul or stream, but is {}", shown(operation)));
  }
  const std::string source = text_or(root, "source", place);
  const Json& entries = required(root, "shapes", place);
  if (!entries.is_array() || entries.empty()) {
    place.refuse("shapes must be a list [...] of at least one entry, but is " + shown(entries));
  }
  std::vector<Shape> shapes;
  std::set<std::string> names;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    shapes.push_back(parse_entry(entries[i], operation.get<std::string>(), place.entry(i), names));
    shapes.back().source = source;
  }
  return shapes;
}

}  // namespace breakeven
