/* Owns IQ4_NL and IQ4_XS: four-bit codes that name one of 16 unevenly spaced values.
 *
 *             0     1    2              17
 *           +----------+-----+- ... -+-----+
 *   IQ4_NL: | d  (f16) | q0  |       | q15 |      32 weights; nibbles as in Q4_0;    w = d * values[code]
 *           +----------+-----+- ... -+-----+
 *             0     1    2     3    4    7    8               135
 *           +----------+----------+--------+-----+- ... -+------+
 *   IQ4_XS: | d  (f16) | high u16 | low[4] | q0  |       | q127 |
 *           +----------+----------+--------+-----+- ... -+------+
 *           256 weights in 8 sub-blocks g of 32 (16 bytes each);   w = d * (scale[g] - 32) * values[code]
 *           scale[g] = nibble g % 2 of low[g / 2], topped by bits 2g, 2g + 1 of high
 */
#include "quant/layout.h"

static const int8_t values_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};

/* 16 bytes to 32 codes. */
static void split_nibbles(const uint8_t *q, uint8_t *code)
{
    for (int i = 0; i < 16; i++) {
        code[i] = q[i] & 15;
        code[i + 16] = q[i] >> 4;
    }
}

static void split_iq4_nl(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b), 0);
    split_nibbles(b + 2, out->code);
}

static void split_iq4_xs(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    uint32_t high = bytes_load_u16(b + 2);
    quant_split_begin(out, quant_load_half(b), 0);
    for (int g = 0; g < 8; g++) {
        uint32_t scale = (b[4 + g / 2] >> 4 * (g % 2) & 15u) | (high >> 2 * g & 3) << 4;
        out->subscale[g] = (int8_t)((int32_t)scale - 32);
        split_nibbles(b + 8 + 16 * g, out->code + 32 * g);
    }
}

QUANT_DECODE(iq4_nl)
const quant_format quant_iq4_nl = {
    .type = ELEMENT_IQ4_NL,
    .code_bits = 4,
    .subblock_weights = 32,
    .values = values_iq4,
    .decode = decode_iq4_nl,
    .split = split_iq4_nl,
};

QUANT_DECODE(iq4_xs)
const quant_format quant_iq4_xs = {
    .type = ELEMENT_IQ4_XS,
    .code_bits = 4,
    .subblock_weights = 32,
    .has_subscales = true,
    .values = values_iq4,
    .decode = decode_iq4_xs,
    .split = split_iq4_xs,
};
