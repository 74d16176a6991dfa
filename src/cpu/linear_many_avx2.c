/* Owns the tiled kernels for AVX2: a chunk of a panel is unpacked to bytes once, then TILE rows at a time
 * pass over it. */
#include "cpu/linear_avx2.h"

enum { TILE = 4, SIDE = LINEAR_PANEL_ROWS / 2 };

/* One unpacked block. In superblocks `scale` and `minimum` are those of the superblock, kept in its first
 * block. */
typedef struct chunk_block {
    uint8_t code[8][64];       /* [group of 4 inputs][16 rows][4] */
    int16_t subscale[2][32];   /* [half][16 rows][2 equal numbers] */
    int16_t subminimum[2][32]; /* halves 2: the same */
    float low[16];             /* halves 1: subminimum as float; superblock 0: minimum */
    float scale[16], minimum[16];
} chunk_block;

_Static_assert(sizeof(chunk_block) <= 1024, "LINEAR_UNPACK_BYTES holds LINEAR_CHUNK_BLOCKS of 1024 bytes");

LINEAR_INLINE void unpack_subs(int halves, int minimum, const uint8_t *sub, chunk_block *out)
{
    const uint8_t *low = sub + 8 * LINEAR_PANEL_ROWS * (size_t)halves;
    for (int side = 0; side < 2; side++) {
        for (int h = 0; h < halves; h++) {
            __m256i pairs = linear_subscale_pairs((const int8_t *)sub + h * LINEAR_PANEL_ROWS, side);
            _mm256_storeu_si256((__m256i *)(void *)(out->subscale[h] + side * 16), pairs);
            if (minimum && halves == 2) {
                pairs = linear_subminimum_pairs(low + h * LINEAR_PANEL_ROWS, side);
                _mm256_storeu_si256((__m256i *)(void *)(out->subminimum[h] + side * 16), pairs);
            }
        }
        if (minimum && halves == 1) {
            _mm256_storeu_ps(out->low + side * SIDE, linear_subminimum_floats(low, side));
        }
    }
}

LINEAR_INLINE void unpack_chunk(int code, int superblock, int halves, int minimum, const linear_panel *panel,
                                int64_t begin, int blocks, chunk_block *chunk)
{
    const size_t code_bytes = LINEAR_CODE_BYTES(code);
    const size_t meta_bytes = LINEAR_META_BYTES(superblock, halves, minimum);
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)panel->values));
    for (int i = 0; i < blocks; i++) {
        const uint8_t *block = panel->codes + (size_t)(begin + i) * code_bytes;
        chunk_block *out = &chunk[i];
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) {
#pragma GCC unroll 2
            for (int side = 0; side < 2; side++) {
                __m256i low, high;
                linear_unpack(code, block, v, side, table, &low, &high);
                _mm256_storeu_si256((__m256i *)(void *)(out->code[v] + side * 32), low);
                _mm256_storeu_si256((__m256i *)(void *)(out->code[v + 4] + side * 32), high);
            }
        }
        int64_t index = superblock ? (begin + i) / 8 : begin + i;
        const uint8_t *meta = panel->meta + (size_t)index * meta_bytes;
        const uint16_t *scale = (const uint16_t *)(const void *)meta;
        if (superblock) {
            const size_t sub_bytes = LINEAR_PANEL_ROWS * (size_t)halves;
            unpack_subs(halves, minimum, meta + 32 * (size_t)(1 + minimum) + (size_t)(i & 7) * sub_bytes,
                        out);
        }
        for (int side = 0; side < 2 && (!superblock || (i & 7) == 0); side++) {
            _mm256_storeu_ps(out->scale + side * SIDE, linear_scales(panel, scale, side));
            if (minimum) {
                __m256 m = linear_halves(scale + LINEAR_PANEL_ROWS, side);
                _mm256_storeu_ps((superblock ? out->minimum : out->low) + side * SIDE, m);
            }
        }
    }
}

/* part[row][side] = start[row] + sum over groups [from, to) of one block. */
LINEAR_INLINE void block_part(bool bytes, int zero, int count, const chunk_block *block,
                              const linear_block *const *x, int64_t b, int from, int to, const __m256i *start,
                              __m256i part[][2])
{
#pragma GCC unroll 8
    for (int g = from; g < to; g++) {
        const __m256i ones = _mm256_set1_epi16(1);
        __m256i w[2] = {linear_load(block->code[g]), linear_load(block->code[g] + 32)};
        __m256i size[2] = {bytes ? _mm256_abs_epi8(w[0]) : w[0], bytes ? _mm256_abs_epi8(w[1]) : w[1]};
#pragma GCC unroll 4
        for (int r = 0; r < count; r++) {
            __m256i q = linear_broadcast32(x[r][b].q + 4 * g);
#pragma GCC unroll 2
            for (int side = 0; side < 2; side++) {
                __m256i product = _mm256_maddubs_epi16(size[side], bytes ? _mm256_sign_epi8(q, w[side]) : q);
                product = bytes ? _mm256_madd_epi16(product, ones) : product;
                if (g > from) {
                    bytes ? linear_add32(&part[r][side], product) : linear_add16(&part[r][side], product);
                } else {
                    part[r][side] = zero != 0 ? _mm256_add_epi16(start[r], product) : product;
                    linear_pin(&part[r][side]);
                }
            }
        }
    }
}

