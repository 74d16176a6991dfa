/* The vector vocabulary (see scalar.h) on AVX-512 F, BW, VL, DQ: 16 lanes. */
#ifndef CPU_SIMD_AVX512_H
#define CPU_SIMD_AVX512_H

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef __m512 vf32;
enum { V_WIDTH = 16 };
#define SIMD_NAME(name) name##_avx512
#define SIMD_ISA        CPU_ISA_AVX512

/* 12 x 2 accumulators and 2 lanes of 32 registers; the broadcast is part of the multiplication. */
enum { TILE_ROWS = 12, TILE_WIDE_ROWS = 12 };
#define TILE_CASES(CASE)                                                                                     \
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)

static inline __mmask16 v_part_mask(int64_t n)
{
    return (__mmask16)((1u << n) - 1);
}
static inline vf32 v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void v_store(float *p, vf32 v)
{
    _mm512_storeu_ps(p, v);
}
static inline vf32 v_load_part(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps(v_part_mask(n), p);
}
static inline void v_store_part(float *p, vf32 v, int64_t n)
{
    _mm512_mask_storeu_ps(p, v_part_mask(n), v);
}
static inline vf32 v_zero(void)
{
    return _mm512_setzero_ps();
}
static inline vf32 v_set(float x)
{
    return _mm512_set1_ps(x);
}
static inline vf32 v_add(vf32 a, vf32 b)
{
    return _mm512_add_ps(a, b);
}
static inline vf32 v_sub(vf32 a, vf32 b)
{
    return _mm512_sub_ps(a, b);
}
static inline vf32 v_mul(vf32 a, vf32 b)
{
    return _mm512_mul_ps(a, b);
}
static inline vf32 v_div(vf32 a, vf32 b)
{
    return _mm512_div_ps(a, b);
}
static inline vf32 v_fma(vf32 a, vf32 b, vf32 c)
{
    return _mm512_fmadd_ps(a, b, c);
}
static inline vf32 v_max(vf32 a, vf32 b)
{
    return _mm512_max_ps(a, b);
}
static inline vf32 v_min(vf32 a, vf32 b)
{
    return _mm512_min_ps(a, b);
}
static inline vf32 v_abs(vf32 a)
{
    return _mm512_abs_ps(a);
}
static inline vf32 v_select_less(vf32 a, vf32 b, vf32 x, vf32 y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
static inline vf32 v_round(vf32 a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vf32 v_pow2(vf32 n)
{
    __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
}
static inline float v_sum(vf32 a)
{
    return _mm512_reduce_add_ps(a);
}
static inline float v_largest(vf32 a)
{
    return _mm512_reduce_max_ps(a);
}
static inline vf32 v_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline void v_store_f16(uint16_t *p, vf32 v)
{
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline vf32 v_load_i8(const int8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
static inline void v_load_pairs(const float *p, vf32 *first, vf32 *second)
{
    __m512 a = _mm512_loadu_ps(p), b = _mm512_loadu_ps(p + 16);
    __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    *first = _mm512_permutex2var_ps(a, even, b);
    *second = _mm512_permutex2var_ps(a, _mm512_add_epi32(even, _mm512_set1_epi32(1)), b);
}
static inline void v_store_pairs(float *p, vf32 first, vf32 second)
{
    __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    _mm512_storeu_ps(p, _mm512_permutex2var_ps(first, low, second));
    _mm512_storeu_ps(p + 16,
                     _mm512_permutex2var_ps(first, _mm512_add_epi32(low, _mm512_set1_epi32(8)), second));
}

#endif
