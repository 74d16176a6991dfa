/* JSON schemas as grammars: tables of texts, random walks whose every end must be valid, and what is refused.
 */
#include "test.h"

#include <locale.h>
#include <stdlib.h>

#include "base/file.h"
#include "generate/grammar.h"
#include "grammar_fixture.h"
#include "schema_validator.h"

typedef struct schema_cases {
    arena arena;
    char *text;
    json_document *document;
} schema_cases;

static bool cases_open(schema_cases *s)
{
    uint64_t size;
    smidgen_error error = {0};
    arena_init(&s->arena, &memory_system);
    s->text = file_read_all(&s->arena, test_data("grammar/schemas.json"), 1 << 24, &size, &error);
    s->document = s->text == NULL ? NULL : json_parse(s->text, size, "schemas.json", &memory_system, &error);
    if (s->document == NULL) {
        test_fail(__FILE__, __LINE__, "%s", error.message);
    }
    return s->document != NULL;
}

static void cases_close(schema_cases *s)
{
    json_close(s->document);
    arena_close(&s->arena);
}

static grammar *case_grammar(const json_value *test, const tokenizer *t)
{
    size_t size, name_size;
    smidgen_error error = {0};
    const char *text = json_string(json_get(test, "schema_text"), &size);
    grammar *g = grammar_from_json_schema(text, size, t, &memory_system, &error);
    if (g == NULL) {
        test_fail(__FILE__, __LINE__, "%s: %s", json_string(json_get(test, "name"), &name_size),
                  error.message);
    }
    return g;
}

TEST(schema_accepts_and_refuses_texts)
{
    schema_cases s;
    REQUIRE(cases_open(&s));
    for (json_iterator it = json_iterate(json_root(s.document)); json_next(&it);) {
        size_t size, name_size;
        const char *name = json_string(json_get(it.value, "name"), &name_size);
        grammar *g = case_grammar(it.value, NULL);
        if (g == NULL) {
            continue;
        }
        for (json_iterator k = json_iterate(json_get(it.value, "accept")); json_next(&k);) {
            const char *text = json_string(k.value, &size);
            grammar_reset(g);
            if (!grammar_accept_bytes(g, text, size) || !grammar_may_end(g)) {
                test_fail(__FILE__, __LINE__, "%s refuses %s", name, text);
            }
        }
        for (json_iterator k = json_iterate(json_get(it.value, "refuse")); json_next(&k);) {
            const char *text = json_string(k.value, &size);
            grammar_reset(g);
            if (grammar_accept_bytes(g, text, size) && grammar_may_end(g)) {
                test_fail(__FILE__, __LINE__, "%s accepts %s", name, text);
            }
        }
        grammar_close(g);
    }
    cases_close(&s);
}

static void check_valid(const json_value *test, const char *text, size_t size)
{
    size_t name_size;
    const char *name = json_string(json_get(test, "name"), &name_size);
    smidgen_error error = {0};
    json_document *document = json_parse(text, size, "the walk", &memory_system, &error);
    const json_value *schema = json_get(test, "schema");
    if (document == NULL) {
        test_fail(__FILE__, __LINE__, "%s: not JSON (%s): %.*s", name, error.message,
                  (int)(size < 300 ? size : 300), text);
    } else if (!schema_valid(schema, schema, json_root(document))) {
        test_fail(__FILE__, __LINE__, "%s: not valid: %.*s", name, (int)(size < 300 ? size : 300), text);
    }
    json_close(document);
}

/* A walk of single bytes; after `patience` bytes those that close are tried first. */
static bool byte_walk(grammar *g, int patience, char *text, size_t *size)
{
    grammar_reset(g);
    for (*size = 0; *size < WALK_BYTES; ++*size) {
        bool late = *size > (size_t)patience, moved = false;
        if (grammar_may_end(g) && (late || walk_next(3) == 0)) {
            return true;
        }
        static const char closing[] = "}]n0u-1tTZ:, cat";
        uint32_t turn = walk_next(sizeof closing - 1);
        for (uint32_t i = 0; i < sizeof closing && late && !moved && walk_next(8) != 0; i++) {
            text[*size] = i == 0 ? '"' : closing[(turn + i) % (sizeof closing - 1)];
            moved = grammar_accept_bytes(g, text + *size, 1);
        }
        uint32_t range = walk_next(3), from = range == 0 ? walk_next(256) : 32 + walk_next(95);
        for (uint32_t i = 0; i < 256 && !moved; i++) {
            text[*size] = (char)(from + i * 167);
            moved = grammar_accept_bytes(g, text + *size, 1);
        }
        if (!moved) {
            break;
        }
    }
    if (grammar_may_end(g)) {
        return true;
    }
    test_fail(__FILE__, __LINE__, "dead end after: %.*s", (int)(*size < 300 ? *size : 300), text);
    return false;
}

