/* Owns the placing of one stored block's codes and scales into a panel: straight from the stored bytes for
 * the common types, through quant_split for the others. Word-wide arithmetic on bytes, because load time is
 * packing time. */
#include "cpu/linear_layout.h"

#include "tensor/half.h"

#include <string.h>

static uint64_t load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* Two groups of four codes: `low` half of the word to vector v, the other to vector v + 1. lane: the row's
 * first byte. */
static void put_two(uint8_t *lane, int v, uint64_t eight)
{
    uint32_t first = (uint32_t)eight, second = (uint32_t)(eight >> 32);
    memcpy(lane + v * 64, &first, sizeof first);
    memcpy(lane + v * 64 + 64, &second, sizeof second);
}

/* 16 bytes that hold codes k and k + 16 in their nibbles, as the 4-bit plane wants them. */
static void put_nibble_bytes(uint8_t *lane, const uint8_t *bytes)
{
    put_two(lane, 0, load64(bytes));
    put_two(lane, 2, load64(bytes + 8));
}

/* The nibbles at `shift` (0 or 4) of 32 bytes. */
static void put_nibbles(uint8_t *lane, const uint8_t *bytes, int shift)
{
    const uint64_t mask = 0x0F0F0F0F0F0F0F0Fu;
    for (int i = 0; i < 2; i++) {
        uint64_t low = load64(bytes + 8 * i) >> shift & mask,
                 high = load64(bytes + 16 + 8 * i) >> shift & mask;
        put_two(lane, 2 * i, low | high << 4);
    }
}

/* The bit pairs at `shift` of 32 bytes. */
static void put_pairs(uint8_t *lane, const uint8_t *bytes, int shift)
{
    uint64_t packed = 0;
    for (int i = 0; i < 4; i++) {
        packed |= (load64(bytes + 8 * i) >> shift & 0x0303030303030303u) << 2 * i;
    }
    put_two(lane, 0, packed);
}

/* Bit `bit` of 32 bytes. */
static void put_bits(uint8_t *lane, const uint8_t *bytes, int bit)
{
    uint32_t packed = 0;
    for (int g = 0; g < 8; g++) {
        packed |= (load32(bytes + 4 * g) >> bit & 0x01010101u) << g;
    }
    memcpy(lane, &packed, sizeof packed);
}

/* 32 bits of which bit k belongs to weight k: bit 4 g + j moves to bit g of byte j. */
static void put_bit_word(uint8_t *lane, uint32_t bits)
{
    for (int j = 0; j < 4; j++) {
        uint32_t x = bits >> j & 0x11111111u;
        x = (x | x >> 3) & 0x03030303u;
        x = (x | x >> 6) & 0x000F000Fu;
        lane[j] = (uint8_t)(x | x >> 12);
    }
}

/* 32 bytes as they are, xor `flip` in each (0x80 turns excess-128 into two's complement). */
static void put_bytes(uint8_t *lane, const uint8_t *bytes, uint64_t flip)
{
    for (int i = 0; i < 4; i++) {
        put_two(lane, 2 * i, load64(bytes + 8 * i) ^ flip);
    }
}

static void put_codes(const linear_layout *layout, uint8_t *lane, const uint8_t *codes)
{
    switch (layout->code) {
    case LINEAR_CODE_2:
        put_pairs(lane, codes, 0);
        break;
    case LINEAR_CODE_3:
        put_pairs(lane, codes, 0);
        put_bits(lane + 128, codes, 2);
        break;
    case LINEAR_CODE_5:
        put_nibbles(lane, codes, 0);
        put_bits(lane + 256, codes, 4);
        break;
    case LINEAR_CODE_6:
        put_nibbles(lane, codes, 0);
        put_pairs(lane + 256, codes, 4);
        break;
    case LINEAR_CODE_8:
        put_bytes(lane, codes, 0x8080808080808080u);
        break;
    default:
        put_nibbles(lane, codes, 0);
        break;
    }
}

/* Where one stored block goes. lane: the first byte of the row in the block's code vectors. */
typedef struct place {
    const linear_layout *layout;
    uint8_t *lane;
    uint16_t *scale, *minimum; /* [16], at the row */
    int8_t *subscale;          /* [8 * halves][16], at the row */
    uint8_t *subminimum;       /* the same */
} place;

static uint8_t *lane_of(const place *p, int b)
{
    return p->lane + (size_t)b * p->layout->code_bytes;
}

static void place_split(const linear_weights *w, const place *p, const uint8_t *stored)
{
    quant_split split;
    w->format->split(stored, &split);
    int blocks = p->layout->superblock ? 8 : 1;
    for (int b = 0; b < blocks; b++) {
        put_codes(p->layout, lane_of(p, b), split.code + b * LINEAR_BLOCK);
    }
    *p->scale = w->type == ELEMENT_MXFP4 ? (uint16_t)(half_to_bits32(split.scale) >> 16)
                                         : half_from_float(split.scale / w->unit);
    if (p->minimum != NULL) {
        *p->minimum = half_from_float(split.minimum);
    }
    for (int s = 0; p->subscale != NULL && s < 8 * p->layout->halves; s++) {
        p->subscale[s * LINEAR_PANEL_ROWS] = split.subscale[s];
        if (p->subminimum != NULL) {
            p->subminimum[s * LINEAR_PANEL_ROWS] = split.subminimum[s];
        }
    }
}

