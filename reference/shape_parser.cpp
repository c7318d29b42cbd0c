// The schema of shape files, word for word as reference/shapes/README.md has it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include "reference/conv2d.h"
#include "reference/matmul.h"
#include "reference/shapes.h"
#include "reference/stream.h"

namespace breakeven {
namespace {

using Json = nlohmann::json;
using Keys = std::initializer_list<std::string_view>;

constexpr double kLargestBytes = 0x1p46;  // 64 TiB: no machine that this could run on has more
constexpr double kLargestFlops = 0x1p63;
constexpr std::size_t kLongestName = 64;
constexpr std::size_t kMostLines = 50;  // of one message

// What is wrong with one entry, as opposed to the whole file.
class EntryRefused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What a message starts with: the file, and the entry in it.
class Place {
 public:
  explicit Place(std::string text) : text_(std::move(text)) {}
  [[noreturn]] void refuse(const std::string& why) const {
    if (in_entry_) throw EntryRefused(text_ + ": " + why);
    throw std::runtime_error(text_ + ": " + why);
  }
  Place entry(std::size_t index) const {
    return Place(fmt::format("{}: shapes[{}]", text_, index), true);
  }
  Place named(const std::string& name) const {
    return Place(fmt::format("{} \"{}\"", text_, name), in_entry_);
  }

