/* Owns Q5_0 and Q5_1: 32 weights in 22 and 24 bytes.
 *
 *            0     1    2        5    6                  21
 *          +----------+----------+-----+-- ... --+-----+
 *   Q5_0:  | d  (f16) | h  (u32) | q0  |         | q15 |             w = d * (code - 16)
 *          +----------+----------+-----+-- ... --+-----+
 *            0     1    2     3    4        7    8                  23
 *          +----------+----------+----------+-----+-- ... --+-----+
 *   Q5_1:  | d  (f16) | m  (f16) | h  (u32) | q0  |         | q15 |  w = d * code + m
 *          +----------+----------+----------+-----+-- ... --+-----+
 *
 *   low four bits of the code: nibbles of q as in Q4_0; fifth bit of weight i: bit i of h
 */
#include <math.h>

#include "quant/layout.h"

enum { BLOCK = 32, HALF_BLOCK = 16 };

static void split_five_bits(const uint8_t *h, const uint8_t *q, quant_split *out)
{
    for (int i = 0; i < HALF_BLOCK; i++) {
        out->code[i] = q[i] & 15;
        out->code[i + HALF_BLOCK] = q[i] >> 4;
    }
    for (int i = 0; i < 4; i++) {
        uint64_t low = bytes_load_u64(out->code + 8 * i);
        quant_store_codes(out->code + 8 * i, low | quant_spread_bits(h[i]) << 4);
    }
}

static void split_q5_0(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b), 0);
    split_five_bits(b + 2, b + 6, out);
}

static void split_q5_1(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b), -quant_load_half(b + 2));
    split_five_bits(b + 4, b + 8, out);
}

static void join_five_bits(const int32_t *code, uint8_t *h, uint8_t *q)
{
    uint32_t high = 0;
    for (int i = 0; i < BLOCK; i++) {
        high |= (uint32_t)(code[i] >> 4) << i;
    }
    for (int i = 0; i < 4; i++) {
        h[i] = (uint8_t)(high >> (8 * i));
    }
    for (int i = 0; i < HALF_BLOCK; i++) {
        q[i] = (uint8_t)((code[i] & 15) | (code[i + HALF_BLOCK] & 15) << 4);
    }
}

static void encode_q5_0(const float *x, void *blocks, uint64_t n)
{
    uint8_t *b = blocks;
    for (uint64_t at = 0; at < n; at += BLOCK, b += 22, x += BLOCK) {
        float extreme = 0;
        int32_t code[BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            extreme = fabsf(x[i]) > fabsf(extreme) ? x[i] : extreme;
        }
        float d = extreme / -16, inverse = d != 0 ? 1 / d : 0;
        quant_store_half(b, d);
        for (int i = 0; i < BLOCK; i++) {
            code[i] = quant_code(x[i] * inverse + 16.5f, 31);
        }
        join_five_bits(code, b + 2, b + 6);
    }
}

static void encode_q5_1(const float *x, void *blocks, uint64_t n)
{
    uint8_t *b = blocks;
    for (uint64_t at = 0; at < n; at += BLOCK, b += 24, x += BLOCK) {
        float least = x[0], most = x[0];
        int32_t code[BLOCK];
        for (int i = 1; i < BLOCK; i++) {
            least = x[i] < least ? x[i] : least;
            most = x[i] > most ? x[i] : most;
        }
        float d = (most - least) / 31, inverse = d != 0 ? 1 / d : 0;
        quant_store_half(b, d);
        quant_store_half(b + 2, least);
        for (int i = 0; i < BLOCK; i++) {
            code[i] = quant_code((x[i] - least) * inverse + 0.5f, 31);
        }
        join_five_bits(code, b + 4, b + 8);
    }
}

QUANT_DECODE(q5_0)
const quant_format quant_q5_0 = {
    .type = ELEMENT_Q5_0,
    .code_bits = 5,
    .subblock_weights = 32,
    .zero = 16,
    .decode = decode_q5_0,
    .split = split_q5_0,
    .encode = encode_q5_0,
};

QUANT_DECODE(q5_1)
const quant_format quant_q5_1 = {
    .type = ELEMENT_Q5_1,
    .code_bits = 5,
    .subblock_weights = 32,
    .has_minimum = true,
    .decode = decode_q5_1,
    .split = split_q5_1,
    .encode = encode_q5_1,
};
