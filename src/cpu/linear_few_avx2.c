/* Owns the streaming kernels for AVX2: one panel against 1 to LINEAR_FEW rows, every packed byte read once.
 */
#include "cpu/linear_avx2.h"

enum { SIDE = LINEAR_PANEL_ROWS / 2, PREFETCH_BYTES = 4096 };

/* Integer sums of one block for the panel rows of sides [from, to): sum[row][side], 32 bits. Subscales are
 * applied. */
LINEAR_INLINE void block_sums(int code, int halves, int zero, int minimum, int superblock, int count,
                              int from, int to, const uint8_t *block, const int8_t *subscale, __m256i table,
                              const linear_block *const *rows, int64_t b, __m256i sum[][2])
{
    const int runs = linear_runs(code, halves, minimum);
    const bool bytes = linear_is_bytes(code);
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i part[LINEAR_FEW][2][2];
    for (int r = 0; r < count; r++) {
        for (int side = from; side < to; side++) {
            for (int run = 0; run < runs; run++) {
                part[r][side][run] = linear_start(&rows[r][b], runs, run, bytes ? 0 : zero);
            }
        }
    }
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++) {
        for (int side = from; side < to; side++) {
            __m256i low, high, low_size, high_size;
            linear_unpack(code, block, v, side, table, &low, &high);
            if (bytes) {
                low_size = _mm256_abs_epi8(low);
                high_size = _mm256_abs_epi8(high);
            }
            for (int r = 0; r < count; r++) {
                __m256i x0 = linear_broadcast32(rows[r][b].q + 4 * v);
                __m256i x1 = linear_broadcast32(rows[r][b].q + 4 * v + 16);
                __m256i *first = &part[r][side][0], *second = &part[r][side][runs - 1];
                if (bytes) {
                    x0 = _mm256_maddubs_epi16(low_size, _mm256_sign_epi8(x0, low));
                    x1 = _mm256_maddubs_epi16(high_size, _mm256_sign_epi8(x1, high));
                    linear_add32(first, _mm256_madd_epi16(x0, ones));
                    linear_add32(second, _mm256_madd_epi16(x1, ones));
                } else {
                    linear_add16(first, _mm256_maddubs_epi16(low, x0));
                    linear_add16(second, _mm256_maddubs_epi16(high, x1));
                }
            }
        }
    }
    for (int side = from; side < to; side++) {
        __m256i scale[2] = {ones, ones};
        for (int run = 0; superblock && run < runs; run++) {
            const int8_t *at = subscale + (halves == 2 ? run * LINEAR_PANEL_ROWS : 0);
            scale[run] = linear_subscale_pairs(at, side);
        }
        for (int r = 0; r < count; r++) {
            if (bytes && superblock) { /* the low 16 bits of a pair of equal numbers, sign extended */
                for (int run = 0; run < runs; run++) {
                    __m256i factor = _mm256_srai_epi32(scale[run], 16);
                    part[r][side][run] = _mm256_mullo_epi32(part[r][side][run], factor);
                }
            } else if (!bytes) {
                for (int run = 0; run < runs; run++) {
                    part[r][side][run] = _mm256_madd_epi16(part[r][side][run], scale[run]);
                }
            }
            sum[r][side] =
                runs == 2 ? _mm256_add_epi32(part[r][side][0], part[r][side][1]) : part[r][side][0];
        }
    }
}

/* All sides of a block; with many rows one side after the other, because there are 16 registers. */
LINEAR_INLINE void whole_block(int code, int halves, int zero, int minimum, int superblock, int count,
                               const uint8_t *block, const int8_t *subscale, __m256i table,
                               const linear_block *const *rows, int64_t b, __m256i sum[][2])
{
    if (count == 1) {
        block_sums(code, halves, zero, minimum, superblock, count, 0, 2, block, subscale, table, rows, b,
                   sum);
    } else {
        block_sums(code, halves, zero, minimum, superblock, count, 0, 1, block, subscale, table, rows, b,
                   sum);
        block_sums(code, halves, zero, minimum, superblock, count, 1, 2, block, subscale, table, rows, b,
                   sum);
    }
}

LINEAR_INLINE void store(int count, __m256 total[][2], float *acc)
{
    for (int r = 0; r < count; r++) {
        _mm256_storeu_ps(acc + r * LINEAR_PANEL_ROWS, total[r][0]);
        _mm256_storeu_ps(acc + r * LINEAR_PANEL_ROWS + SIDE, total[r][1]);
    }
}

LINEAR_INLINE void prefetch(const uint8_t *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64) {
        _mm_prefetch((const char *)at + PREFETCH_BYTES + i, _MM_HINT_T1);
    }
}

