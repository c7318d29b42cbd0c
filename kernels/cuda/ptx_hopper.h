// The primitives of sm_90a under nvcc; in namespace breakeven::ptx:
//   Mbarrier, mbarrier_*         barriers in shared memory that count arrivals and bytes
//   TensorMap, make_tensor_map   a matrix in global memory, for TMA
//   Im2colMap, make_im2col_map   images in global memory, and how a convolution walks them
//   tma_*                        boxes of it to and from shared memory, behind the threads' backs
//   fence_async_proxy            between threads' writes and TMA's or wgmma's reads
//   cluster_*                    blocks that share their shared memory
//   setmaxnreg_*                 registers moved between warp groups
//   wgmma, wgmma_*               a warp group's asynchronous matrix multiply-add
#pragma once

#include "kernels/cuda/ptx_im2col.h"
#include "kernels/cuda/ptx_tma.h"
#include "kernels/cuda/ptx_wgmma.h"
