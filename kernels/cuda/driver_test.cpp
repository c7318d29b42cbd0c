#include "kernels/cuda/driver.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace breakeven {
namespace {

int init_result = 0;
int count_result = 0;
int devices = 0;

const DriverCalls kFake = {
    [](unsigned) { return init_result; },
    [](int* count) {
      *count = devices;
      return count_result;
    },
    [](int error, const char** text) {
      *text = error == 100 ? "no CUDA-capable device is detected" : nullptr;
      return error == 100 ? 0 : 1;
    },
};

std::string reason(int init, int count, int found) {
  init_result = init;
  count_result = count;
  devices = found;
  return gpu_missing_reason(kFake);
}

TEST(Driver, EmptyWhereADeviceAnswers) { EXPECT_EQ(reason(0, 0, 1), ""); }

TEST(Driver, NamesTheCallThatFailed) {
  EXPECT_EQ(reason(100, 0, 1), "no usable GPU: cuInit: no CUDA-capable device is detected (100)");
  EXPECT_EQ(reason(0, 3, 1), "no usable GPU: cuDeviceGetCount: unknown error (3)");
}

TEST(Driver, NamesTheVariableThatHidesDevices) {
  unsetenv("CUDA_VISIBLE_DEVICES");
  EXPECT_EQ(reason(0, 0, 0), "no GPU: the NVIDIA driver shows 0 devices");
  setenv("CUDA_VISIBLE_DEVICES", "", 1);
  EXPECT_EQ(reason(0, 0, 0),
            "no GPU: the NVIDIA driver shows 0 devices, CUDA_VISIBLE_DEVICES is \"\"");
  unsetenv("CUDA_VISIBLE_DEVICES");
}

TEST(Driver, NamesTheLibraryThatIsMissing) {
  EXPECT_EQ(gpu_missing_reason_of("libno_such_driver.so.1")
                .rfind("no NVIDIA driver: "
                       "libno_such_driver.so.1: ",
                       0),
            0u);
}

TEST(Driver, RefusesALibraryThatIsNoDriver) {
  const std::string text = gpu_missing_reason_of("libc.so.6");
  EXPECT_NE(text.find("libc.so.6 is no CUDA driver"), std::string::npos) << text;
}

TEST(Driver, LoadsKernelsEagerlyWhateverWasSet) {
  setenv("CUDA_MODULE_LOADING", "LAZY", 1);
  gpu_missing_reason_of("libno_such_driver.so.1");
  EXPECT_STREQ(std::getenv("CUDA_MODULE_LOADING"), "EAGER");
}

TEST(Driver, AnswersTheSameTwice) { EXPECT_EQ(gpu_missing_reason(), gpu_missing_reason()); }

}  // namespace
}  // namespace breakeven
