// A small map in one block of memory: a hundred thousand rows have a dozen counters each, and a
// tree would spend most of a report's time on its nodes.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace breakeven {

/// Values by name, in order of the names. Adding one moves those behind it: meant for dozens.
template <typename Value>
class FlatMap {
 public:
  using Entry = std::pair<std::string, Value>;
  using Iterator = typename std::vector<Entry>::const_iterator;

  FlatMap() = default;
  FlatMap(std::initializer_list<Entry> entries) {
    for (const Entry& entry : entries) emplace(entry.first, entry.second);
  }

  Iterator begin() const { return entries_.begin(); }
  Iterator end() const { return entries_.end(); }
  /// For the values' sake: a name that is changed is not found again.
  auto begin() { return entries_.begin(); }
  auto end() { return entries_.end(); }
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  void clear() { entries_.clear(); }
  void reserve(std::size_t size) { entries_.reserve(size); }
  bool operator==(const FlatMap&) const = default;

  Iterator find(std::string_view key) const {
    // Of a dozen names most differ in their length already: quicker than to halve them.
    if (entries_.size() <= kFew) {
      return std::find_if(begin(), end(), [&](const Entry& entry) {
        return entry.first.size() == key.size() &&
               std::char_traits<char>::compare(entry.first.data(), key.data(), key.size()) == 0;
      });
    }
    const Iterator place = entries_.begin() + static_cast<std::ptrdiff_t>(rank(key));
    return place != end() && place->first == key ? place : end();
  }
  bool contains(std::string_view key) const { return find(key) != end(); }
  std::size_t count(std::string_view key) const { return contains(key) ? 1 : 0; }

  /// Throws std::out_of_range where there is none.
  const Value& at(std::string_view key) const {
    const Iterator found = find(key);
    if (found == end()) throw std::out_of_range("no value under " + std::string(key));
    return found->second;
  }

  Value& operator[](std::string_view key) { return slot(key).first->second; }

  /// Keeps the value that is there.
  template <typename Other>
  void emplace(std::string_view key, Other&& value) {
    const auto [place, added] = slot(key);
    if (added) place->second = std::forward<Other>(value);
  }

 private:
  static constexpr std::size_t kFew = 24;

  // How many names stand before `key`. Names mostly come in order.
  std::size_t rank(std::string_view key) const {
    if (!entries_.empty() && std::string_view(entries_.back().first) < key) return entries_.size();
    const auto place =
        std::lower_bound(entries_.begin(), entries_.end(), key,
                         [](const Entry& entry, std::string_view k) { return entry.first < k; });
    return static_cast<std::size_t>(place - entries_.begin());
  }

  // The entry of that name, and whether it is new.
  std::pair<typename std::vector<Entry>::iterator, bool> slot(std::string_view key) {
    const auto place = entries_.begin() + static_cast<std::ptrdiff_t>(rank(key));
    if (place != entries_.end() && place->first == key) return {place, false};
    return {entries_.emplace(place, std::string(key), Value()), true};
  }

  std::vector<Entry> entries_;
};

}  // namespace breakeven
