/* Owns the streaming kernels for AVX-512/VNNI: one panel against 1 to LINEAR_FEW rows, every packed byte read
 * once. */
#include "cpu/linear_avx512.h"

enum { PREFETCH_BYTES = 1536 };

/* Sums of the two halves of one block, bias taken off: first[row] (all of it where halves is 1), second[row].
 */
LINEAR_INLINE void block_sums(int code, int halves, int bias, int count, const uint8_t *block, __m512i table,
                              const linear_block *const *rows, int64_t b, __m512i *first, __m512i *second)
{
    for (int r = 0; r < count; r++) {
        first[r] = linear_start(_mm512_setzero_si512(), &rows[r][b], 0, bias);
        second[r] = linear_start(_mm512_setzero_si512(), &rows[r][b], 1, bias);
    }
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++) {
        __m512i low, high;
        linear_unpack(code, block, v, table, &low, &high);
        for (int r = 0; r < count; r++) {
            first[r] = _mm512_dpbusd_epi32(first[r], low, linear_broadcast32(rows[r][b].q + 4 * v));
            second[r] = _mm512_dpbusd_epi32(second[r], high, linear_broadcast32(rows[r][b].q + 4 * v + 16));
        }
    }
    for (int r = 0; halves == 1 && r < count; r++) {
        first[r] = _mm512_add_epi32(first[r], second[r]);
    }
}

LINEAR_INLINE void prefetch(const uint8_t *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64) {
        _mm_prefetch((const char *)at + PREFETCH_BYTES + i, _MM_HINT_T0);
    }
}

LINEAR_INLINE void few_blocks(int code, int zero, int minimum, size_t code_bytes, size_t meta_bytes,
                              int count, const linear_panel *panel, const linear_block *const *rows,
                              float *acc)
{
    const __m512i table = linear_table(panel);
    __m512 total[LINEAR_FEW];
    for (int r = 0; r < count; r++) {
        total[r] = _mm512_setzero_ps();
    }
    for (int64_t b = 0; b < panel->blocks; b++) {
        const uint8_t *block = panel->codes + (size_t)b * code_bytes;
        const uint16_t *scale = (const uint16_t *)(const void *)(panel->meta + (size_t)b * meta_bytes);
        __m512i sum[LINEAR_FEW], second[LINEAR_FEW];
        prefetch(block, code_bytes);
        block_sums(code, 1, linear_bias(code, zero), count, block, table, rows, b, sum, second);
        __m512 d = code == LINEAR_CODE_TABLE ? linear_scales(panel, scale) : linear_halves(scale);
        for (int r = 0; r < count; r++) {
            __m512 factor = _mm512_mul_ps(d, _mm512_set1_ps(rows[r][b].scale));
            total[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r]), factor, total[r]);
            if (minimum) {
                __m512 m = linear_halves(scale + LINEAR_PANEL_ROWS);
                total[r] = _mm512_fnmadd_ps(m, _mm512_set1_ps(rows[r][b].sum), total[r]);
            }
        }
    }
    for (int r = 0; r < count; r++) {
        _mm512_storeu_ps(acc + r * LINEAR_PANEL_ROWS, total[r]);
    }
}

LINEAR_INLINE void few_superblocks(int code, int halves, int zero, int minimum, size_t code_bytes,
                                   size_t meta_bytes, int count, const linear_panel *panel,
                                   const linear_block *const *rows, float *acc)
{
    const __m512i table = linear_table(panel);
    const size_t scales_bytes = 2 * LINEAR_PANEL_ROWS * (size_t)(1 + minimum);
    const size_t sub_bytes = LINEAR_PANEL_ROWS * (size_t)halves;
    __m512 total[LINEAR_FEW];
    for (int r = 0; r < count; r++) {
        total[r] = _mm512_setzero_ps();
    }
    for (int64_t b = 0; b < panel->blocks; b += 8) {
        const uint8_t *meta = panel->meta + (size_t)(b / 8) * meta_bytes;
        const uint16_t *scale = (const uint16_t *)(const void *)meta;
        __m512 inner[LINEAR_FEW], minima[LINEAR_FEW];
        for (int r = 0; r < count; r++) {
            inner[r] = minima[r] = _mm512_setzero_ps();
        }
        for (int i = 0; i < 8; i++) {
            const uint8_t *block = panel->codes + (size_t)(b + i) * code_bytes;
            const uint8_t *sub = meta + scales_bytes + (size_t)i * sub_bytes, *low = sub + 8 * sub_bytes;
            __m512i first[LINEAR_FEW], second[LINEAR_FEW];
            prefetch(block, code_bytes);
            block_sums(code, halves, linear_bias(code, zero), count, block, table, rows, b + i, first,
                       second);
            __m512 scale0 = linear_subscales((const int8_t *)sub);
            __m512 scale1 = halves == 2 ? linear_subscales((const int8_t *)sub + LINEAR_PANEL_ROWS) : scale0;
            for (int r = 0; r < count; r++) {
                const linear_block *a = &rows[r][b + i];
                __m512 sum = linear_scaled_sum(halves, first[r], second[r], scale0, scale1);
                inner[r] = _mm512_fmadd_ps(sum, _mm512_set1_ps(a->scale), inner[r]);
                if (minimum && halves == 1) {
                    __m512 m = _mm512_cvtepi32_ps(linear_subminima(low));
                    minima[r] = _mm512_fmadd_ps(m, _mm512_set1_ps(a->sum), minima[r]);
                } else if (minimum) {
                    __m512 m =
                        linear_low_sum(a, linear_subminima(low), linear_subminima(low + LINEAR_PANEL_ROWS));
                    minima[r] = _mm512_fmadd_ps(m, _mm512_set1_ps(a->scale), minima[r]);
                }
            }
        }
        for (int r = 0; r < count; r++) {
            total[r] = _mm512_fmadd_ps(linear_scales(panel, scale), inner[r], total[r]);
            if (minimum) {
                total[r] = _mm512_fnmadd_ps(linear_halves(scale + LINEAR_PANEL_ROWS), minima[r], total[r]);
            }
        }
    }
    for (int r = 0; r < count; r++) {
        _mm512_storeu_ps(acc + r * LINEAR_PANEL_ROWS, total[r]);
    }
}

#define LINEAR_FEW_NAME linear_few_avx512
#include "cpu/linear_few_table.inc"
