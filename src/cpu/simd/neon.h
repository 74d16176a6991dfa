/* The vector vocabulary (see scalar.h) on AArch64 NEON: 4 lanes. */
#ifndef CPU_SIMD_NEON_H
#define CPU_SIMD_NEON_H

#include <arm_neon.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef float32x4_t vf32;
enum { V_WIDTH = 4 };
#define SIMD_NAME(name) name##_neon
#define SIMD_ISA        CPU_ISA_NEON

/* 6 x 4 accumulators, 4 lanes of the panel and a broadcast fill 29 of the 32 registers. */
enum { TILE_ROWS = 6, TILE_WIDE_ROWS = 2 };
#define TILE_CASES(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)

static inline vf32 v_load(const float *p)
{
    return vld1q_f32(p);
}
static inline void v_store(float *p, vf32 v)
{
    vst1q_f32(p, v);
}
static inline vf32 v_load_part(const float *p, int64_t n)
{
    float lanes[4] = {0, 0, 0, 0};
    for (int64_t i = 0; i < n; i++) {
        lanes[i] = p[i];
    }
    return vld1q_f32(lanes);
}
static inline void v_store_part(float *p, vf32 v, int64_t n)
{
    float lanes[4];
    vst1q_f32(lanes, v);
    for (int64_t i = 0; i < n; i++) {
        p[i] = lanes[i];
    }
}
static inline vf32 v_zero(void)
{
    return vdupq_n_f32(0);
}
static inline vf32 v_set(float x)
{
    return vdupq_n_f32(x);
}
static inline vf32 v_add(vf32 a, vf32 b)
{
    return vaddq_f32(a, b);
}
static inline vf32 v_sub(vf32 a, vf32 b)
{
    return vsubq_f32(a, b);
}
static inline vf32 v_mul(vf32 a, vf32 b)
{
    return vmulq_f32(a, b);
}
static inline vf32 v_div(vf32 a, vf32 b)
{
    return vdivq_f32(a, b);
}
static inline vf32 v_fma(vf32 a, vf32 b, vf32 c)
{
    return vfmaq_f32(c, a, b);
}
/* By comparison: vmaxq_f32 would return the NaN whichever side it is on. */
static inline vf32 v_max(vf32 a, vf32 b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}
static inline vf32 v_min(vf32 a, vf32 b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}
static inline vf32 v_abs(vf32 a)
{
    return vabsq_f32(a);
}
static inline vf32 v_select_less(vf32 a, vf32 b, vf32 x, vf32 y)
{
    return vbslq_f32(vcltq_f32(a, b), x, y);
}
static inline vf32 v_round(vf32 a)
{
    return vrndnq_f32(a);
}
static inline vf32 v_pow2(vf32 n)
{
    int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23));
}
static inline float v_sum(vf32 a)
{
    return vaddvq_f32(a);
}
static inline float v_largest(vf32 a)
{
    return vmaxvq_f32(a);
}
static inline vf32 v_load_f16(const uint16_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
static inline void v_store_f16(uint16_t *p, vf32 v)
{
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v)));
}
static inline vf32 v_load_i8(const int8_t *p)
{
    int32_t four;
    __builtin_memcpy(&four, p, sizeof four);
    int16x8_t wide = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
}
static inline void v_load_pairs(const float *p, vf32 *first, vf32 *second)
{
    float32x4x2_t pairs = vld2q_f32(p);
    *first = pairs.val[0];
    *second = pairs.val[1];
}
static inline void v_store_pairs(float *p, vf32 first, vf32 second)
{
    float32x4x2_t pairs = {{first, second}};
    vst2q_f32(p, pairs);
}

#endif
