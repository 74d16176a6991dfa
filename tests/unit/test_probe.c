/* The reports: what the device can do, what a file holds, its hash. Read back by the library's own reader. */
#include "base/json.h"
#include "gguf_builder.h"
#include "probe/json_out.h"
#include "smidgen.h"
#include "test.h"

#include <stdio.h>
#include <unistd.h>

static json_document *parse(const char *text, size_t size)
{
    smidgen_error error;
    json_document *document = json_parse(text, size, "the report", &memory_system, &error);
    if (document == NULL) {
        test_fail(__FILE__, __LINE__, "%s: %.*s", error.message, (int)(size < 500 ? size : 500), text);
    }
    return document;
}

TEST(json_out_escapes_everything_that_json_forbids)
{
    char text[256];
    static const char nasty[] = "a\"b\\c\n\t\x01\x7F\xC3\xA4\xFF\xE2\x82\xED\xA0\x80\xF0\x9F\x98\x80";
    json_out o = json_out_begin(text, sizeof text);
    json_out_open(&o, NULL, '[');
    json_out_string(&o, NULL, nasty, sizeof nasty); /* the terminating zero too */
    json_out_close(&o, ']');
    REQUIRE(o.size_bytes < sizeof text);
    json_document *document = parse(text, o.size_bytes);
    REQUIRE(document != NULL);
    json_iterator it = json_iterate(json_root(document));
    size_t size = 0;
    REQUIRE(json_next(&it));
    const char *back = json_string(it.value, &size);
    CHECK(back != NULL && memcmp(back, "a\"b\\c\n\t\x01\x7F\xC3\xA4\xEF\xBF\xBD", 14) == 0);
    CHECK(back != NULL && memcmp(back + size - 5, "\xF0\x9F\x98\x80\0", 5) == 0);
    json_close(document);
}

TEST(json_out_numbers_read_back_unchanged)
{
    static const double values[] = {0,      1,       -1,      0.1,  1e-5f,    100000, 1e300,
                                    1e-300, 3.14159, 1.0 / 3, 0.1f, 16777217, 5e-324};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[64];
        json_out o = json_out_begin(text, sizeof text - 1);
        json_out_number(&o, NULL, values[i]);
        text[o.size_bytes] = 0;
        CHECK(strtod(text, NULL) == values[i] || strtof(text, NULL) == (float)values[i]);
        CHECK((double)(float)values[i] == values[i] || strtod(text, NULL) == values[i]);
    }
    char text[16];
    json_out o = json_out_begin(text, sizeof text - 1);
    json_out_number(&o, NULL, (double)1e-5f);
    text[o.size_bytes] = 0;
    CHECK_TEXT(text, "1e-05");
    o = json_out_begin(text, sizeof text);
    json_out_number(&o, NULL, (double)NAN);
    CHECK(memcmp(text, "null", 4) == 0);
}

TEST(json_out_counts_what_does_not_fit_and_never_writes_past_the_end)
{
    char whole[256];
    size_t size = 0;
    for (size_t capacity = 0; capacity <= sizeof whole; capacity++) {
        char *text = malloc(capacity + 1); /* so that a sanitizer sees a byte too many */
        REQUIRE(text != NULL);
        text[capacity] = 'x';
        json_out o = json_out_begin(text, capacity);
        json_out_open(&o, NULL, '{');
        json_out_text(&o, "text", "line\nline");
        json_out_integer(&o, "integer", INT64_MIN);
        json_out_unsigned(&o, "unsigned", UINT64_MAX);
        json_out_bool(&o, "bool", true);
        json_out_text(&o, "null", NULL);
        json_out_close(&o, '}');
        size = capacity == 0 ? o.size_bytes : size;
        CHECK_EQUAL(o.size_bytes, size);
        CHECK(text[capacity] == 'x');
        if (capacity == sizeof whole) {
            memcpy(whole, text, size);
        }
        free(text);
    }
    REQUIRE(size < sizeof whole);
    json_document *document = parse(whole, size);
    CHECK_EQUAL(json_integer(json_get(json_root(document), "integer"), 0), INT64_MIN);
    json_close(document);
}

TEST(probe_is_valid_json_of_any_capacity)
{
    static char whole[65536], part[64];
    size_t size = smidgen_probe_json(whole, sizeof whole);
    REQUIRE(size < sizeof whole);
    CHECK(smidgen_probe_json(NULL, 0) > 100);
    smidgen_probe_json(part, sizeof part);
    json_document *document = parse(whole, size);
    REQUIRE(document != NULL);
    const json_value *cpu = json_get(json_root(document), "cpu");
    const json_value *memory = json_get(json_root(document), "memory");
    CHECK(json_integer(json_get(cpu, "cores"), 0) >= 1);
    CHECK(json_integer(json_get(cpu, "cpus_usable"), 0) >= 1);
    CHECK(json_string(json_get(cpu, "kernel_set"), NULL) != NULL);
    CHECK(json_integer(json_get(memory, "total_bytes"), 0) > 1 << 20);
    CHECK(json_integer(json_get(memory, "available_bytes"), 0) <=
          json_integer(json_get(memory, "total_bytes"), 0));
    json_close(document);
}

