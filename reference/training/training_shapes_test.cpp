#include "reference/training/training_shapes.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "reference/training/training_step.h"

namespace breakeven {
namespace {

const TrainingStep* find(const std::vector<Shape>& shapes, const std::string& name) {
  for (const Shape& shape : shapes) {
    if (shape.workload->op() + "/" + shape.workload->shape() == name) {
      return dynamic_cast<const TrainingStep*>(shape.workload.get());
    }
  }
  return nullptr;
}

double parameters_of(const TrainingStep& step) {
  double count = 0;
  for (const Tensor& tensor : step.model.graph.tensors()) {
    if (tensor.kind == TensorKind::parameter) count += static_cast<double>(tensor.elements());
  }
  return count;
}

TEST(BuiltInModels, AreThoseThatPapersDescribe) {
  const std::vector<Shape> shapes = built_in_shapes();
  const std::map<std::string, double> parameters = {
      {"mlp/b128", 784 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 10 + 10.0},
      {"lenet/b64", 61706},                // LeNet-5 of 28 x 28 images with padding
      {"resnet18/imagenet_b8", 11689512},  // as torchvision counts them
      {"resnet50/imagenet_b8", 25557032},
      {"resnet18/cifar_b64", 11173962},
      {"gpt/tiny_b8", 4 * (12 * 128 * 128 + 13 * 128) + 128 * (256 + 128 + 2.0)},
      {"gpt/gpt2_124m_b4_t1024", 124439808},
  };
  for (const auto& [name, count] : parameters) {
    for (const std::string part : {"training_step", "training_forward", "training_backward",
                                   "training_update", "inference"}) {
      const TrainingStep* step = find(shapes, part + "_" + name);
      ASSERT_NE(step, nullptr) << part << " " << name;
      EXPECT_EQ(parameters_of(*step), count) << name;
    }
  }
  for (int batch = 1; batch <= 4096; batch *= 2) {
    const TrainingStep* step = find(shapes, "training_step_mlp/b" + std::to_string(batch));
    ASSERT_NE(step, nullptr) << batch;
    EXPECT_EQ(step->items().count, batch);
    EXPECT_EQ(&step->model, &find(shapes, "training_update_mlp/b" + std::to_string(batch))->model);
  }
  // 4.09 billion multiply-adds an image with those of padding, which are not counted here.
  const double flops = find(shapes, "inference_resnet50/imagenet_b1")->cost(Precision::f32).flops;
  EXPECT_LT(flops, 2 * 4.09e9);
  EXPECT_GT(flops, 0.96 * 2 * 4.09e9);
}

std::string refused(const std::string& entry) {
  try {
    const ShapeFile file = parse_shapes(
        R"({"operation": "training", "shapes": [{"name": "fine", "model": "mlp", "batch": 1}, )" +
            entry + "]}",
        "my.json");
    return file.refused.size() == 1 ? file.refused[0] : "accepted";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

TEST(TrainingShapes, BadEntriesGetOneClearLine) {
  const std::string start = R"({"name": "x", "model": )";
  const std::map<std::string, std::string> bad = {
      {R"({"name": "x"})", "model is missing"},
      {start + R"("vgg", "batch": 1})", "model must be one of mlp, lenet, resnet18, resnet50, gpt"},
      {start + R"(3, "batch": 1})", "model must be text"},
      {start + R"("mlp"})", "batch is missing"},
      {start + R"("mlp", "batch": 0})", "batch must be a whole number from 1 up, but is 0"},
      {start + R"("mlp", "batch": []})", "a list of at least one"},
      {start + R"("mlp", "batch": 1000000000})", "batch is 1000000000, and 268435456 is the most"},
      {start + R"("mlp", "batch": [1, 1]})", "its workload's name x1 occurs twice"},
      {start + R"("mlp", "batch": 1, "side": 3})", "unknown key \"side\""},
      {start + R"("mlp", "batch": 1, "widths": [3]})", "widths must be a list of 2 to 1000"},
      {start + R"("mlp", "batch": 1, "widths": [3, -1]})", "but is -1"},
      {start + R"("mlp", "batch": 200000000, "widths": [200000000, 200000000]})", "TB of memory"},
      {start +
           R"("mlp", "batch": 200000000, "widths": [268435456, 268435456, 268435456, 2684354]})",
       "TB of memory"},
      {start + R"("lenet", "batch": 1, "side": 3})", "lenet needs images of 4 x 4 and more"},
      {start + R"("resnet50", "batch": 1, "stem": "wide"})", "stem must be"},
      {start + R"("gpt", "batch": 1, "width": 10, "heads": 3})", "must be a multiple of"},
      {start + R"("gpt", "batch": 1, "layers": 5000})", "layers is 5000, and 1000 is the most"},
      {start + R"("gpt", "batch": 1, "times": 2})", "unknown key \"times\""},
  };
  for (const auto& [entry, message] : bad) {
    const std::string got = refused(entry);
    EXPECT_NE(got.find(message), std::string::npos) << entry << "\n" << got;
    EXPECT_EQ(got.rfind("my.json: shapes[1] \"x\": ", 0), 0u) << got;
    EXPECT_EQ(got.find('\n'), std::string::npos) << got;
  }
  EXPECT_EQ(refused(start + R"("lenet", "batch": [2, 3], "side": 8, "classes": 3})"), "accepted");
  EXPECT_THROW(parse_shapes(R"({"operation": "training", "network": "n", "shapes": [
                       {"name": "x", "model": "mlp", "batch": 1}]})",
                            "my.json"),
               std::runtime_error);
}

TEST(TrainingShapes, ListsOfBatchesAppendTheirNumbers) {
  const ShapeFile file = parse_shapes(
      R"({"operation": "training", "shapes": [
          {"name": "mine_b", "model": "lenet", "batch": [2, 3], "side": 8, "classes": 3}]})",
      "my.json");
  std::set<std::string> names;
  for (const Shape& shape : file.shapes) {
    names.insert(shape.workload->op() + "/" + shape.workload->shape());
  }
  EXPECT_EQ(names.size(), 10u);
  EXPECT_TRUE(names.contains("training_backward_lenet/mine_b2"));
  EXPECT_TRUE(names.contains("inference_lenet/mine_b3"));
  const auto& first = dynamic_cast<const TrainingStep&>(*file.shapes[0].workload);
  EXPECT_EQ(std::get<Lenet>(with_batch(first.size, 7)).batch, 7);
  EXPECT_EQ(std::get<Lenet>(with_batch(first.size, 7)).side, 8);
}

}  // namespace
}  // namespace breakeven
