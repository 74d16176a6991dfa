/* GGUF files that are wrong in one way each: refused in time, with the right code and the culprit's name. */
#include "test.h"

#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "failing_allocator.h"
#include "formats/gguf.h"
#include "gguf_builder.h"

static void expect(gguf_builder *b, smidgen_error_code code, const char *culprit, const char *what)
{
    uint8_t *exact = malloc(b->size == 0 ? 1 : b->size);
    memcpy(exact, b->bytes, b->size);
    failing_allocator f;
    failing_allocator_bind(&f, UINT64_MAX);
    arena a;
    arena_init(&a, &f.base);
    smidgen_error error = {0};
    clock_t begin = clock();
    source *s = source_open_memory(&a, exact, b->size, &error);
    bool is_open = gguf_open(&a, s, &error) != NULL;
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    if (is_open || error.code != code || strstr(error.message, culprit) == NULL || seconds > 1) {
        test_fail(__FILE__, __LINE__, "%s: %s, %s (%s), %.2f s; expected %s naming \"%s\"", what,
                  is_open ? "accepted" : "refused", smidgen_error_name(error.code), error.message, seconds,
                  smidgen_error_name(code), culprit);
    }
    CHECK((uint64_t)f.peak_bytes < 16 * b->size + (1 << 18));
    arena_close(&a);
    CHECK(f.live_blocks == 0 && !f.was_mismatched);
    free(exact);
    gguf_builder_free(b);
}

TEST(gguf_refuses_other_files_and_versions)
{
    gguf_builder b = {0};
    put_bytes(&b, "GGML", 4);
    put_data(&b, 64);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "GGUF", "magic");
    const uint32_t versions[] = {0, 1, 4, 0xFFFFFFFF};
    for (size_t i = 0; i < 4; i++) {
        put_header(&b, versions[i], 0, 0);
        expect(&b, SMIDGEN_ERROR_UNSUPPORTED_FORMAT, "version", "version");
    }
    put_header(&b, 0x03000000, 0, 0);
    expect(&b, SMIDGEN_ERROR_UNSUPPORTED_FORMAT, "big-endian", "byte order");
}

TEST(gguf_refuses_counts_that_the_file_cannot_hold)
{
    const uint64_t counts[] = {1ull << 63, UINT64_MAX, 1ull << 32, 1000};
    for (size_t i = 0; i < 4; i++) {
        gguf_builder b = {0};
        put_header(&b, 3, counts[i], 0);
        put_data(&b, 100);
        expect(&b, SMIDGEN_ERROR_BAD_FILE, "header", "tensor count");
        put_header(&b, 3, 0, counts[i]);
        put_data(&b, 100);
        expect(&b, SMIDGEN_ERROR_BAD_FILE, "header", "key count");
    }
}

TEST(gguf_refuses_lengths_that_the_file_cannot_hold)
{
    const uint64_t lengths[] = {1ull << 63, UINT64_MAX, 1ull << 32, 1000};
    for (size_t i = 0; i < 4; i++) {
        gguf_builder b = {0};
        put_header(&b, 3, 0, 1);
        put_u64(&b, lengths[i]);
        put_data(&b, 100);
        expect(&b, SMIDGEN_ERROR_BAD_FILE, "key", "key length");
        put_header(&b, 3, 0, 1);
        put_key(&b, "long.text", 8);
        put_u64(&b, lengths[i]);
        put_data(&b, 100);
        expect(&b, SMIDGEN_ERROR_BAD_FILE, "'long.text'", "string length");
        const uint32_t elements[] = {0, 5, 7, 8, 9, 12};
        for (size_t e = 0; e < 6; e++) {
            put_header(&b, 3, 0, 1);
            put_key(&b, "long.array", 9);
            put_u32(&b, elements[e]);
            put_u64(&b, lengths[i]);
            for (int k = 0; k < 100; k++) {
                put_number(&b, 0, 1);
            }
            expect(&b, SMIDGEN_ERROR_BAD_FILE, "'long.array'", "array count");
        }
        put_header(&b, 3, 0, 1);
        put_key(&b, "long.inside", 9);
        put_u32(&b, 8);
        put_u64(&b, 2);
        put_text(&b, "fine");
        put_u64(&b, lengths[i]);
        expect(&b, SMIDGEN_ERROR_BAD_FILE, "'long.inside'", "string length in an array");
    }
}

