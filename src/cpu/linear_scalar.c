/* Owns the portable kernels: the truth that every instruction set must repeat bit for bit. Plain loops, no
 * intrinsics. */
#include "cpu/linear_layout.h"

#include "tensor/half.h"

#include <math.h>
#include <string.h>

typedef struct lanes {
    float lane[LINEAR_PANEL_ROWS];
} lanes;

static float scale_at(const linear_panel *panel, uint16_t stored)
{
    return panel->scale_bf16 ? half_from_bf16(stored) : half_to_float(stored) * panel->unit;
}

/* sum[h] = exact sum over half h (of one or two) of values * q; block: one row's 32 values. */
static void dot_block(const int8_t *values, const linear_block *x, int halves, int32_t *sum)
{
    int length = LINEAR_BLOCK / halves;
    for (int h = 0; h < halves; h++) {
        sum[h] = 0;
        for (int k = h * length; k < (h + 1) * length; k++) {
            sum[h] += values[k] * x->q[k];
        }
    }
}

static void values_of(const linear_panel *panel, const uint8_t *block, int row, int8_t *values)
{
    for (int k = 0; k < LINEAR_BLOCK; k++) {
        values[k] = (int8_t)linear_value_at(panel, block, row, k);
    }
}

static void few_blocks(const linear_panel *panel, const linear_block *const *rows, int count, float *acc)
{
    const linear_layout *layout = panel->layout;
    for (int64_t b = 0; b < panel->blocks; b++) {
        linear_meta meta = linear_meta_at(layout, panel->meta + (size_t)b * layout->meta_bytes);
        for (int m = 0; m < LINEAR_PANEL_ROWS; m++) {
            int8_t values[LINEAR_BLOCK];
            values_of(panel, panel->codes + (size_t)b * layout->code_bytes, m, values);
            float scale = scale_at(panel, meta.scale[m]);
            for (int r = 0; r < count; r++) {
                const linear_block *x = &rows[r][b];
                float *out = &acc[r * LINEAR_PANEL_ROWS + m];
                int32_t sum;
                dot_block(values, x, 1, &sum);
                *out = fmaf((float)sum, scale * x->scale, *out);
                if (meta.minimum != NULL) {
                    *out = fmaf(-half_to_float(meta.minimum[m]), x->sum, *out);
                }
            }
        }
    }
}

/* One row of one superblock against one row of activations: adds to *inner and *minima. */
static void super_block(const linear_panel *panel, const linear_meta *meta, int64_t b, int m,
                        const linear_block *x, float *inner, float *minima)
{
    const linear_layout *layout = panel->layout;
    int8_t values[LINEAR_BLOCK];
    int32_t sums[2], sum = 0, lows = 0;
    values_of(panel, panel->codes + (size_t)b * layout->code_bytes, m, values);
    dot_block(values, x, layout->halves, sums);
    for (int h = 0; h < layout->halves; h++) {
        int at = ((int)(b & 7) * layout->halves + h) * LINEAR_PANEL_ROWS + m;
        sum += meta->subscale[at] * sums[h];
        lows += meta->subminimum == NULL ? 0 : meta->subminimum[at] * (x->pair[h][0] + x->pair[h][1]);
    }
    *inner = fmaf((float)sum, x->scale, *inner);
    if (meta->subminimum != NULL && layout->halves == 1) {
        *minima = fmaf((float)meta->subminimum[(b & 7) * LINEAR_PANEL_ROWS + m], x->sum, *minima);
    } else if (meta->subminimum != NULL) {
        *minima = fmaf((float)lows, x->scale, *minima);
    }
}

static void few_superblocks(const linear_panel *panel, const linear_block *const *rows, int count, float *acc)
{
    const linear_layout *layout = panel->layout;
    for (int64_t s = 0; s < panel->blocks / 8; s++) {
        linear_meta meta = linear_meta_at(layout, panel->meta + (size_t)s * layout->meta_bytes);
        for (int r = 0; r < count; r++) {
            for (int m = 0; m < LINEAR_PANEL_ROWS; m++) {
                float inner = 0, minima = 0, *out = &acc[r * LINEAR_PANEL_ROWS + m];
                for (int64_t b = s * 8; b < s * 8 + 8; b++) {
                    super_block(panel, &meta, b, m, &rows[r][b], &inner, &minima);
                }
                *out = fmaf(scale_at(panel, meta.scale[m]), inner, *out);
                if (meta.minimum != NULL) {
                    *out = fmaf(-half_to_float(meta.minimum[m]), minima, *out);
                }
            }
        }
    }
}

static void few(const linear_panel *panel, const linear_block *const *rows, int count, float *acc)
{
    memset(acc, 0, (size_t)count * LINEAR_PANEL_ROWS * sizeof *acc);
    if (panel->layout->superblock) {
        few_superblocks(panel, rows, count, acc);
    } else {
        few_blocks(panel, rows, count, acc);
    }
}

static void many(const linear_panel *panel, const linear_block *const *rows, int count, float *acc,
                 void *scratch)
{
    (void)scratch;
    few(panel, rows, count, acc);
}

static void expand(const linear_panel *panel, int64_t begin, int64_t blocks, float *out)
{
    for (int row = 0; row < LINEAR_PANEL_ROWS; row++) {
        for (int64_t b = 0; b < blocks; b++) {
            float weights[LINEAR_BLOCK];
            linear_decode_block(panel, begin + b, row, weights);
            for (int64_t k = 0; k < LINEAR_BLOCK; k++) {
                out[(b * LINEAR_BLOCK + k) * LINEAR_PANEL_ROWS + row] = weights[k];
            }
        }
    }
}

static void widen(element_type type, const void *in, float *out, int64_t n)
{
    const uint8_t *bytes = in;
    for (int64_t i = 0; i < n; i++) {
        uint16_t half;
        if (type == ELEMENT_F32) {
            memcpy(&out[i], bytes + i * 4, sizeof *out);
            continue;
        }
        memcpy(&half, bytes + i * 2, sizeof half);
        out[i] = type == ELEMENT_F16 ? half_to_float(half) : half_from_bf16(half);
    }
}

static lanes float_run(const float *w, const float *x, int64_t begin, int64_t end)
{
    lanes sum = {{0}};
    for (int64_t k = begin; k < end; k++) {
        for (int m = 0; m < LINEAR_PANEL_ROWS; m++) {
            sum.lane[m] = fmaf(w[k * LINEAR_PANEL_ROWS + m], x[k], sum.lane[m]);
        }
    }
    return sum;
}

static void float_tile(const float *w, const float *const *x, int64_t k, int count, float *acc)
{
    for (int r = 0; r < count; r++) {
        lanes runs[4];
        for (int64_t i = 0; i < 4; i++) {
            int64_t begin = i * LINEAR_FLOAT_RUN, end = begin + LINEAR_FLOAT_RUN;
            runs[i] = float_run(w, x[r], begin, end < k ? end : k);
        }
        for (int m = 0; m < LINEAR_PANEL_ROWS; m++) {
            acc[r * LINEAR_PANEL_ROWS + m] +=
                (runs[0].lane[m] + runs[1].lane[m]) + (runs[2].lane[m] + runs[3].lane[m]);
        }
    }
}

const linear_kernels linear_kernels_scalar = {linear_quantise_scalar, few, many, expand, widen, float_tile};
