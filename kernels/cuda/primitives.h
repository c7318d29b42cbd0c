// Everything that a kernel may use of the GPU. This header alone decides which side is compiled:
// under nvcc CUDA's own language with PTX behind the wrappers, elsewhere the host emulator's model
// of the same names (docs/simt.md). A kernel source includes this, kernels/cuda/launch.h and its
// siblings, and holds no #if, no inline assembly, no call of the CUDA runtime, no __shared__ and no
// <<<>>>, so that the very same text runs on both.
//
// Both sides declare, in namespace breakeven:
//   bf16, f16, e4m3              element types; float to_float(T), T from_float<T>(float): nearest,
//                                ties to even, e4m3 saturates
// and in namespace breakeven::ptx:
//   SharedMemory                 shared memory, array by array; shared_bytes() sizes it
//   static_shared                the same without asking for it at the launch
//   named_barrier_sync/arrive    barriers 1 to 15 among some warps of a block
//   cp_async, _commit, _wait     copies from global to shared memory, behind the thread's back
//   ldmatrix_*, stmatrix_*       8x8 matrices of 16-bit elements between shared memory and a warp
//   mma_*                        a warp's matrix multiply-add: d += a b
//   round_to_tf32, pack          conversions
//   load_*, store_*              plain accesses whose addresses the emulator counts
// Hopper's (mbarrier, TMA, clusters, wgmma, setmaxnreg) are listed in kernels/cuda/ptx_hopper.h.
#pragma once

#if defined(__CUDACC__)
#include "kernels/cuda/ptx_base.h"
#include "kernels/cuda/ptx_hopper.h"
#else
#include "kernels/simt/hopper.h"
#include "kernels/simt/language.h"
#include "kernels/simt/ptx_base.h"
#endif