/* Q4_0 Q4_1 Q5_0 Q5_1: f16 scale, f16 minimum?, u32 fifth bits?, nibbles in the very order of the plane. */
static void place_q4_q5(const place *p, const uint8_t *stored)
{
    memcpy(p->scale, stored, 2);
    stored += 2;
    if (p->minimum != NULL) { /* the layout subtracts its minimum, the format adds it */
        uint16_t bits;
        memcpy(&bits, stored, 2);
        *p->minimum = bits ^ 0x8000;
        stored += 2;
    }
    if (p->layout->code == LINEAR_CODE_5) {
        put_bit_word(p->lane + 256, load32(stored));
        stored += 4;
    }
    put_nibble_bytes(p->lane, stored);
}

static void place_q8_0(const place *p, const uint8_t *stored)
{
    memcpy(p->scale, stored, 2);
    put_bytes(p->lane, stored + 2, 0);
}

/* The 12 bytes of eight 6-bit scales and minima of Q4_K and Q5_K (quant/k_quants.c draws them). */
static void place_six_bit_scales(const place *p, const uint8_t *s)
{
    uint32_t a = load32(s), b = load32(s + 4), c = load32(s + 8);
    const uint32_t low_six = 0x3F3F3F3Fu, low_four = 0x0F0F0F0Fu, high_two = 0x30303030u;
    uint32_t scales[2] = {a & low_six, (c & low_four) | (a >> 2 & high_two)};
    uint32_t minima[2] = {b & low_six, (c >> 4 & low_four) | (b >> 2 & high_two)};
    for (int i = 0; i < 8; i++) {
        p->subscale[i * LINEAR_PANEL_ROWS] = (int8_t)(scales[i / 4] >> 8 * (i % 4) & 63);
        p->subminimum[i * LINEAR_PANEL_ROWS] = (uint8_t)(minima[i / 4] >> 8 * (i % 4) & 63);
    }
}

static void place_q4_k_q5_k(const place *p, const uint8_t *stored)
{
    bool five = p->layout->code == LINEAR_CODE_5;
    const uint8_t *nibbles = stored + (five ? 48 : 16);
    memcpy(p->scale, stored, 2);
    memcpy(p->minimum, stored + 2, 2);
    place_six_bit_scales(p, stored + 4);
    for (int b = 0; b < 8; b++) {
        put_nibbles(lane_of(p, b), nibbles + 32 * (b / 2), 4 * (b % 2));
        if (five) {
            put_bits(lane_of(p, b) + 256, stored + 16, b);
        }
    }
}

static void place_q6_k(const place *p, const uint8_t *stored)
{
    memcpy(p->scale, stored + 208, 2);
    for (int s = 0; s < 16; s++) {
        p->subscale[s * LINEAR_PANEL_ROWS] = (int8_t)stored[192 + s];
    }
    for (int b = 0; b < 8; b++) {
        put_nibbles(lane_of(p, b), stored + 64 * (b / 4) + 32 * (b % 2), 4 * (b % 4 / 2));
        put_pairs(lane_of(p, b) + 256, stored + 128 + 32 * (b / 4), 2 * (b % 4));
    }
}

void linear_place_block(linear_weights *w, uint8_t *panel, int row, int64_t index, const uint8_t *stored)
{
    const linear_layout *layout = w->layout;
    size_t blocks = layout->superblock ? 8 : 1;
    linear_meta meta = linear_meta_at(layout, panel + w->meta_offset + (size_t)index * layout->meta_bytes);
    place p = {layout,
               panel + (size_t)index * blocks * layout->code_bytes + row * 4,
               (uint16_t *)meta.scale + row,
               meta.minimum == NULL ? NULL : (uint16_t *)meta.minimum + row,
               meta.subscale == NULL ? NULL : (int8_t *)meta.subscale + row,
               meta.subminimum == NULL ? NULL : (uint8_t *)meta.subminimum + row};
    switch (w->type) {
    case ELEMENT_Q4_0:
    case ELEMENT_Q4_1:
    case ELEMENT_Q5_0:
    case ELEMENT_Q5_1:
    case ELEMENT_IQ4_NL:
        place_q4_q5(&p, stored);
        break;
    case ELEMENT_Q8_0:
        place_q8_0(&p, stored);
        break;
    case ELEMENT_Q4_K:
    case ELEMENT_Q5_K:
        place_q4_k_q5_k(&p, stored);
        break;
    case ELEMENT_Q6_K:
        place_q6_k(&p, stored);
        break;
    default:
        place_split(w, &p, stored);
        break;
    }
}
