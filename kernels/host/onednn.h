// What every oneDNN competitor shares: the engine, the names of things, and what counts as absent.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <source_location>
#include <stdexcept>
#include <string>

#include "kernels/kernel.h"

namespace breakeven {

/// Throws std::runtime_error where a call of oneDNN's C interface failed.
inline void check_onednn(dnnl_status_t status,
                         std::source_location where = std::source_location::current()) {
  if (status == dnnl_success) return;
  throw std::runtime_error("oneDNN status " + std::to_string(status) + " at " + where.file_name() +
                           ":" + std::to_string(where.line()));
}

/// The CPU.
inline const dnnl::engine& onednn_engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

/// Throws Unsupported for element types that oneDNN does not have.
inline dnnl::memory::data_type onednn_type(ElementType type) {
  switch (type) {
    case ElementType::f32:
      return dnnl::memory::data_type::f32;
    case ElementType::bf16:
      return dnnl::memory::data_type::bf16;
    case ElementType::f16:
      return dnnl::memory::data_type::f16;
    case ElementType::s8:
      return dnnl::memory::data_type::s8;
    case ElementType::s32:
      return dnnl::memory::data_type::s32;
    default:
      throw Unsupported("oneDNN has no such element type");
  }
}

/// Strict arithmetic: f32 is never computed in bf16 or tf32. The scratchpad is the caller's, so
/// that run() allocates nothing.
inline dnnl::primitive_attr onednn_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

/// Whether there is an implementation to speak of. oneDNN's reference loops count as absent: they
/// are thousands of times slower and not what anyone would call oneDNN.
inline bool onednn_optimised(const dnnl::primitive_desc_base& primitive) {
  return primitive && !std::string(primitive.impl_info_str()).starts_with("ref");
}

inline std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

/// The highest instruction set that oneDNN dispatches to.
inline const char* onednn_isa() {
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
      return "SSE4.1";
    case dnnl_cpu_isa_avx:
      return "AVX";
    case dnnl_cpu_isa_avx2:
      return "AVX2";
    case dnnl_cpu_isa_avx2_vnni:
      return "AVX2 VNNI";
    case dnnl_cpu_isa_avx2_vnni_2:
      return "AVX2 VNNI-2";
    case dnnl_cpu_isa_avx512_core:
      return "AVX-512";
    case dnnl_cpu_isa_avx512_core_vnni:
      return "AVX-512 VNNI";
    case dnnl_cpu_isa_avx512_core_bf16:
      return "AVX-512 BF16";
    case dnnl_cpu_isa_avx512_core_fp16:
      return "AVX-512 FP16";
    case dnnl_cpu_isa_avx512_core_amx:
      return "AVX-512 AMX";
    case dnnl_cpu_isa_avx512_core_amx_fp16:
      return "AVX-512 AMX FP16";
    default:
      return "an ISA below SSE4.1 or unknown to this build";
  }
}

}  // namespace breakeven
