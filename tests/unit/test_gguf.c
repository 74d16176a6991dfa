#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "failing_allocator.h"
#include "formats/gguf.h"
#include "gguf_builder.h"

static gguf_file *open_bytes(arena *a, const gguf_builder *b, smidgen_error *error)
{
    source *s = source_open_memory(a, b->bytes, b->size, error);
    return s == NULL ? NULL : gguf_open(a, s, error);
}

TEST(source_in_memory_refuses_reads_past_its_end)
{
    arena a;
    arena_init(&a, &memory_system);
    smidgen_error error = {0};
    char *exact = malloc(4), into[8];
    memcpy(exact, "abcd", 4);
    source *s = source_open_memory(&a, exact, 4, &error);
    REQUIRE(s != NULL);
    CHECK(s->read(s, 1, into, 3, &error) && memcmp(into, "bcd", 3) == 0);
    CHECK(s->read(s, 4, into, 0, &error));
    CHECK(!s->read(s, 1, into, 4, &error) && error.code == SMIDGEN_ERROR_BAD_FILE);
    CHECK(!s->read(s, 5, into, 0, &error));
    CHECK(!s->read(s, UINT64_MAX, into, 2, &error));
    s->close(s);
    free(exact);
    arena_close(&a);
}

TEST(gguf_reads_every_value_type)
{
    gguf_builder b = {0};
    put_sample(&b);
    arena a;
    arena_init(&a, &memory_system);
    smidgen_error error = {0};
    gguf_file *g = open_bytes(&a, &b, &error);
    CHECK_TEXT(error.message, "");
    REQUIRE(g != NULL);
    CHECK_EQUAL(gguf_version(g), 3);
    CHECK_EQUAL(gguf_value_count(g), 18);
    CHECK_TEXT(gguf_text(g, "general.architecture", NULL), "llama");
    CHECK_EQUAL(gguf_integer(g, "a.u8", 0), 200);
    CHECK_EQUAL(gguf_integer(g, "a.i8", 0), -100);
    CHECK_EQUAL(gguf_integer(g, "a.u16", 0), 60000);
    CHECK_EQUAL(gguf_integer(g, "a.i16", 0), -30000);
    CHECK_EQUAL(gguf_integer(g, "a.u32", 0), 4000000000u);
    CHECK_EQUAL(gguf_integer(g, "a.i32", 0), -2000000000);
    CHECK_EQUAL(gguf_integer(g, "a.i64", 0), INT64_MIN);
    CHECK_EQUAL(gguf_integer(g, "a.u64", 7), 7);
    CHECK(gguf_find(g, "a.u64")->scalar.u64 == UINT64_MAX);
    CHECK_NEAR(gguf_number(g, "a.f32", 0), 2.5, 0);
    CHECK_NEAR(gguf_number(g, "a.f64", 0), -0.5, 0);
    CHECK_EQUAL(gguf_integer(g, "a.f32", -1), -1);
    CHECK(gguf_bool(g, "a.true", false) && gguf_find(g, "a.true")->scalar.boolean);
    CHECK_TEXT(gguf_text(g, "a.text", NULL), "");
    CHECK(gguf_text(g, "a.u8", NULL) == NULL && gguf_find(g, "a.absent") == NULL);
    const gguf_value *v = gguf_find(g, "a.strings");
    REQUIRE(v != NULL && v->type == GGUF_ARRAY && v->element == GGUF_STRING && v->count == 3);
    const gguf_string *strings = v->elements;
    CHECK(strings[0].size_bytes == 3 && memcmp(strings[0].text, "one", 3) == 0);
    CHECK_EQUAL(strings[1].size_bytes, 0);
    CHECK(strings[2].size_bytes == 5 && memcmp(strings[2].text, "three", 5) == 0);
    v = gguf_find(g, "a.floats");
    REQUIRE(v != NULL && v->element == GGUF_F32 && v->count == 2);
    CHECK_EQUAL(bytes_load_u32((const uint8_t *)v->elements + 4), 0xC0000000);
    v = gguf_find(g, "a.nested");
    REQUIRE(v != NULL && v->element == GGUF_ARRAY && v->count == 2);
    CHECK(gguf_find(g, "a.empty")->count == 0);
    CHECK_TEXT(gguf_value_at(g, 17)->key, "a.text");
    arena_close(&a);
    gguf_builder_free(&b);
}

