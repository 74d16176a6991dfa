/* Owns the float tiles for AVX-512 and its kernel table; what is bound by memory or done once is taken from
 * AVX2. */
#include "cpu/linear_avx512.h"

enum { TILE = 12 };

/* run[row] = chain of fma over inputs [from, to). */
LINEAR_INLINE void float_run(int count, const float *w, const float *const *x, int64_t from, int64_t to,
                             __m512 *run)
{
#pragma GCC unroll 12
    for (int r = 0; r < count; r++) {
        run[r] = _mm512_setzero_ps();
    }
    for (int64_t k = from; k < to; k++) {
        __m512 weights = _mm512_loadu_ps(w + k * LINEAR_PANEL_ROWS);
#pragma GCC unroll 12
        for (int r = 0; r < count; r++) {
            run[r] = _mm512_fmadd_ps(weights, _mm512_set1_ps(x[r][k]), run[r]);
        }
    }
}

LINEAR_INLINE void float_rows(int count, const float *w, const float *const *x, int64_t k, float *acc)
{
    __m512 low[TILE], high[TILE], run[TILE];
    for (int64_t i = 0; i < 4; i++) {
        int64_t from = i * LINEAR_FLOAT_RUN, to = from + LINEAR_FLOAT_RUN < k ? from + LINEAR_FLOAT_RUN : k;
        __m512 *sum = i < 2 ? low : high;
        float_run(count, w, x, from, to, run);
        for (int r = 0; r < count; r++) {
            sum[r] = (i & 1) == 0 ? run[r] : _mm512_add_ps(sum[r], run[r]);
        }
    }
    for (int r = 0; r < count; r++) {
        float *at = acc + r * LINEAR_PANEL_ROWS;
        _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), _mm512_add_ps(low[r], high[r])));
    }
}

/* The four runs side by side: one row alone has too few chains to hide the latency of fma. */
LINEAR_INLINE void float_one(const float *w, const float *x, float *acc)
{
    __m512 run[4];
    for (int i = 0; i < 4; i++) {
        run[i] = _mm512_setzero_ps();
    }
    for (int64_t k = 0; k < LINEAR_FLOAT_RUN; k++) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const float *at = w + (i * LINEAR_FLOAT_RUN + k) * LINEAR_PANEL_ROWS;
            run[i] =
                _mm512_fmadd_ps(_mm512_loadu_ps(at), _mm512_set1_ps(x[i * LINEAR_FLOAT_RUN + k]), run[i]);
        }
    }
    __m512 sum = _mm512_add_ps(_mm512_add_ps(run[0], run[1]), _mm512_add_ps(run[2], run[3]));
    _mm512_storeu_ps(acc, _mm512_add_ps(_mm512_loadu_ps(acc), sum));
}

static void float_tile(const float *w, const float *const *x, int64_t k, int count, float *acc)
{
    int r = 0;
    for (; r + TILE <= count; r += TILE) {
        float_rows(TILE, w, x + r, k, acc + r * LINEAR_PANEL_ROWS);
    }
    for (; r + 4 <= count; r += 4) {
        float_rows(4, w, x + r, k, acc + r * LINEAR_PANEL_ROWS);
    }
    for (; r < count; r++) {
        if (k == LINEAR_FLOAT_CHUNK) {
            float_one(w, x[r], acc + r * LINEAR_PANEL_ROWS);
        } else {
            float_rows(1, w, x + r, k, acc + r * LINEAR_PANEL_ROWS);
        }
    }
}

const linear_kernels linear_kernels_avx512 = {linear_quantise_avx2, linear_few_avx512, linear_many_avx512,
                                              linear_expand_avx2,   linear_widen_avx2, float_tile};
