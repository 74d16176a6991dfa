/* Owns MXFP4 (OCP Microscaling Formats 1.0): 32 weights in 17 bytes.
 *
 *     0    1              16
 *   +-----+-----+- ... -+-----+
 *   |  e  | q0  |       | q15 |    e: E8M0 exponent; q: E2M1 codes, nibbles as in Q4_0
 *   +-----+-----+- ... -+-----+
 *
 *   w = 2^(e - 128) * values[code], with values twice those of E2M1 so that they are whole.
 *   e = 255 is a NaN in the standard; files made by ggml count on 2^127 there, and so do we.
 */
#include "quant/layout.h"

static const int8_t values_e2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static void split_mxfp4(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    /* 2^-128 and 2^-127 are subnormal in binary32. */
    uint32_t bits = b[0] < 2 ? 0x00200000u << b[0] : (uint32_t)(b[0] - 1) << 23;
    quant_split_begin(out, half_from_bits32(bits), 0);
    for (int i = 0; i < 16; i++) {
        out->code[i] = b[1 + i] & 15;
        out->code[i + 16] = b[1 + i] >> 4;
    }
}

QUANT_DECODE(mxfp4)
const quant_format quant_mxfp4 = {
    .type = ELEMENT_MXFP4,
    .code_bits = 4,
    .subblock_weights = 32,
    .values = values_e2m1,
    .decode = decode_mxfp4,
    .split = split_mxfp4,
};
