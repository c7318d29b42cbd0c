// Entries of shape files that are models: "operation": "training" (reference/shapes/README.md).
#pragma once

#include <string>
#include <vector>

#include "reference/shape_entry.h"
#include "reference/shapes.h"
#include "reference/training/models.h"

namespace breakeven {

/// The whole step, its three phases and inference of an entry's model, for each of its batches.
/// Refuses entries that make no model.
std::vector<Shape> make_training(const Json& entry, const std::string& name, const Place& place);

/// A size with another batch.
ModelSize with_batch(ModelSize size, std::int64_t batch);

}  // namespace breakeven
