/* Owns the memory of keys and values and where each number stands in it (README.md draws the panels). Refuses
 * shapes that are not positive, do not fit into memory, or do not fill q8_0 blocks. */
#include "base/error.h"
#include "cpu/ops_internal.h"
#include "tensor/half.h"

#include <math.h>
#include <string.h>

struct kv_cache {
    const smidgen_allocator *allocator;
    kv_shape shape;
    size_t size_bytes;
    size_t key_panel_bytes, value_panel_bytes;
    size_t key_head_bytes, value_head_bytes; /* all panels of one head of one layer */
    uint8_t *keys, *values;                  /* [layers, heads_kv, panels] */
    float *row;                              /* [4 head_size]: key, value, cos and sin of kv_remove */
};

enum { KV_ALIGNMENT = 64, KV_MEMBER_LIMIT = 1 << 24 };

static uint64_t align_bytes(uint64_t bytes)
{
    return (bytes + KV_ALIGNMENT - 1) / KV_ALIGNMENT * KV_ALIGNMENT;
}

size_t kv_panel_bytes(smidgen_kv_type type, int32_t head_size)
{
    size_t numbers = (size_t)kv_padded(head_size) * KV_PANEL;
    switch (type) {
    case SMIDGEN_KV_F32:
        return numbers * sizeof(float);
    case SMIDGEN_KV_F16:
        return numbers * sizeof(uint16_t);
    case SMIDGEN_KV_Q8_0:
        return numbers + numbers / KV_BLOCK * sizeof(uint16_t);
    }
    return 0;
}

static bool shape_is_valid(const kv_shape *s)
{
    const int32_t members[] = {s->layers, s->heads_kv, s->head_size, s->capacity_tokens};
    for (int i = 0; i < 4; i++) {
        if (members[i] <= 0 || members[i] > KV_MEMBER_LIMIT) {
            return false;
        }
    }
    bool has_blocks = s->key_type == SMIDGEN_KV_Q8_0 || s->value_type == SMIDGEN_KV_Q8_0;
    return (unsigned)s->key_type < KV_TYPES && (unsigned)s->value_type < KV_TYPES &&
           (!has_blocks || s->head_size % KV_BLOCK == 0);
}

static uint64_t panels_of_head(const kv_shape *s)
{
    return ((uint64_t)s->capacity_tokens + KV_PANEL - 1) / KV_PANEL;
}

/* Bytes of all keys, or of all values; UINT64_MAX when they wrap. */
static uint64_t plane_bytes(const kv_shape *s, smidgen_kv_type type)
{
    uint64_t heads = (uint64_t)s->layers * (uint64_t)s->heads_kv;                 /* < 2^49 */
    uint64_t head_bytes = panels_of_head(s) * kv_panel_bytes(type, s->head_size); /* < 2^21 2^31 */
    return heads > UINT64_MAX / 4 / head_bytes ? UINT64_MAX : align_bytes(heads * head_bytes);
}

uint64_t kv_bytes(const kv_shape *shape)
{
    if (!shape_is_valid(shape)) {
        return 0;
    }
    uint64_t keys = plane_bytes(shape, shape->key_type), values = plane_bytes(shape, shape->value_type);
    if (keys == UINT64_MAX || values == UINT64_MAX) {
        return UINT64_MAX;
    }
    uint64_t row_bytes = 4 * sizeof(float) * (uint64_t)shape->head_size;
    return align_bytes(sizeof(kv_cache)) + align_bytes(row_bytes) + keys + values;
}

kv_cache *kv_create(const kv_shape *shape, const smidgen_allocator *allocator, smidgen_error *error)
{
    if (!shape_is_valid(shape)) {
        error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                  "a KV cache of %d layers, %d heads of %d and %d tokens with types %d and %d cannot be made",
                  (int)shape->layers, (int)shape->heads_kv, (int)shape->head_size,
                  (int)shape->capacity_tokens, (int)shape->key_type, (int)shape->value_type);
        return NULL;
    }
    uint64_t bytes = kv_bytes(shape);
    uint8_t *block = bytes > SIZE_MAX / 2 ? NULL : memory_allocate(allocator, (size_t)bytes);
    if (block == NULL) {
        error_set_memory(error, "the KV cache", bytes);
        return NULL;
    }
    kv_cache *c = (kv_cache *)block;
    size_t panels = (size_t)panels_of_head(shape);
    *c = (kv_cache){.allocator = allocator, .shape = *shape, .size_bytes = (size_t)bytes};
    c->key_panel_bytes = kv_panel_bytes(shape->key_type, shape->head_size);
    c->value_panel_bytes = kv_panel_bytes(shape->value_type, shape->head_size);
    c->key_head_bytes = panels * c->key_panel_bytes;
    c->value_head_bytes = panels * c->value_panel_bytes;
    c->row = (float *)(block + align_bytes(sizeof(kv_cache)));
    c->keys = (uint8_t *)c->row + align_bytes(4 * sizeof(float) * (uint64_t)shape->head_size);
    c->values = c->keys + (size_t)plane_bytes(shape, shape->key_type);
    return c;
}