TEST(gguf_refuses_deep_and_wide_nesting)
{
    gguf_builder b = {0};
    put_header(&b, 3, 0, 1);
    put_key(&b, "deep", 9);
    for (int i = 0; i < 100000; i++) {
        put_u32(&b, 9);
        put_u64(&b, 1);
    }
    put_u32(&b, 0);
    put_u64(&b, 0);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'deep'", "depth");
    put_header(&b, 3, 0, 1);
    put_key(&b, "wide", 9);
    put_u32(&b, 9);
    put_u64(&b, 1ull << 60);
    for (int i = 0; i < 100000; i++) {
        put_u32(&b, 0);
        put_u64(&b, 0);
    }
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'wide'", "width");
}

TEST(gguf_refuses_unknown_value_types)
{
    gguf_builder b = {0};
    put_header(&b, 3, 0, 1);
    put_key(&b, "odd.value", 13);
    put_data(&b, 64);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'odd.value'", "value type");
    put_header(&b, 3, 0, 1);
    put_key(&b, "odd.element", 9);
    put_u32(&b, 4000000000u);
    put_u64(&b, 1);
    put_data(&b, 64);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'odd.element'", "element type");
    put_header(&b, 3, 0, 1);
    put_key(&b, "odd.empty", 9);
    put_u32(&b, 77);
    put_u64(&b, 0);
    put_data(&b, 64);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'odd.empty'", "element type of an empty array");
    put_header(&b, 3, 0, 1);
    put_key(&b, "odd.flag", 7);
    put_number(&b, 2, 1);
    put_data(&b, 64);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'odd.flag'", "boolean");
}

TEST(gguf_refuses_bad_and_duplicate_names)
{
    gguf_builder b = {0};
    const char *const names[] = {"", "bad\xFF", "bad\xC0\x80"};
    for (size_t i = 0; i < 3; i++) {
        put_header(&b, 3, 0, 1);
        put_key(&b, names[i], 0);
        put_data(&b, 64);
        expect(&b, SMIDGEN_ERROR_BAD_FILE, "key", "key name");
    }
    put_header(&b, 3, 0, 1);
    put_u64(&b, 5);
    put_bytes(&b, "ab\0cd", 5);
    put_u32(&b, 0);
    put_data(&b, 64);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'ab?cd'", "zero byte in a key");
    put_header(&b, 3, 0, 3);
    put_key(&b, "twice", 0);
    put_number(&b, 1, 1);
    put_key(&b, "once", 0);
    put_number(&b, 1, 1);
    put_key(&b, "twice", 4);
    put_u32(&b, 1);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'twice'", "duplicate key");
    const uint64_t dims[1] = {8};
    put_header(&b, 3, 2, 0);
    put_tensor(&b, "same.weight", 1, dims, 0, 0);
    put_tensor(&b, "same.weight", 1, dims, 0, 32);
    put_padding(&b, 32);
    put_data(&b, 64);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'same.weight'", "duplicate tensor");
}

/* Without a limit on probes, n names with one hash would cost n * n comparisons. */
TEST(gguf_refuses_names_made_to_collide)
{
    gguf_builder b = {0};
    enum { COUNT = 400 };
    put_header(&b, 3, 0, COUNT);
    for (int found = 0, i = 0; found < COUNT; i++) {
        char key[16];
        snprintf(key, sizeof key, "%x", i);
        if ((hash_bytes(key, strlen(key)) & 1023) == 7) {
            put_key(&b, key, 0);
            put_number(&b, 1, 1);
            found++;
        }
    }
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "collides", "colliding names");
}

TEST(gguf_refuses_impossible_alignments)
{
    const uint32_t alignments[] = {0, 3, 48, 1u << 30, 1u << 31, 0xFFFFFFFF};
    for (size_t i = 0; i < 6; i++) {
        gguf_builder b = {0};
        put_header(&b, 3, 0, 1);
        put_key(&b, "general.alignment", 4);
        put_u32(&b, alignments[i]);
        expect(&b, SMIDGEN_ERROR_BAD_FILE, "'general.alignment'", "alignment");
    }
    gguf_builder b = {0};
    put_header(&b, 3, 0, 1);
    put_key(&b, "general.alignment", 8);
    put_text(&b, "32");
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'general.alignment'", "alignment as text");
    put_header(&b, 3, 0, 1);
    put_key(&b, "general.alignment", 10);
    put_u64(&b, 32);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'general.alignment'", "alignment of another width");
}

