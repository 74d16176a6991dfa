/* Any bytes as a GGUF file: no crash, no leak, memory bounded by the input, and what was accepted is
 * consistent.
 *
 * seeds: formats */
#include <stdlib.h>

#include "failing_allocator.h"
#include "formats/gguf.h"

static uint64_t touched; /* keeps the reads below */

static void touch(const void *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        touched += ((const uint8_t *)bytes)[i];
    }
}

static void walk(const gguf_file *g, const source *s)
{
    static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    for (uint64_t i = 0; i < gguf_value_count(g); i++) {
        const gguf_value *v = gguf_value_at(g, i);
        if (gguf_find(g, v->key) != v) {
            abort();
        }
        if (v->type == GGUF_STRING) {
            touch(v->scalar.string.text, v->scalar.string.size_bytes + 1);
        } else if (v->type == GGUF_ARRAY && v->element == GGUF_STRING) {
            const gguf_string *strings = v->elements;
            for (uint64_t k = 0; k < v->count; k++) {
                touch(strings[k].text, strings[k].size_bytes);
            }
        } else if (v->type == GGUF_ARRAY && v->element != GGUF_ARRAY) {
            touch(v->elements, v->count * sizes[v->element]);
        }
        touched += (uint64_t)gguf_integer(g, v->key, 0);
        touched += gguf_number(g, v->key, 0) > 0;
    }
    for (uint64_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        uint8_t first, last;
        if (gguf_find_tensor(g, t->name) != t || t->size_bytes == 0 ||
            !s->read(s, t->offset, &first, 1, NULL) ||
            !s->read(s, t->offset + t->size_bytes - 1, &last, 1, NULL)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    failing_allocator f;
    failing_allocator_bind(&f, UINT64_MAX);
    arena a;
    arena_init(&a, &f.base);
    smidgen_error error = {0};
    source *s = source_open_memory(&a, data, size, &error);
    gguf_file *g = gguf_open(&a, s, &error);
    if (g != NULL) {
        walk(g, s);
    } else if (error.code == SMIDGEN_ERROR_NONE || error.message[0] == 0) {
        abort();
    }
    if ((uint64_t)f.peak_bytes > 16 * (uint64_t)size + (1 << 18)) {
        abort();
    }
    arena_close(&a);
    if (f.live_blocks != 0 || f.was_mismatched) {
        abort();
    }
    return 0;
}
