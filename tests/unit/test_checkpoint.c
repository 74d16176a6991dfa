#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "failing_allocator.h"
#include "formats/checkpoint.h"
#include "gguf_builder.h"
#include "safetensors_builder.h"

static float read_float(const checkpoint *c, const char *name, uint64_t index)
{
    uint8_t bytes[4];
    smidgen_error error = {0};
    const checkpoint_tensor *t = checkpoint_find(c, name);
    if (t == NULL || !checkpoint_read(c, t, 4 * index, bytes, 4, &error)) {
        return -1e9f;
    }
    bytes_reader r = bytes_reader_make(bytes, 4);
    return bytes_read_f32(&r);
}

TEST(checkpoint_reads_a_file_of_the_gguf_package)
{
    smidgen_error error = {0};
    checkpoint *c = checkpoint_open(test_data("formats/sample.gguf"), &memory_system, &error);
    CHECK_TEXT(error.message, "");
    REQUIRE(c != NULL && c->gguf != NULL);
    CHECK_EQUAL(c->tensor_count, 4);
    CHECK_TEXT(c->chat_template, "{{ messages[0].content }}");
    CHECK_NEAR(read_float(c, "a", 5), 5 / 8.0, 0);
    const checkpoint_tensor *t = checkpoint_find(c, "b");
    REQUIRE(t != NULL);
    CHECK(t->type == ELEMENT_F16 && t->rank == 3 && t->shape[0] == 2 && t->shape[1] == 3 && t->shape[2] == 4);
    t = checkpoint_find(c, "c");
    REQUIRE(t != NULL);
    CHECK(t->type == ELEMENT_Q8_0 && t->shape[0] == 2 && t->shape[1] == 64 && t->size_bytes == 136);
    t = checkpoint_find(c, "d");
    REQUIRE(t != NULL);
    uint8_t bytes[5];
    CHECK(checkpoint_read(c, t, 0, bytes, 4, &error) && bytes_load_u32(bytes) == 7);
    CHECK(!checkpoint_read(c, t, 0, bytes, 5, &error) && error.code == SMIDGEN_ERROR_INVALID_ARGUMENT);
    CHECK(!checkpoint_read(c, t, UINT64_MAX, bytes, 1, &error));
    CHECK(checkpoint_find(c, "e") == NULL);
    CHECK_EQUAL(gguf_integer(c->gguf, "t.i64", 0), INT64_MIN);
    CHECK_EQUAL(gguf_integer(c->gguf, "t.u8", 0), 255);
    CHECK_EQUAL(gguf_integer(c->gguf, "t.i8", 0), -128);
    CHECK_EQUAL(gguf_integer(c->gguf, "t.i16", 0), -32768);
    CHECK_EQUAL(gguf_integer(c->gguf, "t.u32", 0), 4294967295);
    CHECK_NEAR(gguf_number(c->gguf, "t.u64", 0), 0x1p63, 0);
    CHECK_NEAR(gguf_number(c->gguf, "t.f32", 0), 0.1f, 0);
    CHECK_NEAR(gguf_number(c->gguf, "t.f64", 0), 0.1, 0);
    CHECK_EQUAL(gguf_integer(c->gguf, "llama.block_count", 0), 2);
    const gguf_value *v = gguf_find(c->gguf, "t.strings");
    REQUIRE(v != NULL && v->element == GGUF_STRING && v->count == 3);
    const gguf_string *strings = v->elements;
    CHECK(strings[2].size_bytes == 12 && memcmp(strings[2].text,
                                                "Gr\xC3\xBC\xC3\x9F"
                                                "e \xF0\x9F\x98\x80",
                                                12) == 0);
    checkpoint_close(c);
}

TEST(checkpoint_reads_a_folder_of_the_safetensors_package)
{
    smidgen_error error = {0};
    checkpoint *c = checkpoint_open(test_data("formats/folder"), &memory_system, &error);
    CHECK_TEXT(error.message, "");
    REQUIRE(c != NULL && c->gguf == NULL);
    CHECK_EQUAL(c->tensor_count, 4);
    CHECK(json_is_string(json_get(json_root(c->config), "model_type"), "llama"));
    CHECK(c->tokenizer == NULL && c->tokenizer_config != NULL);
    CHECK_EQUAL(json_count(json_get(json_root(c->generation_config), "eos_token_id")), 2);
    CHECK_TEXT(c->chat_template, "plain");
    CHECK_NEAR(read_float(c, "x.weight", 11), 11 / 8.0, 0);
    const checkpoint_tensor *t = checkpoint_find(c, "empty");
    REQUIRE(t != NULL);
    CHECK(t->rank == 2 && t->shape[0] == 0 && t->shape[1] == 5 && t->size_bytes == 0);
    t = checkpoint_find(c, "steps");
    REQUIRE(t != NULL);
    CHECK(t->type == ELEMENT_I64 && t->rank == 0 && t->shape[0] == 1 && t->size_bytes == 8);
    checkpoint_close(c);
}

