// What readers of shape files share: values of an entry, checked, and messages that name their
// place.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace breakeven {

using Json = nlohmann::json;

inline constexpr std::size_t kLongestName = 64;

/// What is wrong with one entry, as opposed to the whole file.
class EntryRefused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What a message starts with: the file, and the entry in it.
class Place {
 public:
  explicit Place(std::string text) : text_(std::move(text)) {}

  /// Throws std::runtime_error, in an entry EntryRefused.
  [[noreturn]] void refuse(const std::string& why) const;
  Place entry(std::size_t index) const;
  Place named(const std::string& name) const;

 private:
  Place(std::string text, bool in_entry) : text_(std::move(text)), in_entry_(in_entry) {}
  std::string text_;
  bool in_entry_ = false;
};

/// A value as a message shows it: on one line, cut short.
std::string shown(const Json& value);

// All of these refuse what is missing, of another type or out of range.
void require_object(const Json& value, const Place& place);
void allow_keys(const Json& object, const std::initializer_list<std::string_view>& keys,
                const Place& place);
const Json& required(const Json& object, const std::string& key, const Place& place);
std::string text_or(const Json& object, const std::string& key, const Place& place);  ///< or ""
bool flag_or_false(const Json& object, const std::string& key, const Place& place);
std::int64_t whole_number_of(const Json& value, const std::string& key, std::int64_t low,
                             const Place& place);
std::int64_t whole_number(const Json& object, const std::string& key, const Place& place);

/// The number at `key`, from `low` up, or `low` where there is none.
std::int64_t whole_number_or(const Json& object, const std::string& key, std::int64_t low,
                             const Place& place);

/// A name of lower-case letters, digits and _.
std::string identifier(const Json& object, const std::string& key, const Place& place);

/// Refuses what no machine holds. `bytes` and `flops` are estimates in floating point, which can't
/// overflow.
void require_possible(double bytes, double flops, const Place& place);

}  // namespace breakeven
