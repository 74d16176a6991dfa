/* Owns the quantised kernels for NEON with the dot product: a vector holds four inputs of four rows, so a
 * panel is worked in four quarters. */
#include "cpu/linear_neon.h"

enum { QUARTER = 4 };

static inline __attribute__((always_inline)) uint8x16_t shift(uint8x16_t v, int left)
{
    return left == 0 ? v : vshlq_u8(v, vdupq_n_s8((int8_t)left)); /* negative counts shift right */
}

static inline __attribute__((always_inline)) uint8x16_t field(uint8x16_t v, int left, uint8_t mask)
{
    return vandq_u8(shift(v, left), vdupq_n_u8(mask));
}

/* Codes of groups v and v + 4 (v < 4) for four rows; `at`: the block, moved by 16 bytes a quarter. Signed in
 * any case. */
LINEAR_INLINE void unpack(int code, const uint8_t *at, int v, int8x16_t table, int8x16_t *low,
                          int8x16_t *high)
{
    uint8x16_t w = vld1q_u8(at + v * 64), l, h;
    if (code == LINEAR_CODE_8) {
        *low = vreinterpretq_s8_u8(w);
        *high = vreinterpretq_s8_u8(vld1q_u8(at + v * 64 + 256));
        return;
    }
    if (code == LINEAR_CODE_2 || code == LINEAR_CODE_3) {
        w = vld1q_u8(at + (v & 1) * 64);
        l = field(w, -(v & 2), 3);
        h = field(w, -(4 + (v & 2)), 3);
        if (code == LINEAR_CODE_3) {
            uint8x16_t bits = vld1q_u8(at + 128);
            l = vorrq_u8(l, field(bits, 2 - v, 4));
            h = vorrq_u8(h, field(bits, -2 - v, 4));
        }
    } else {
        l = field(w, 0, 15);
        h = shift(w, -4);
        if (code == LINEAR_CODE_5) {
            uint8x16_t bits = vld1q_u8(at + 256);
            l = vorrq_u8(l, field(bits, 4 - v, 16));
            h = vorrq_u8(h, field(bits, -v, 16));
        } else if (code == LINEAR_CODE_6) {
            uint8x16_t pairs = vld1q_u8(at + 256 + (v & 1) * 64);
            l = vorrq_u8(l, field(pairs, 4 - (v & 2), 0x30));
            h = vorrq_u8(h, field(pairs, -(v & 2), 0x30));
        }
    }
    *low = code == LINEAR_CODE_TABLE ? vqtbl1q_s8(table, l) : vreinterpretq_s8_u8(l);
    *high = code == LINEAR_CODE_TABLE ? vqtbl1q_s8(table, h) : vreinterpretq_s8_u8(h);
}

LINEAR_INLINE int half_sum(const linear_block *x, int h)
{
    return x->pair[h][0] + x->pair[h][1];
}

/* The step of groups v and v + 4 for every row; v must be a literal, because the lane of vdotq_laneq_s32
 * must. */
#define LINEAR_STEP(v)                                                                                       \
    do {                                                                                                     \
        unpack(code, at, v, table, &low, &high);                                                             \
        for (int r = 0; r < count; r++) {                                                                    \
            first[r] = vdotq_laneq_s32(first[r], low, vld1q_s8(rows[r][b].q), v);                            \
            second[r] = vdotq_laneq_s32(second[r], high, vld1q_s8(rows[r][b].q + 16), v);                    \
        }                                                                                                    \
    } while (0)

/* Sums of both halves of one block for the four rows of a quarter, zero taken off. */
LINEAR_INLINE void block_sums(int code, int zero, int count, const uint8_t *at, int8x16_t table,
                              const linear_block *const *rows, int64_t b, int32x4_t *first, int32x4_t *second)
{
    int8x16_t low, high;
    for (int r = 0; r < count; r++) {
        first[r] = vdupq_n_s32(-zero * half_sum(&rows[r][b], 0));
        second[r] = vdupq_n_s32(-zero * half_sum(&rows[r][b], 1));
    }
    LINEAR_STEP(0);
    LINEAR_STEP(1);
    LINEAR_STEP(2);
    LINEAR_STEP(3);
}

LINEAR_INLINE void few_blocks(int code, int zero, int minimum, size_t code_bytes, size_t meta_bytes,
                              int count, const linear_panel *panel, const linear_block *const *rows,
                              float *acc)
{
    const int8x16_t table = vld1q_s8(panel->values);
    float32x4_t total[LINEAR_FEW][QUARTER];
    for (int i = 0; i < count * QUARTER; i++) {
        total[i / QUARTER][i % QUARTER] = vdupq_n_f32(0);
    }
    for (int64_t b = 0; b < panel->blocks; b++) {
        const uint8_t *block = panel->codes + (size_t)b * code_bytes;
        const uint16_t *scale = (const uint16_t *)(const void *)(panel->meta + (size_t)b * meta_bytes);
        for (int quarter = 0; quarter < QUARTER; quarter++) {
            int32x4_t first[LINEAR_FEW], second[LINEAR_FEW];
            block_sums(code, zero, count, block + quarter * 16, table, rows, b, first, second);
            float32x4_t d = linear_scales_neon(panel, scale + quarter * 4);
            for (int r = 0; r < count; r++) {
                float32x4_t sum = vcvtq_f32_s32(vaddq_s32(first[r], second[r])), *at = &total[r][quarter];
                *at = vfmaq_f32(*at, sum, vmulq_n_f32(d, rows[r][b].scale));
                if (minimum) {
                    float32x4_t m = linear_halves_neon(scale + LINEAR_PANEL_ROWS + quarter * 4);
                    *at = vfmsq_f32(*at, m, vdupq_n_f32(rows[r][b].sum));
                }
            }
        }
    }
    for (int i = 0; i < count * QUARTER; i++) {
        vst1q_f32(acc + i * 4, total[i / QUARTER][i % QUARTER]);
    }
}

