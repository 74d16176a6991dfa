/* Private to cpu/linear*: how packed weights and quantised activations lie in memory, and the table of
 * kernels. README.md draws the layouts; linear_scalar.c is the truth of every kernel. */
#ifndef CPU_LINEAR_LAYOUT_H
#define CPU_LINEAR_LAYOUT_H

#include "cpu/linear.h"
#include "quant/quant.h"

enum {
    LINEAR_BLOCK = 32,       /* inputs that share one activation scale */
    LINEAR_SUPERBLOCK = 256, /* inputs that share one f16 scale in the K types */
    LINEAR_FEW = 4,          /* rows that the streaming kernels take at once */
    LINEAR_MANY = 64,        /* rows (outlier rows included) that the tiled kernels take at once */
    LINEAR_CHUNK_BLOCKS =
        16, /* blocks of a panel that the tiled kernels unpack at a time, to stay in the first cache */
    LINEAR_FLOAT_CHUNK = 256, /* inputs of a panel that the float kernels take at a time */
    LINEAR_FLOAT_RUN = 64,    /* inputs that go into one float accumulator before it is added to the others */
};

typedef enum linear_code {
    LINEAR_CODE_2,     /* one 2-bit plane */
    LINEAR_CODE_3,     /* 2-bit plane, 1-bit plane */
    LINEAR_CODE_4,     /* 4-bit plane */
    LINEAR_CODE_5,     /* 4-bit plane, 1-bit plane */
    LINEAR_CODE_6,     /* 4-bit plane, 2-bit plane */
    LINEAR_CODE_8,     /* signed bytes: the zero is already subtracted */
    LINEAR_CODE_TABLE, /* 4-bit plane of indices into 16 signed bytes */
} linear_code;

/* LINEAR_LAYOUT_ROW(NAME, code, superblock, halves, zero, minimum):
 *   superblock  0: an f16 scale (and minimum) per block; 1: integer subscales (and subminima) under an f16
 * scale per superblock halves      subblocks of a block: 1 (of 32) or 2 (of 16) zero        subtracted from
 * every code; minimum: 1 where one is stored. */
#define LINEAR_LAYOUT_TABLE(LINEAR_LAYOUT_ROW)                                                               \
    LINEAR_LAYOUT_ROW(Q4_0, LINEAR_CODE_4, 0, 1, 8, 0)                                                       \
    LINEAR_LAYOUT_ROW(Q4_1, LINEAR_CODE_4, 0, 1, 0, 1)                                                       \
    LINEAR_LAYOUT_ROW(Q5_0, LINEAR_CODE_5, 0, 1, 16, 0)                                                      \
    LINEAR_LAYOUT_ROW(Q5_1, LINEAR_CODE_5, 0, 1, 0, 1)                                                       \
    LINEAR_LAYOUT_ROW(Q8_0, LINEAR_CODE_8, 0, 1, 0, 0)                                                       \
    LINEAR_LAYOUT_ROW(TABLE, LINEAR_CODE_TABLE, 0, 1, 0, 0)                                                  \
    LINEAR_LAYOUT_ROW(Q2_K, LINEAR_CODE_2, 1, 2, 0, 1)                                                       \
    LINEAR_LAYOUT_ROW(Q3_K, LINEAR_CODE_3, 1, 2, 4, 0)                                                       \
    LINEAR_LAYOUT_ROW(Q4_K, LINEAR_CODE_4, 1, 1, 0, 1)                                                       \
    LINEAR_LAYOUT_ROW(Q5_K, LINEAR_CODE_5, 1, 1, 0, 1)                                                       \
    LINEAR_LAYOUT_ROW(Q6_K, LINEAR_CODE_6, 1, 2, 32, 0)                                                      \
    LINEAR_LAYOUT_ROW(TERNARY, LINEAR_CODE_2, 1, 1, 1, 0)                                                    \
    LINEAR_LAYOUT_ROW(TABLE_K, LINEAR_CODE_TABLE, 1, 1, 0, 0)                                                \
    LINEAR_LAYOUT_ROW(TABLE_K16, LINEAR_CODE_TABLE, 1, 2, 0, 0)

