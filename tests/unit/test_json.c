#include "test.h"

#include <stdlib.h>

#include "base/json.h"
#include "failing_allocator.h"

static json_document *parse(const char *text, smidgen_error *error)
{
    return json_parse(text, strlen(text), "test.json", &memory_system, error);
}

TEST(json_values_read_as_what_they_are)
{
    smidgen_error error = {0};
    json_document *d = parse(
        "{\"a\":[1,-2,3.5,1e3,18446744073709551615],\"b\":\"x\\u0000y\",\"t\":true,\"n\":null,\"o\":{}}",
        &error);
    REQUIRE(d != NULL);
    const json_value *root = json_root(d), *a = json_get(root, "a");
    CHECK_EQUAL(json_kind_of(root), JSON_OBJECT);
    CHECK_EQUAL(json_count(root), 5);
    CHECK_EQUAL(json_count(a), 5);
    const int64_t whole[5] = {1, -2, -9, 1000, -9};
    const double numbers[5] = {1, -2, 3.5, 1000, 18446744073709551615.0};
    int i = 0;
    for (json_iterator it = json_iterate(a); json_next(&it); i++) {
        CHECK(it.key == NULL);
        CHECK_EQUAL(json_integer(it.value, -9), whole[i]);
        CHECK_NEAR(json_number(it.value, 0), numbers[i], 0);
    }
    CHECK_EQUAL(i, 5);
    size_t size = 0;
    const char *text = json_string(json_get(root, "b"), &size);
    CHECK(size == 3 && memcmp(text, "x\0y", 4) == 0);
    CHECK(json_bool(json_get(root, "t"), false) && json_bool(json_get(root, "n"), true));
    CHECK_EQUAL(json_kind_of(json_get(root, "n")), JSON_NULL);
    CHECK_EQUAL(json_count(json_get(root, "o")), 0);
    i = 0;
    for (json_iterator it = json_iterate(root); json_next(&it); i++) {
        CHECK(it.key_bytes == 1 && it.key[0] == "abtno"[i]);
    }
    CHECK_EQUAL(i, 5);
    json_close(d);
}

TEST(json_absent_values_are_harmless)
{
    const json_value *none = json_get(NULL, "a");
    CHECK(none == NULL && json_kind_of(none) == JSON_ABSENT && json_count(none) == 0);
    json_iterator it = json_iterate(none);
    CHECK(!json_next(&it));
    CHECK_EQUAL(json_integer(none, 4), 4);
    CHECK_NEAR(json_number(none, 0.5), 0.5, 0);
    CHECK(json_string(none, NULL) == NULL && !json_is_string(none, "a") && json_bool(none, true));
    CHECK(json_root(NULL) == NULL);
    json_close(NULL);
}

TEST(json_errors_name_the_place)
{
    smidgen_error error = {0};
    CHECK(parse("{\"a\": 1,\n  \"b\": tru}", &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    CHECK(strstr(error.message, "test.json") != NULL && strstr(error.message, "line 2") != NULL);
    const char *const bad[] = {"",         " ",   "{",       "[1,]",     "{\"a\":1,}", "NaN", "// c\n1",
                               "\"\xFF\"", "1 2", "{'a':1}", "\"\x01\"", "01",         "[1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error.code = SMIDGEN_ERROR_NONE;
        CHECK(parse(bad[i], &error) == NULL);
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    }
}

TEST(json_nested_a_million_deep_is_safe)
{
    enum { DEPTH = 1000000 };
    char *text = malloc(2 * DEPTH);
    memset(text, '[', DEPTH);
    memset(text + DEPTH, ']', DEPTH);
    smidgen_error error = {0};
    json_document *d = json_parse(text, 2 * DEPTH, "deep", &memory_system, &error);
    CHECK(d != NULL);
    json_close(d);
    CHECK(json_parse(text, DEPTH, "deep", &memory_system, &error) == NULL);
    free(text);
}

TEST(json_refuses_every_prefix_and_leaks_nothing)
{
    static const char text[] =
        "{\"k\":[\"\\u00e9\\ud83d\\ude00\",true,false,null,-1.5e-3,{\"x\":{}}],\"z\":\"\xC3\xA9\"}";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        char *exact = malloc(size == 0 ? 1 : size);
        memcpy(exact, text, size);
        failing_allocator f;
        failing_allocator_bind(&f, UINT64_MAX);
        smidgen_error error = {0};
        CHECK(json_parse(exact, size, "prefix", &f.base, &error) == NULL);
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
        CHECK(f.live_blocks == 0 && !f.was_mismatched);
        free(exact);
    }
}

TEST(json_survives_failure_of_each_allocation)
{
    for (uint64_t n = 0;; n++) {
        failing_allocator f;
        failing_allocator_bind(&f, n);
        smidgen_error error = {0};
        json_document *d = json_parse("[[1,2,3],{\"a\":\"b\"}]", 19, "test.json", &f.base, &error);
        bool is_whole = f.calls <= n;
        CHECK((d != NULL) == is_whole);
        CHECK_EQUAL(error.code, is_whole ? SMIDGEN_ERROR_NONE : SMIDGEN_ERROR_OUT_OF_MEMORY);
        json_close(d);
        CHECK(f.live_blocks == 0 && !f.was_mismatched);
        if (is_whole) {
            break;
        }
    }
}