/* sum[row][side]: the integer sums of one block, subscales applied. */
LINEAR_INLINE void block_sums(bool bytes, int runs, int superblock, int halves, int zero, int count,
                              const chunk_block *block, const linear_block *const *x, int64_t b,
                              __m256i sum[][2])
{
    const __m256i ones = _mm256_set1_epi16(1);
    const int groups = 8 / runs;
#pragma GCC unroll 2
    for (int run = 0; run < runs; run++) {
        __m256i start[TILE], part[TILE][2];
#pragma GCC unroll 4
        for (int r = 0; r < count; r++) {
            start[r] = linear_start(&x[r][b], runs, run, zero);
        }
        block_part(bytes, zero, count, block, x, b, run * groups, run * groups + groups, start, part);
#pragma GCC unroll 2
        for (int side = 0; side < 2; side++) {
            __m256i scale =
                superblock ? linear_load(block->subscale[halves == 2 ? run : 0] + side * 16) : ones;
#pragma GCC unroll 4
            for (int r = 0; r < count; r++) {
                __m256i total = part[r][side];
                if (!bytes) {
                    total = _mm256_madd_epi16(total, scale);
                } else if (superblock) {
                    total = _mm256_mullo_epi32(total, _mm256_srai_epi32(scale, 16));
                }
                sum[r][side] = run == 0 ? total : _mm256_add_epi32(sum[r][side], total);
            }
        }
    }
}

LINEAR_INLINE void tile_blocks(bool bytes, int runs, int zero, int minimum, int count,
                               const chunk_block *chunk, int blocks, const linear_block *const *x,
                               int64_t begin, float *acc)
{
    for (int i = 0; i < blocks; i++) {
        __m256i sum[TILE][2];
        block_sums(bytes, runs, 0, 1, zero, count, &chunk[i], x, begin + i, sum);
#pragma GCC unroll 4
        for (int r = 0; r < count; r++) {
            const linear_block *a = &x[r][begin + i];
#pragma GCC unroll 2
            for (int side = 0; side < 2; side++) {
                float *at = acc + r * LINEAR_PANEL_ROWS + side * SIDE;
                __m256 factor =
                    _mm256_mul_ps(_mm256_loadu_ps(chunk[i].scale + side * SIDE), _mm256_set1_ps(a->scale));
                __m256 total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[r][side]), factor, _mm256_loadu_ps(at));
                if (minimum) {
                    __m256 m = _mm256_loadu_ps(chunk[i].low + side * SIDE);
                    total = _mm256_fnmadd_ps(m, _mm256_set1_ps(a->sum), total);
                }
                _mm256_storeu_ps(at, total);
            }
        }
    }
}

/* minima[row][side] of eight blocks: apart from the integer sums, so that they stay in registers. */
LINEAR_INLINE void tile_minima(int halves, int count, const chunk_block *chunk, const linear_block *const *x,
                               int64_t begin, __m256 minima[][2])
{
#pragma GCC unroll 4
    for (int r = 0; r < count; r++) {
        minima[r][0] = minima[r][1] = _mm256_setzero_ps();
    }
    for (int i = 0; i < 8; i++) {
#pragma GCC unroll 4
        for (int r = 0; r < count; r++) {
            const linear_block *a = &x[r][begin + i];
#pragma GCC unroll 2
            for (int side = 0; side < 2; side++) {
                __m256 low, scale;
                if (halves == 1) {
                    low = _mm256_loadu_ps(chunk[i].low + side * SIDE);
                    scale = _mm256_set1_ps(a->sum);
                } else {
                    __m256i m0 = linear_load(chunk[i].subminimum[0] + side * 16);
                    __m256i m1 = linear_load(chunk[i].subminimum[1] + side * 16);
                    m0 = _mm256_madd_epi16(m0, linear_broadcast32(a->pair[0]));
                    m1 = _mm256_madd_epi16(m1, linear_broadcast32(a->pair[1]));
                    low = _mm256_cvtepi32_ps(_mm256_add_epi32(m0, m1));
                    scale = _mm256_set1_ps(a->scale);
                }
                minima[r][side] = _mm256_fmadd_ps(low, scale, minima[r][side]);
            }
        }
    }
}

