/* Owns IQ2_XXS, IQ2_XS, IQ2_S (a grid point = magnitudes of 8 weights) and IQ3_XXS, IQ3_S (of 4 weights).
 *
 *   All: superblocks of 256 weights, d: f16 at byte 0. Signs: bit j of a sign byte = weight j is negative.
 *   Seven stored sign bits stand for eight: the eighth makes the number of minus signs even.
 *
 *   IQ2_XXS  66 bytes   2: 8 x { index[4], u32 }
 *                       32 weights each; u32 = 4 x 7 sign bits, 4-bit scale on top
 *   IQ2_XS   74 bytes   2: u16[32]     66: scale[8]
 *                       u16 = 9-bit index, 7 sign bits on top; a scale nibble for each 16 weights
 *   IQ2_S    82 bytes   2: index[32]   34: sign[32]   66: high[8]   74: scale[8]
 *                       high: 2 bits an index; scale as in IQ2_XS
 *   IQ3_XXS  98 bytes   2: index[64]   66: u32[8]
 *                       u32 as in IQ2_XXS, two points for each 7 sign bits
 *   IQ3_S   110 bytes   2: index[64]   66: high[8]    74: sign[32]  106: scale[4]
 *                       high: 1 bit an index; a scale nibble for each 32 weights
 *
 *   IQ2:     w = d / 8 * (2 scale + 1) * +-{8, 25, 43}
 *   IQ3_XXS: w = d / 4 * (2 scale + 1) * +-{4, 12, 20, 28, 36, 44, 52, 62}
 *   IQ3_S:   w = d     * (2 scale + 1) * +-{1, 3, 5, ... 15}
 *
 *   Codes here: the level of the grid point, the sign as the bit above it (IQ2: 3 and 7 never occur).
 */
#include "quant/layout.h"

#include "quant/iq_grids.inc"

static const int8_t values_iq2[16] = {8, 25, 43, 0, -8, -25, -43, 0};
static const int8_t values_iq3_xxs[16] = {4,  12,  20,  28,  36,  44,  52,  62,
                                          -4, -12, -20, -28, -36, -44, -52, -62};
static const int8_t values_iq3_s[16] = {1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15};

/* Eight sign bits from seven: the number of ones becomes even. */
static uint32_t signs_with_parity(uint32_t seven)
{
    uint32_t parity = seven ^ seven >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return (seven & 127) | (parity & 1) << 7;
}

/* Codes of 8 weights; signs: 8 bits. The pairs of bits of the point are moved to bytes in three doublings. */
static void split_point_of_8(uint32_t point, uint32_t signs, uint8_t *code)
{
    uint64_t levels = point;
    levels = (levels | levels << 24) & 0x000000FF000000FFu;
    levels = (levels | levels << 12) & 0x000F000F000F000Fu;
    levels = (levels | levels << 6) & 0x0303030303030303u;
    quant_store_codes(code, levels | quant_spread_bits(signs) << 2);
}

/* Codes of 8 weights from two points of 4. */
static void split_points_of_4(uint32_t first, uint32_t second, uint32_t signs, uint8_t *code)
{
    uint64_t levels = first | (uint64_t)second << 32;
    levels = (levels | levels << 10) & 0x003F003F003F003Fu;
    levels = (levels | levels << 5) & 0x0707070707070707u;
    quant_store_codes(code, levels | quant_spread_bits(signs) << 3);
}

static int8_t odd(uint32_t scale)
{
    return (int8_t)(2 * (scale & 15) + 1);
}

static void split_iq2_xxs(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b) / 8, 0);
    for (int g = 0; g < 8; g++) {
        const uint8_t *index = b + 2 + 8 * g; /* [4] */
        uint32_t tail = bytes_load_u32(index + 4);
        out->subscale[g] = odd(tail >> 28);
        for (int i = 0; i < 4; i++) {
            split_point_of_8(grid_iq2_xxs[index[i]], signs_with_parity(tail >> 7 * i & 127),
                             out->code + 32 * g + 8 * i);
        }
    }
}