TEST(schema_byte_walks_end_in_valid_json)
{
    static char text[WALK_BYTES];
    setlocale(LC_CTYPE, "C.UTF-8"); /* the oracle's regular expressions see characters */
    schema_cases s;
    REQUIRE(cases_open(&s));
    for (json_iterator it = json_iterate(json_root(s.document)); json_next(&it);) {
        grammar *g = case_grammar(it.value, NULL);
        size_t size;
        for (int round = 0; g != NULL && round < 60 && byte_walk(g, 200, text, &size); round++) {
            check_valid(it.value, text, size);
        }
        grammar_close(g);
    }
    cases_close(&s);
}

TEST(schema_token_walks_end_in_valid_json)
{
    static char text[WALK_BYTES];
    vocabulary v;
    REQUIRE_VOCABULARY(&v, "smollm2-135m");
    schema_cases s;
    REQUIRE(cases_open(&s));
    walk_report report = {0};
    for (json_iterator it = json_iterate(json_root(s.document)); json_next(&it);) {
        grammar *g = case_grammar(it.value, v.tokenizer);
        size_t size;
        for (int round = 0; g != NULL && round < 2 && grammar_walk(g, &v, 25, text, &size, &report);
             round++) {
            check_valid(it.value, text, size);
        }
        grammar_close(g);
    }
    printf("  %d steps, mask mean %.3f ms, worst %.2f ms\n", report.steps,
           report.seconds / report.steps * 1e3, report.worst * 1e3);
    cases_close(&s);
    vocabulary_close(&v);
}

TEST(schema_errors_name_keyword_and_place)
{
    static const struct {
        const char *schema, *message;
    } rows[] = {
        {"{\"properties\":{\"a\":{\"items\":{\"not\":{}}}}}",
         "JSON schema at \"#/properties/a/items\": the keyword \"not\" cannot be honoured"},
        {"{\"type\":\"array\",\"uniqueItems\":true}",
         "JSON schema at \"#\": the keyword \"uniqueItems\" cannot be honoured"},
        {"{\"patternProperties\":{}}",
         "JSON schema at \"#\": the keyword \"patternProperties\" cannot be honoured"},
        {"{\"anyOf\":[{},{\"if\":{}}]}",
         "JSON schema at \"#/anyOf/1\": the keyword \"if\" cannot be honoured"},
        {"{\"type\":\"int\"}", "JSON schema at \"#\": type is not a type"},
        {"{\"type\":[\"string\",3]}", "JSON schema at \"#\": type lists something that is no type"},
        {"{\"format\":\"email\"}", "JSON schema at \"#\": the format \"email\" cannot be honoured"},
        {"{\"$ref\":\"other.json\"}",
         "JSON schema at \"#\": $ref \"other.json\" is not inside this document"},
        {"{\"$ref\":\"#/$defs/x\"}", "JSON schema at \"#\": $ref \"#/$defs/x\" names nothing"},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}",
         "JSON schema at \"#\": branches 0 and 1 of oneOf may overlap; use anyOf"},
        {"{\"type\":\"string\",\"pattern\":\"(?=a)\"}",
         "JSON schema at \"#\": pattern, byte 2: look-around and named groups cannot be honoured"},
        {"{\"pattern\":\"a\\\\b\"}", "JSON schema at \"#\": pattern, byte 3: this escape cannot be honoured"},
        {"{\"pattern\":\"a\",\"minLength\":3}",
         "JSON schema at \"#\": minLength and maxLength cannot be honoured together with pattern or format"},
        {"{\"enum\":[\"a\"],\"minLength\":3}",
         "JSON schema at \"#\": \"minLength\" cannot be honoured together with const or enum"},
        {"{\"items\":[{}]}", "JSON schema at \"#\": items as a list cannot be honoured: call it prefixItems"},
        {"{\"maximum\":1e30}", "JSON schema at \"#\": maximum must be a number between -1e18 and 1e18"},
        {"{\"minItems\":-1}", "JSON schema at \"#\": minItems must be a whole number from 0 on"},
        {"{\"properties\":{\"a/b\":3}}",
         "JSON schema at \"#/properties/a/b\": a schema must be an object, true or false"},
        {"false", "JSON schema at \"#\": no value can satisfy it"},
        {"{\"type\":\"integer\",\"minimum\":3,\"maximum\":2}",
         "JSON schema at \"#\": no value can satisfy it"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}",
         "JSON schema at \"#\": no value can satisfy it"},
        {"{\"allOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}",
         "JSON schema at \"#\": no value can satisfy it"},
        {"3", "JSON schema at \"#\": a schema must be an object, true or false"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        smidgen_error error = {0};
        grammar *g =
            grammar_from_json_schema(rows[i].schema, strlen(rows[i].schema), NULL, &memory_system, &error);
        CHECK(g == NULL);
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_GRAMMAR);
        CHECK_TEXT(error.message, rows[i].message);
        grammar_close(g);
    }
}

