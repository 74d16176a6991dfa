/* Stored weight formats: what the bytes of a block mean. One file per format family; each opens with a
 * drawing of its layout. decode() is the truth that every packed layout and kernel is tested against. */
#ifndef QUANT_QUANT_H
#define QUANT_QUANT_H

#include "tensor/element.h"

enum { QUANT_SPLIT_WEIGHTS = 256, QUANT_SPLIT_SUBBLOCKS = 16 };

/* One stored block (32 or 256 weights of one row) taken apart without losing a bit:
 *   weight[i] = scale * subscale[s] * (value(code[i]) - zero) - minimum * subminimum[s],  s = i /
 * subblock_weights computed in float32 as decode() does. `value` is the identity, or format->values[code]
 * where that is not NULL. */
typedef struct quant_split {
    uint8_t code[QUANT_SPLIT_WEIGHTS];
    int8_t subscale[QUANT_SPLIT_SUBBLOCKS];    /* 1 where the format has none */
    uint8_t subminimum[QUANT_SPLIT_SUBBLOCKS]; /* 1 where the format has a minimum but no subminimum */
    float scale;   /* exact value of the stored scale (f16 or e8m0), maybe times a power of two */
    float minimum; /* 0 where the format has none; negative for Q4_1, Q5_1 (w = d q + m) */
} quant_split;

typedef struct quant_format {
    element_type type;
    uint8_t code_bits;        /* codes are 0 .. 2^code_bits - 1 */
    uint8_t subblock_weights; /* 16 or 32 */
    uint8_t zero;             /* subtracted from value(code) */
    bool has_subscales;       /* subscale is not constant 1 */
    bool has_minimum;
    const int8_t *values; /* [16] value of each code (nonlinear formats and the grids of IQ2/IQ3), or NULL */
    /* n weights (whole blocks) from `blocks` to out[n]. */
    void (*decode)(const void *blocks, float *out, uint64_t n);
    void (*split)(const void *block, quant_split *out);
    /* x[n] to whole blocks, round to nearest; NULL where Smidgen does not write the format. */
    void (*encode)(const float *x, void *blocks, uint64_t n);
} quant_format;

/* NULL for types that are not block-quantised (floats, integers). */
const quant_format *quant_find(element_type type);

/* n weights of any type of the table, floats and integers included, to float32. */
void quant_decode(element_type type, const void *data, float *out, uint64_t n);
/* x[n] (whole blocks) to any type that Smidgen writes: F32, F16, BF16 and the formats with an `encode`; false
 * otherwise. */
bool quant_encode(element_type type, const float *x, void *data, uint64_t n);

#endif