#define LINEAR_CODE_BYTES(code)                                                                              \
    ((code) == LINEAR_CODE_2   ? 128                                                                         \
     : (code) == LINEAR_CODE_3 ? 192                                                                         \
     : (code) == LINEAR_CODE_5 ? 320                                                                         \
     : (code) == LINEAR_CODE_6 ? 384                                                                         \
     : (code) == LINEAR_CODE_8 ? 512                                                                         \
                               : 256)
#define LINEAR_META_BYTES(superblock, halves, minimum)                                                       \
    ((1 + (minimum)) * (32 + (superblock) * 128 * (halves)))

typedef enum linear_layout_id {
#define LINEAR_LAYOUT_ENUM(name, code, superblock, halves, zero, minimum) LINEAR_LAYOUT_##name,
    LINEAR_LAYOUT_TABLE(LINEAR_LAYOUT_ENUM)
#undef LINEAR_LAYOUT_ENUM
        LINEAR_LAYOUT_COUNT,
    LINEAR_LAYOUT_FLOAT /* F32, F16, BF16: [columns][16 rows] elements a panel */
} linear_layout_id;

typedef struct linear_layout {
    linear_layout_id id;
    linear_code code;
    int superblock, halves, zero, minimum;
    size_t code_bytes; /* of one block of one panel: a multiple of 64 */
    size_t meta_bytes; /* of one block (superblock 0) or superblock (1) of one panel */
} linear_layout;

/* One panel of a quantised matrix: codes[blocks][code_bytes], then meta[blocks or superblocks][meta_bytes]:
 *   uint16 scale[16]; uint16 minimum[16] if any; then in superblocks int8 subscale[8 * halves][16];
 *   uint8 subminimum[8 * halves][16] if any. */
typedef struct linear_panel {
    const linear_layout *layout;
    const uint8_t *codes, *meta;
    int64_t blocks;
    const int8_t *values; /* [16] LINEAR_CODE_TABLE */
    float unit;           /* the scale is the stored f16 times unit, a power of two */
    bool scale_bf16;      /* the stored scale is a bfloat16 (MXFP4) */
} linear_panel;

/* 32 activations: x[k] = scale * q[k] + rounding, |q| <= 127. */
typedef struct linear_block {
    int8_t q[LINEAR_BLOCK];
    int16_t pair[2][2]; /* [half h][p]: sum of q over k = 16 h + 4 g + 2 p + {0, 1}, g = 0..3 */
    float scale, sum;   /* sum = scale * (sum of q) */
} linear_block;

/* The float arithmetic of every kernel, in this order (fma = one rounding), i = the exact integer sum of a
 * block: superblock 0: acc = fma(i, scale * a.scale, acc); with a minimum acc = fma(minimum, a.sum, acc)
 *   superblock 1: inner = fma(i, a.scale, inner), i = sum over halves of subscale * half's sum;
 *                 with minima and halves 1: minima = fma(subminimum, a.sum, minima)
 *                 with minima and halves 2: minima = fma(sum of subminimum * half's sum of q, a.scale,
 * minima) after 8 blocks acc = fma(scale * unit, inner, acc), acc = fma(-minimum, minima, acc) so every
 * instruction set and every number of rows gives the same bits. */
typedef struct linear_kernels {
    /* x[columns] to blocks[ceil(columns / 32)]. */
    void (*quantise)(const float *x, int64_t columns, linear_block *blocks);
    /* acc[count][16] = panel * rows; count 1 .. LINEAR_FEW; rows[count] point at `panel->blocks` blocks. */
    void (*few)(const linear_panel *panel, const linear_block *const *rows, int count, float *acc);
    /* The same for 1 .. LINEAR_MANY rows. scratch: LINEAR_SCRATCH_BYTES, 64-byte aligned. */
    void (*many)(const linear_panel *panel, const linear_block *const *rows, int count, float *acc,
                 void *scratch);
    /* out[32 * blocks][16]: blocks [begin, begin + blocks) as floats, exactly as quant_decode. */
    void (*expand)(const linear_panel *panel, int64_t begin, int64_t blocks, float *out);
    /* n elements of F32, F16 or BF16. */
    void (*widen)(element_type type, const void *in, float *out, int64_t n);
    /* acc[count][16] += w[k][16] * x[count][k], k < LINEAR_FLOAT_CHUNK, in runs of LINEAR_FLOAT_RUN:
     * acc = acc + ((run0 + run1) + (run2 + run3)), a run being one chain of fma. */
    void (*float_tile)(const float *w, const float *const *x, int64_t k, int count, float *acc);
} linear_kernels;

