/* The vector vocabulary (see scalar.h) on WebAssembly SIMD128: 4 lanes. There is no fused multiplication
 * here, so results differ from the native ones by rounding. relaxed.h replaces v_fma. */
#ifndef CPU_SIMD_WASM128_H
#define CPU_SIMD_WASM128_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <wasm_simd128.h>

typedef v128_t vf32;
enum { V_WIDTH = 4 };
#ifndef SIMD_NAME
#define SIMD_NAME(name)   name##_wasm128
#define SIMD_ISA          CPU_ISA_WASM128
#define SIMD_FMA(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#endif

/* The engines give a wasm function the 16 registers of SSE and AVX: 2 x 4 accumulators, 4 lanes and a
 * broadcast. */
enum { TILE_ROWS = 2, TILE_WIDE_ROWS = 1 };
#define TILE_CASES(CASE) CASE(1) CASE(2)

static inline vf32 v_load(const float *p)
{
    return wasm_v128_load(p);
}
static inline void v_store(float *p, vf32 v)
{
    wasm_v128_store(p, v);
}
static inline vf32 v_load_part(const float *p, int64_t n)
{
    float lanes[4] = {0, 0, 0, 0};
    for (int64_t i = 0; i < n; i++) {
        lanes[i] = p[i];
    }
    return wasm_v128_load(lanes);
}
static inline void v_store_part(float *p, vf32 v, int64_t n)
{
    float lanes[4];
    wasm_v128_store(lanes, v);
    for (int64_t i = 0; i < n; i++) {
        p[i] = lanes[i];
    }
}
static inline vf32 v_zero(void)
{
    return wasm_f32x4_const_splat(0);
}
static inline vf32 v_set(float x)
{
    return wasm_f32x4_splat(x);
}
static inline vf32 v_add(vf32 a, vf32 b)
{
    return wasm_f32x4_add(a, b);
}
static inline vf32 v_sub(vf32 a, vf32 b)
{
    return wasm_f32x4_sub(a, b);
}
static inline vf32 v_mul(vf32 a, vf32 b)
{
    return wasm_f32x4_mul(a, b);
}
static inline vf32 v_div(vf32 a, vf32 b)
{
    return wasm_f32x4_div(a, b);
}
static inline vf32 v_fma(vf32 a, vf32 b, vf32 c)
{
    return SIMD_FMA(a, b, c);
}
/* pmax(y, x) is y < x ? x : y, so that the second operand comes out where one is not a number. */
static inline vf32 v_max(vf32 a, vf32 b)
{
    return wasm_f32x4_pmax(b, a);
}
static inline vf32 v_min(vf32 a, vf32 b)
{
    return wasm_f32x4_pmin(b, a);
}
static inline vf32 v_abs(vf32 a)
{
    return wasm_f32x4_abs(a);
}
static inline vf32 v_select_less(vf32 a, vf32 b, vf32 x, vf32 y)
{
    return wasm_v128_bitselect(x, y, wasm_f32x4_lt(a, b));
}
static inline vf32 v_round(vf32 a)
{
    return wasm_f32x4_nearest(a);
}
static inline vf32 v_pow2(vf32 n)
{
    v128_t exponent = wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_const_splat(127));
    return wasm_i32x4_shl(exponent, 23);
}
static inline float v_sum(vf32 a)
{
    v128_t pairs = wasm_f32x4_add(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1));
    return wasm_f32x4_extract_lane(pairs, 0) + wasm_f32x4_extract_lane(pairs, 1);
}
static inline float v_largest(vf32 a)
{
    v128_t pairs = wasm_f32x4_pmax(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1));
    return wasm_f32x4_extract_lane(wasm_f32x4_pmax(pairs, wasm_i32x4_shuffle(pairs, pairs, 1, 0, 3, 2)), 0);
}
/* Four halves in the low parts of 32-bit lanes. The exponent is moved by a multiplication, which makes
 * subnormals right; infinities and NaN get the exponent that it does not reach. */
static inline vf32 v_widen_halves(v128_t bits)
{
    v128_t sign = wasm_i32x4_shl(wasm_v128_and(bits, wasm_i32x4_const_splat(0x8000)), 16);
    v128_t rest = wasm_i32x4_shl(wasm_v128_and(bits, wasm_i32x4_const_splat(0x7FFF)), 13);
    v128_t large = wasm_i32x4_gt(rest, wasm_i32x4_const_splat(0x0F7FFFFF));
    v128_t value = wasm_f32x4_mul(rest, wasm_f32x4_const_splat(0x1p112f));
    value = wasm_v128_or(value, wasm_v128_and(large, wasm_i32x4_const_splat(0x7F800000)));
    return wasm_v128_or(value, sign);
}
static inline vf32 v_load_f16(const uint16_t *p)
{
    return v_widen_halves(wasm_u32x4_load16x4(p));
}
/* To the nearest half, ties to even: adding 2^(e + 13) rounds the significand in place. */
static inline v128_t v_narrow_halves(vf32 v)
{
    v128_t sign = wasm_v128_and(v, wasm_i32x4_const_splat((int)0x80000000));
    v128_t size = wasm_v128_xor(v, sign);
    v128_t is_nan = wasm_i32x4_gt(size, wasm_i32x4_const_splat(0x7F800000));
    v128_t is_large = wasm_i32x4_gt(size, wasm_i32x4_const_splat(0x477FEFFF)); /* 65520 and more */
    v128_t is_small = wasm_i32x4_lt(size, wasm_i32x4_const_splat(0x38800000)); /* below 2^-14 */
    v128_t small = wasm_i32x4_sub(wasm_f32x4_add(size, wasm_f32x4_const_splat(0.5f)),
                                  wasm_i32x4_const_splat(0x3F000000));
    v128_t odd = wasm_v128_and(wasm_u32x4_shr(size, 13), wasm_i32x4_const_splat(1));
    v128_t normal = wasm_i32x4_add(size, wasm_i32x4_add(odd, wasm_i32x4_const_splat((int)0xC8000FFF)));
    normal = wasm_u32x4_shr(normal, 13);
    v128_t half = wasm_v128_bitselect(small, normal, is_small);
    half = wasm_v128_bitselect(wasm_i32x4_const_splat(0x7C00), half, is_large);
    v128_t nan = wasm_v128_or(wasm_i32x4_const_splat(0x7E00),
                              wasm_v128_and(wasm_u32x4_shr(size, 13), wasm_i32x4_const_splat(0x3FF)));
    half = wasm_v128_bitselect(nan, half, is_nan);
    return wasm_v128_or(half, wasm_u32x4_shr(sign, 16));
}
static inline void v_store_f16(uint16_t *p, vf32 v)
{
    v128_t half = v_narrow_halves(v);
    wasm_v128_store64_lane(
        p, wasm_i8x16_shuffle(half, half, 0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13), 0);
}
static inline vf32 v_load_i8(const int8_t *p)
{
    v128_t wide = wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(p));
    return wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(wide));
}
static inline void v_load_pairs(const float *p, vf32 *first, vf32 *second)
{
    v128_t a = wasm_v128_load(p), b = wasm_v128_load(p + 4);
    *first = wasm_i32x4_shuffle(a, b, 0, 2, 4, 6);
    *second = wasm_i32x4_shuffle(a, b, 1, 3, 5, 7);
}
static inline void v_store_pairs(float *p, vf32 first, vf32 second)
{
    wasm_v128_store(p, wasm_i32x4_shuffle(first, second, 0, 4, 1, 5));
    wasm_v128_store(p + 4, wasm_i32x4_shuffle(first, second, 2, 6, 3, 7));
}

#endif