/* Eight blocks: acc += scale * inner - minimum * minima. */
LINEAR_INLINE void tile_superblock(bool bytes, int runs, int halves, int zero, int minimum, int count,
                                   const chunk_block *chunk, const linear_block *const *x, int64_t begin,
                                   float *acc)
{
    __m256 inner[TILE][2], minima[TILE][2];
    for (int r = 0; r < count; r++) {
        inner[r][0] = inner[r][1] = _mm256_setzero_ps();
    }
    for (int i = 0; i < 8; i++) {
        __m256i sum[TILE][2];
        block_sums(bytes, runs, 1, halves, zero, count, &chunk[i], x, begin + i, sum);
#pragma GCC unroll 4
        for (int r = 0; r < count; r++) {
            __m256 scale = _mm256_set1_ps(x[r][begin + i].scale);
            inner[r][0] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[r][0]), scale, inner[r][0]);
            inner[r][1] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[r][1]), scale, inner[r][1]);
        }
    }
    if (minimum) {
        tile_minima(halves, count, chunk, x, begin, minima);
    }
    for (int r = 0; r < count; r++) {
        for (int side = 0; side < 2; side++) {
            float *at = acc + r * LINEAR_PANEL_ROWS + side * SIDE;
            __m256 scale = _mm256_loadu_ps(chunk->scale + side * SIDE);
            __m256 total = _mm256_fmadd_ps(scale, inner[r][side], _mm256_loadu_ps(at));
            if (minimum) {
                total =
                    _mm256_fnmadd_ps(_mm256_loadu_ps(chunk->minimum + side * SIDE), minima[r][side], total);
            }
            _mm256_storeu_ps(at, total);
        }
    }
}

LINEAR_INLINE void tile(int code, int superblock, int halves, int zero, int minimum, int count,
                        const chunk_block *chunk, int blocks, const linear_block *const *x, int64_t begin,
                        float *acc)
{
    const linear_block *local[TILE]; /* the compiler cannot know that sums never overwrite `x` */
#pragma GCC unroll 4
    for (int r = 0; r < count; r++) {
        local[r] = x[r];
    }
    const bool bytes = linear_is_bytes(code);
    const int runs = linear_runs(code, halves, minimum);
    if (!superblock) {
        tile_blocks(bytes, runs, zero, minimum, count, chunk, blocks, local, begin, acc);
        return;
    }
    for (int i = 0; i < blocks; i += 8) {
        tile_superblock(bytes, runs, halves, zero, minimum, count, chunk + i, local, begin + i, acc);
    }
}

LINEAR_INLINE void many(int code, int superblock, int halves, int zero, int minimum,
                        const linear_panel *panel, const linear_block *const *rows, int count, float *acc,
                        chunk_block *chunk)
{
    memset(acc, 0, (size_t)count * LINEAR_PANEL_ROWS * sizeof *acc);
    for (int64_t begin = 0; begin < panel->blocks; begin += LINEAR_CHUNK_BLOCKS) {
        int64_t left = panel->blocks - begin;
        int blocks = left < LINEAR_CHUNK_BLOCKS ? (int)left : LINEAR_CHUNK_BLOCKS;
        unpack_chunk(code, superblock, halves, minimum, panel, begin, blocks, chunk);
        int r = 0;
        for (; r + TILE <= count; r += TILE) {
            tile(code, superblock, halves, zero, minimum, TILE, chunk, blocks, rows + r, begin,
                 acc + r * LINEAR_PANEL_ROWS);
        }
        if (count - r >= 2) {
            tile(code, superblock, halves, zero, minimum, 2, chunk, blocks, rows + r, begin,
                 acc + r * LINEAR_PANEL_ROWS);
            r += 2;
        }
        if (r < count) {
            tile(code, superblock, halves, zero, minimum, 1, chunk, blocks, rows + r, begin,
                 acc + r * LINEAR_PANEL_ROWS);
        }
    }
}

#define MANY_ONE(name, code, superblock, halves, zero, minimum)                                              \
    static void many_##name(const linear_panel *panel, const linear_block *const *rows, int count,           \
                            float *acc, chunk_block *chunk)                                                  \
    {                                                                                                        \
        many(code, superblock, halves, zero, minimum, panel, rows, count, acc, chunk);                       \
    }
LINEAR_LAYOUT_TABLE(MANY_ONE)

void linear_many_avx2(const linear_panel *panel, const linear_block *const *rows, int count, float *acc,
                      void *scratch)
{
    typedef void many_function(const linear_panel *, const linear_block *const *, int, float *,
                               chunk_block *);
    static many_function *const functions[LINEAR_LAYOUT_COUNT] = {
#define MANY_ROW(name, code, superblock, halves, zero, minimum) many_##name,
        LINEAR_LAYOUT_TABLE(MANY_ROW)
#undef MANY_ROW
    };
    functions[panel->layout->id](panel, rows, count, acc, scratch);
}