TEST(schema_every_prefix_is_refused_as_json)
{
    static const char text[] =
        "{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[1,\"x\",null]}},\"required\":[\"a\"]}";
    for (size_t cut = 0; cut < sizeof text - 1; cut++) {
        char *exact = malloc(cut + (cut == 0));
        REQUIRE(exact != NULL);
        memcpy(exact, text, cut);
        smidgen_error error = {0};
        CHECK(grammar_from_json_schema(exact, cut, NULL, &memory_system, &error) == NULL);
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_GRAMMAR);
        free(exact);
    }
}

static char *repeat(const char *open, const char *middle, const char *close, size_t depth)
{
    size_t o = strlen(open), m = strlen(middle), c = strlen(close);
    char *text = malloc(depth * (o + c) + m + 1), *at = text;
    for (size_t i = 0; text != NULL && i < depth; i++, at += o) {
        memcpy(at, open, o);
    }
    if (text != NULL) {
        memcpy(at, middle, m + 1);
        at += m;
    }
    for (size_t i = 0; text != NULL && i < depth; i++, at += c) {
        memcpy(at, close, c + 1);
    }
    return text;
}

TEST(schema_hostile_ones_are_refused_quickly)
{
    char *rows[] = {
        repeat("{\"items\":", "{}", "}", 100000),
        repeat("{\"allOf\":[", "{}", "]}", 100000),
        repeat("{\"anyOf\":[{},", "{}", "]}", 20000),
        repeat("", "{\"type\":\"string\",\"minLength\":1000000}", "", 0),
        repeat("", "{\"type\":\"array\",\"items\":{\"type\":\"null\"},\"minItems\":1000000000}", "", 0),
        repeat("", "{\"type\":\"string\",\"pattern\":\"((a{1000}){1000}b{100000}){1000}c{200000}\"}", "", 0),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        REQUIRE(rows[i] != NULL);
        smidgen_error error = {0};
        double begin = thread_seconds();
        grammar *g = grammar_from_json_schema(rows[i], strlen(rows[i]), NULL, &memory_system, &error);
        if (g != NULL || thread_seconds() - begin > 2.0) {
            test_fail(__FILE__, __LINE__, "row %zu: %.3f s, %s", i, thread_seconds() - begin, error.message);
        }
        CHECK(g != NULL || error.code == SMIDGEN_ERROR_LIMIT || error.code == SMIDGEN_ERROR_GRAMMAR);
        grammar_close(g);
        free(rows[i]);
    }
}

/* ------------------------------------------------------------------------------------------------- memory */

typedef struct failing {
    int allowed, live;
} failing;

static void *failing_allocate(void *context, size_t size_bytes)
{
    failing *f = context;
    if (f->allowed-- <= 0) {
        return NULL;
    }
    f->live++;
    return memory_system.allocate(NULL, size_bytes);
}

static void failing_release(void *context, void *block, size_t size_bytes)
{
    ((failing *)context)->live--;
    memory_system.release(NULL, block, size_bytes);
}

TEST(schema_creation_survives_every_failing_allocation)
{
    static const char text[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[1,\"x\",null]},\"b\":{"
                               "\"type\":\"string\",\"pattern\":\"^a+$\"},"
                               "\"c\":{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":3},"
                               "\"maxItems\":9}},\"required\":[\"a\"]}";
    bool created = false;
    for (int allowed = 0; !created && allowed < 500; allowed++) {
        failing f = {allowed, 0};
        smidgen_allocator a = {failing_allocate, failing_release, &f};
        smidgen_error error = {0};
        grammar *g = grammar_from_json_schema(text, sizeof text - 1, NULL, &a, &error);
        created = g != NULL;
        CHECK(created || error.code == SMIDGEN_ERROR_OUT_OF_MEMORY);
        grammar_close(g);
        CHECK_EQUAL(f.live, 0);
    }
    CHECK(created);
}
