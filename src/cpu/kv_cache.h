/* Keys and values of one sequence. Layout belongs to this room (README.md draws it); attention reads it,
 * nobody else does. Keys are stored after RoPE. */
#ifndef CPU_KV_CACHE_H
#define CPU_KV_CACHE_H

#include "base/memory.h"
#include "cpu/ops.h"

typedef struct kv_cache kv_cache;

typedef struct kv_shape {
    int32_t layers, heads_kv, head_size;
    int32_t capacity_tokens;
    smidgen_kv_type key_type, value_type;
} kv_shape;

/* Bytes that kv_create will take, exactly. */
uint64_t kv_bytes(const kv_shape *shape);
/* Fails with OUT_OF_MEMORY or INVALID_ARGUMENT (q8_0 needs head_size % 32 == 0). */
kv_cache *kv_create(const kv_shape *shape, const smidgen_allocator *allocator, smidgen_error *error);
void kv_close(kv_cache *c);
const kv_shape *kv_get_shape(const kv_cache *c);

/* Stores key and value rows ([heads_kv * head_size] floats each, keys already rotated) of one token of one
 * layer at slot `position` < capacity. Disjoint positions, layers or heads [head_begin, head_end) may be
 * stored from several threads. */
void kv_store(kv_cache *c, int32_t layer, int32_t position, const float *key, const float *value,
              int32_t head_begin, int32_t head_end, cpu_isa isa);

/* Drops tokens [begin, begin + count) and moves the ones up to `used` down; the moved keys are rotated by
 * -count positions so that they stay right (rope gives each layer's rotation: ropes[layer]). */
void kv_remove(kv_cache *c, int32_t begin, int32_t count, int32_t used, const rope_table *const *ropes);
/* Reads one stored row back to floats (tests, session files). */
void kv_load(const kv_cache *c, int32_t layer, int32_t position, int32_t head, float *key, float *value);

#endif
