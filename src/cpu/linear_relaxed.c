/* Owns the kernels for WebAssembly relaxed SIMD: products of 8 bits by 7 bits. The codes of the weights are
 * the operand of 7 bits, never above 63, so every engine gives the same sums. All code is in linear_wasm.inc.
 */
#include "cpu/linear_layout.h"
#include "cpu/simd/relaxed.h"

#define WASM_FMA(a, b, c)             wasm_f32x4_relaxed_madd(a, b, c)
#define WASM_HAS_DOT7                 1
#define wasm_dot7(activations, codes) wasm_i16x8_relaxed_dot_i8x16_i7x16(activations, codes)

#include "cpu/linear_wasm.inc"

const linear_kernels linear_kernels_relaxed = {quantise, few, many, expand, widen, float_tile};