LINEAR_INLINE void few_blocks(int code, int zero, int minimum, size_t code_bytes, size_t meta_bytes,
                              int count, const linear_panel *panel, const linear_block *const *rows,
                              float *acc)
{
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)panel->values));
    __m256 total[LINEAR_FEW][2];
    for (int r = 0; r < count; r++) {
        total[r][0] = total[r][1] = _mm256_setzero_ps();
    }
    for (int64_t b = 0; b < panel->blocks; b++) {
        const uint8_t *block = panel->codes + (size_t)b * code_bytes;
        const uint16_t *scale = (const uint16_t *)(const void *)(panel->meta + (size_t)b * meta_bytes);
        __m256i sum[LINEAR_FEW][2];
        prefetch(block, code_bytes);
        whole_block(code, 1, zero, minimum, 0, count, block, NULL, table, rows, b, sum);
        for (int side = 0; side < 2; side++) {
            __m256 d =
                code == LINEAR_CODE_TABLE ? linear_scales(panel, scale, side) : linear_halves(scale, side);
            for (int r = 0; r < count; r++) {
                __m256 factor = _mm256_mul_ps(d, _mm256_set1_ps(rows[r][b].scale));
                total[r][side] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[r][side]), factor, total[r][side]);
            }
            for (int r = 0; minimum && r < count; r++) {
                __m256 m = linear_halves(scale + LINEAR_PANEL_ROWS, side);
                total[r][side] = _mm256_fnmadd_ps(m, _mm256_set1_ps(rows[r][b].sum), total[r][side]);
            }
        }
    }
    store(count, total, acc);
}

/* minima[row][side] += what one block's subminima contribute. */
LINEAR_INLINE void add_minima(int halves, int count, const uint8_t *subminimum,
                              const linear_block *const *rows, int64_t b, __m256 minima[][2])
{
    for (int side = 0; side < 2; side++) {
        if (halves == 1) {
            __m256 m = linear_subminimum_floats(subminimum, side);
            for (int r = 0; r < count; r++) {
                minima[r][side] = _mm256_fmadd_ps(m, _mm256_set1_ps(rows[r][b].sum), minima[r][side]);
            }
            continue;
        }
        __m256i m0 = linear_subminimum_pairs(subminimum, side);
        __m256i m1 = linear_subminimum_pairs(subminimum + LINEAR_PANEL_ROWS, side);
        for (int r = 0; r < count; r++) {
            __m256i low = _mm256_madd_epi16(m0, linear_broadcast32(rows[r][b].pair[0]));
            low = _mm256_add_epi32(low, _mm256_madd_epi16(m1, linear_broadcast32(rows[r][b].pair[1])));
            minima[r][side] =
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(low), _mm256_set1_ps(rows[r][b].scale), minima[r][side]);
        }
    }
}

LINEAR_INLINE void few_superblocks(int code, int halves, int zero, int minimum, size_t code_bytes,
                                   size_t meta_bytes, int count, const linear_panel *panel,
                                   const linear_block *const *rows, float *acc)
{
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)panel->values));
    const size_t scales_bytes = 2 * LINEAR_PANEL_ROWS * (size_t)(1 + minimum);
    const size_t sub_bytes = LINEAR_PANEL_ROWS * (size_t)halves;
    __m256 total[LINEAR_FEW][2];
    for (int r = 0; r < count; r++) {
        total[r][0] = total[r][1] = _mm256_setzero_ps();
    }
    for (int64_t b = 0; b < panel->blocks; b += 8) {
        const uint8_t *meta = panel->meta + (size_t)(b / 8) * meta_bytes;
        const uint16_t *scale = (const uint16_t *)(const void *)meta;
        __m256 inner[LINEAR_FEW][2], minima[LINEAR_FEW][2];
        for (int r = 0; r < count; r++) {
            inner[r][0] = inner[r][1] = minima[r][0] = minima[r][1] = _mm256_setzero_ps();
        }
        for (int i = 0; i < 8; i++) {
            const uint8_t *block = panel->codes + (size_t)(b + i) * code_bytes;
            const uint8_t *sub = meta + scales_bytes + (size_t)i * sub_bytes;
            __m256i sum[LINEAR_FEW][2];
            prefetch(block, code_bytes);
            whole_block(code, halves, zero, minimum, 1, count, block, (const int8_t *)sub, table, rows, b + i,
                        sum);
            for (int r = 0; r < count; r++) {
                __m256 x = _mm256_set1_ps(rows[r][b + i].scale);
                inner[r][0] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[r][0]), x, inner[r][0]);
                inner[r][1] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[r][1]), x, inner[r][1]);
            }
            if (minimum) {
                add_minima(halves, count, sub + 8 * sub_bytes, rows, b + i, minima);
            }
        }
        for (int r = 0; r < count; r++) {
            for (int side = 0; side < 2; side++) {
                total[r][side] =
                    _mm256_fmadd_ps(linear_scales(panel, scale, side), inner[r][side], total[r][side]);
                if (minimum) {
                    __m256 m = linear_halves(scale + LINEAR_PANEL_ROWS, side);
                    total[r][side] = _mm256_fnmadd_ps(m, minima[r][side], total[r][side]);
                }
            }
        }
    }
    store(count, total, acc);
}

#define LINEAR_FEW_NAME linear_few_avx2
#include "cpu/linear_few_table.inc"