/* Path of a new file with these bytes in `path`. */
static bool write_file(char path[32], const void *bytes, size_t size)
{
    snprintf(path, 32, "/tmp/smidgen_probe_XXXXXX");
    int descriptor = mkstemp(path);
    bool fine = descriptor >= 0 && write(descriptor, bytes, size) == (ssize_t)size;
    if (descriptor >= 0) {
        close(descriptor);
    }
    return fine;
}

static const json_value *entry(const json_document *document, const char *key)
{
    json_iterator it = json_iterate(json_get(json_root(document), "metadata"));
    while (json_next(&it)) {
        if (json_is_string(json_get(it.value, "key"), key)) {
            return it.value;
        }
    }
    return NULL;
}

TEST(inspect_reports_every_type_of_value_and_every_tensor)
{
    static char text[65536];
    char path[32];
    smidgen_error error;
    gguf_builder b = {0};
    put_sample(&b);
    REQUIRE(write_file(path, b.bytes, b.size));
    gguf_builder_free(&b);
    int64_t size = smidgen_inspect_json(path, 0, text, sizeof text, &error);
    CHECK_EQUAL(smidgen_inspect_json(path, 0, NULL, 0, &error), size);
    unlink(path);
    REQUIRE(size > 0 && size < (int64_t)sizeof text);
    json_document *document = parse(text, (size_t)size);
    REQUIRE(document != NULL);
    CHECK_EQUAL(json_count(json_get(json_root(document), "metadata")), 18);
    CHECK_EQUAL(json_count(json_get(json_root(document), "tensors")), 3);
    CHECK_EQUAL(json_integer(json_get(entry(document, "a.i8"), "value"), 0), -100);
    CHECK_EQUAL(json_integer(json_get(entry(document, "a.i64"), "value"), 0), INT64_MIN);
    CHECK_NEAR(json_number(json_get(entry(document, "a.f64"), "value"), 0), -0.5, 0);
    CHECK(json_bool(json_get(entry(document, "a.true"), "value"), false));
    CHECK_EQUAL(json_integer(json_get(entry(document, "a.strings"), "count"), 0), 3);
    CHECK_EQUAL(json_count(json_get(entry(document, "a.strings"), "values")), 3);
    CHECK_EQUAL(json_count(json_get(entry(document, "a.floats"), "values")), 2);
    const json_value *total = json_get(json_root(document), "total");
    CHECK_EQUAL(json_integer(json_get(total, "weights"), 0), 12 + 128 + 5);
    CHECK_EQUAL(json_integer(json_get(total, "bytes"), 0), 48 + 136 + 10);
    json_close(document);
}

TEST(inspect_lists_as_many_elements_as_it_is_asked_for)
{
    static char text[65536];
    char path[32];
    smidgen_error error;
    gguf_builder b = {0};
    put_sample(&b);
    REQUIRE(write_file(path, b.bytes, b.size));
    gguf_builder_free(&b);
    int64_t size = smidgen_inspect_json(path, 1, text, sizeof text, &error);
    unlink(path);
    REQUIRE(size > 0 && size < (int64_t)sizeof text);
    json_document *document = parse(text, (size_t)size);
    CHECK_EQUAL(json_count(json_get(entry(document, "a.strings"), "values")), 1);
    CHECK_EQUAL(json_integer(json_get(entry(document, "a.strings"), "count"), 0), 3);
    json_close(document);
}

TEST(inspect_refuses_what_is_no_model)
{
    char path[32];
    smidgen_error error;
    CHECK_EQUAL(smidgen_inspect_json("/nonexistent/model.gguf", 0, NULL, 0, &error), -1);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_NOT_FOUND);
    CHECK_EQUAL(smidgen_inspect_json(NULL, 0, NULL, 0, &error), -1);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_INVALID_ARGUMENT);
    REQUIRE(write_file(path, "no model", 8));
    CHECK_EQUAL(smidgen_inspect_json(path, 0, NULL, 0, NULL), -1);
    unlink(path);
}

TEST(the_hash_of_a_file_is_sha256)
{
    char path[32], hex[65];
    smidgen_error error;
    REQUIRE(write_file(path, "abc", 3));
    CHECK(smidgen_hash_file(path, hex, NULL, NULL, &error));
    CHECK_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    unlink(path);
    REQUIRE(write_file(path, "", 0));
    CHECK(smidgen_hash_file(path, hex, NULL, NULL, &error));
    CHECK_TEXT(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    unlink(path);
    CHECK(!smidgen_hash_file(path, hex, NULL, NULL, &error));
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_NOT_FOUND);
}

static bool stop_at_once(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    *(uint64_t *)context = total_bytes - done_bytes;
    return false;
}

TEST(hashing_can_be_cancelled)
{
    static char zeros[3 << 20];
    char path[32], hex[65];
    uint64_t left = 0;
    smidgen_error error;
    REQUIRE(write_file(path, zeros, sizeof zeros));
    CHECK(!smidgen_hash_file(path, hex, stop_at_once, &left, &error));
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_CANCELLED);
    CHECK_EQUAL(left, 2 << 20);
    unlink(path);
}