TEST(gguf_shapes_are_outermost_first)
{
    gguf_builder b = {0};
    put_sample(&b);
    arena a;
    arena_init(&a, &memory_system);
    smidgen_error error = {0};
    gguf_file *g = open_bytes(&a, &b, &error);
    REQUIRE(g != NULL);
    CHECK_EQUAL(gguf_tensor_count(g), 3);
    const gguf_tensor *t = gguf_find_tensor(g, "second.weight");
    REQUIRE(t != NULL);
    CHECK_EQUAL(t->rank, 2);
    CHECK_EQUAL(t->shape[0], 2);
    CHECK_EQUAL(t->shape[1], 64);
    CHECK_EQUAL(t->shape[2], 1);
    CHECK_EQUAL(t->size_bytes, 2 * 2 * 34);
    CHECK_EQUAL(t->offset, b.size - (256 + 10) + 64);
    CHECK_EQUAL(b.bytes[t->offset], 64);
    CHECK_EQUAL(gguf_find_tensor(g, "third.bias")->size_bytes, 10);
    CHECK(gguf_find_tensor(g, "fourth") == NULL && gguf_tensor_at(g, 3) == NULL);
    arena_close(&a);
    gguf_builder_free(&b);
}

/* Each prefix lies in an exact-size heap block, so that AddressSanitizer sees a read of one byte too many. */
TEST(gguf_refuses_every_prefix)
{
    gguf_builder b = {0};
    put_sample(&b);
    for (size_t size = 0; size < b.size; size++) {
        uint8_t *exact = malloc(size == 0 ? 1 : size);
        memcpy(exact, b.bytes, size);
        failing_allocator f;
        failing_allocator_bind(&f, UINT64_MAX);
        arena a;
        arena_init(&a, &f.base);
        smidgen_error error = {0};
        source *s = source_open_memory(&a, exact, size, &error);
        CHECK(gguf_open(&a, s, &error) == NULL);
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
        arena_close(&a);
        CHECK_EQUAL(f.live_blocks, 0);
        free(exact);
    }
    gguf_builder_free(&b);
}

TEST(gguf_survives_failure_of_each_allocation)
{
    gguf_builder b = {0};
    put_sample(&b);
    for (uint64_t n = 0;; n++) {
        failing_allocator f;
        failing_allocator_bind(&f, n);
        arena a;
        arena_init(&a, &f.base);
        smidgen_error error = {0};
        gguf_file *g = open_bytes(&a, &b, &error);
        bool is_whole = f.calls <= n;
        CHECK((g != NULL) == is_whole);
        CHECK_EQUAL(error.code, is_whole ? SMIDGEN_ERROR_NONE : SMIDGEN_ERROR_OUT_OF_MEMORY);
        arena_close(&a);
        CHECK(f.live_blocks == 0 && !f.was_mismatched);
        if (is_whole) {
            CHECK(n >= 3);
            break;
        }
    }
    gguf_builder_free(&b);
}

TEST(gguf_memory_is_bounded_by_the_header)
{
    gguf_builder b = {0};
    enum { COUNT = 200000 };
    put_header(&b, 3, 0, COUNT);
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%x", i);
        put_key(&b, key, 0);
        put_number(&b, 1, 1);
    }
    failing_allocator f;
    failing_allocator_bind(&f, UINT64_MAX);
    arena a;
    arena_init(&a, &f.base);
    smidgen_error error = {0};
    CHECK(open_bytes(&a, &b, &error) != NULL);
    CHECK((uint64_t)f.peak_bytes < 16 * b.size);
    arena_close(&a);
    gguf_builder_free(&b);
}

