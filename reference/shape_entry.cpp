#include "reference/shape_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace breakeven {
namespace {

using Keys = std::initializer_list<std::string_view>;

constexpr double kLargestBytes = 0x1p46;  // 64 TiB: no machine that this could run on has more
constexpr double kLargestFlops = 0x1p63;

std::string listed(const Keys& keys) {
  std::string text;
  for (const std::string_view key : keys) text += (text.empty() ? "" : ", ") + std::string(key);
  return text;
}

}  // namespace

void Place::refuse(const std::string& why) const {
  if (in_entry_) throw EntryRefused(text_ + ": " + why);
  throw std::runtime_error(text_ + ": " + why);
}

Place Place::entry(std::size_t index) const {
  return Place(fmt::format("{}: shapes[{}]", text_, index), true);
}

Place Place::named(const std::string& name) const {
  return Place(fmt::format("{} \"{}\"", text_, name), in_entry_);
}

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

std::int64_t whole_number_or(const Json& object, const std::string& key, std::int64_t low,
                             const Place& place) {
  return object.contains(key) ? whole_number_of(object[key], key, low, place) : low;
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

}  // namespace breakeven
