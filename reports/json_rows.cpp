#include "reports/json_rows.h"

#include <fmt/format.h>

#include <utility>

namespace breakeven {
namespace {

using nlohmann::json;

// What nlohmann's parser tells as it reads. Everything but the array's objects becomes `root`.
class Events {
 public:
  Events(std::string_view text, const Place& place, const RowTaker& taker)
      : text_(text), place_(place), taker_(taker) {}

  json root;

  bool null() { return value(nullptr); }
  bool boolean(bool given) { return value(given); }
  bool number_integer(json::number_integer_t number) { return value(number); }
  bool number_unsigned(json::number_unsigned_t number) { return value(number); }
  bool number_float(json::number_float_t number, const std::string& /*digits*/) {
    return value(number);
  }
  bool string(std::string& given) { return value(std::move(given)); }
  bool binary(json::binary_t& /*bytes*/) { return false; }  // text has none

  bool key(std::string& given) {
    key_ = std::move(given);
    if (depth_ == 1) in_array_ = false;
    if (at_field()) dropped_ = taker_.wanted && !taker_.wanted(key_);
    return true;
  }

  bool start_object(std::size_t /*size*/) {
    if (!in_array_ || depth_ != kRowDepth - 1) return open(json::object());
    check_depth();
    ++depth_;
    fields_.clear();
    return true;
  }

  bool start_array(std::size_t /*size*/) {
    if (depth_ == 1 && key_ == taker_.array && root.is_object()) {
      if (root.contains(key_)) place_.at(key_).fail("is there twice");
      open(json::array());
      in_array_ = true;
      return true;
    }
    if (in_array_ && depth_ == kRowDepth - 1) fail_element();
    return open(json::array());
  }

  bool end_object() {
    if (!in_array_ || depth_ != kRowDepth) return close();
    --depth_;
    ++elements_;
    taker_.take(fields_);
    return true;
  }

  bool end_array() { return close(); }

  bool parse_error(std::size_t byte, const std::string& /*token*/, const json::exception& error) {
    fail_json(text_, place_, byte, error);
  }

 private:
  static constexpr int kRowDepth = 3;  // containers that are open inside a row: file, array, row

  bool at_field() const { return in_array_ && depth_ == kRowDepth; }

  void check_depth() const {
    if (depth_ < kDeepestJson) return;
    place_.fail(fmt::format("is nested more than {} deep", kDeepestJson));
  }

  [[noreturn]] void fail_element() const {
    place_.at(fmt::format("{}[{}]", taker_.array, elements_)).fail("is not an object");
  }

  template <typename Given>
  bool value(Given&& given) {
    check_depth();
    if (in_array_ && depth_ == kRowDepth - 1) fail_element();
    if (!skips()) put(json(std::forward<Given>(given)));
    return true;
  }

  bool skips() const { return in_array_ && depth_ >= kRowDepth && dropped_; }

  bool open(json&& container) {
    check_depth();
    if (!skips()) open_.push_back(&put(std::move(container)));
    ++depth_;
    return true;
  }

  bool close() {
    --depth_;
    if (depth_ == 1) in_array_ = false;
    if (!skips()) open_.pop_back();
    return true;
  }

  json& put(json&& given) {
    if (at_field()) return fields_[key_] = std::move(given);
    if (open_.empty()) return root = std::move(given);
    json& parent = *open_.back();
    if (parent.is_object()) return parent[key_] = std::move(given);
    parent.push_back(std::move(given));
    return parent.back();
  }

  std::string_view text_;
  const Place& place_;
  const RowTaker& taker_;
  std::vector<json*> open_;  // but the row's own object; a parent stays where it is while open
  std::string key_;
  Fields fields_;
  std::size_t elements_ = 0;
  int depth_ = 0;
  bool in_array_ = false;  // inside the array of rows
  bool dropped_ = false;   // the field that is being read is not wanted
};

}  // namespace

json& Fields::operator[](std::string_view key) {
  const Iterator found = find(key);
  if (found != end()) return entries_[static_cast<std::size_t>(found - begin())].second;
  if (size_ == entries_.size()) entries_.emplace_back();
  Entry& entry = entries_[size_++];
  entry.first = key;
  return entry.second;
}

json parse_json_rows(std::string_view text, const Place& place, const RowTaker& taker) {
  require_not_blank(text, place);
  Events events(text, place, taker);
  json::sax_parse(text, &events);
  return std::move(events.root);
}

}  // namespace breakeven
