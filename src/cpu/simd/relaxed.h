/* The vector vocabulary of wasm128.h with relaxed SIMD: multiplication and addition in one instruction, fused
 * where the machine has that (results then differ by rounding between machines, within the tolerance of every
 * test). */
#ifndef CPU_SIMD_RELAXED_H
#define CPU_SIMD_RELAXED_H

#define SIMD_NAME(name)   name##_relaxed
#define SIMD_ISA          CPU_ISA_RELAXED
#define SIMD_FMA(a, b, c) wasm_f32x4_relaxed_madd(a, b, c)

#include "cpu/simd/wasm128.h"

#endif
