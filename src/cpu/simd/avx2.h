/* The vector vocabulary (see scalar.h) on AVX2, FMA and F16C: 8 lanes. */
#ifndef CPU_SIMD_AVX2_H
#define CPU_SIMD_AVX2_H

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef __m256 vf32;
enum { V_WIDTH = 8 };
#define SIMD_NAME(name) name##_avx2
#define SIMD_ISA        CPU_ISA_AVX2

/* 6 x 2 accumulators, 2 lanes of the panel and a broadcast fill 15 of the 16 registers. */
enum { TILE_ROWS = 6, TILE_WIDE_ROWS = 2 };
#define TILE_CASES(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)

static inline __m256i v_part_mask(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vf32 v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline void v_store(float *p, vf32 v)
{
    _mm256_storeu_ps(p, v);
}
static inline vf32 v_load_part(const float *p, int64_t n)
{
    return _mm256_maskload_ps(p, v_part_mask(n));
}
static inline void v_store_part(float *p, vf32 v, int64_t n)
{
    _mm256_maskstore_ps(p, v_part_mask(n), v);
}
static inline vf32 v_zero(void)
{
    return _mm256_setzero_ps();
}
static inline vf32 v_set(float x)
{
    return _mm256_set1_ps(x);
}
static inline vf32 v_add(vf32 a, vf32 b)
{
    return _mm256_add_ps(a, b);
}
static inline vf32 v_sub(vf32 a, vf32 b)
{
    return _mm256_sub_ps(a, b);
}
static inline vf32 v_mul(vf32 a, vf32 b)
{
    return _mm256_mul_ps(a, b);
}
static inline vf32 v_div(vf32 a, vf32 b)
{
    return _mm256_div_ps(a, b);
}
static inline vf32 v_fma(vf32 a, vf32 b, vf32 c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf32 v_max(vf32 a, vf32 b)
{
    return _mm256_max_ps(a, b);
}
static inline vf32 v_min(vf32 a, vf32 b)
{
    return _mm256_min_ps(a, b);
}
static inline vf32 v_abs(vf32 a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
static inline vf32 v_select_less(vf32 a, vf32 b, vf32 x, vf32 y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
static inline vf32 v_round(vf32 a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vf32 v_pow2(vf32 n)
{
    __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}
static inline float v_sum(vf32 a)
{
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
static inline float v_largest(vf32 a)
{
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
static inline vf32 v_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline void v_store_f16(uint16_t *p, vf32 v)
{
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline vf32 v_load_i8(const int8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
static inline void v_load_pairs(const float *p, vf32 *first, vf32 *second)
{
    __m256 a = _mm256_loadu_ps(p), b = _mm256_loadu_ps(p + 8);
    __m256 low = _mm256_permute2f128_ps(a, b, 0x20), high = _mm256_permute2f128_ps(a, b, 0x31);
    *first = _mm256_shuffle_ps(low, high, 0x88);
    *second = _mm256_shuffle_ps(low, high, 0xDD);
}
static inline void v_store_pairs(float *p, vf32 first, vf32 second)
{
    __m256 low = _mm256_unpacklo_ps(first, second), high = _mm256_unpackhi_ps(first, second);
    _mm256_storeu_ps(p, _mm256_permute2f128_ps(low, high, 0x20));
    _mm256_storeu_ps(p + 8, _mm256_permute2f128_ps(low, high, 0x31));
}

#endif
