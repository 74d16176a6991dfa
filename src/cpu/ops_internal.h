/* What ops_<isa>.c, attention.c and kv_cache.c share; nobody else includes this. */
#ifndef CPU_OPS_INTERNAL_H
#define CPU_OPS_INTERNAL_H

#include "cpu/kv_cache.h"
#include "cpu/ops.h"

enum {
    KV_PANEL = 16,        /* positions of a panel, and head dimensions of a value tile */
    KV_BLOCK = 32,        /* weights that share a scale in q8_0 */
    KV_TYPES = 3,         /* rows of the format tables */
    ATTENTION_BLOCK = 64, /* positions between two softmax steps */
};

/* How one stored type is read and written; a new type is one more of these for each instruction set. A panel
 * holds KV_PANEL positions of one head (README.md draws it). */
typedef struct attention_format {
    /* s[r, 0 .. 16 panels) = q[r, :] . key, for rows r; q: [rows, head_size] floats, stride q_stride.
     * ahead: bytes from these panels to those that will be read next; 0 where there are none. */
    void (*scores)(const float *q, int64_t q_stride, int rows, const void *keys, size_t panel_bytes,
                   int panels, size_t ahead, float *s, int64_t s_stride, int32_t head_size);
    /* o[r, :] += sum over positions j in [begin, end) of p[r, j] value[j, :]; o: [rows, head_size padded to
     * 16]. */
    void (*values)(const float *p, int64_t p_stride, int rows, const void *values, size_t panel_bytes,
                   int begin, int end, size_t ahead, float *o, int64_t o_stride, int32_t head_size);
    /* Panels to the same panels in f32. NULL for f32. */
    void (*unpack_key)(const void *panel, size_t panel_bytes, int panels, float *out, int32_t head_size);
    void (*unpack_value)(const void *panel, size_t panel_bytes, int panels, float *out, int32_t head_size);
    /* One head of one position into its panel; slot: 0 .. 15. */
    void (*store_key)(void *panel, int slot, const float *key, int32_t head_size);
    void (*store_value)(void *panel, int slot, const float *value, int32_t head_size);
} attention_format;

typedef struct attention_kernels {
    attention_format formats[KV_TYPES];
    /* One step of the online softmax over columns [0, n), n % 16 == 0, in base 2: s becomes 2^(s - max). max
     * [rows], the reference of a row, and its sum [rows] are brought forward; where the reference moves, o
     * [rows, size] is scaled. */
    void (*softmax)(float *s, int64_t s_stride, int rows, int n, float *max, float *sum, float *o,
                    int64_t o_stride, int32_t size);
} attention_kernels;

const attention_kernels *attention_kernels_for(cpu_isa isa);

void ops_rope_angles(const rope_table *table, const int32_t *positions, float *out, int64_t begin,
                     int64_t end);

static inline int32_t kv_padded(int32_t head_size)
{
    return (head_size + KV_PANEL - 1) / KV_PANEL * KV_PANEL;
}

/* Bytes of a panel of keys or of values. */
size_t kv_panel_bytes(smidgen_kv_type type, int32_t head_size);
/* First panel of a head; the next ones follow. */
const uint8_t *kv_key_panels(const kv_cache *c, int32_t layer, int32_t head);
const uint8_t *kv_value_panels(const kv_cache *c, int32_t layer, int32_t head);

#endif
