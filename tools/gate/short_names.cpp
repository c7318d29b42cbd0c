#include "tools/gate/short_names.h"

#include <algorithm>
#include <string_view>

#include "reports/text.h"
#include "tools/breakeven/lines.h"

namespace breakeven::gate {
namespace {

constexpr std::string_view kLeftOut = "…";

/// Bytes up to and with the last slash before which both are the same.
std::size_t common_front(std::string_view a, std::string_view b) {
  const auto differ = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  const std::size_t slash = a.substr(0, static_cast<std::size_t>(differ - a.begin())).rfind('/');
  return slash == std::string_view::npos ? 0 : slash + 1;
}

/// Bytes from the first slash on after which both are the same.
std::size_t common_back(std::string_view a, std::string_view b) {
  const auto differ = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend()).first;
  const auto same = static_cast<std::size_t>(differ - a.rbegin());
  const std::size_t slash = a.find('/', a.size() - same);
  return slash == std::string_view::npos ? 0 : a.size() - slash;
}

std::string put_between(std::string_view front, std::string_view middle, std::string_view back) {
  return std::string(front).append(middle).append(back);
}

}  // namespace

std::string without_middle(const std::string& name, std::size_t width) {
  std::string text = visible_text(name);
  if (columns(text) <= width) return text;
  const std::size_t front = width / 3;
  std::size_t begin = text.size();
  for (std::size_t left = width - front - 1; left > 0; --left) {
    do --begin;
    while ((static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80);
  }
  return shortened(text, front + 1) + text.substr(begin);
}

ShortNames short_names(const std::vector<std::string>& names, std::size_t width) {
  ShortNames result;
  for (const std::string& name : names) result.names.push_back(visible_text(name));
  std::vector<std::string>& shown = result.names;
  const auto longer = [&](const std::string& name) { return columns(name) > width; };
  if (std::none_of(shown.begin(), shown.end(), longer)) return result;

  const std::string first = shown.front();
  std::size_t front = first.size(), back = first.size();
  for (const std::string& name : shown) {
    if (name == first) continue;
    front = std::min(front, common_front(first, name));
    back = std::min(back, common_back(first, name));
  }
  // Names that are all the same have no part that tells them apart. Of `a/b` and `a/a/b` the slash
  // may belong to either end: then the front alone goes.
  const bool differ = front < first.size();
  const bool apart = std::all_of(shown.begin(), shown.end(), [&](const std::string& name) {
    return front + back < name.size();
  });
  if (!apart) back = 0;
  if (differ && front + back > 0) {
    result.common =
        put_between(first.substr(0, front), kLeftOut, first.substr(first.size() - back));
    for (std::string& name : shown) {
      name = put_between(front > 0 ? kLeftOut : "", name.substr(front, name.size() - front - back),
                         back > 0 ? kLeftOut : "");
    }
  }
  for (std::string& name : shown) name = without_middle(name, width);
  return result;
}

}  // namespace breakeven::gate
