/* Owns Q8_0: 32 weights in 34 bytes.
 *
 *   byte   0     1    2                              33
 *        +----------+-----+-----+-----+-- ... --+-----+
 *        | d  (f16) | q0  | q1  | q2  |         | q31 |     q: int8
 *        +----------+-----+-----+-----+-- ... --+-----+
 *
 *   w[i] = d * q[i]
 */
#include <math.h>

#include "quant/layout.h"

enum { BLOCK = 32 };

static void split_q8_0(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b), 0);
    for (int i = 0; i < BLOCK; i++) {
        out->code[i] = (uint8_t)(b[2 + i] ^ 0x80); /* int8 + 128 */
    }
}

static void encode_q8_0(const float *x, void *blocks, uint64_t n)
{
    uint8_t *b = blocks;
    for (uint64_t at = 0; at < n; at += BLOCK, b += 34, x += BLOCK) {
        float largest = 0;
        for (int i = 0; i < BLOCK; i++) {
            largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
        }
        float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
        quant_store_half(b, d);
        for (int i = 0; i < BLOCK; i++) {
            float q = roundf(x[i] * inverse);
            b[2 + i] = (uint8_t)(quant_code(q + 128, 255) - 128);
        }
    }
}

QUANT_DECODE(q8_0)
const quant_format quant_q8_0 = {
    .type = ELEMENT_Q8_0,
    .code_bits = 8,
    .subblock_weights = 32,
    .zero = 128,
    .decode = decode_q8_0,
    .split = split_q8_0,
    .encode = encode_q8_0,
};
