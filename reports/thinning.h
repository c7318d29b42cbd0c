// Which marks of a crowd a chart draws: a marker on top of another shows nothing.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace breakeven {

/// Marks of a chart before it draws 2,000 of them at most.
inline constexpr std::size_t kMostMarks = 2000;

/// Where a mark would stand.
struct MarkPlace {
  double x = 0;
  double y = 0;
};

/// Places in `marks`, in their order: all of up to `most` marks; of more the first in each cell of
/// a grid, as fine as `most` allows, over the logarithms of both coordinates. Marks that have none
/// (not positive) are not among them.
std::vector<std::size_t> marks_to_draw(const std::vector<MarkPlace>& marks, std::size_t most);

/// Counts marks through all series of a chart.
struct MarkCount {
  std::size_t drawn = 0;
  std::size_t all = 0;

  /// " (2000 of 66667 marks drawn)", "" where all are.
  std::string text() const;
};

/// Those of `items` whose marks are drawn; `place_of` gives the MarkPlace of one.
template <typename Item, typename PlaceOf>
std::vector<Item> thinned(std::vector<Item> items, std::size_t most, PlaceOf place_of,
                          MarkCount& count) {
  count.all += items.size();
  if (items.size() > most) {
    std::vector<MarkPlace> places;
    places.reserve(items.size());
    for (const Item& item : items) places.push_back(place_of(item));
    std::vector<Item> kept;
    for (const std::size_t i : marks_to_draw(places, most)) kept.push_back(items[i]);
    items = std::move(kept);
  }
  count.drawn += items.size();
  return items;
}

}  // namespace breakeven