 private:
  Place(std::string text, bool in_entry) : text_(std::move(text)), in_entry_(in_entry) {}
  std::string text_;
  bool in_entry_ = false;
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

std::int64_t whole_number_of(const Json& value, const std::string& key, std::int64_t low,
                             const Place& place) {
  // Numbers beyond 64 bits arrive here as floating point.
  const bool beyond = value.is_number_float() && std::fabs(value.get<double>()) >= 0x1p63;
  if (beyond || (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX)) {
    place.refuse(fmt::format("{} is {}, too large for any machine", key, shown(value)));
  }
  if (!value.is_number_integer() || value.get<std::int64_t>() < low) {
    place.refuse(
        fmt::format("{} must be a whole number from {} up, but is {}", key, low, shown(value)));
  }
  return value.get<std::int64_t>();
}

std::int64_t whole_number(const Json& object, const std::string& key, const Place& place) {
  return whole_number_of(required(object, key, place), key, 1, place);
}

// The number at `key`, from `low` up, or `low` where there is none.
std::int64_t whole_number_or(const Json& object, const std::string& key, std::int64_t low,
                             const Place& place) {
  return object.contains(key) ? whole_number_of(object[key], key, low, place) : low;
}

// Beyond that, readers of results take a network's list for a broken one.
std::int64_t times_of(const Json& entry, const Place& place) {
  constexpr std::int64_t kMost = 1000000;
  if (!entry.contains("times")) return 1;
  const Json& value = entry["times"];
  const std::int64_t times = value.is_number_integer() ? value.get<std::int64_t>() : 0;
  if (times < 1 || times > kMost) {
    place.refuse(
        fmt::format("times must be a whole number from 1 to {}, but is {}", kMost, shown(value)));
  }
  return times;
}

std::string identifier(const Json& object, const std::string& key, const Place& place) {
  const Json& value = required(object, key, place);
  std::string name = value.is_string() ? value.get<std::string>() : "";
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (name.empty() || name.size() > kLongestName || !(name[0] >= 'a' && name[0] <= 'z') ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    place.refuse(
        fmt::format("{} {} must be 1 to 64 lower-case letters, digits and _, a letter "
                    "first",
                    key, shown(value)));
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

Conv2dSize conv2d_size(const Json& entry, const Place& place) {
  Conv2dSize size;
  size.c = whole_number(entry, "c", place);
  size.h = whole_number(entry, "h", place);
  size.w = whole_number(entry, "w", place);
  size.k = whole_number(entry, "k", place);
  size.r = whole_number(entry, "r", place);
  size.s = whole_number(entry, "s", place);
  size.pad_h = whole_number_or(entry, "pad_h", 0, place);
  size.pad_w = whole_number_or(entry, "pad_w", 0, place);
  size.stride_h = whole_number_or(entry, "stride_h", 1, place);
  size.stride_w = whole_number_or(entry, "stride_w", 1, place);
  size.dilation_h = whole_number_or(entry, "dilation_h", 1, place);
  size.dilation_w = whole_number_or(entry, "dilation_w", 1, place);
  size.groups = whole_number_or(entry, "groups", 1, place);
  return size;
}

// "", "_n16", "_nchw" or "_n16_nchw" after the entry's name, which may end in "_nchw" itself.
std::string conv2d_name(std::string name, std::int64_t n, bool listed_n, Conv2dLayout layout,
                        const Place& place) {
  const std::string nchw = "_nchw";
  const bool is_nchw = layout == Conv2dLayout::nchw;
  if (is_nchw && name.ends_with(nchw)) name.resize(name.size() - nchw.size());
  if (listed_n) name += fmt::format("_n{}", n);
  if (is_nchw) name += nchw;
  if (name.size() > kLongestName) {
    place.refuse(fmt::format("its workload's name {} is over 64 characters; shorten it", name));
  }
  return name;
}

// The four operations for every number of images.
std::vector<Shape> make_conv2d(const Json& entry, const std::string& name, const Place& place) {
  allow_keys(entry,
             {"name", "n", "c", "h", "w", "k", "r", "s", "pad_h", "pad_w", "stride_h", "stride_w",
              "layout", "groups", "dilation_h", "dilation_w", "times", "gflop", "note"},
             place);
  Conv2dSize size = conv2d_size(entry, place);
  const std::string layout_name =
      entry.contains("layout") ? text_or(entry, "layout", place) : "nhwc";
  if (layout_name != "nhwc" && layout_name != "nchw") {
    place.refuse("layout must be \"nhwc\" or \"nchw\", but is " + shown(entry["layout"]));
  }
  const std::string other_layout = layout_name == "nchw" ? "nhwc" : "nchw";
  if (name.ends_with("_" + other_layout)) {
    place.refuse(fmt::format("its name ends in _{}, but its layout is {}; change one of them",
                             other_layout, layout_name));
  }
  const Conv2dLayout layout = layout_name == "nchw" ? Conv2dLayout::nchw : Conv2dLayout::nhwc;
  const Json& n = required(entry, "n", place);
  if (n.is_array() && n.empty()) {
    place.refuse("n must be a whole number or a list of at least one, but is " + shown(n));
  }
  std::vector<Shape> shapes;
  for (const Json& images : n.is_array() ? n : Json::array({n})) {
    size.n = whole_number_of(images, "n", 1, place);
    const std::string problem = conv2d_problem(size);
    if (!problem.empty()) place.refuse(problem);
    const std::string full_name = conv2d_name(name, size.n, n.is_array(), layout, place);
    for (const Conv2dOp op : {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                              Conv2dOp::backward_weights}) {
      Shape shape;
      shape.workload = std::make_unique<Conv2d>(full_name, size, op, layout);
      const Cost cost = shape.workload->cost(Precision::f32);
      require_possible(cost.bytes, cost.flops, place);
      shapes.push_back(std::move(shape));
    }
  }
  return shapes;
}

std::vector<Shape> single(std::unique_ptr<Workload> workload) {
  std::vector<Shape> shapes(1);
  shapes[0].workload = std::move(workload);
  return shapes;
}

std::vector<Shape> make_workloads(const std::string& operation, const Json& entry,
                                  const std::string& name, const Place& place) {
  if (operation == "conv2d") return make_conv2d(entry, name, place);
  return single(operation == "matmul" ? make_matmul(entry, name, place)
                                      : make_stream(entry, name, place));
}

std::optional<double> gflop_of(const Json& entry, const Place& place) {
  if (!entry.contains("gflop")) return std::nullopt;
  if (!entry["gflop"].is_number() || !(entry["gflop"].get<double>() > 0)) {
    place.refuse("gflop must be a number above 0, but is " + shown(entry["gflop"]));
  }
  return entry["gflop"].get<double>();
}

// Takes the names of an entry's shapes, all of them or, where it has to be refused, none.
void take_names(const std::vector<Shape>& shapes, const std::string& entry_name, const Place& place,
                TakenNames& taken) {
  TakenNames own;
  for (const Shape& shape : shapes) {
    const Workload& workload = *shape.workload;
    const std::string full = workload.op() + "/" + workload.shape();
    const auto other = taken.find(full);
    if (other == taken.end() && own.emplace(full, "").second) continue;
    const std::string owner = other == taken.end() ? "" : other->second;  // "" is this file
    place.refuse(fmt::format("{} {}; choose another",
                             workload.shape() == entry_name
                                 ? "the name"
                                 : fmt::format("its workload's name {}", workload.shape()),
                             owner.empty() ? "occurs twice" : "is that of " + owner));
  }
  taken.merge(own);
}

std::vector<Shape> parse_entry(const Json& entry, const std::string& operation,
                               const std::string& network, const Place& unnamed,
                               TakenNames& taken) {
  require_object(entry, unnamed);
  const std::string name = identifier(entry, "name", unnamed);
  const Place place = unnamed.named(name);
  std::vector<Shape> shapes = make_workloads(operation, entry, name, place);
  const std::int64_t times = times_of(entry, place);
  const std::optional<double> gflop = gflop_of(entry, place);
  text_or(entry, "note", place);
  take_names(shapes, name, place, taken);
  for (Shape& shape : shapes) {
    shape.gflop = gflop;
    shape.workload->set_layer({network, times, network.empty() ? "" : name});
  }
  return shapes;
}

[[noreturn]] void refuse_all(const std::vector<std::string>& lines) {
  std::string text;
  for (std::size_t i = 0; i < std::min(lines.size(), kMostLines); ++i) {
    text += (i > 0 ? "\n" : "") + lines[i];
  }
  if (lines.size() > kMostLines) {
    text += fmt::format("\nand {} more entries are wrong", lines.size() - kMostLines);
  }
  throw std::runtime_error(text);
}

}  // namespace

ShapeFile parse_shapes(std::string_view text, const std::string& file, TakenNames taken) {
  const Place place(file);
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    place.refuse("is empty; the form is shown in reference/shapes/README.md");
  }
  const Json root = parse_json(text, place);
  require_object(root, place);
  allow_keys(root, {"operation", "source", "network", "shapes"}, place);
  const Json& operation = required(root, "operation", place);
  if (operation != "conv2d" && operation != "matmul" && operation != "stream") {
    place.refuse(
        fmt::format("operation must be conv2d, matmul or stream, but is {}", shown(operation)));
  }
  const std::string source = text_or(root, "source", place);
  const std::string network = root.contains("network") ? identifier(root, "network", place) : "";
  const Json& entries = required(root, "shapes", place);
  if (!entries.is_array() || entries.empty()) {
    place.refuse("shapes must be a list [...] of at least one entry, but is " + shown(entries));
  }
  ShapeFile result;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    try {
      for (Shape& shape :
           parse_entry(entries[i], operation.get<std::string>(), network, place.entry(i), taken)) {
        shape.entry = i;
        shape.source = source;
        result.shapes.push_back(std::move(shape));
      }
    } catch (const EntryRefused& refused) {
      result.refused.emplace_back(refused.what());
    }
  }
  const bool whole = result.shapes.empty() || !network.empty();
  if (whole && !result.refused.empty()) refuse_all(result.refused);
  return result;
}

std::vector<Shape> parse_built_in_shapes(std::string_view text, const std::string& file) {
  ShapeFile result = parse_shapes(text, file);
  if (!result.refused.empty()) refuse_all(result.refused);
  return std::move(result.shapes);
}

}  // namespace breakeven
