#include "kernels/training/embedding.h"

#include "kernels/training/training_testing.h"

namespace breakeven::training {
namespace {

struct Case {
  std::int64_t batch, length, columns, vocabulary;
};

constexpr Case kCases[] = {{1, 1, 1, 1}, {2, 7, 12, 5}, {3, 33, 7, 100}, {2, 600, 5, 2500}};

std::vector<std::int32_t> tokens_of(const Case& c) {
  return random_indices(static_cast<std::size_t>(c.batch * c.length),
                        static_cast<int>(c.vocabulary), 9);
}

template <class T>
double forward_error(const Case& c) {
  Tensor<T> table(c.vocabulary * c.columns, 1), positions(c.length * c.columns, 2),
      x(c.batch * c.length * c.columns);
  const std::vector<std::int32_t> tokens = tokens_of(c);
  prepare_embedding({c.batch, c.length, c.columns, c.vocabulary, tokens.data(), table.data(),
                     positions.data(), x.data()},
                    kStorage<T>)(Stream{});
  std::vector<double> want;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t place = i / c.columns, column = i % c.columns;
    want.push_back(table[tokens[static_cast<std::size_t>(place)] * c.columns + column] +
                   positions[place % c.length * c.columns + column]);
  }
  return worst(x, want, 2);
}

/// `skipped` tokens at the end are given to another row, a planted fault.
template <class T>
double backward_error(const Case& c, bool accumulate, std::size_t skipped = 0) {
  Tensor<T> dx(c.batch * c.length * c.columns, 1);
  Tensor<float> dtable(c.vocabulary * c.columns, 2), dpositions(c.length * c.columns);
  std::vector<double> want, want_positions(static_cast<std::size_t>(dpositions.size()));
  for (std::int64_t i = 0; i < dtable.size(); ++i) want.push_back(accumulate ? dtable[i] : 0);
  std::vector<std::int32_t> tokens = tokens_of(c);
  for (std::int64_t i = 0; i < dx.size(); ++i) {
    const std::int64_t place = i / c.columns, column = i % c.columns;
    const std::int64_t row = tokens[static_cast<std::size_t>(place)];
    want[static_cast<std::size_t>(row * c.columns + column)] += dx[i];
    want_positions[static_cast<std::size_t>(place % c.length * c.columns + column)] += dx[i];
  }
  for (std::size_t i = tokens.size() - skipped; i < tokens.size(); ++i) {
    tokens[i] = (tokens[i] + 1) % static_cast<std::int32_t>(c.vocabulary);
  }
  prepare_embedding_backward({c.batch, c.length, c.columns, c.vocabulary, tokens.data(), dx.data(),
                              dtable.data(), dpositions.data(), accumulate},
                             kStorage<T>)(Stream{});
  return std::max(worst(dtable, want, 16), worst(dpositions, want_positions, 16));
}

TEST(Embedding, ForwardInSeveralThreadOrders) {
  in_thread_orders(2, [] {
    for (const Case& c : kCases) {
      EXPECT_LE(forward_error<float>(c), 1) << c.vocabulary;
      EXPECT_LE(forward_error<bf16>(c), 1) << c.vocabulary;
    }
  });
}

TEST(Embedding, BackwardInSeveralThreadOrders) {
  in_thread_orders(2, [] {
    for (const Case& c : kCases) {
      for (const bool accumulate : {false, true}) {
        EXPECT_LE(backward_error<float>(c, accumulate), 1) << c.vocabulary;
        EXPECT_LE(backward_error<bf16>(c, accumulate), 1) << c.vocabulary;
      }
    }
  });
}

TEST(Embedding, AGradientForAnotherTokenIsSeen) {
  EXPECT_GT(backward_error<float>(kCases[2], false, 1), 1);
  EXPECT_GT(backward_error<bf16>(kCases[3], true, 1), 1);
}

TEST(Embedding, RefusesASizeOfNothing) {
  EXPECT_THROW(prepare_embedding({.vocabulary = 0}, ElementType::f32), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven::training