LINEAR_INLINE int32x4_t four_signed(const int8_t *at)
{
    return (int32x4_t){at[0], at[1], at[2], at[3]};
}

LINEAR_INLINE int32x4_t four_unsigned(const uint8_t *at)
{
    return (int32x4_t){at[0], at[1], at[2], at[3]};
}

/* One block of a superblock for the four rows of a quarter: adds to inner[row] and minima[row]. sub: at the
 * quarter. */
LINEAR_INLINE void add_block(int halves, int minimum, int count, const uint8_t *sub,
                             const linear_block *const *rows, int64_t b, const int32x4_t *first,
                             const int32x4_t *second, float32x4_t *inner, float32x4_t *minima)
{
    const uint8_t *low = sub + 8 * LINEAR_PANEL_ROWS * halves;
    int32x4_t scale0 = four_signed((const int8_t *)sub), scale1 = scale0;
    if (halves == 2) {
        scale1 = four_signed((const int8_t *)sub + LINEAR_PANEL_ROWS);
    }
    for (int r = 0; r < count; r++) {
        const linear_block *a = &rows[r][b];
        int32x4_t sum = vmlaq_s32(vmulq_s32(first[r], scale0), second[r], scale1);
        inner[r] = vfmaq_f32(inner[r], vcvtq_f32_s32(sum), vdupq_n_f32(a->scale));
        if (minimum && halves == 1) {
            minima[r] = vfmaq_f32(minima[r], vcvtq_f32_s32(four_unsigned(low)), vdupq_n_f32(a->sum));
        } else if (minimum) {
            int32x4_t lows = vmulq_n_s32(four_unsigned(low), half_sum(a, 0));
            lows = vmlaq_n_s32(lows, four_unsigned(low + LINEAR_PANEL_ROWS), half_sum(a, 1));
            minima[r] = vfmaq_f32(minima[r], vcvtq_f32_s32(lows), vdupq_n_f32(a->scale));
        }
    }
}

LINEAR_INLINE void few_superblocks(int code, int halves, int zero, int minimum, size_t code_bytes,
                                   size_t meta_bytes, int count, const linear_panel *panel,
                                   const linear_block *const *rows, float *acc)
{
    const int8x16_t table = vld1q_s8(panel->values);
    const size_t scales_bytes = 2 * LINEAR_PANEL_ROWS * (size_t)(1 + minimum);
    const size_t sub_bytes = LINEAR_PANEL_ROWS * (size_t)halves;
    memset(acc, 0, (size_t)count * LINEAR_PANEL_ROWS * sizeof *acc);
    for (int64_t b = 0; b < panel->blocks; b += 8) {
        const uint8_t *meta = panel->meta + (size_t)(b / 8) * meta_bytes;
        const uint16_t *scale = (const uint16_t *)(const void *)meta;
        for (int quarter = 0; quarter < QUARTER; quarter++) {
            float32x4_t inner[LINEAR_FEW], minima[LINEAR_FEW];
            for (int r = 0; r < count; r++) {
                inner[r] = minima[r] = vdupq_n_f32(0);
            }
            for (int i = 0; i < 8; i++) {
                const uint8_t *at = panel->codes + (size_t)(b + i) * code_bytes + quarter * 16;
                const uint8_t *sub = meta + scales_bytes + (size_t)i * sub_bytes + quarter * 4;
                int32x4_t first[LINEAR_FEW], second[LINEAR_FEW];
                block_sums(code, zero, count, at, table, rows, b + i, first, second);
                add_block(halves, minimum, count, sub, rows, b + i, first, second, inner, minima);
            }
            float32x4_t d = linear_scales_neon(panel, scale + quarter * 4);
            for (int r = 0; r < count; r++) {
                float *out = acc + r * LINEAR_PANEL_ROWS + quarter * 4;
                float32x4_t total = vfmaq_f32(vld1q_f32(out), d, inner[r]);
                if (minimum) {
                    total = vfmsq_f32(total, linear_halves_neon(scale + LINEAR_PANEL_ROWS + quarter * 4),
                                      minima[r]);
                }
                vst1q_f32(out, total);
            }
        }
    }
}

#define LINEAR_FEW_NAME linear_few_neon
#include "cpu/linear_few_table.inc"

/* The panel is in the first cache after the first four rows; unpacking again costs a sixth of the dot
 * products. */
void linear_many_neon(const linear_panel *panel, const linear_block *const *rows, int count, float *acc,
                      void *scratch)
{
    (void)scratch;
    for (int r = 0; r < count; r += LINEAR_FEW) {
        int now = count - r < LINEAR_FEW ? count - r : LINEAR_FEW;
        linear_few_neon(panel, rows + r, now, acc + r * LINEAR_PANEL_ROWS);
    }
}