TEST(checkpoint_reads_shards_through_their_index)
{
    smidgen_error error = {0};
    checkpoint *c = checkpoint_open(test_data("formats/sharded"), &memory_system, &error);
    CHECK_TEXT(error.message, "");
    REQUIRE(c != NULL);
    CHECK_EQUAL(c->tensor_count, 3);
    CHECK_TEXT(c->chat_template, "from the jinja file");
    CHECK_NEAR(read_float(c, "b", 3), 3 / 8.0, 0);
    CHECK_NEAR(read_float(c, "c", 4), 4 / 8.0, 0);
    CHECK_EQUAL(checkpoint_find(c, "c")->file, 1);
    checkpoint_close(c);
}

static void check_each_allocation(const char *path)
{
    for (uint64_t n = 0;; n++) {
        failing_allocator f;
        failing_allocator_bind(&f, n);
        smidgen_error error = {0};
        checkpoint *c = checkpoint_open(path, &f.base, &error);
        bool is_whole = f.calls <= n;
        CHECK((c != NULL) == is_whole);
        CHECK_EQUAL(error.code, is_whole ? SMIDGEN_ERROR_NONE : SMIDGEN_ERROR_OUT_OF_MEMORY);
        checkpoint_close(c);
        CHECK(f.live_blocks == 0 && !f.was_mismatched);
        if (is_whole) {
            CHECK(n >= 4);
            break;
        }
    }
}

TEST(checkpoint_survives_failure_of_each_allocation)
{
    check_each_allocation(test_data("formats/sample.gguf"));
    check_each_allocation(test_data("formats/folder"));
    check_each_allocation(test_data("formats/sharded"));
}

TEST(checkpoint_takes_over_a_source_and_its_arena)
{
    gguf_builder b = {0};
    put_sample(&b);
    for (uint64_t n = 0;; n++) {
        failing_allocator f, g;
        failing_allocator_bind(&f, n);
        failing_allocator_bind(&g, UINT64_MAX);
        arena owner;
        arena_init(&owner, &g.base);
        smidgen_error error = {0};
        source *s = source_open_memory(&owner, b.bytes, b.size, &error);
        checkpoint *c = checkpoint_open_source(s, &owner, &f.base, &error);
        bool is_whole = f.calls <= n;
        CHECK((c != NULL) == is_whole);
        arena_close(&owner); /* harmless: it moved */
        CHECK(c == NULL || checkpoint_find(c, "third.bias") != NULL);
        checkpoint_close(c);
        CHECK(f.live_blocks == 0 && g.live_blocks == 0);
        if (is_whole) {
            break;
        }
    }
    gguf_builder_free(&b);
}

/* A folder in /tmp that tests fill. */
typedef struct scratch {
    char path[64];
} scratch;

static scratch scratch_make(void)
{
    scratch s = {"/tmp/smidgen_folder_XXXXXX"};
    CHECK(mkdtemp(s.path) != NULL);
    return s;
}

static void scratch_put(const scratch *s, const char *name, const void *bytes, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", s->path, name);
    FILE *f = fopen(path, "wb");
    CHECK(f != NULL && fwrite(bytes, 1, size, f) == size);
    if (f != NULL) {
        fclose(f);
    }
}

static void scratch_put_text(const scratch *s, const char *name, const char *text)
{
    scratch_put(s, name, text, strlen(text));
}

static void scratch_remove(const scratch *s)
{
    static const char *const names[] = {"config.json",
                                        "tokenizer.json",
                                        "tokenizer_config.json",
                                        "model.safetensors",
                                        "model.safetensors.index.json",
                                        "one.safetensors",
                                        "two.safetensors",
                                        "chat_template.jinja"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", s->path, names[i]);
        unlink(path);
    }
    CHECK(rmdir(s->path) == 0);
}

static void expect(const scratch *s, smidgen_error_code code, const char *words)
{
    smidgen_error error = {0};
    checkpoint *c = checkpoint_open(s->path, &memory_system, &error);
    CHECK(c == NULL);
    CHECK_EQUAL(error.code, code);
    if (strstr(error.message, words) == NULL) {
        test_fail(__FILE__, __LINE__, "\"%s\" does not mention \"%s\"", error.message, words);
    }
    checkpoint_close(c);
}