static void split_iq2_xs(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b) / 8, 0);
    for (int g = 0; g < 16; g++) {
        out->subscale[g] = odd(b[66 + g / 2] >> 4 * (g % 2));
    }
    for (int i = 0; i < 32; i++) {
        uint32_t word = bytes_load_u16(b + 2 + 2 * i);
        split_point_of_8(grid_iq2_xs[word & 511], signs_with_parity(word >> 9), out->code + 8 * i);
    }
}

static void split_iq2_s(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b) / 8, 0);
    for (int g = 0; g < 16; g++) {
        out->subscale[g] = odd(b[74 + g / 2] >> 4 * (g % 2));
    }
    for (int i = 0; i < 32; i++) {
        uint32_t index = b[2 + i] | (b[66 + i / 4] >> 2 * (i % 4) & 3u) << 8;
        split_point_of_8(grid_iq2_s[index], b[34 + i], out->code + 8 * i);
    }
}

static void split_iq3_xxs(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b) / 4, 0);
    for (int g = 0; g < 8; g++) {
        uint32_t tail = bytes_load_u32(b + 66 + 4 * g);
        out->subscale[g] = odd(tail >> 28);
        const uint8_t *index = b + 2 + 8 * g; /* [8] */
        for (int i = 0; i < 4; i++) {
            split_points_of_4(grid_iq3_xxs[index[2 * i]], grid_iq3_xxs[index[2 * i + 1]],
                              signs_with_parity(tail >> 7 * i & 127), out->code + 32 * g + 8 * i);
        }
    }
}

static void split_iq3_s(const void *block, quant_split *out)
{
    const uint8_t *b = block;
    quant_split_begin(out, quant_load_half(b), 0);
    for (int g = 0; g < 8; g++) {
        out->subscale[g] = odd(b[106 + g / 2] >> 4 * (g % 2));
    }
    for (int i = 0; i < 32; i++) {
        const uint8_t *index = b + 2 + 2 * i; /* [2] */
        uint32_t high = (uint32_t)b[66 + i / 4] >> 2 * (i % 4);
        split_points_of_4(grid_iq3_s[index[0] | (high & 1) << 8], grid_iq3_s[index[1] | (high >> 1 & 1) << 8],
                          b[74 + i], out->code + 8 * i);
    }
}

QUANT_DECODE(iq2_xxs)
const quant_format quant_iq2_xxs = {
    .type = ELEMENT_IQ2_XXS,
    .code_bits = 3,
    .subblock_weights = 32,
    .has_subscales = true,
    .values = values_iq2,
    .decode = decode_iq2_xxs,
    .split = split_iq2_xxs,
};

QUANT_DECODE(iq2_xs)
const quant_format quant_iq2_xs = {
    .type = ELEMENT_IQ2_XS,
    .code_bits = 3,
    .subblock_weights = 16,
    .has_subscales = true,
    .values = values_iq2,
    .decode = decode_iq2_xs,
    .split = split_iq2_xs,
};

QUANT_DECODE(iq2_s)
const quant_format quant_iq2_s = {
    .type = ELEMENT_IQ2_S,
    .code_bits = 3,
    .subblock_weights = 16,
    .has_subscales = true,
    .values = values_iq2,
    .decode = decode_iq2_s,
    .split = split_iq2_s,
};

QUANT_DECODE(iq3_xxs)
const quant_format quant_iq3_xxs = {
    .type = ELEMENT_IQ3_XXS,
    .code_bits = 4,
    .subblock_weights = 32,
    .has_subscales = true,
    .values = values_iq3_xxs,
    .decode = decode_iq3_xxs,
    .split = split_iq3_xxs,
};

QUANT_DECODE(iq3_s)
const quant_format quant_iq3_s = {
    .type = ELEMENT_IQ3_S,
    .code_bits = 4,
    .subblock_weights = 32,
    .has_subscales = true,
    .values = values_iq3_s,
    .decode = decode_iq3_s,
    .split = split_iq3_s,
};
