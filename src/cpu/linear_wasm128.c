/* Owns the kernels for WebAssembly SIMD128: products of 16-bit pairs. All code is in linear_wasm.inc. */
#include "cpu/linear_layout.h"
#include "cpu/simd/wasm128.h"

#define WASM_FMA(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#define WASM_HAS_DOT7     0

#include "cpu/linear_wasm.inc"

const linear_kernels linear_kernels_wasm128 = {quantise, few, many, expand, widen, float_tile};
