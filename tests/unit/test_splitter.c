/* Split expressions: what the published ones cut, which are known, and PCRE2 behind the rest. */
#include "base/arena.h"
#include "test.h"
#include "tokenizers/pattern.h"

/* The pieces of text, joined with "|"; stretches between matches in brackets. */
static const char *pieces(const char *expression, const char *text)
{
    static char joined[512];
    arena a;
    splitter s;
    bool out_of_memory;
    size_t size = strlen(text), n = 0;
    arena_init(&a, &memory_system);
    if (!splitter_parse(&s, &a, expression, strlen(expression), &out_of_memory)) {
        arena_close(&a);
        return "not known";
    }
    for (size_t at = 0; at < size;) {
        bool is_match;
        size_t end = splitter_next(&s, text, size, at, &is_match);
        n += (size_t)snprintf(joined + n, sizeof joined - n, is_match ? "%s%.*s" : "%s[%.*s]",
                              at == 0 ? "" : "|", (int)(end - at), text + at);
        at = end;
    }
    arena_close(&a);
    return joined;
}

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define LLAMA3                                                                                               \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" \
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define O200K                                                                                                \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"              \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"              \
    "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| "                              \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|"                                                                        \
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

TEST(splitter_cuts_as_gpt2_does)
{
    CHECK_TEXT(pieces(GPT2, "I'm  x1'S 12345 ...  "), "I|'m| | x|1|'|S| 12345| ...|  ");
    CHECK_TEXT(pieces(GPT2, "a\n\n b\t\tc"), "a|\n\n| b|\t|\t|c");
}

TEST(splitter_cuts_as_llama3_does)
{
    CHECK_TEXT(pieces(LLAMA3, "I'M\tx1234!\n\n  \n y"), "I|'M|\tx|123|4|!\n\n|  \n| y");
    CHECK_TEXT(pieces(LLAMA3, "a   b"), "a|  | b");
}

TEST(splitter_cuts_at_case_as_o200k_does)
{
    CHECK_TEXT(pieces(O200K, "camelCase HTTPServer's ABC"), "camel|Case| HTTPServer's| ABC");
    CHECK_TEXT(pieces(O200K, "a//\n b"), "a|//\n| b");
}

TEST(splitter_knows_deepseek_s_signs_and_gaps)
{
    CHECK_TEXT(pieces("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[\\p{L}\\p{M}]+", "a.b [x"),
               "a|.b|[ ]|[x");
    CHECK_TEXT(pieces("[0-9][0-9][0-9]", "12345"), "123|[45]");
    CHECK_TEXT(pieces(" {2,}", "a  b c"), "[a]|  |[b c]");
}

TEST(splitter_refuses_what_it_does_not_know)
{
    static const char *const unknown[] = {"(a|b)+",
                                          "a(?=b)",
                                          "\\p{Han}+",
                                          "a*?",
                                          "\\bx",
                                          "[a&&b]",
                                          "(",
                                          "[",
                                          "\\p{",
                                          "a{2",
                                          "",
                                          "x|",
                                          "\\d{1,3}(?=(?:\\d{3})*\\b)"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        if (strcmp(pieces(unknown[i], "a"), "not known") != 0) {
            test_fail(__FILE__, __LINE__, "\"%s\" was taken for something known", unknown[i]);
        }
    }
}

TEST(unknown_expressions_run_in_pcre2_or_are_named)
{
    smidgen_error error = {0};
    const char *expression = "\\d{1,3}(?=(?:\\d{3})*\\b)|\\p{Han}";
    void *engine = pattern_engine_open(expression, strlen(expression), &memory_system, &error);
    if (engine == NULL) {
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER);
        CHECK(strstr(error.message, expression) != NULL && strstr(error.message, "PCRE2") != NULL);
        return;
    }
    pattern p = {.kind = PATTERN_PCRE2, .engine = engine};
    const char text[] = "x12345\xFF\xE6\xBC\xA2y";
    pattern_walk w = pattern_walk_over(&p, text, sizeof text - 1);
    const struct {
        size_t end;
        bool is_match;
    } expected[] = {{1, false}, {3, true}, {6, true}, {7, false}, {10, true}, {11, false}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        CHECK(pattern_walk_next(&w));
        CHECK_EQUAL(w.end, expected[i].end);
        CHECK_EQUAL(w.is_match, expected[i].is_match);
    }
    CHECK(!pattern_walk_next(&w));
    pattern_engine_close(engine);
    CHECK(pattern_engine_open("(?<bad", 6, &memory_system, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER);
}