void kv_close(kv_cache *c)
{
    if (c != NULL) {
        memory_release(c->allocator, c, c->size_bytes);
    }
}

const kv_shape *kv_get_shape(const kv_cache *c)
{
    return &c->shape;
}

static size_t head_index(const kv_cache *c, int32_t layer, int32_t head)
{
    return (size_t)layer * (size_t)c->shape.heads_kv + (size_t)head;
}

static uint8_t *key_panel(const kv_cache *c, int32_t layer, int32_t head, int32_t position)
{
    return c->keys + head_index(c, layer, head) * c->key_head_bytes +
           (size_t)(position / KV_PANEL) * c->key_panel_bytes;
}

static uint8_t *value_panel(const kv_cache *c, int32_t layer, int32_t head, int32_t position)
{
    return c->values + head_index(c, layer, head) * c->value_head_bytes +
           (size_t)(position / KV_PANEL) * c->value_panel_bytes;
}

const uint8_t *kv_key_panels(const kv_cache *c, int32_t layer, int32_t head)
{
    return key_panel(c, layer, head, 0);
}

const uint8_t *kv_value_panels(const kv_cache *c, int32_t layer, int32_t head)
{
    return value_panel(c, layer, head, 0);
}

void kv_store(kv_cache *c, int32_t layer, int32_t position, const float *key, const float *value,
              int32_t head_begin, int32_t head_end, cpu_isa isa)
{
    const attention_kernels *kernels = attention_kernels_for(isa);
    int32_t size = c->shape.head_size;
    int slot = position % KV_PANEL;
    for (int32_t head = head_begin; head < head_end; head++) {
        kernels->formats[c->shape.key_type].store_key(key_panel(c, layer, head, position), slot,
                                                      key + (int64_t)head * size, size);
        kernels->formats[c->shape.value_type].store_value(value_panel(c, layer, head, position), slot,
                                                          value + (int64_t)head * size, size);
    }
}

/* Number `index` of a panel whose numbers stand in runs of 16; block_slot: which of the scales belongs to it.
 */
static float load_number(smidgen_kv_type type, const uint8_t *panel, size_t index, size_t numbers,
                         size_t block_slot)
{
    switch (type) {
    case SMIDGEN_KV_F32:
        return ((const float *)panel)[index];
    case SMIDGEN_KV_F16:
        return half_to_float(((const uint16_t *)panel)[index]);
    case SMIDGEN_KV_Q8_0:
        return (float)((const int8_t *)panel)[index] *
               half_to_float(((const uint16_t *)(panel + numbers))[block_slot]);
    }
    return 0;
}

void kv_load(const kv_cache *c, int32_t layer, int32_t position, int32_t head, float *key, float *value)
{
    const uint8_t *keys = key_panel(c, layer, head, position),
                  *values = value_panel(c, layer, head, position);
    size_t numbers = (size_t)kv_padded(c->shape.head_size) * KV_PANEL, slot = (size_t)(position % KV_PANEL);
    for (size_t i = 0; i < (size_t)c->shape.head_size; i++) {
        size_t tile = i / KV_PANEL, lane = i % KV_PANEL, scale = i / KV_BLOCK * KV_PANEL + slot;
        key[i] = load_number(c->shape.key_type, keys, i * KV_PANEL + slot, numbers, scale);
        value[i] = load_number(c->shape.value_type, values, (tile * KV_PANEL + slot) * KV_PANEL + lane,
                               numbers, scale);
    }
}

/* cos and sin of -count positions; without the attention factor, which the stored keys already carry. */
static void shift_angles(const rope_table *rope, int32_t count, float *angles)
{
    int32_t half = rope->rotary_size / 2;
    for (int32_t i = 0; i < half; i++) {
        double angle = -count * rope->inverse_frequency[i];
        angles[i] = (float)cos(angle);
        angles[half + i] = (float)sin(angle);
    }
}

void kv_remove(kv_cache *c, int32_t begin, int32_t count, int32_t used, const rope_table *const *ropes)
{
    const cpu_ops *ops = cpu_ops_for(CPU_ISA_SCALAR);
    const attention_kernels *kernels = attention_kernels_for(CPU_ISA_SCALAR);
    int32_t size = c->shape.head_size;
    float *key = c->row, *value = key + size, *angles = value + size;
    if (count <= 0) {
        return;
    }
    for (int32_t layer = 0; layer < c->shape.layers; layer++) {
        const rope_table *rope = ropes == NULL ? NULL : ropes[layer];
        if (rope != NULL) {
            shift_angles(rope, count, angles);
        }
        for (int32_t head = 0; head < c->shape.heads_kv; head++) {
            for (int32_t from = begin + count; from < used; from++) {
                int32_t to = from - count;
                kv_load(c, layer, from, head, key, value);
                if (rope != NULL) {
                    ops->rope_apply(rope, angles, key, size, 1, 0, 1);
                }
                kernels->formats[c->shape.key_type].store_key(key_panel(c, layer, head, to), to % KV_PANEL,
                                                              key, size);
                kernels->formats[c->shape.value_type].store_value(value_panel(c, layer, head, to),
                                                                  to % KV_PANEL, value, size);
            }
        }
    }
}
