/* Owns the float side for AVX2 (quantisation of activations, expansion of codes, float tiles) and its kernel
 * table. */
#include "cpu/linear_avx2.h"

#include <math.h>

enum { TILE = 6, SIDE = LINEAR_PANEL_ROWS / 2 };

/* The 4 x 8 absolute values of a block as integers: their order is that of the numbers, NaN above all. */
LINEAR_INLINE uint32_t largest_bits(const float *x)
{
    const __m256i mask = _mm256_set1_epi32(0x7FFFFFFF);
    __m256i most = _mm256_and_si256(linear_load(x), mask);
    for (int i = 1; i < 4; i++) {
        most = _mm256_max_epi32(most, _mm256_and_si256(linear_load(x + 8 * i), mask));
    }
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(four);
}

LINEAR_INLINE void quantise_block(const float *x, linear_block *out)
{
    uint32_t most = largest_bits(x);
    float absmax, inverse = 0, scale = 0;
    memcpy(&absmax, &most, sizeof absmax);
    if (most >= 0x7F800000) {
        memset(out->q, 0, sizeof out->q);
        linear_finish_block(out, NAN);
        return;
    }
    if (absmax >= LINEAR_TINY) {
        inverse = 127.0f / absmax;
        scale = absmax / 127.0f;
    }
    __m256 factor = _mm256_set1_ps(inverse);
    __m256i q[4];
    for (int i = 0; i < 4; i++) {
        q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), factor));
    }
    /* packs work inside 128-bit lanes: put the eight groups of four back in order */
    __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(void *)out->q, bytes);
    /* sums of neighbours, then over the four groups of each 16 inputs */
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    __m256i sums = _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0x4E));
    sums = _mm256_add_epi16(sums, _mm256_shuffle_epi32(sums, 0xB1));
    int32_t first = _mm256_extract_epi32(sums, 0), second = _mm256_extract_epi32(sums, 4);
    memcpy(out->pair[0], &first, sizeof first);
    memcpy(out->pair[1], &second, sizeof second);
    int total = out->pair[0][0] + out->pair[0][1] + out->pair[1][0] + out->pair[1][1];
    out->scale = scale;
    out->sum = scale * (float)total;
}

void linear_quantise_avx2(const float *x, int64_t columns, linear_block *blocks)
{
    int64_t whole = columns / LINEAR_BLOCK;
    for (int64_t b = 0; b < whole; b++) {
        quantise_block(x + b * LINEAR_BLOCK, &blocks[b]);
    }
    if (columns % LINEAR_BLOCK != 0) {
        linear_quantise_scalar(x + whole * LINEAR_BLOCK, columns % LINEAR_BLOCK, &blocks[whole]);
    }
}

/* Scale and minimum of one subblock for 8 rows, as quant_decode multiplies them. */
LINEAR_INLINE void block_scales(const linear_panel *panel, int64_t b, int h, int side, __m256 *scale,
                                __m256 *minimum)
{
    const linear_layout *layout = panel->layout;
    int64_t index = layout->superblock ? b / 8 : b;
    linear_meta meta = linear_meta_at(layout, panel->meta + (size_t)index * layout->meta_bytes);
    *scale = linear_scales(panel, meta.scale, side);
    *minimum = meta.minimum == NULL ? _mm256_setzero_ps() : linear_halves(meta.minimum, side);
    if (layout->superblock) {
        int at = ((int)(b & 7) * layout->halves + h) * LINEAR_PANEL_ROWS;
        __m128i eight = _mm_loadl_epi64((const __m128i *)(const void *)(meta.subscale + at + side * SIDE));
        *scale = _mm256_mul_ps(*scale, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight)));
        if (meta.subminimum != NULL) {
            *minimum = _mm256_mul_ps(*minimum, linear_subminimum_floats(meta.subminimum + at, side));
        }
    }
}

