/* Owns Q4_0 and Q4_1: 32 weights in 18 and 20 bytes.
 *
 *            0     1    2                  17
 *          +----------+-----+-- ... --+-----+
 *   Q4_0:  | d  (f16) | q0  |         | q15 |               w = d * (code - 8)
 *          +----------+-----+-- ... --+-----+
 *            0     1    2     3    4                  19
 *          +----------+----------+-----+-- ... --+-----+
 *   Q4_1:  | d  (f16) | m  (f16) | q0  |         | q15 |    w = d * code + m
 *          +----------+----------+-----+-- ... --+-----+
 *
 *   q[i] low nibble = code of weight i, high nibble = code of weight i + 16
 */
#include <math.h>

#include "quant/layout.h"

enum { BLOCK = 32, HALF_BLOCK = 16 };

static void split_nibbles(const uint8_t *q, quant_split *out)
{
    for (int i = 0; i < HALF_BLOCK; i++) {
        out->code[i] = q[i] & 15;
        out->code[i + HALF_BLOCK] = q[i] >> 4;
    }
}

static void split_q4_0(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b), 0);
    split_nibbles(b + 2, out);
}

static void split_q4_1(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b), -quant_load_half(b + 2));
    split_nibbles(b + 4, out);
}

/* The weight of largest magnitude becomes code 0, which is -8 times the scale: the side with one step more.
 */
static void encode_q4_0(const float *x, void *blocks, uint64_t n)
{
    uint8_t *b = blocks;
    for (uint64_t at = 0; at < n; at += BLOCK, b += 18, x += BLOCK) {
        float extreme = 0;
        for (int i = 0; i < BLOCK; i++) {
            extreme = fabsf(x[i]) > fabsf(extreme) ? x[i] : extreme;
        }
        float d = extreme / -8, inverse = d != 0 ? 1 / d : 0;
        quant_store_half(b, d);
        for (int i = 0; i < HALF_BLOCK; i++) {
            int32_t low = quant_code(x[i] * inverse + 8.5f, 15);
            int32_t high = quant_code(x[i + HALF_BLOCK] * inverse + 8.5f, 15);
            b[2 + i] = (uint8_t)(low | high << 4);
        }
    }
}

static void encode_q4_1(const float *x, void *blocks, uint64_t n)
{
    uint8_t *b = blocks;
    for (uint64_t at = 0; at < n; at += BLOCK, b += 20, x += BLOCK) {
        float least = x[0], most = x[0];
        for (int i = 1; i < BLOCK; i++) {
            least = x[i] < least ? x[i] : least;
            most = x[i] > most ? x[i] : most;
        }
        float d = (most - least) / 15, inverse = d != 0 ? 1 / d : 0;
        quant_store_half(b, d);
        quant_store_half(b + 2, least);
        for (int i = 0; i < HALF_BLOCK; i++) {
            int32_t low = quant_code((x[i] - least) * inverse + 0.5f, 15);
            int32_t high = quant_code((x[i + HALF_BLOCK] - least) * inverse + 0.5f, 15);
            b[4 + i] = (uint8_t)(low | high << 4);
        }
    }
}

QUANT_DECODE(q4_0)
const quant_format quant_q4_0 = {
    .type = ELEMENT_Q4_0,
    .code_bits = 4,
    .subblock_weights = 32,
    .zero = 8,
    .decode = decode_q4_0,
    .split = split_q4_0,
    .encode = encode_q4_0,
};

QUANT_DECODE(q4_1)
const quant_format quant_q4_1 = {
    .type = ELEMENT_Q4_1,
    .code_bits = 4,
    .subblock_weights = 32,
    .has_minimum = true,
    .decode = decode_q4_1,
    .split = split_q4_1,
    .encode = encode_q4_1,
};
