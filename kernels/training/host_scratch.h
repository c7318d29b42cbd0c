// Scratch that the host's operations take, before a program is made and while it is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "reference/precision.h"
#include "reference/training/graph.h"

namespace breakeven::training {

/// Floats of scratch that the call of a node which compile_operation() takes needs.
std::int64_t operation_scratch(const Graph& graph, const Node& node, Precision precision,
                               int threads);

/// The most that a graph's nodes need, which their calls share.
std::size_t host_scratch_bytes(const Graph& graph, Precision precision, int threads);

}  // namespace breakeven::training