/* One block, 8 rows: 32 vectors of 8 weights. */
LINEAR_INLINE void expand_side(int code, const linear_panel *panel, int64_t b, int side, __m256i table,
                               float *out)
{
    const linear_layout *layout = panel->layout;
    const uint8_t *block = panel->codes + (size_t)b * layout->code_bytes;
    const __m256i zero = _mm256_set1_epi32(layout->zero);
    __m256 scale[2], minimum[2];
    for (int h = 0; h < 2; h++) {
        block_scales(panel, b, layout->halves == 2 ? h : 0, side, &scale[h], &minimum[h]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++) {
        __m256i group[2];
        linear_unpack(code, block, v, side, table, &group[0], &group[1]);
        for (int h = 0; h < 2; h++) {
            for (int j = 0; j < 4; j++) {
                __m256i value = _mm256_slli_epi32(group[h], 24 - 8 * j);
                value = linear_is_bytes(code) ? _mm256_srai_epi32(value, 24)
                                              : _mm256_sub_epi32(_mm256_srli_epi32(value, 24), zero);
                __m256 weight = _mm256_mul_ps(scale[h], _mm256_cvtepi32_ps(value));
                weight = layout->minimum ? _mm256_sub_ps(weight, minimum[h]) : weight;
                _mm256_storeu_ps(out + (h * 16 + v * 4 + j) * LINEAR_PANEL_ROWS + side * SIDE, weight);
            }
        }
    }
}

LINEAR_INLINE void expand_code(int code, const linear_panel *panel, int64_t begin, int64_t blocks, float *out)
{
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)panel->values));
    for (int64_t b = 0; b < blocks; b++) {
        for (int side = 0; side < 2; side++) {
            expand_side(code, panel, begin + b, side, table, out + b * LINEAR_BLOCK * LINEAR_PANEL_ROWS);
        }
    }
}

void linear_expand_avx2(const linear_panel *panel, int64_t begin, int64_t blocks, float *out)
{
    switch (panel->layout->code) {
    case LINEAR_CODE_2:
        expand_code(LINEAR_CODE_2, panel, begin, blocks, out);
        break;
    case LINEAR_CODE_3:
        expand_code(LINEAR_CODE_3, panel, begin, blocks, out);
        break;
    case LINEAR_CODE_4:
        expand_code(LINEAR_CODE_4, panel, begin, blocks, out);
        break;
    case LINEAR_CODE_5:
        expand_code(LINEAR_CODE_5, panel, begin, blocks, out);
        break;
    case LINEAR_CODE_6:
        expand_code(LINEAR_CODE_6, panel, begin, blocks, out);
        break;
    case LINEAR_CODE_8:
        expand_code(LINEAR_CODE_8, panel, begin, blocks, out);
        break;
    case LINEAR_CODE_TABLE:
        expand_code(LINEAR_CODE_TABLE, panel, begin, blocks, out);
        break;
    }
}

void linear_widen_avx2(element_type type, const void *in, float *out, int64_t n)
{
    const uint8_t *bytes = in;
    int64_t i = 0;
    if (type == ELEMENT_F16) {
        for (; i + 8 <= n; i += 8) {
            _mm256_storeu_ps(
                out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(bytes + i * 2))));
        }
    } else if (type == ELEMENT_BF16) {
        for (; i + 8 <= n; i += 8) {
            __m256i wide =
                _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(bytes + i * 2)));
            _mm256_storeu_si256((__m256i *)(void *)(out + i), _mm256_slli_epi32(wide, 16));
        }
    }
    size_t size = type == ELEMENT_F32 ? 4 : 2;
    linear_kernels_scalar.widen(type, bytes + (size_t)i * size, out + i, n - i);
}

