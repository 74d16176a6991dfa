/* Owns TQ1_0 and TQ2_0: ternary weights, 256 in 54 and 66 bytes.
 *
 *             0              47   48    51   52   53
 *           +-----+- ... -+-----+-----------+---------+
 *   TQ1_0:  | q0  |       | q47 | h0 .. h3  | d (f16) |    five (q) or four (h) trits a byte
 *           +-----+- ... -+-----+-----------+---------+
 *             0              63   64   65
 *           +-----+- ... -+-----+---------+
 *   TQ2_0:  | q0  |       | q63 | d (f16) |                four codes a byte, ordered as in Q2_K
 *           +-----+- ... -+-----+---------+
 *
 *   w = d * (code - 1); a code of 3 (TQ2_0) is 2 d.
 *   A byte b of TQ1_0 is the fraction b / 256 in base 3: trit n is the integer part of 3 frac(b 3^n / 256).
 *   Order: trit 0 of q[0..31], trit 1 of q[0..31], ... trit 4; then the same for q[32..47] and for h.
 */
#include "quant/layout.h"

/* `trits` codes from each of `count` bytes. */
static uint8_t *split_trits(const uint8_t *q, int count, int trits, uint8_t *code)
{
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    for (int n = 0; n < trits; n++) {
        for (int i = 0; i < count; i++) {
            uint32_t fraction = (uint32_t)q[i] * powers[n] & 255;
            *code++ = (uint8_t)(3 * fraction >> 8);
        }
    }
    return code;
}

static void split_tq1_0(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b + 52), 0);
    uint8_t *code = split_trits(b, 32, 5, out->code);
    code = split_trits(b + 32, 16, 5, code);
    split_trits(b + 48, 4, 4, code);
}

static void split_tq2_0(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b + 64), 0);
    for (int part = 0; part < 8; part++) {
        for (int l = 0; l < 32; l++) {
            out->code[32 * part + l] = b[32 * (part / 4) + l] >> 2 * (part % 4) & 3;
        }
    }
}

QUANT_DECODE(tq1_0)
const quant_format quant_tq1_0 = {
    .type = ELEMENT_TQ1_0,
    .code_bits = 2,
    .subblock_weights = 32,
    .zero = 1,
    .decode = decode_tq1_0,
    .split = split_tq1_0,
};

QUANT_DECODE(tq2_0)
const quant_format quant_tq2_0 = {
    .type = ELEMENT_TQ2_0,
    .code_bits = 2,
    .subblock_weights = 32,
    .zero = 1,
    .decode = decode_tq2_0,
    .split = split_tq2_0,
};
