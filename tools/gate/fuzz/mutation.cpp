#include "tools/gate/fuzz/mutation.h"

#include <algorithm>

namespace breakeven::gate::fuzz {
namespace {

constexpr std::size_t kMostBytes = 16384;  // splices of splices must not grow for ever

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '+' || c == '.';
}

std::size_t token_end(std::string_view text, std::size_t begin) {
  std::size_t end = begin + 1;
  if (text[begin] == '"') {
    while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
    return std::min(end + 1, text.size());
  }
  if (is_word(text[begin])) {
    while (end < text.size() && is_word(text[end])) ++end;
  }
  return end;
}

std::size_t below(Random& random, std::size_t limit) {
  return static_cast<std::size_t>(random.next() % limit);
}

/// Somewhere in the text, and not too much of it.
struct Part {
  std::size_t begin, size;
};

Part some_part(std::string_view text, Random& random) {
  const std::size_t begin = below(random, text.size());
  const std::size_t most = std::min<std::size_t>(text.size() - begin, 1 + below(random, 64));
  return {begin, 1 + below(random, most)};
}

void flip_bit(std::string& text, Random& random) {
  char& byte = text[below(random, text.size())];
  byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1u << below(random, 8)));
}

void swap_token(std::string& text, const std::vector<std::string>& words, Random& random) {
  const std::vector<std::string_view> tokens = tokens_of(text);
  const std::string_view token = tokens[below(random, tokens.size())];
  const bool of_words = !words.empty() && below(random, 2) == 0;
  const std::string other = of_words ? words[below(random, words.size())]
                                     : std::string(tokens[below(random, tokens.size())]);
  text.replace(static_cast<std::size_t>(token.data() - text.data()), token.size(), other);
}

void change(std::string& text, const std::vector<std::string>& texts,
            const std::vector<std::string>& words, Random& random) {
  if (text.empty()) text = texts[below(random, texts.size())];
  if (text.empty()) return;
  const Part part = some_part(text, random);
  switch (below(random, 6)) {
    case 0:
      return flip_bit(text, random);
    case 1:
      text.erase(part.begin, part.size);
      return;
    case 2:
      text.insert(part.begin, text.substr(part.begin, part.size));
      return;
    case 3: {
      const std::string& other = texts[below(random, texts.size())];
      if (!other.empty()) {
        const Part taken = some_part(other, random);
        text.replace(part.begin, part.size, other, taken.begin, taken.size);
      }
      return;
    }
    default:  // twice as often: what is still JSON gets further
      return swap_token(text, words, random);
  }
}

}  // namespace

std::vector<std::string_view> tokens_of(std::string_view text) {
  std::vector<std::string_view> tokens;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = token_end(text, begin);
    tokens.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return tokens;
}

std::string mutated(const std::vector<std::string>& texts, std::size_t chosen,
                    const std::vector<std::string>& words, Random& random) {
  std::string text = texts[chosen];
  for (std::size_t changes = 1 + below(random, 4); changes > 0; --changes) {
    change(text, texts, words, random);
  }
  if (text.size() > kMostBytes) text.resize(kMostBytes);
  return text;
}

}  // namespace breakeven::gate::fuzz
