/* Private to cpu/linear_*_avx2.c: the parts that the streaming and the tiled kernels share. Everything is
 * inlined into kernels whose layout arguments are constants, so the switches vanish. */
#ifndef CPU_LINEAR_AVX2_H
#define CPU_LINEAR_AVX2_H

#include "cpu/linear_layout.h"

#include <immintrin.h>
#include <string.h>

#define LINEAR_INLINE static inline __attribute__((always_inline))

void linear_few_avx2(const linear_panel *panel, const linear_block *const *rows, int count, float *acc);
void linear_many_avx2(const linear_panel *panel, const linear_block *const *rows, int count, float *acc,
                      void *scratch);

/* sum += value in lanes of 16 and 32 bits. As plain intrinsics, gcc reorders long sums into trees whose
 * leaves do not fit the registers (a third of the speed of the tiled kernels), and copies registers that need
 * no copy. */
LINEAR_INLINE void linear_add16(__m256i *sum, __m256i value)
{
    __asm__("vpaddw %1, %0, %0" : "+x"(*sum) : "x"(value));
}

/* Keeps a value from being merged into a later sum. */
LINEAR_INLINE void linear_pin(__m256i *value)
{
    __asm__("" : "+x"(*value));
}

LINEAR_INLINE void linear_add32(__m256i *sum, __m256i value)
{
    __asm__("vpaddd %1, %0, %0" : "+x"(*sum) : "x"(value));
}

LINEAR_INLINE __m256i linear_load(const void *at)
{
    return _mm256_loadu_si256((const __m256i *)at);
}

LINEAR_INLINE __m256i linear_broadcast32(const void *at)
{
    int32_t value;
    memcpy(&value, at, sizeof value);
    return _mm256_set1_epi32(value);
}

LINEAR_INLINE __m256i linear_mask(int byte)
{
    return _mm256_set1_epi8((char)byte);
}

/* Logical shift of 16-bit lanes by `left` bits, to the right where it is negative. */
LINEAR_INLINE __m256i linear_shift(__m256i v, int left)
{
    return left > 0 ? _mm256_slli_epi16(v, left) : left < 0 ? _mm256_srli_epi16(v, -left) : v;
}

/* Codes of groups v and v + 4 (v < 4) for 8 rows (side 0: rows 0..7, 1: rows 8..15) of one block: 4 inputs a
 * row. Unsigned, except LINEAR_CODE_8 and LINEAR_CODE_TABLE, which give signed values. */
LINEAR_INLINE void linear_unpack(int code, const uint8_t *block, int v, int side, __m256i table, __m256i *low,
                                 __m256i *high)
{
    const uint8_t *at = block + side * 32;
    if (code == LINEAR_CODE_8) {
        *low = linear_load(at + v * 64);
        *high = linear_load(at + v * 64 + 256);
        return;
    }
    if (code == LINEAR_CODE_2 || code == LINEAR_CODE_3) {
        __m256i w = linear_load(at + (v & 1) * 64);
        *low = _mm256_and_si256(linear_shift(w, -(v & 2)), linear_mask(3));
        *high = _mm256_and_si256(linear_shift(w, -(4 + (v & 2))), linear_mask(3));
        if (code == LINEAR_CODE_3) {
            __m256i bits = linear_load(at + 128);
            *low = _mm256_or_si256(*low, _mm256_and_si256(linear_shift(bits, 2 - v), linear_mask(4)));
            *high = _mm256_or_si256(*high, _mm256_and_si256(linear_shift(bits, -2 - v), linear_mask(4)));
        }
        return;
    }
    __m256i w = linear_load(at + v * 64);
    *low = _mm256_and_si256(w, linear_mask(15));
    *high = _mm256_and_si256(linear_shift(w, -4), linear_mask(15));
    if (code == LINEAR_CODE_5) {
        __m256i bits = linear_load(at + 256);
        *low = _mm256_or_si256(*low, _mm256_and_si256(linear_shift(bits, 4 - v), linear_mask(16)));
        *high = _mm256_or_si256(*high, _mm256_and_si256(linear_shift(bits, -v), linear_mask(16)));
    } else if (code == LINEAR_CODE_6) {
        __m256i pairs = linear_load(at + 256 + (v & 1) * 64);
        *low = _mm256_or_si256(*low, _mm256_and_si256(linear_shift(pairs, 4 - (v & 2)), linear_mask(0x30)));
        *high = _mm256_or_si256(*high, _mm256_and_si256(linear_shift(pairs, -(v & 2)), linear_mask(0x30)));
    } else if (code == LINEAR_CODE_TABLE) {
        *low = _mm256_shuffle_epi8(table, *low);
        *high = _mm256_shuffle_epi8(table, *high);
    }
}

/* Whether the layout's codes go through 16-bit sums (small unsigned codes) or through 32-bit ones (signed
 * bytes). */
LINEAR_INLINE bool linear_is_bytes(int code)
{
    return code == LINEAR_CODE_8 || code == LINEAR_CODE_TABLE;
}

/* 16-bit sums a block: two where one would overflow (5 bits without a zero) or where the subblocks are 16
 * long. */
LINEAR_INLINE int linear_runs(int code, int halves, int minimum)
{
    return halves == 2 || (code == LINEAR_CODE_5 && minimum) ? 2 : 1;
}

/* What a 16-bit sum starts from: minus the zero times the activations. Sums wrap, but end in range. */
LINEAR_INLINE __m256i linear_start(const linear_block *x, int runs, int run, int zero)
{
    if (zero == 0) {
        return _mm256_setzero_si256();
    }
    __m256i pair = linear_broadcast32(x->pair[run]);
    if (runs == 1) {
        pair = _mm256_add_epi16(pair, linear_broadcast32(x->pair[1]));
    }
    return _mm256_mullo_epi16(pair, _mm256_set1_epi16((short)-zero));
}

/* 8 int8 subscales (rows of `side`) as pairs of equal 16-bit numbers. */
LINEAR_INLINE __m256i linear_subscale_pairs(const int8_t *subscale, int side)
{
    const __m256i spread = _mm256_setr_epi8(-1, 0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3, //
                                            -1, 4, -1, 4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7);
    int64_t eight;
    memcpy(&eight, subscale + side * 8, sizeof eight);
    return _mm256_srai_epi16(_mm256_shuffle_epi8(_mm256_set1_epi64x(eight), spread), 8);
}

/* The same of unsigned subminima. */
LINEAR_INLINE __m256i linear_subminimum_pairs(const uint8_t *subminimum, int side)
{
    const __m256i spread = _mm256_setr_epi8(0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3, -1, //
                                            4, -1, 4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7, -1);
    int64_t eight;
    memcpy(&eight, subminimum + side * 8, sizeof eight);
    return _mm256_shuffle_epi8(_mm256_set1_epi64x(eight), spread);
}

LINEAR_INLINE __m256 linear_subminimum_floats(const uint8_t *subminimum, int side)
{
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(subminimum + side * 8))));
}

LINEAR_INLINE __m256 linear_halves(const uint16_t *stored, int side)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(stored + side * 8)));
}

LINEAR_INLINE __m256 linear_scales(const linear_panel *panel, const uint16_t *stored, int side)
{
    if (panel->scale_bf16) {
        __m128i bits = _mm_loadu_si128((const __m128i *)(const void *)(stored + side * 8));
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
    }
    return _mm256_mul_ps(linear_halves(stored, side), _mm256_set1_ps(panel->unit));
}

#endif