typedef struct tensor_case {
    const char *what;
    uint32_t rank;
    uint64_t dims[4];
    uint32_t type;
    uint64_t offset;
    smidgen_error_code code;
} tensor_case;

TEST(gguf_refuses_impossible_tensors)
{
    const tensor_case cases[] = {
        {"rank of 5", 5, {1, 1, 1, 1}, 0, 0, SMIDGEN_ERROR_BAD_FILE},
        {"rank of 2^32 - 1", 0xFFFFFFFF, {1, 1, 1, 1}, 0, 0, SMIDGEN_ERROR_BAD_FILE},
        {"dimension of 0", 2, {4, 0}, 0, 0, SMIDGEN_ERROR_BAD_FILE},
        {"innermost dimension of 0", 2, {0, 4}, 0, 0, SMIDGEN_ERROR_BAD_FILE},
        {"dimension of 2^63", 1, {1ull << 63}, 0, 0, SMIDGEN_ERROR_BAD_FILE},
        {"dimension of 2^64 - 1", 1, {UINT64_MAX}, 0, 0, SMIDGEN_ERROR_BAD_FILE},
        {"product that wraps to 0", 2, {1ull << 32, 1ull << 32}, 0, 0, SMIDGEN_ERROR_BAD_FILE},
        {"rows that wrap to 0", 3, {4, 1ull << 32, 1ull << 32}, 0, 0, SMIDGEN_ERROR_BAD_FILE},
        {"product that wraps to 4", 4, {1ull << 31, 1ull << 31, 4, 1}, 24, 0, SMIDGEN_ERROR_BAD_FILE},
        {"bytes that wrap", 2, {1ull << 31, 1ull << 31}, 28, 0, SMIDGEN_ERROR_BAD_FILE},
        {"row that is no whole block", 2, {33, 1}, 2, 0, SMIDGEN_ERROR_BAD_FILE},
        {"no row for a block type", 0, {0}, 8, 0, SMIDGEN_ERROR_BAD_FILE},
        {"type 29", 1, {256}, 29, 0, SMIDGEN_ERROR_UNSUPPORTED_TYPE},
        {"type 2^32 - 1", 1, {256}, 0xFFFFFFFF, 0, SMIDGEN_ERROR_UNSUPPORTED_TYPE},
        {"offset that is not aligned", 1, {8}, 0, 16, SMIDGEN_ERROR_BAD_FILE},
        {"offset past the end", 1, {8}, 0, 1ull << 40, SMIDGEN_ERROR_BAD_FILE},
        {"offset that wraps", 1, {8}, 0, UINT64_MAX - 31, SMIDGEN_ERROR_BAD_FILE},
        {"data one element past the end", 1, {65}, 0, 0, SMIDGEN_ERROR_BAD_FILE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gguf_builder b = {0};
        put_header(&b, 3, 1, 0);
        put_text(&b, "odd.weight");
        put_u32(&b, cases[i].rank);
        for (uint32_t d = 0; d < 4 && d < cases[i].rank; d++) {
            put_u64(&b, cases[i].dims[d]);
        }
        put_u32(&b, cases[i].type);
        put_u64(&b, cases[i].offset);
        put_padding(&b, 32);
        put_data(&b, 256);
        expect(&b, cases[i].code, "'odd.weight'", cases[i].what);
    }
}

TEST(gguf_refuses_overlapping_tensors)
{
    const uint64_t dims[1] = {16};
    const uint64_t offsets[3][3] = {{0, 64, 96}, {96, 64, 0}, {0, 0, 64}};
    for (size_t i = 0; i < 3; i++) {
        gguf_builder b = {0};
        put_header(&b, 3, 3, 0);
        put_tensor(&b, "one", 1, dims, 0, offsets[i][0]);
        put_tensor(&b, "two", 1, dims, 0, offsets[i][1]);
        put_tensor(&b, "three", 1, dims, 0, offsets[i][2]);
        put_padding(&b, 32);
        put_data(&b, 256);
        expect(&b, SMIDGEN_ERROR_BAD_FILE, "overlap", "overlap");
    }
}

TEST(gguf_messages_stay_text_when_names_are_not)
{
    gguf_builder b = {0};
    char name[201];
    memset(name, 'n', 200);
    name[0] = 0x1B;
    name[1] = '\n';
    name[200] = 0;
    put_header(&b, 3, 0, 1);
    put_key(&b, name, 99);
    put_data(&b, 16);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'??nnnn", "name in a message");
}
