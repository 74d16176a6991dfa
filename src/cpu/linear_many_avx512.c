/* Owns the tiled kernels for AVX-512/VNNI: a chunk of a panel is unpacked to bytes once, then TILE rows at a
 * time pass over it with one accumulator each (two where the subblocks are 16 long). */
#include "cpu/linear_avx512.h"

enum { TILE = 8 };

/* One unpacked block; scale and minimum of a superblock are kept in its first block. */
typedef struct chunk_block {
    uint8_t code[8][64];       /* [group of 4 inputs][16 rows][4] */
    float subscale[2][16];     /* [half] */
    int32_t subminimum[2][16]; /* halves 2 */
    float low[16];             /* halves 1: subminimum as float; superblock 0: minimum */
    float scale[16], minimum[16];
} chunk_block;

_Static_assert(sizeof(chunk_block) <= 1024, "LINEAR_UNPACK_BYTES holds LINEAR_CHUNK_BLOCKS of 1024 bytes");

LINEAR_INLINE void unpack_chunk(int code, int superblock, int halves, int minimum, const linear_panel *panel,
                                int64_t begin, int blocks, chunk_block *chunk)
{
    const size_t code_bytes = LINEAR_CODE_BYTES(code), sub_bytes = LINEAR_PANEL_ROWS * (size_t)halves;
    const size_t meta_bytes = LINEAR_META_BYTES(superblock, halves, minimum);
    const __m512i table = linear_table(panel);
    for (int i = 0; i < blocks; i++) {
        const uint8_t *block = panel->codes + (size_t)(begin + i) * code_bytes;
        chunk_block *out = &chunk[i];
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) {
            __m512i low, high;
            linear_unpack(code, block, v, table, &low, &high);
            _mm512_storeu_si512(out->code[v], low);
            _mm512_storeu_si512(out->code[v + 4], high);
        }
        int64_t index = superblock ? (begin + i) / 8 : begin + i;
        const uint8_t *meta = panel->meta + (size_t)index * meta_bytes;
        const uint16_t *scale = (const uint16_t *)(const void *)meta;
        const uint8_t *sub = meta + 32 * (size_t)(1 + minimum) + (size_t)(i & 7) * sub_bytes;
        for (int h = 0; superblock && h < halves; h++) {
            const uint8_t *low = sub + 8 * sub_bytes + h * LINEAR_PANEL_ROWS;
            _mm512_storeu_ps(out->subscale[h], linear_subscales((const int8_t *)sub + h * LINEAR_PANEL_ROWS));
            if (minimum && halves == 2) {
                _mm512_storeu_si512(out->subminimum[h], linear_subminima(low));
            } else if (minimum) {
                _mm512_storeu_ps(out->low, _mm512_cvtepi32_ps(linear_subminima(low)));
            }
        }
        if (!superblock || (i & 7) == 0) {
            _mm512_storeu_ps(out->scale, linear_scales(panel, scale));
            if (minimum) {
                _mm512_storeu_ps(superblock ? out->minimum : out->low,
                                 linear_halves(scale + LINEAR_PANEL_ROWS));
            }
        }
    }
}

/* Sums of the halves of one block: first[row] (all of it where halves is 1), second[row]. */
LINEAR_INLINE void block_sums(int halves, int bias, int count, const chunk_block *block,
                              const linear_block *const *x, int64_t b, __m512i *first, __m512i *second)
{
#pragma GCC unroll 8
    for (int r = 0; r < count; r++) {
        first[r] = linear_start(_mm512_setzero_si512(), &x[r][b], 0, bias);
        if (halves == 2) {
            second[r] = linear_start(_mm512_setzero_si512(), &x[r][b], 1, bias);
        } else {
            first[r] = linear_start(first[r], &x[r][b], 1, bias);
        }
    }
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++) {
        __m512i w = linear_load(block->code[g]);
        __m512i *sum = halves == 2 && g >= 4 ? second : first;
#pragma GCC unroll 8
        for (int r = 0; r < count; r++) {
            sum[r] = _mm512_dpbusd_epi32(sum[r], w, linear_broadcast32(x[r][b].q + 4 * g));
        }
    }
}