/* run[row][side] = chain of fma over inputs [from, to). */
LINEAR_INLINE void float_run(int count, const float *w, const float *const *x, int64_t from, int64_t to,
                             __m256 run[][2])
{
#pragma GCC unroll 6
    for (int r = 0; r < count; r++) {
        run[r][0] = run[r][1] = _mm256_setzero_ps();
    }
    for (int64_t k = from; k < to; k++) {
        __m256 w0 = _mm256_loadu_ps(w + k * LINEAR_PANEL_ROWS);
        __m256 w1 = _mm256_loadu_ps(w + k * LINEAR_PANEL_ROWS + SIDE);
#pragma GCC unroll 6
        for (int r = 0; r < count; r++) {
            __m256 a = _mm256_set1_ps(x[r][k]);
            run[r][0] = _mm256_fmadd_ps(w0, a, run[r][0]);
            run[r][1] = _mm256_fmadd_ps(w1, a, run[r][1]);
        }
    }
}

/* The four runs side by side: one row alone has too few chains to hide the latency of fma. */
LINEAR_INLINE void float_one(const float *w, const float *x, float *acc)
{
    __m256 run[4][2];
    for (int i = 0; i < 4; i++) {
        run[i][0] = run[i][1] = _mm256_setzero_ps();
    }
    for (int64_t k = 0; k < LINEAR_FLOAT_RUN; k++) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const float *at = w + (i * LINEAR_FLOAT_RUN + k) * LINEAR_PANEL_ROWS;
            __m256 a = _mm256_set1_ps(x[i * LINEAR_FLOAT_RUN + k]);
            run[i][0] = _mm256_fmadd_ps(_mm256_loadu_ps(at), a, run[i][0]);
            run[i][1] = _mm256_fmadd_ps(_mm256_loadu_ps(at + SIDE), a, run[i][1]);
        }
    }
    for (int side = 0; side < 2; side++) {
        __m256 low = _mm256_add_ps(run[0][side], run[1][side]),
               high = _mm256_add_ps(run[2][side], run[3][side]);
        __m256 sum = _mm256_add_ps(_mm256_loadu_ps(acc + side * SIDE), _mm256_add_ps(low, high));
        _mm256_storeu_ps(acc + side * SIDE, sum);
    }
}

LINEAR_INLINE void float_rows(int count, const float *w, const float *const *x, int64_t k, float *acc)
{
    __m256 low[TILE][2], high[TILE][2], run[TILE][2];
    for (int64_t i = 0; i < 4; i++) {
        int64_t from = i * LINEAR_FLOAT_RUN, to = from + LINEAR_FLOAT_RUN < k ? from + LINEAR_FLOAT_RUN : k;
        float_run(count, w, x, from, to, run);
        for (int r = 0; r < count; r++) {
            for (int side = 0; side < 2; side++) {
                __m256(*sum)[2] = i < 2 ? low : high;
                sum[r][side] = (i & 1) == 0 ? run[r][side] : _mm256_add_ps(sum[r][side], run[r][side]);
            }
        }
    }
    for (int r = 0; r < count; r++) {
        for (int side = 0; side < 2; side++) {
            float *at = acc + r * LINEAR_PANEL_ROWS + side * SIDE;
            __m256 sum = _mm256_add_ps(low[r][side], high[r][side]);
            _mm256_storeu_ps(at, _mm256_add_ps(_mm256_loadu_ps(at), sum));
        }
    }
}

static void float_tile(const float *w, const float *const *x, int64_t k, int count, float *acc)
{
    int r = 0;
    for (; r + TILE <= count; r += TILE) {
        float_rows(TILE, w, x + r, k, acc + r * LINEAR_PANEL_ROWS);
    }
    for (; r + 2 <= count; r += 2) {
        float_rows(2, w, x + r, k, acc + r * LINEAR_PANEL_ROWS);
    }
    if (r < count && k == LINEAR_FLOAT_CHUNK) {
        float_one(w, x[r], acc + r * LINEAR_PANEL_ROWS);
    } else if (r < count) {
        float_rows(1, w, x + r, k, acc + r * LINEAR_PANEL_ROWS);
    }
}

const linear_kernels linear_kernels_avx2 = {linear_quantise_avx2, linear_few_avx2,   linear_many_avx2,
                                            linear_expand_avx2,   linear_widen_avx2, float_tile};
