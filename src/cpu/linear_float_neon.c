/* Owns the float side for NEON: quantisation of activations, float tiles, and the kernel table. */
#include "cpu/linear_neon.h"

#include <math.h>

enum { TILE = 4, QUARTER = 4 };

static void quantise_block(const float *x, linear_block *out)
{
    uint32x4_t most = vdupq_n_u32(0), mask = vdupq_n_u32(0x7FFFFFFF);
    for (int i = 0; i < LINEAR_BLOCK; i += 4) { /* as integers: NaN lies above every number */
        most = vmaxq_u32(most, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i)), mask));
    }
    uint32_t bits = vmaxvq_u32(most);
    float absmax, inverse = 0, scale = 0;
    memcpy(&absmax, &bits, sizeof absmax);
    if (bits >= 0x7F800000) {
        memset(out->q, 0, sizeof out->q);
        linear_finish_block(out, NAN);
        return;
    }
    if (absmax >= LINEAR_TINY) {
        inverse = 127.0f / absmax;
        scale = absmax / 127.0f;
    }
    for (int i = 0; i < LINEAR_BLOCK; i += 8) {
        int32x4_t low = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i), inverse));
        int32x4_t high = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i + 4), inverse));
        vst1_s8(out->q + i, vqmovn_s16(vcombine_s16(vqmovn_s32(low), vqmovn_s32(high))));
    }
    linear_finish_block(out, scale);
}

static void quantise(const float *x, int64_t columns, linear_block *blocks)
{
    int64_t whole = columns / LINEAR_BLOCK;
    for (int64_t b = 0; b < whole; b++) {
        quantise_block(x + b * LINEAR_BLOCK, &blocks[b]);
    }
    if (columns % LINEAR_BLOCK != 0) {
        linear_quantise_scalar(x + whole * LINEAR_BLOCK, columns % LINEAR_BLOCK, &blocks[whole]);
    }
}

static void widen(element_type type, const void *in, float *out, int64_t n)
{
    const uint16_t *halves = in;
    int64_t i = 0;
    for (; type == ELEMENT_F16 && i + 4 <= n; i += 4) {
        vst1q_f32(out + i, linear_halves_neon(halves + i));
    }
    for (; type == ELEMENT_BF16 && i + 4 <= n; i += 4) {
        vst1q_f32(out + i, vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(halves + i), 16)));
    }
    size_t size = type == ELEMENT_F32 ? 4 : 2;
    linear_kernels_scalar.widen(type, (const uint8_t *)in + (size_t)i * size, out + i, n - i);
}

/* run[row][quarter] = chain of fma over inputs [from, to). */
LINEAR_INLINE void float_run(int count, const float *w, const float *const *x, int64_t from, int64_t to,
                             float32x4_t run[][QUARTER])
{
    for (int r = 0; r < count; r++) {
        for (int i = 0; i < QUARTER; i++) {
            run[r][i] = vdupq_n_f32(0);
        }
    }
    for (int64_t k = from; k < to; k++) {
        for (int i = 0; i < QUARTER; i++) {
            float32x4_t weights = vld1q_f32(w + k * LINEAR_PANEL_ROWS + i * 4);
            for (int r = 0; r < count; r++) {
                run[r][i] = vfmaq_f32(run[r][i], weights, vdupq_n_f32(x[r][k]));
            }
        }
    }
}

LINEAR_INLINE void float_rows(int count, const float *w, const float *const *x, int64_t k, float *acc)
{
    float32x4_t low[TILE][QUARTER], high[TILE][QUARTER], run[TILE][QUARTER];
    for (int64_t n = 0; n < 4; n++) {
        int64_t from = n * LINEAR_FLOAT_RUN, to = from + LINEAR_FLOAT_RUN < k ? from + LINEAR_FLOAT_RUN : k;
        float32x4_t(*sum)[QUARTER] = n < 2 ? low : high;
        float_run(count, w, x, from, to, run);
        for (int r = 0; r < count; r++) {
            for (int i = 0; i < QUARTER; i++) {
                sum[r][i] = (n & 1) == 0 ? run[r][i] : vaddq_f32(sum[r][i], run[r][i]);
            }
        }
    }
    for (int r = 0; r < count; r++) {
        for (int i = 0; i < QUARTER; i++) {
            float *at = acc + r * LINEAR_PANEL_ROWS + i * 4;
            vst1q_f32(at, vaddq_f32(vld1q_f32(at), vaddq_f32(low[r][i], high[r][i])));
        }
    }
}

static void float_tile(const float *w, const float *const *x, int64_t k, int count, float *acc)
{
    int r = 0;
    for (; r + TILE <= count; r += TILE) {
        float_rows(TILE, w, x + r, k, acc + r * LINEAR_PANEL_ROWS);
    }
    for (; r < count; r++) {
        float_rows(1, w, x + r, k, acc + r * LINEAR_PANEL_ROWS);
    }
}

static void expand(const linear_panel *panel, int64_t begin, int64_t blocks, float *out)
{
    linear_kernels_scalar.expand(panel, begin, blocks, out);
}

const linear_kernels linear_kernels_neon = {quantise, linear_few_neon, linear_many_neon,
                                            expand,   widen,           float_tile};