LINEAR_INLINE void tile_blocks(int bias, int minimum, int count, const chunk_block *chunk, int blocks,
                               const linear_block *const *x, int64_t begin, float *acc)
{
    __m512 total[TILE];
#pragma GCC unroll 8
    for (int r = 0; r < count; r++) {
        total[r] = _mm512_loadu_ps(acc + r * LINEAR_PANEL_ROWS);
    }
    for (int i = 0; i < blocks; i++) {
        __m512i sum[TILE], second[TILE];
        block_sums(1, bias, count, &chunk[i], x, begin + i, sum, second);
#pragma GCC unroll 8
        for (int r = 0; r < count; r++) {
            const linear_block *a = &x[r][begin + i];
            __m512 factor = _mm512_mul_ps(_mm512_loadu_ps(chunk[i].scale), _mm512_set1_ps(a->scale));
            total[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r]), factor, total[r]);
            if (minimum) {
                total[r] = _mm512_fnmadd_ps(_mm512_loadu_ps(chunk[i].low), _mm512_set1_ps(a->sum), total[r]);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < count; r++) {
        _mm512_storeu_ps(acc + r * LINEAR_PANEL_ROWS, total[r]);
    }
}

/* Eight blocks: acc += scale * inner - minimum * minima. */
LINEAR_INLINE void tile_superblock(int halves, int bias, int minimum, int count, const chunk_block *chunk,
                                   const linear_block *const *x, int64_t begin, float *acc)
{
    __m512 inner[TILE], minima[TILE];
#pragma GCC unroll 8
    for (int r = 0; r < count; r++) {
        inner[r] = minima[r] = _mm512_setzero_ps();
    }
    for (int i = 0; i < 8; i++) {
        __m512i first[TILE], second[TILE];
        block_sums(halves, bias, count, &chunk[i], x, begin + i, first, second);
        __m512 scale0 = _mm512_loadu_ps(chunk[i].subscale[0]);
        __m512 scale1 = halves == 2 ? _mm512_loadu_ps(chunk[i].subscale[1]) : scale0;
#pragma GCC unroll 8
        for (int r = 0; r < count; r++) {
            const linear_block *a = &x[r][begin + i];
            __m512 sum =
                linear_scaled_sum(halves, first[r], halves == 2 ? second[r] : first[r], scale0, scale1);
            inner[r] = _mm512_fmadd_ps(sum, _mm512_set1_ps(a->scale), inner[r]);
            if (minimum && halves == 1) {
                minima[r] = _mm512_fmadd_ps(_mm512_loadu_ps(chunk[i].low), _mm512_set1_ps(a->sum), minima[r]);
            } else if (minimum) {
                __m512 low = linear_low_sum(a, linear_load(chunk[i].subminimum[0]),
                                            linear_load(chunk[i].subminimum[1]));
                minima[r] = _mm512_fmadd_ps(low, _mm512_set1_ps(a->scale), minima[r]);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < count; r++) {
        float *at = acc + r * LINEAR_PANEL_ROWS;
        __m512 total = _mm512_fmadd_ps(_mm512_loadu_ps(chunk->scale), inner[r], _mm512_loadu_ps(at));
        if (minimum) {
            total = _mm512_fnmadd_ps(_mm512_loadu_ps(chunk->minimum), minima[r], total);
        }
        _mm512_storeu_ps(at, total);
    }
}

LINEAR_INLINE void tile(int code, int superblock, int halves, int zero, int minimum, int count,
                        const chunk_block *chunk, int blocks, const linear_block *const *x, int64_t begin,
                        float *acc)
{
    const int bias = linear_bias(code, zero);
    if (!superblock) {
        tile_blocks(bias, minimum, count, chunk, blocks, x, begin, acc);
        return;
    }
    for (int i = 0; i < blocks; i += 8) {
        tile_superblock(halves, bias, minimum, count, chunk + i, x, begin + i, acc);
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
        if (count - r >= 4) {
            tile(code, superblock, halves, zero, minimum, 4, chunk, blocks, rows + r, begin,
                 acc + r * LINEAR_PANEL_ROWS);
            r += 4;
        }
        for (; r < count; r++) {
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

void linear_many_avx512(const linear_panel *panel, const linear_block *const *rows, int count, float *acc,
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
