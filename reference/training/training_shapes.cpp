#include "reference/training/training_shapes.h"

#include <fmt/format.h>

#include <limits>
#include <memory>

#include "reference/training/training_step.h"

namespace breakeven {
namespace {

// Dimensions above are no model's, and products of a few of them stay below 2^63.
constexpr std::int64_t kLargest = 1 << 28;
constexpr std::int64_t kMostLayers = 1000;

std::int64_t dimension_of(const Json& value, const std::string& key, std::int64_t most,
                          const Place& place) {
  const std::int64_t number = whole_number_of(value, key, 1, place);
  if (number > most) place.refuse(fmt::format("{} is {}, and {} is the most", key, number, most));
  return number;
}

// Replaces a dimension where the entry has one.
void set(const Json& entry, const std::string& key, std::int64_t& dimension, const Place& place,
         std::int64_t most = kLargest) {
  if (entry.contains(key)) dimension = dimension_of(entry[key], key, most, place);
}

Mlp mlp_of(const Json& entry, const Place& place) {
  allow_keys(entry, {"name", "model", "batch", "note", "widths"}, place);
  Mlp size;
  if (!entry.contains("widths")) return size;
  const Json& widths = entry["widths"];
  if (!widths.is_array() || widths.size() < 2 || widths.size() > kMostLayers) {
    place.refuse(fmt::format("widths must be a list of 2 to {} whole numbers, but is {}",
                             kMostLayers, shown(widths)));
  }
  size.widths.clear();
  for (const Json& width : widths) {
    size.widths.push_back(dimension_of(width, "widths", kLargest, place));
  }
  return size;
}

Lenet lenet_of(const Json& entry, const Place& place) {
  allow_keys(entry, {"name", "model", "batch", "note", "side", "classes"}, place);
  Lenet size;
  set(entry, "side", size.side, place);
  set(entry, "classes", size.classes, place);
  return size;
}

Resnet resnet_of(const Json& entry, const std::string& model, const Place& place) {
  allow_keys(entry, {"name", "model", "batch", "note", "side", "classes", "stem", "width"}, place);
  Resnet size;
  if (model == "resnet50") {
    size.blocks = {3, 4, 6, 3};
    size.bottleneck = true;
  }
  const std::string stem = entry.contains("stem") ? text_or(entry, "stem", place) : "cifar";
  if (stem != "cifar" && stem != "imagenet") {
    place.refuse("stem must be \"cifar\" or \"imagenet\", but is " + shown(entry["stem"]));
  }
  size.imagenet = stem == "imagenet";
  if (size.imagenet) {
    size.side = 224;
    size.classes = 1000;
  }
  set(entry, "side", size.side, place);
  set(entry, "classes", size.classes, place);
  set(entry, "width", size.width, place);
  return size;
}

Gpt gpt_of(const Json& entry, const Place& place) {
  allow_keys(entry,
             {"name", "model", "batch", "note", "steps", "layers", "width", "heads", "vocabulary"},
             place);
  Gpt size;
  set(entry, "steps", size.steps, place);
  set(entry, "layers", size.layers, place, kMostLayers);
  set(entry, "width", size.width, place);
  set(entry, "heads", size.heads, place);
  set(entry, "vocabulary", size.vocabulary, place);
  return size;
}

ModelSize size_of(const Json& entry, const Place& place) {
  const std::string model = text_or(entry, "model", place);
  if (model == "mlp") return mlp_of(entry, place);
  if (model == "lenet") return lenet_of(entry, place);
  if (model == "resnet18" || model == "resnet50") return resnet_of(entry, model, place);
  if (model == "gpt") return gpt_of(entry, place);
  place.refuse(fmt::format("model must be one of mlp, lenet, resnet18, resnet50, gpt, but is {}",
                           shown(required(entry, "model", place))));
}

void require_possible_model(const TrainingStep& step, const Place& place) {
  double bytes = 0;
  for (const Tensor& tensor : step.model.graph.tensors()) {
    bytes += 4 * static_cast<double>(tensor.elements());
  }
  require_possible(bytes, step.cost(Precision::f32).flops, place);
}

void append_batch(std::vector<Shape>& shapes, const std::string& name, const ModelSize& size,
                  const Place& place) {
  auto step = std::make_unique<TrainingStep>(name, size, StepPart::step);
  require_possible_model(*step, place);
  const TrainingStep& whole = *step;
  const auto append = [&shapes](std::unique_ptr<TrainingStep> part) {
    Shape shape;
    shape.workload = std::move(part);
    shapes.push_back(std::move(shape));
  };
  append(std::move(step));
  for (const StepPart part : {StepPart::forward, StepPart::backward, StepPart::update}) {
    append(std::make_unique<TrainingStep>(whole, part));
  }
  append(std::make_unique<TrainingStep>(name, size, StepPart::inference));
}

}  // namespace

ModelSize with_batch(ModelSize size, std::int64_t batch) {
  std::visit([batch](auto& own) { own.batch = batch; }, size);
  return size;
}

std::vector<Shape> make_training(const Json& entry, const std::string& name, const Place& place) {
  const ModelSize size = size_of(entry, place);
  const Json& batch = required(entry, "batch", place);
  if (batch.is_array() && batch.empty()) {
    place.refuse("batch must be a whole number or a list of at least one, but is " + shown(batch));
  }
  std::vector<Shape> shapes;
  for (const Json& value : batch.is_array() ? batch : Json::array({batch})) {
    const std::int64_t number = dimension_of(value, "batch", kLargest, place);
    const std::string full = batch.is_array() ? fmt::format("{}{}", name, number) : name;
    if (full.size() > kLongestName) {
      place.refuse(fmt::format("its workload's name {} is over 64 characters; shorten it", full));
    }
    try {
      append_batch(shapes, full, with_batch(size, number), place);
    } catch (const std::invalid_argument& error) {
      place.refuse(error.what());
    }
  }
  return shapes;
}

}  // namespace breakeven
