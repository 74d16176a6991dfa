/* Shared by the files of quant/: every format is described by taking one block apart; decoding follows from
 * that. */
#ifndef QUANT_LAYOUT_H
#define QUANT_LAYOUT_H

#include <string.h>

#include "base/bytes.h"
#include "quant/quant.h"
#include "tensor/half.h"

extern const quant_format quant_q8_0, quant_q4_0, quant_q4_1, quant_q5_0, quant_q5_1;
extern const quant_format quant_q2_k, quant_q3_k, quant_q4_k, quant_q5_k, quant_q6_k;
extern const quant_format quant_iq4_nl, quant_iq4_xs, quant_mxfp4, quant_tq1_0, quant_tq2_0;
extern const quant_format quant_iq2_xxs, quant_iq2_xs, quant_iq2_s, quant_iq3_xxs, quant_iq3_s;

/* n weights by format->split and the formula in quant.h. */
void quant_decode_split(const quant_format *format, const void *blocks, float *out, uint64_t n);

/* Defines decode_NAME for the table row of a format. */
#define QUANT_DECODE(name)                                                                                   \
    static void decode_##name(const void *blocks, float *out, uint64_t n)                                    \
    {                                                                                                        \
        quant_decode_split(&quant_##name, blocks, out, n);                                                   \
    }

static inline float quant_load_half(const uint8_t *p)
{
    return half_to_float(bytes_load_u16(p));
}

static inline void quant_store_half(uint8_t *p, float value)
{
    uint16_t bits = half_from_float(value);
    p[0] = (uint8_t)bits;
    p[1] = (uint8_t)(bits >> 8);
}

/* Scale and minimum of a block; every subscale and subminimum becomes 1. */
static inline void quant_split_begin(quant_split *out, float scale, float minimum)
{
    out->scale = scale;
    out->minimum = minimum;
    memset(out->subscale, 1, sizeof out->subscale);
    memset(out->subminimum, 1, sizeof out->subminimum);
}

/* Eight bits to the lowest bits of eight bytes, bit 0 to the lowest byte. */
static inline uint64_t quant_spread_bits(uint32_t bits)
{
    uint64_t apart = (bits & 255) * 0x0101010101010101u & 0x8040201008040201u; /* byte j keeps bit j alone */
    return (apart + 0x7F7F7F7F7F7F7F7Fu) >> 7 & 0x0101010101010101u;
}

/* Eight codes, the first one in the lowest byte. */
static inline void quant_store_codes(uint8_t *code, uint64_t codes)
{
    for (int i = 0; i < 8; i++) {
        code[i] = (uint8_t)(codes >> (8 * i));
    }
}

/* The code nearest below `value`, kept in 0 .. most; NaN gives 0 (a plain conversion would be undefined). */
static inline int32_t quant_code(float value, int32_t most)
{
    return !(value > 0) ? 0 : value >= (float)most ? most : (int32_t)value;
}

#endif
