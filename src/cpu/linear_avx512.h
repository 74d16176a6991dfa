/* Private to cpu/linear_*_avx512.c: one vector holds four inputs of all 16 rows of a panel, vpdpbusd does the
 * sums. */
#ifndef CPU_LINEAR_AVX512_H
#define CPU_LINEAR_AVX512_H

#include "cpu/linear_layout.h"

#include <immintrin.h>
#include <string.h>

#define LINEAR_INLINE static inline __attribute__((always_inline))

void linear_few_avx512(const linear_panel *panel, const linear_block *const *rows, int count, float *acc);
void linear_many_avx512(const linear_panel *panel, const linear_block *const *rows, int count, float *acc,
                        void *scratch);

LINEAR_INLINE __m512i linear_load(const void *at)
{
    return _mm512_loadu_si512(at);
}

LINEAR_INLINE __m512i linear_broadcast32(const void *at)
{
    int32_t value;
    memcpy(&value, at, sizeof value);
    return _mm512_set1_epi32(value);
}

/* Logical shift of 16-bit lanes by `left` bits, to the right where it is negative. */
LINEAR_INLINE __m512i linear_shift(__m512i v, int left)
{
    return left > 0   ? _mm512_slli_epi16(v, (unsigned)left)
           : left < 0 ? _mm512_srli_epi16(v, (unsigned)-left)
                      : v;
}

/* (v shifted) & byte in every byte. */
LINEAR_INLINE __m512i linear_field(__m512i v, int left, int byte)
{
    return _mm512_and_si512(linear_shift(v, left), _mm512_set1_epi8((char)byte));
}

/* What the codes of the instruction are above the values: they must be unsigned. */
LINEAR_INLINE int linear_bias(int code, int zero)
{
    return code == LINEAR_CODE_8 || code == LINEAR_CODE_TABLE ? 128 : zero;
}

/* The 16 table bytes, excess 128, in every 128-bit lane. */
LINEAR_INLINE __m512i linear_table(const linear_panel *panel)
{
    __m128i values = _mm_loadu_si128((const __m128i *)(const void *)panel->values);
    return _mm512_broadcast_i32x4(_mm_xor_si128(values, _mm_set1_epi8((char)0x80)));
}

/* Unsigned codes of groups v and v + 4 (v < 4) of one block. */
LINEAR_INLINE void linear_unpack(int code, const uint8_t *block, int v, __m512i table, __m512i *low,
                                 __m512i *high)
{
    if (code == LINEAR_CODE_8) {
        const __m512i flip = _mm512_set1_epi8((char)0x80);
        *low = _mm512_xor_si512(linear_load(block + v * 64), flip);
        *high = _mm512_xor_si512(linear_load(block + v * 64 + 256), flip);
        return;
    }
    if (code == LINEAR_CODE_2 || code == LINEAR_CODE_3) {
        __m512i w = linear_load(block + (v & 1) * 64);
        *low = linear_field(w, -(v & 2), 3);
        *high = linear_field(w, -(4 + (v & 2)), 3);
        if (code == LINEAR_CODE_3) {
            __m512i bits = linear_load(block + 128);
            *low = _mm512_or_si512(*low, linear_field(bits, 2 - v, 4));
            *high = _mm512_or_si512(*high, linear_field(bits, -2 - v, 4));
        }
        return;
    }
    __m512i w = linear_load(block + v * 64);
    *low = linear_field(w, 0, 15);
    *high = linear_field(w, -4, 15);
    if (code == LINEAR_CODE_5) {
        __m512i bits = linear_load(block + 256);
        *low = _mm512_or_si512(*low, linear_field(bits, 4 - v, 16));
        *high = _mm512_or_si512(*high, linear_field(bits, -v, 16));
    } else if (code == LINEAR_CODE_6) {
        __m512i pairs = linear_load(block + 256 + (v & 1) * 64);
        *low = _mm512_or_si512(*low, linear_field(pairs, 4 - (v & 2), 0x30));
        *high = _mm512_or_si512(*high, linear_field(pairs, -(v & 2), 0x30));
    } else if (code == LINEAR_CODE_TABLE) {
        *low = _mm512_shuffle_epi8(table, *low);
        *high = _mm512_shuffle_epi8(table, *high);
    }
}

/* total - bias * (the sum of the activations of half h). */
LINEAR_INLINE __m512i linear_start(__m512i total, const linear_block *x, int h, int bias)
{
    return bias == 0
               ? total
               : _mm512_dpwssd_epi32(total, linear_broadcast32(x->pair[h]), _mm512_set1_epi16((short)-bias));
}

LINEAR_INLINE __m512 linear_subscales(const int8_t *at)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)at)));
}

LINEAR_INLINE __m512i linear_subminima(const uint8_t *at)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)at));
}

LINEAR_INLINE __m512 linear_halves(const uint16_t *stored)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)stored));
}

LINEAR_INLINE __m512 linear_scales(const linear_panel *panel, const uint16_t *stored)
{
    if (panel->scale_bf16) {
        __m256i bits = _mm256_loadu_si256((const __m256i *)(const void *)stored);
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
    }
    return _mm512_mul_ps(linear_halves(stored), _mm512_set1_ps(panel->unit));
}

/* The integer sum of a block as a float, subscales applied. Every product and sum stays below 2^24, so it is
 * exact. */
LINEAR_INLINE __m512 linear_scaled_sum(int halves, __m512i first, __m512i second, __m512 scale0,
                                       __m512 scale1)
{
    __m512 sum = _mm512_mul_ps(_mm512_cvtepi32_ps(first), scale0);
    return halves == 1 ? sum : _mm512_fmadd_ps(_mm512_cvtepi32_ps(second), scale1, sum);
}

/* Sum over both halves of subminimum * (sum of the activations). */
LINEAR_INLINE __m512 linear_low_sum(const linear_block *x, __m512i m0, __m512i m1)
{
    __m512i low = _mm512_mullo_epi32(m0, _mm512_set1_epi32(x->pair[0][0] + x->pair[0][1]));
    low = _mm512_add_epi32(low, _mm512_mullo_epi32(m1, _mm512_set1_epi32(x->pair[1][0] + x->pair[1][1])));
    return _mm512_cvtepi32_ps(low);
}

#endif
