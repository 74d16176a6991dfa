/* Owns Q2_K to Q6_K: superblocks of 256 weights whose sub-blocks have small integer scales (and minimums).
 *
 *   Q2_K   84 bytes   0: s[16]          16: q[64]                80: d     82: dmin
 *   Q3_K  110 bytes   0: h[32]          32: q[64]                96: s[12] 108: d
 *   Q4_K  144 bytes   0: d  2: dmin      4: s[12]                16: q[128]
 *   Q5_K  176 bytes   0: d  2: dmin      4: s[12]                16: h[32] 48: q[128]
 *   Q6_K  210 bytes   0: q[128]        128: h[64]               192: s[16] (int8)         208: d
 *   d, dmin: f16
 *
 *   Q2_K  w = d * (s[g] & 15) * code - dmin * (s[g] >> 4)    16 sub-blocks g of 16 weights
 *   Q3_K  w = d * (scale[g] - 32) * (code - 4)               16 of 16; 6-bit scales packed in s
 *   Q4_K  w = d * scale[g] * code - dmin * minimum[g]         8 of 32; 6-bit scales and minimums in s
 *   Q5_K  the same with a fifth bit
 *   Q6_K  w = d * s[g] * (code - 32)                         16 of 16
 *
 *   Two-bit codes (Q2_K, Q3_K): each half of 128 weights has 32 bytes of q; weight 32 k + l of the half is
 *     bits 2k, 2k+1 of byte l. Third bit of Q3_K: bit (4 half + k) of h[l].
 *   Four-bit codes (Q4_K, Q5_K): each 64 weights have 32 bytes; low nibbles first.
 *     Fifth bit: bit (weight / 32) of h[l].
 *   Six-bit codes: each half has 64 bytes of q and 32 of h; weight 32 k + l of the half takes the low nibble
 *     (k < 2) or the high one of q[l + 32 (k % 2)] and bits 2k, 2k+1 of h[l].
 */
#include "quant/layout.h"

enum { SUPERBLOCK = 256 };

/* Two bits a code: 64 bytes to 256 codes. */
static void split_two_bits(const uint8_t *q, uint8_t *code)
{
    for (int part = 0; part < SUPERBLOCK / 32; part++) {
        const uint8_t *bytes = q + 32 * (part / 4);
        for (int l = 0; l < 32; l++) {
            code[32 * part + l] = bytes[l] >> 2 * (part % 4) & 3;
        }
    }
}

/* Four bits a code: 128 bytes to 256 codes. */
static void split_four_bits(const uint8_t *q, uint8_t *code)
{
    for (int pair = 0; pair < SUPERBLOCK / 64; pair++) {
        for (int l = 0; l < 32; l++) {
            code[64 * pair + l] = q[32 * pair + l] & 15;
            code[64 * pair + 32 + l] = q[32 * pair + l] >> 4;
        }
    }
}

/* One more bit a code: bit `part` of h[l] becomes bit `place` of code 32 part + l. */
static void add_bit(const uint8_t *h, int place, uint8_t *code)
{
    for (int part = 0; part < SUPERBLOCK / 32; part++) {
        for (int l = 0; l < 32; l++) {
            code[32 * part + l] |= (uint8_t)((h[l] >> part & 1) << place);
        }
    }
}

static void split_q2_k(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b + 80), quant_load_half(b + 82));
    for (int g = 0; g < 16; g++) {
        out->subscale[g] = b[g] & 15;
        out->subminimum[g] = b[g] >> 4;
    }
    split_two_bits(b + 16, out->code);
}

/* Low four bits of scale g: nibble g / 8 of s[g % 8]; high two: bits 2 (g / 4) of s[8 + g % 4]. */
static void split_q3_k(const void *block, quant_split *out)
{
    const uint8_t *b = block, *s = b + 96;
    quant_split_begin(out, quant_load_half(b + 108), 0);
    for (int g = 0; g < 16; g++) {
        int low = s[g % 8] >> 4 * (g / 8) & 15, high = s[8 + g % 4] >> 2 * (g / 4) & 3;
        out->subscale[g] = (int8_t)((low | high << 4) - 32);
    }
    split_two_bits(b + 32, out->code);
    add_bit(b, 2, out->code);
}

/* Sub-blocks 0 to 3: six bits of s[g] and s[g + 4]. Sub-blocks 4 to 7: nibbles of s[g + 4], topped by the two
 * bits that the first four left free. */
static void split_scales(const uint8_t *s, quant_split *out)
{
    for (int g = 0; g < 4; g++) {
        out->subscale[g] = (int8_t)(s[g] & 63);
        out->subminimum[g] = s[g + 4] & 63;
        out->subscale[g + 4] = (int8_t)((s[g + 8] & 15) | s[g] >> 6 << 4);
        out->subminimum[g + 4] = (uint8_t)(s[g + 8] >> 4 | s[g + 4] >> 6 << 4);
    }
}

static void split_q4_k(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b), quant_load_half(b + 2));
    split_scales(b + 4, out);
    split_four_bits(b + 16, out->code);
}

static void split_q5_k(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b), quant_load_half(b + 2));
    split_scales(b + 4, out);
    split_four_bits(b + 48, out->code);
    add_bit(b + 16, 4, out->code);
}

static void split_q6_k(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b + 208), 0);
    memcpy(out->subscale, b + 192, 16);
    for (int part = 0; part < SUPERBLOCK / 32; part++) {
        const uint8_t *q = b + 64 * (part / 4) + 32 * (part % 2), *h = b + 128 + 32 * (part / 4);
        int k = part % 4;
        for (int l = 0; l < 32; l++) {
            out->code[32 * part + l] = (uint8_t)((q[l] >> 4 * (k / 2) & 15) | (h[l] >> 2 * k & 3) << 4);
        }
    }
}

QUANT_DECODE(q2_k)
const quant_format quant_q2_k = {
    .type = ELEMENT_Q2_K,
    .code_bits = 2,
    .subblock_weights = 16,
    .has_subscales = true,
    .has_minimum = true,
    .decode = decode_q2_k,
    .split = split_q2_k,
};

QUANT_DECODE(q3_k)
const quant_format quant_q3_k = {
    .type = ELEMENT_Q3_K,
    .code_bits = 3,
    .subblock_weights = 16,
    .zero = 4,
    .has_subscales = true,
    .decode = decode_q3_k,
    .split = split_q3_k,
};

QUANT_DECODE(q4_k)
const quant_format quant_q4_k = {
    .type = ELEMENT_Q4_K,
    .code_bits = 4,
    .subblock_weights = 32,
    .has_subscales = true,
    .has_minimum = true,
    .decode = decode_q4_k,
    .split = split_q4_k,
};

QUANT_DECODE(q5_k)
const quant_format quant_q5_k = {
    .type = ELEMENT_Q5_K,
    .code_bits = 5,
    .subblock_weights = 32,
    .has_subscales = true,
    .has_minimum = true,
    .decode = decode_q5_k,
    .split = split_q5_k,
};

QUANT_DECODE(q6_k)
const quant_format quant_q6_k = {
    .type = ELEMENT_Q6_K,
    .code_bits = 6,
    .subblock_weights = 16,
    .zero = 32,
    .has_subscales = true,
    .decode = decode_q6_k,
    .split = split_q6_k,
};
