#include "test.h"

#include <stdlib.h>

#include "failing_allocator.h"
#include "formats/safetensors.h"
#include "safetensors_builder.h"

static safetensors_file *open_bytes(arena *a, const gguf_builder *b, smidgen_error *error)
{
    source *s = source_open_memory(a, b->bytes, b->size, error);
    return s == NULL ? NULL : safetensors_open(a, s, error);
}

TEST(safetensors_come_in_the_order_of_their_data)
{
    gguf_builder b = {0};
    put_safetensors(&b, SAFETENSORS_SAMPLE, SAFETENSORS_SAMPLE_BYTES);
    arena a;
    arena_init(&a, &memory_system);
    smidgen_error error = {0};
    const safetensors_file *f = open_bytes(&a, &b, &error);
    CHECK_TEXT(error.message, "");
    REQUIRE(f != NULL && f->tensor_count == 2);
    CHECK_TEXT(f->tensors[0].name, "a");
    CHECK_EQUAL(f->tensors[0].offset, b.size - SAFETENSORS_SAMPLE_BYTES);
    const safetensors_tensor *t = &f->tensors[1];
    CHECK_TEXT(t->name, "b");
    CHECK(t->type == ELEMENT_F16 && t->rank == 2 && t->shape[0] == 2 && t->shape[1] == 3 && t->shape[2] == 1);
    CHECK_EQUAL(t->size_bytes, 12);
    CHECK_EQUAL(t->offset, b.size - 12);
    arena_close(&a);
    gguf_builder_free(&b);
}

TEST(safetensors_refuse_every_prefix)
{
    gguf_builder b = {0};
    put_safetensors(&b, SAFETENSORS_SAMPLE, SAFETENSORS_SAMPLE_BYTES);
    for (size_t size = 0; size < b.size; size++) {
        uint8_t *exact = malloc(size == 0 ? 1 : size);
        memcpy(exact, b.bytes, size);
        failing_allocator f;
        failing_allocator_bind(&f, UINT64_MAX);
        arena a;
        arena_init(&a, &f.base);
        smidgen_error error = {0};
        source *s = source_open_memory(&a, exact, size, &error);
        CHECK(safetensors_open(&a, s, &error) == NULL);
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
        arena_close(&a);
        CHECK(f.live_blocks == 0 && !f.was_mismatched);
        free(exact);
    }
    gguf_builder_free(&b);
}

TEST(safetensors_survive_failure_of_each_allocation)
{
    gguf_builder b = {0};
    put_safetensors(&b, SAFETENSORS_SAMPLE, SAFETENSORS_SAMPLE_BYTES);
    for (uint64_t n = 0;; n++) {
        failing_allocator f;
        failing_allocator_bind(&f, n);
        arena a;
        arena_init(&a, &f.base);
        smidgen_error error = {0};
        bool is_open = open_bytes(&a, &b, &error) != NULL, is_whole = f.calls <= n;
        CHECK(is_open == is_whole);
        CHECK_EQUAL(error.code, is_whole ? SMIDGEN_ERROR_NONE : SMIDGEN_ERROR_OUT_OF_MEMORY);
        arena_close(&a);
        CHECK(f.live_blocks == 0 && !f.was_mismatched);
        if (is_whole) {
            break;
        }
    }
    gguf_builder_free(&b);
}