TEST(checkpoint_names_what_is_wrong_in_a_folder)
{
    scratch s = scratch_make();
    expect(&s, SMIDGEN_ERROR_NOT_FOUND, "config.json");
    scratch_put_text(&s, "config.json", "[]");
    expect(&s, SMIDGEN_ERROR_BAD_FILE, "config.json is not a JSON object");
    scratch_put_text(&s, "config.json", "{\"a\":}");
    expect(&s, SMIDGEN_ERROR_BAD_FILE, "config.json");
    scratch_put_text(&s, "config.json", "{}");
    expect(&s, SMIDGEN_ERROR_NOT_FOUND, "model.safetensors");
    scratch_put_text(&s, "tokenizer.json", "{\"a\":1");
    expect(&s, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json");
    scratch_put_text(&s, "tokenizer.json", "{}");
    scratch_put_text(&s, "model.safetensors", "short");
    expect(&s, SMIDGEN_ERROR_BAD_FILE, "model.safetensors: the file has only 5 bytes");
    scratch_remove(&s);
}

static void put_index(const scratch *s, const char *map)
{
    char text[512];
    snprintf(text, sizeof text, "{\"weight_map\":%s}", map);
    scratch_put_text(s, "model.safetensors.index.json", text);
}

TEST(checkpoint_names_what_is_wrong_in_an_index)
{
    scratch s = scratch_make();
    gguf_builder b = {0};
    put_safetensors(&b, SAFETENSORS_SAMPLE, SAFETENSORS_SAMPLE_BYTES);
    scratch_put(&s, "one.safetensors", b.bytes, b.size);
    scratch_put(&s, "two.safetensors", b.bytes, b.size);
    scratch_put_text(&s, "config.json", "{}");
    put_index(&s, "{}");
    expect(&s, SMIDGEN_ERROR_BAD_FILE, "no weight_map");
    put_index(&s, "[\"one.safetensors\"]");
    expect(&s, SMIDGEN_ERROR_BAD_FILE, "no weight_map");
    put_index(&s, "{\"a\":7}");
    expect(&s, SMIDGEN_ERROR_BAD_FILE, "'a'");
    const char *const outside[] = {"../x.safetensors", "/etc/passwd", "a/b",      "..", "",
                                   ".hidden",          "a\\\\b",      "a\\u0000b"};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        char map[128];
        snprintf(map, sizeof map, "{\"a\":\"%s\"}", outside[i]);
        put_index(&s, map);
        expect(&s, SMIDGEN_ERROR_BAD_FILE, "not allowed");
    }
    put_index(&s, "{\"a\":\"absent.safetensors\"}");
    expect(&s, SMIDGEN_ERROR_NOT_FOUND, "absent.safetensors");
    put_index(&s, "{\"z\":\"one.safetensors\"}");
    expect(&s, SMIDGEN_ERROR_MISSING_TENSOR, "'z'");
    put_index(&s, "{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}");
    expect(&s, SMIDGEN_ERROR_BAD_FILE, "is in two files");
    gguf_builder other = {0};
    put_safetensors(&other, "{\"c\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3);
    scratch_put(&s, "two.safetensors", other.bytes, other.size);
    gguf_builder_free(&other);
    put_index(&s, "{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}");
    expect(&s, SMIDGEN_ERROR_MISSING_TENSOR, "'b' is not in two.safetensors");
    put_index(&s, "{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\"}");
    smidgen_error error = {0};
    checkpoint *c = checkpoint_open(s.path, &memory_system, &error);
    CHECK_TEXT(error.message, "");
    CHECK(c != NULL && c->tensor_count == 2);
    checkpoint_close(c);
    gguf_builder_free(&b);
    scratch_remove(&s);
}

TEST(checkpoint_errors_name_the_file)
{
    smidgen_error error = {0};
    CHECK(checkpoint_open("/no/such/model.gguf", &memory_system, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_NOT_FOUND);
    CHECK(strstr(error.message, "/no/such/model.gguf") != NULL);
    CHECK(checkpoint_open(test_data("formats/folder/model.safetensors"), &memory_system, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    CHECK(strstr(error.message, "model.safetensors") != NULL && strstr(error.advice, "folder") != NULL);
    CHECK(checkpoint_open("/no/such/model.gguf", &memory_system, NULL) == NULL);
}
