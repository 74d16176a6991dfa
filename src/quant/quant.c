/* Owns the list of formats and decoding. Refuses nothing: any bytes decode to some numbers, NaN scales to NaN
 * weights. */
#include "quant/quant.h"

#include "quant/floats.h"
#include "quant/layout.h"

static const quant_format *const formats[] = {
    &quant_q8_0,  &quant_q4_0,    &quant_q4_1,   &quant_q5_0,   &quant_q5_1,    &quant_q2_k,  &quant_q3_k,
    &quant_q4_k,  &quant_q5_k,    &quant_q6_k,   &quant_iq4_nl, &quant_iq4_xs,  &quant_mxfp4, &quant_tq1_0,
    &quant_tq2_0, &quant_iq2_xxs, &quant_iq2_xs, &quant_iq2_s,  &quant_iq3_xxs, &quant_iq3_s,
};

const quant_format *quant_find(element_type type)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (formats[i]->type == type) {
            return formats[i];
        }
    }
    return NULL;
}

/* One sub-block. The order of operations is part of the format: (scale * subscale) * q - minimum *
 * subminimum. */
static void decode_subblock(const quant_format *format, const quant_split *b, int32_t s, float *out)
{
    int32_t size = format->subblock_weights;
    const uint8_t *code = b->code + s * size; /* [size] */
    float scale = b->scale * (float)b->subscale[s];
    float minimum = b->minimum * (float)b->subminimum[s];
    if (format->values != NULL) {
        for (int32_t i = 0; i < size; i++) {
            out[i] = scale * (float)(format->values[code[i]] - format->zero);
        }
    } else if (format->has_minimum) {
        for (int32_t i = 0; i < size; i++) {
            out[i] = scale * (float)(code[i] - format->zero) - minimum;
        }
    } else {
        for (int32_t i = 0; i < size; i++) {
            out[i] = scale * (float)(code[i] - format->zero);
        }
    }
}

void quant_decode_split(const quant_format *format, const void *blocks, float *out, uint64_t n)
{
    const element_info *info = element_find((uint32_t)format->type);
    const uint8_t *block = blocks;
    int32_t subblocks = info->block_weights / format->subblock_weights;
    quant_split split;
    for (uint64_t at = 0; at + (uint64_t)info->block_weights <= n; at += (uint64_t)info->block_weights) {
        format->split(block, &split);
        for (int32_t s = 0; s < subblocks; s++) {
            decode_subblock(format, &split, s, out + at + s * format->subblock_weights);
        }
        block += info->block_bytes;
    }
}

void quant_decode(element_type type, const void *data, float *out, uint64_t n)
{
    const quant_format *format = quant_find(type);
    if (format != NULL) {
        format->decode(data, out, n);
    } else {
        floats_decode(type, data, out, n);
    }
}

bool quant_encode(element_type type, const float *x, void *data, uint64_t n)
{
    const quant_format *format = quant_find(type);
    if (format == NULL) {
        return floats_encode(type, x, data, n);
    }
    if (format->encode == NULL) {
        return false;
    }
    format->encode(x, data, n);
    return true;
}