/* Scratch of one thread: the largest of what the kernels unpack, and the sums of LINEAR_MANY rows. */
#define LINEAR_UNPACK_BYTES  ((size_t)LINEAR_CHUNK_BLOCKS * 1024)
#define LINEAR_SUMS_BYTES    ((size_t)LINEAR_MANY * LINEAR_PANEL_ROWS * sizeof(float))
#define LINEAR_SCRATCH_BYTES (LINEAR_UNPACK_BYTES + LINEAR_SUMS_BYTES)

struct linear_weights {
    smidgen_allocator allocator;
    int64_t rows, columns;
    int64_t panels, blocks; /* blocks: of 32 inputs, quantised types only */
    uint64_t row_bytes;     /* of a stored row */
    size_t panel_bytes, meta_offset, packed_bytes;
    uint8_t *packed;
    const quant_format *format;  /* NULL for floats */
    const linear_layout *layout; /* NULL for floats */
    const linear_kernels *kernels;
    int8_t values[16];
    float unit;
    element_type type, stored_type; /* stored_type: F32 for F64, otherwise type */
    smidgen_precision precision;
};

extern const linear_kernels linear_kernels_scalar;
/* The best table of this build that `isa` allows. */
const linear_kernels *linear_kernels_for(cpu_isa isa);

/* Parts of the AVX2 table that the AVX-512 one shares. */
void linear_quantise_avx2(const float *x, int64_t columns, linear_block *blocks);
void linear_expand_avx2(const linear_panel *panel, int64_t begin, int64_t blocks, float *out);
void linear_widen_avx2(element_type type, const void *in, float *out, int64_t n);

/* NULL when no layout fits the format. */
const linear_layout *linear_layout_find(const quant_format *format);
linear_panel linear_panel_of(const linear_weights *w, int64_t panel);
/* Code (index for tables) of row `row` and input k of one block of a panel. */
int linear_code_at(const linear_layout *layout, const uint8_t *block, int row, int k);
/* Value of the same: zero subtracted, table applied. */
int linear_value_at(const linear_panel *panel, const uint8_t *block, int row, int k);

/* Puts stored block (32 or 256 weights) number `index` of a row into its panel. */
void linear_place_block(linear_weights *w, uint8_t *panel, int row, int64_t index, const uint8_t *stored);

/* The quantised row, and its remainder or NULL where the row is no outlier. */
const linear_block *linear_input_blocks(const linear_input *in, int64_t row);
const linear_block *linear_input_remainder(const linear_input *in, int64_t row);
/* Blocks whose largest |x| is below this become zeros. */
#define LINEAR_TINY 1e-30f
void linear_quantise_scalar(const float *x, int64_t columns, linear_block *blocks);
/* Fills pair, scale and sum from q. */
void linear_finish_block(linear_block *block, float scale);

/* out[32] = row `row` of block b, exactly as quant_decode. */
void linear_decode_block(const linear_panel *panel, int64_t b, int row, float *out);

static inline int64_t linear_block_count(int64_t columns)
{
    return (columns + LINEAR_BLOCK - 1) / LINEAR_BLOCK;
}

/* The parts of one block's or superblock's meta; NULL where the layout has none. */
typedef struct linear_meta {
    const uint16_t *scale, *minimum; /* [16] */
    const int8_t *subscale;          /* [8 * halves][16] */
    const uint8_t *subminimum;       /* [8 * halves][16] */
} linear_meta;

static inline linear_meta linear_meta_at(const linear_layout *layout, const uint8_t *meta)
{
    size_t f16 = LINEAR_PANEL_ROWS * sizeof(uint16_t);
    const uint8_t *after = meta + f16 * (layout->minimum ? 2 : 1);
    size_t sub = (size_t)8 * (size_t)layout->halves * LINEAR_PANEL_ROWS;
    return (linear_meta){(const uint16_t *)(const void *)meta,
                         layout->minimum ? (const uint16_t *)(const void *)(meta + f16) : NULL,
                         layout->superblock ? (const int8_t *)after : NULL,
                         layout->superblock && layout->minimum ? after + sub : NULL};
}

#endif
