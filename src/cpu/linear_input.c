/* Owns quantised activations: where they lie in linear_input.prepared, and which rows get a second pass.
 * prepared: uint8 outlier[rows], padded to 64 bytes; linear_block [rows][blocks]; the remainders,
 * [rows][blocks]. */
#include "cpu/linear_layout.h"

#include <math.h>
#include <string.h>

/* A row is an outlier row when the energy of its rounding errors (the sum of the squared block scales) is
 * more than OUTLIER_RATIO times what it would be with every block scale capped at twice the mean. See
 * README.md. */
static const float OUTLIER_RATIO = 8;

static size_t flags_bytes(int64_t rows)
{
    return ((size_t)rows + 63) & ~(size_t)63;
}

size_t linear_input_bytes(int64_t rows, int64_t columns)
{
    size_t blocks = memory_array_bytes((size_t)linear_block_count(columns), 2 * sizeof(linear_block));
    size_t bytes = memory_array_bytes((size_t)rows, blocks);
    return bytes > SIZE_MAX - flags_bytes(rows) ? SIZE_MAX : bytes + flags_bytes(rows);
}

static linear_block *blocks_of(const linear_input *in, int64_t index)
{
    uint8_t *at = (uint8_t *)in->prepared + flags_bytes(in->rows);
    return (linear_block *)(void *)at + index * linear_block_count(in->columns);
}

const linear_block *linear_input_blocks(const linear_input *in, int64_t row)
{
    return blocks_of(in, row);
}

const linear_block *linear_input_remainder(const linear_input *in, int64_t row)
{
    const uint8_t *outlier = in->prepared;
    return outlier[row] ? blocks_of(in, in->rows + row) : NULL;
}

static bool is_outlier(const linear_block *blocks, int64_t count)
{
    float mean = 0, energy = 0, capped = 0;
    for (int64_t b = 0; b < count; b++) {
        mean += blocks[b].scale;
    }
    float cap = 2 * mean / (float)count;
    for (int64_t b = 0; b < count; b++) {
        float scale = blocks[b].scale, low = scale < cap ? scale : cap;
        energy += scale * scale;
        capped += low * low;
    }
    return energy > OUTLIER_RATIO * capped && isfinite(energy);
}

/* The remainder x - scale q, quantised in turn. */
static void quantise_remainder(const linear_kernels *kernels, const float *x, int64_t columns,
                               const linear_block *blocks, linear_block *remainders)
{
    for (int64_t b = 0; b * LINEAR_BLOCK < columns; b++) {
        float left[LINEAR_BLOCK];
        int64_t count = columns - b * LINEAR_BLOCK < LINEAR_BLOCK ? columns - b * LINEAR_BLOCK : LINEAR_BLOCK;
        for (int64_t k = 0; k < count; k++) {
            left[k] = fmaf(-blocks[b].scale, (float)blocks[b].q[k], x[b * LINEAR_BLOCK + k]);
        }
        kernels->quantise(left, count, &remainders[b]);
    }
}

void linear_prepare(const linear_input *in, cpu_isa isa, int64_t begin, int64_t end)
{
    const linear_kernels *kernels = linear_kernels_for(isa);
    uint8_t *outlier = in->prepared;
    int64_t count = linear_block_count(in->columns);
    for (int64_t row = begin; row < end; row++) {
        const float *x = in->x + row * in->stride;
        linear_block *blocks = blocks_of(in, row);
        kernels->quantise(x, in->columns, blocks);
        outlier[row] = is_outlier(blocks, count);
        if (outlier[row]) {
            quantise_remainder(kernels, x, in->columns, blocks, blocks_of(in, in->rows + row));
        }
    }
}

void linear_finish_block(linear_block *block, float scale)
{
    int total = 0;
    memset(block->pair, 0, sizeof block->pair);
    for (int k = 0; k < LINEAR_BLOCK; k++) {
        block->pair[k / 16][k / 2 & 1] += block->q[k];
        total += block->q[k];
    }
    block->scale = scale;
    block->sum = scale * (float)total;
}

/* absmax == 0 or too small for its inverse: zeros. Infinite or NaN: zeros under that scale, so that the
 * product is NaN. */
void linear_quantise_scalar(const float *x, int64_t columns, linear_block *blocks)
{
    for (int64_t b = 0; b * LINEAR_BLOCK < columns; b++) {
        int64_t count = columns - b * LINEAR_BLOCK < LINEAR_BLOCK ? columns - b * LINEAR_BLOCK : LINEAR_BLOCK;
        const float *in = x + b * LINEAR_BLOCK;
        uint32_t most = 0;
        memset(blocks[b].q, 0, sizeof blocks[b].q);
        for (int64_t k = 0; k < count; k++) {
            uint32_t bits;
            memcpy(&bits, &in[k], sizeof bits);
            bits &= 0x7FFFFFFF;
            most = bits > most ? bits : most;
        }
        float absmax, scale = 0;
        memcpy(&absmax, &most, sizeof absmax);
        if (most >= 0x7F800000) {
            scale = NAN;
        } else if (absmax >= LINEAR_TINY) {
            float inverse = 127.0f / absmax;
            scale = absmax / 127.0f;
            for (int64_t k = 0; k < count; k++) {
                blocks[b].q[k] = (int8_t)lrintf(in[k] * inverse);
            }
        }
        linear_finish_block(&blocks[b], scale);
    }
}
