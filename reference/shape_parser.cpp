// The schema of shape files, word for word as reference/shapes/README.md has it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include "reference/conv2d.h"
#include "reference/matmul.h"
#include "reference/shape_entry.h"
#include "reference/shapes.h"
#include "reference/stream.h"
#include "reference/training/training_shapes.h"

namespace breakeven {
namespace {

constexpr std::size_t kMostLines = 50;  // of one message

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
  if (operation == "training") return make_training(entry, name, place);
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
  if (operation != "conv2d" && operation != "matmul" && operation != "stream" &&
      operation != "training") {
    place.refuse(fmt::format("operation must be conv2d, matmul, stream or training, but is {}",
                             shown(operation)));
  }
  const std::string source = text_or(root, "source", place);
  const std::string network = root.contains("network") ? identifier(root, "network", place) : "";
  if (operation == "training" && !network.empty()) {
    place.refuse("a training step is no layer of a network; remove the key network");
  }
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
