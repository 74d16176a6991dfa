/* The vector vocabulary with one lane: the truth. Every simd/<isa>.h defines the same names; ops/<name>.inc
 * is written once over them. Multiplication and addition stay separate here, so results differ from the fused
 * ones by rounding only. */
#ifndef CPU_SIMD_SCALAR_H
#define CPU_SIMD_SCALAR_H

#include "tensor/half.h"

#include <math.h>
#include <stddef.h>

typedef float vf32;
enum { V_WIDTH = 1 };
#define SIMD_NAME(name) name##_scalar
#define SIMD_ISA        CPU_ISA_SCALAR

/* Register tile of attention: up to TILE_ROWS rows by one panel of 16 lanes, or by two panels up to
 * TILE_WIDE_ROWS rows. */
enum { TILE_ROWS = 2, TILE_WIDE_ROWS = 0 };
#define TILE_CASES(CASE) CASE(1) CASE(2)

static inline vf32 v_load(const float *p)
{
    return *p;
}
static inline void v_store(float *p, vf32 v)
{
    *p = v;
}
/* The first n < V_WIDTH lanes; the others are zero, or left alone. */
static inline vf32 v_load_part(const float *p, int64_t n)
{
    return n > 0 ? *p : 0;
}
static inline void v_store_part(float *p, vf32 v, int64_t n)
{
    if (n > 0) {
        *p = v;
    }
}
static inline vf32 v_zero(void)
{
    return 0;
}
static inline vf32 v_set(float x)
{
    return x;
}
static inline vf32 v_add(vf32 a, vf32 b)
{
    return a + b;
}
static inline vf32 v_sub(vf32 a, vf32 b)
{
    return a - b;
}
static inline vf32 v_mul(vf32 a, vf32 b)
{
    return a * b;
}
static inline vf32 v_div(vf32 a, vf32 b)
{
    return a / b;
}
/* a * b + c */
static inline vf32 v_fma(vf32 a, vf32 b, vf32 c)
{
    return a * b + c;
}
/* b where one of the two is not a number. */
static inline vf32 v_max(vf32 a, vf32 b)
{
    return a > b ? a : b;
}
static inline vf32 v_min(vf32 a, vf32 b)
{
    return a < b ? a : b;
}
static inline vf32 v_abs(vf32 a)
{
    return fabsf(a);
}
/* a < b ? x : y, lane by lane */
static inline vf32 v_select_less(vf32 a, vf32 b, vf32 x, vf32 y)
{
    return a < b ? x : y;
}
/* To the nearest integer, ties to even. */
static inline vf32 v_round(vf32 a)
{
    return rintf(a);
}
/* 2^n for integers n in [-126, 127]; 0 for -127. */
static inline vf32 v_pow2(vf32 n)
{
    return half_from_bits32((uint32_t)((int32_t)n + 127) << 23);
}
static inline float v_sum(vf32 a)
{
    return a;
}
static inline float v_largest(vf32 a)
{
    return a;
}
static inline vf32 v_load_f16(const uint16_t *p)
{
    return half_to_float(*p);
}
static inline void v_store_f16(uint16_t *p, vf32 v)
{
    *p = half_from_float(v);
}
static inline vf32 v_load_i8(const int8_t *p)
{
    return (float)*p;
}
/* V_WIDTH pairs from p[0 .. 2 V_WIDTH): first and second members. */
static inline void v_load_pairs(const float *p, vf32 *first, vf32 *second)
{
    *first = p[0];
    *second = p[1];
}
static inline void v_store_pairs(float *p, vf32 first, vf32 second)
{
    p[0] = first;
    p[1] = second;
}

#endif
