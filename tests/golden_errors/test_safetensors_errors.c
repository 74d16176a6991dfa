/* safetensors files that are wrong in one way each: refused in time, with the right code and the culprit's
 * name. */
#include "test.h"

#include <stdlib.h>
#include <time.h>

#include "failing_allocator.h"
#include "formats/safetensors.h"
#include "safetensors_builder.h"

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
    bool is_open = safetensors_open(&a, s, &error) != NULL;
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    if (is_open || error.code != code || strstr(error.message, culprit) == NULL || seconds > 1) {
        test_fail(__FILE__, __LINE__, "%s: %s, %s (%s), %.2f s; expected %s naming \"%s\"", what,
                  is_open ? "accepted" : "refused", smidgen_error_name(error.code), error.message, seconds,
                  smidgen_error_name(code), culprit);
    }
    CHECK((uint64_t)f.peak_bytes < 64 * b->size + (1 << 18));
    arena_close(&a);
    CHECK(f.live_blocks == 0 && !f.was_mismatched);
    free(exact);
    gguf_builder_free(b);
}

TEST(safetensors_refuse_lengths_that_the_file_cannot_hold)
{
    const uint64_t lengths[] = {1ull << 63, UINT64_MAX, UINT64_MAX - 7, 1ull << 32, 100, 0, 1};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        gguf_builder b = {0};
        put_safetensors_claiming(&b, lengths[i], "{}", 0);
        expect(&b, SMIDGEN_ERROR_BAD_FILE, "header", "length");
    }
}

static bool read_nothing(const source *s, uint64_t offset, void *into, size_t size_bytes,
                         smidgen_error *error)
{
    (void)s;
    (void)error;
    const uint8_t length[8] = {0x01, 0xE1, 0xF5, 0x05}; /* 100,000,001 */
    CHECK(offset == 0 && size_bytes == 8);
    memcpy(into, length, 8);
    return true;
}

TEST(safetensors_refuse_a_header_past_the_limit_before_reading_it)
{
    source s = {1ull << 40, read_nothing, NULL};
    arena a;
    arena_init(&a, &memory_system);
    smidgen_error error = {0};
    CHECK(safetensors_open(&a, &s, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    CHECK(strstr(error.message, "100000001") != NULL);
    arena_close(&a);
}

TEST(safetensors_refuse_headers_that_are_no_object)
{
    const char *const headers[] = {"[]",  " {}",        "\xEF\xBB\xBF{}",  "{",
                                   "{}x", "{\"a\":1,}", "{\"a\":\"\xFF\"}"};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        gguf_builder b = {0};
        put_safetensors(&b, headers[i], 0);
        expect(&b, SMIDGEN_ERROR_BAD_FILE, "header", headers[i]);
    }
}

TEST(safetensors_refuse_deep_nesting)
{
    enum { DEPTH = 100000 };
    char *header = malloc(2 * DEPTH + 16);
    memcpy(header, "{\"deep\":", 8);
    memset(header + 8, '[', DEPTH);
    memset(header + 8 + DEPTH, ']', DEPTH);
    memcpy(header + 8 + 2 * DEPTH, "}", 2);
    gguf_builder b = {0};
    put_safetensors(&b, header, 0);
    expect(&b, SMIDGEN_ERROR_BAD_FILE, "'deep'", "depth");
    free(header);
}

typedef struct header_case {
    const char *header;
    const char *culprit;
    smidgen_error_code code;
} header_case;

#define ONE(text) "{\"odd\":{" text "}}"
#define BAD       SMIDGEN_ERROR_BAD_FILE

/* All with 16 bytes of data. */
TEST(safetensors_refuse_impossible_tensors)
{
    const header_case cases[] = {
        {ONE(""), "'odd'", BAD},
        {"{\"odd\":7}", "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[4]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]"), "'odd'", BAD},
        {ONE("\"dtype\":7,\"shape\":[4],\"data_offsets\":[0,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"U8\",\"shape\":[16],\"data_offsets\":[0,16]"), "U8",
         SMIDGEN_ERROR_UNSUPPORTED_TYPE},
        {ONE("\"dtype\":\"BOOL\",\"shape\":[16],\"data_offsets\":[0,16]"), "BOOL",
         SMIDGEN_ERROR_UNSUPPORTED_TYPE},
        {ONE("\"dtype\":\"F8_E4M3\",\"shape\":[16],\"data_offsets\":[0,16]"), "'odd'",
         SMIDGEN_ERROR_UNSUPPORTED_TYPE},
        {ONE("\"dtype\":\"f32\",\"shape\":[4],\"data_offsets\":[0,16]"), "f32",
         SMIDGEN_ERROR_UNSUPPORTED_TYPE},
        {ONE("\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[-4],\"data_offsets\":[0,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[\"4\"],\"data_offsets\":[0,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[4,1,1,1,1],\"data_offsets\":[0,16]"), "'odd'",
         SMIDGEN_ERROR_UNSUPPORTED_FORMAT},
        {ONE("\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,0]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[-16,0]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,17]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,18446744073709551615]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[4,16]"), "'odd'", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]"), "4 bytes", BAD},
        {ONE("\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,20]"), "past the end", BAD},
        {"{}", "16 bytes", BAD},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
         "\"odd\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}",
         "'odd'", BAD},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
         "\"odd\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[4,16]}}",
         "'odd'", BAD},
        {"{\"odd\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"odd\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
         "'odd'", BAD},
        {"{\"o\\u0000d\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "'o?d'", BAD},
        {"{\"__metadata__\":[]}", "__metadata__", BAD},
        {"{\"__metadata__\":{\"k\":1}}", "'k'", BAD},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", "__metadata__", BAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gguf_builder b = {0};
        put_safetensors(&b, cases[i].header, 16);
        expect(&b, cases[i].code, cases[i].culprit, cases[i].header);
    }
}