TEST(gguf_file_that_shrinks_after_opening_is_a_bad_file)
{
    gguf_builder b = {0};
    put_sample(&b);
    char path[] = "/tmp/smidgen_shrink_XXXXXX";
    int descriptor = mkstemp(path);
    REQUIRE(descriptor >= 0);
    REQUIRE(write(descriptor, b.bytes, b.size) == (ssize_t)b.size);
    arena a;
    arena_init(&a, &memory_system);
    smidgen_error error = {0};
    source *s = source_open_file(&a, path, &error);
    REQUIRE(s != NULL);
    gguf_file *g = gguf_open(&a, s, &error);
    REQUIRE(g != NULL);
    const gguf_tensor *t = gguf_find_tensor(g, "third.bias");
    uint8_t data[10];
    CHECK(s->read(s, t->offset, data, t->size_bytes, &error));
    CHECK_EQUAL(data[0], 0);
    CHECK_EQUAL(data[9], 9);
    REQUIRE(ftruncate(descriptor, (off_t)t->offset + 4) == 0);
    CHECK(!s->read(s, t->offset, data, t->size_bytes, &error));
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    CHECK(strstr(error.message, path) != NULL);
    REQUIRE(ftruncate(descriptor, 100) == 0);
    CHECK(gguf_open(&a, s, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    s->close(s);
    arena_close(&a);
    close(descriptor);
    unlink(path);
    gguf_builder_free(&b);
}

typedef struct model_facts {
    const char *name, *architecture;
    uint64_t tensors, values, vocabulary;
    int64_t layers, hidden;
} model_facts;

static void check_model(const model_facts *facts)
{
    const char *path = test_model(facts->name);
    if (path == NULL) {
        SKIP("no %s in $SMIDGEN_MODELS", facts->name);
    }
    failing_allocator f;
    failing_allocator_bind(&f, UINT64_MAX);
    arena a;
    arena_init(&a, &f.base);
    smidgen_error error = {0};
    source *s = source_open_file(&a, path, &error);
    REQUIRE(s != NULL);
    gguf_file *g = gguf_open(&a, s, &error);
    CHECK_TEXT(error.message, "");
    REQUIRE(g != NULL);
    char key[64];
    CHECK_TEXT(gguf_text(g, "general.architecture", NULL), facts->architecture);
    CHECK_EQUAL(gguf_tensor_count(g), facts->tensors);
    CHECK_EQUAL(gguf_value_count(g), facts->values);
    snprintf(key, sizeof key, "%s.block_count", facts->architecture);
    CHECK_EQUAL(gguf_integer(g, key, -1), facts->layers);
    snprintf(key, sizeof key, "%s.embedding_length", facts->architecture);
    CHECK_EQUAL(gguf_integer(g, key, -1), facts->hidden);
    const gguf_value *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    REQUIRE(tokens != NULL && tokens->element == GGUF_STRING);
    CHECK_EQUAL(tokens->count, facts->vocabulary);
    const gguf_tensor *t = gguf_find_tensor(g, "token_embd.weight");
    REQUIRE(t != NULL);
    CHECK_EQUAL(t->shape[0], facts->vocabulary);
    CHECK_EQUAL(t->shape[1], facts->hidden);
    /* The tensors' data begin where the header ends. */
    uint64_t header_bytes = UINT64_MAX;
    for (uint64_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *other = gguf_tensor_at(g, i);
        header_bytes = other->offset < header_bytes ? other->offset : header_bytes;
    }
    CHECK((uint64_t)f.peak_bytes < 4 * header_bytes && f.calls < 64);
    s->close(s);
    arena_close(&a);
    CHECK_EQUAL(f.live_blocks, 0);
}

TEST(gguf_reads_the_header_of_smollm2)
{
    check_model(&(model_facts){"smollm2-135m", "llama", 272, 33, 49152, 30, 576});
}

TEST(gguf_reads_the_header_of_gemma3)
{
    check_model(&(model_facts){"gemma3-270m", "gemma3", 236, 33, 262144, 18, 640});
}

TEST(gguf_reads_the_header_of_qwen_half)
{
    check_model(&(model_facts){"qwen-0.5b", "qwen2", 291, 26, 151936, 24, 896});
}

TEST(gguf_reads_the_header_of_qwen_one_and_a_half)
{
    check_model(&(model_facts){"qwen-1.5b", "qwen2", 339, 26, 151936, 28, 1536});
}
