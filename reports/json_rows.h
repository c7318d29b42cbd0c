// JSON whose bulk is one array of objects, read without ever holding the array.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reports/json_text.h"

namespace breakeven {

/// An object's values in order of the file; of keys that are there twice the last. Its places are
/// used again for the next object.
class Fields {
 public:
  using Entry = std::pair<std::string, nlohmann::json>;
  using Iterator = std::vector<Entry>::const_iterator;

  Iterator begin() const { return entries_.begin(); }
  Iterator end() const { return entries_.begin() + static_cast<std::ptrdiff_t>(size_); }
  Iterator find(std::string_view key) const {
    return std::find_if(begin(), end(), [&](const Entry& entry) { return entry.first == key; });
  }
  bool contains(std::string_view key) const { return find(key) != end(); }

  nlohmann::json& operator[](std::string_view key);
  void clear() { size_ = 0; }

 private:
  std::vector<Entry> entries_;
  std::size_t size_ = 0;  // of entries_, those that are in use
};

struct RowTaker {
  std::string_view array;                            ///< the key at the top level
  std::function<bool(std::string_view key)> wanted;  ///< which fields are read; all where null
  std::function<void(Fields& fields)> take;          ///< gets each object where it ends
};

/// `text` as JSON, with the array empty: its objects went to `taker`. Throws what parse_json()
/// throws, and where an element of the array is no object.
nlohmann::json parse_json_rows(std::string_view text, const Place& place, const RowTaker& taker);

}  // namespace breakeven
