// What turns programs of launches into rows on a GPU.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/training/device_products.h"
#include "kernels/training/step_kernel.h"

namespace breakeven::training {

/// The GPU of this process, as choices see it. Throws CudaError where there is none.
Gpu device_gpu();

/// Device memory, and work_stream().
std::unique_ptr<ProgramMemory> device_program_memory();

using MakeProducts = std::function<std::unique_ptr<DeviceProducts>()>;

/// A backend of such programs, run plainly and as one captured graph: both are rows. Heads of
/// attention that the kernels don't take are refused before anything is loaded. `sizes`: products
/// that ask for at least the workspace that `products` will, without trials; it is in the
/// footprint.
TrainingBackend device_backend(std::string name, std::vector<Precision> precisions, bool fused,
                               MakeProducts products, MakeProducts sizes);

}  // namespace breakeven::training
