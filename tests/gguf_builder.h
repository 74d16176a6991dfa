/* Writes GGUF files in memory for tests: well-formed by default, with every count and length open to lies. */
#ifndef TESTS_GGUF_BUILDER_H
#define TESTS_GGUF_BUILDER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct gguf_builder {
    uint8_t *bytes;
    size_t size, capacity;
} gguf_builder;

static inline void put_bytes(gguf_builder *b, const void *bytes, size_t size)
{
    if (b->size + size > b->capacity) {
        b->capacity = 2 * (b->size + size);
        b->bytes = realloc(b->bytes, b->capacity);
    }
    if (size != 0) {
        memcpy(b->bytes + b->size, bytes, size);
    }
    b->size += size;
}

static inline void put_number(gguf_builder *b, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    put_bytes(b, bytes, size);
}

static inline void put_u32(gguf_builder *b, uint32_t value)
{
    put_number(b, value, 4);
}

static inline void put_u64(gguf_builder *b, uint64_t value)
{
    put_number(b, value, 8);
}

static inline void put_text(gguf_builder *b, const char *text)
{
    put_u64(b, strlen(text));
    put_bytes(b, text, strlen(text));
}

static inline void put_header(gguf_builder *b, uint32_t version, uint64_t tensors, uint64_t values)
{
    put_bytes(b, "GGUF", 4);
    put_u32(b, version);
    put_u64(b, tensors);
    put_u64(b, values);
}

/* A key and its value type; the value follows. */
static inline void put_key(gguf_builder *b, const char *key, uint32_t type)
{
    put_text(b, key);
    put_u32(b, type);
}

/* dims: innermost first, as in the file. */
static inline void put_tensor(gguf_builder *b, const char *name, uint32_t rank, const uint64_t *dims,
                              uint32_t type, uint64_t offset)
{
    put_text(b, name);
    put_u32(b, rank);
    for (uint32_t i = 0; i < rank; i++) {
        put_u64(b, dims[i]);
    }
    put_u32(b, type);
    put_u64(b, offset);
}

static inline void put_padding(gguf_builder *b, size_t alignment)
{
    while (b->size % alignment != 0) {
        put_bytes(b, "", 1);
    }
}

/* `size` bytes of data that count up. */
static inline void put_data(gguf_builder *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)i;
        put_bytes(b, &byte, 1);
    }
}

static inline void gguf_builder_free(gguf_builder *b)
{
    free(b->bytes);
    *b = (gguf_builder){0};
}

/* Every value type, one nested array, three tensors: F32 [3, 4], Q8_0 [2, 64], F16 [5]. */
static inline void put_sample(gguf_builder *b)
{
    put_header(b, 3, 3, 18);
    put_key(b, "general.architecture", 8);
    put_text(b, "llama");
    put_key(b, "general.alignment", 4);
    put_u32(b, 64);
    put_key(b, "a.u8", 0);
    put_number(b, 200, 1);
    put_key(b, "a.i8", 1);
    put_number(b, (uint64_t)-100, 1);
    put_key(b, "a.u16", 2);
    put_number(b, 60000, 2);
    put_key(b, "a.i16", 3);
    put_number(b, (uint64_t)-30000, 2);
    put_key(b, "a.u32", 4);
    put_u32(b, 4000000000u);
    put_key(b, "a.i32", 5);
    put_u32(b, (uint32_t)-2000000000);
    put_key(b, "a.f32", 6);
    put_u32(b, 0x40200000);
    put_key(b, "a.true", 7);
    put_number(b, 1, 1);
    put_key(b, "a.u64", 10);
    put_u64(b, UINT64_MAX);
    put_key(b, "a.i64", 11);
    put_u64(b, (uint64_t)INT64_MIN);
    put_key(b, "a.f64", 12);
    put_u64(b, 0xBFE0000000000000u);
    put_key(b, "a.strings", 9);
    put_u32(b, 8);
    put_u64(b, 3);
    put_text(b, "one");
    put_text(b, "");
    put_text(b, "three");
    put_key(b, "a.floats", 9);
    put_u32(b, 6);
    put_u64(b, 2);
    put_u32(b, 0x3F800000);
    put_u32(b, 0xC0000000);
    put_key(b, "a.nested", 9);
    put_u32(b, 9);
    put_u64(b, 2);
    put_u32(b, 0);
    put_u64(b, 3);
    put_bytes(b, "abc", 3);
    put_u32(b, 8);
    put_u64(b, 1);
    put_text(b, "inner");
    put_key(b, "a.empty", 9);
    put_u32(b, 5);
    put_u64(b, 0);
    put_key(b, "a.text", 8);
    put_text(b, "");
    const uint64_t shapes[3][2] = {{4, 3}, {64, 2}, {5, 1}};
    put_tensor(b, "first.weight", 2, shapes[0], 0, 0);
    put_tensor(b, "second.weight", 2, shapes[1], 8, 64);
    put_tensor(b, "third.bias", 1, shapes[2], 1, 256);
    put_padding(b, 64);
    put_data(b, 256 + 10);
}

#endif
