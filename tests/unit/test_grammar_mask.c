/* Grammars over real vocabularies: which tokens are allowed, random walks that must end well, and the time of
 * a step. */
#include "test.h"

#include <stdlib.h>

#include "base/thread.h"
#include "formats/gguf.h"
#include "generate/grammar.h"
#include "generate/sampler.h"
#include "grammar_fixture.h"

static const char json_grammar[] =
    "root ::= object\n"
    "value ::= object | array | string | number | (\"true\" | \"false\" | \"null\") ws\n"
    "object ::= \"{\" ws ( string \":\" ws value (\",\" ws string \":\" ws value)* )? \"}\" ws\n"
    "array ::= \"[\" ws ( value (\",\" ws value)* )? \"]\" ws\n"
    "string ::= \"\\\"\" ( [^\"\\\\\\x7F\\x00-\\x1F] | \"\\\\\" ([\"\\\\bfnrt] | \"u\" [0-9a-fA-F]{4}) )* "
    "\"\\\"\" ws\n"
    "number ::= (\"-\"? ([0-9] | [1-9] [0-9]{0,15})) (\".\" [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws\n"
    "ws ::= | \" \" | \"\\n\" [ \\t]{0,20}\n";

TEST(grammar_mask_agrees_with_trying_every_token)
{
    vocabulary v;
    REQUIRE_VOCABULARY(&v, "smollm2-135m");
    grammar *g = grammar_from_gbnf(json_grammar, strlen(json_grammar), v.tokenizer, &memory_system, NULL);
    REQUIRE(g != NULL);
    float *logits = malloc((size_t)v.size * sizeof *logits);
    REQUIRE(logits != NULL);
    static const char *const texts[] = {"",          "{",
                                        "{\"",       "{\"a",
                                        "{\"\xE2",   "{\"a\\",
                                        "{\"a\":",   "{\"a\":-",
                                        "{\"a\":1",  "{\"a\":[[{\"b\":tr",
                                        "{\"a\":1}", "{\"a\":1}\n   "};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        grammar_reset(g);
        CHECK(grammar_accept_bytes(g, texts[i], strlen(texts[i])));
        for (int32_t token = 0; token < v.size; token++) {
            logits[token] = 1.0f;
        }
        int32_t allowed = grammar_mask(g, logits, v.size), different = 0, counted = 0;
        for (int32_t token = 0; token < v.size; token++) {
            grammar_reset(g);
            grammar_accept_bytes(g, texts[i], strlen(texts[i]));
            bool fits = grammar_accept(g, token);
            different += fits != (logits[token] == 1.0f);
            counted += fits;
        }
        CHECK_EQUAL(different, 0);
        CHECK_EQUAL(allowed, counted);
        CHECK(allowed > 0);
    }
    free(logits);
    grammar_close(g);
    vocabulary_close(&v);
}

TEST(grammar_walks_through_json_end_well)
{
    static const char *const models[] = {"smollm2-135m", "gemma3-270m", "qwen-0.5b"};
    for (int m = 0; m < 3; m++) {
        vocabulary v;
        REQUIRE_VOCABULARY(&v, models[m]);
        double begin = thread_seconds();
        grammar *g = grammar_from_gbnf(json_grammar, strlen(json_grammar), v.tokenizer, &memory_system, NULL);
        REQUIRE(g != NULL);
        double built = thread_seconds() - begin;
        walk_report report = {0};
        for (int round = 0; round < 5; round++) {
            char text[WALK_BYTES];
            size_t size;
            if (!grammar_walk(g, &v, 150, text, &size, &report)) {
                break;
            }
            json_document *document = json_parse(text, size, "the walk", &memory_system, NULL);
            if (document == NULL) {
                test_fail(__FILE__, __LINE__, "not JSON: %.*s", (int)size, text);
            }
            json_close(document);
        }
        printf("  %s: %d tokens, grammar built in %.1f ms, mask mean %.3f ms, worst %.2f ms, %d steps\n",
               models[m], (int)v.size, built * 1e3, report.seconds / report.steps * 1e3, report.worst * 1e3,
               report.steps);
        grammar_close(g);
        vocabulary_close(&v);
    }
}
