/* A real vocabulary, and walks through a grammar that choose at random among the allowed tokens. */
#ifndef TESTS_GRAMMAR_FIXTURE_H
#define TESTS_GRAMMAR_FIXTURE_H

#include "test.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/thread.h"
#include "formats/gguf.h"
#include "generate/grammar.h"

typedef struct vocabulary {
    arena arena;
    source *source;
    tokenizer *tokenizer;
    int32_t size;
} vocabulary;

static inline bool vocabulary_open(vocabulary *v, const char *path)
{
    smidgen_error error = {0};
    *v = (vocabulary){0};
    arena_init(&v->arena, &memory_system);
    v->source = source_open_file(&v->arena, path, &error);
    gguf_file *gguf = v->source == NULL ? NULL : gguf_open(&v->arena, v->source, &error);
    v->tokenizer = gguf == NULL ? NULL : tokenizer_from_gguf(gguf, &memory_system, &error);
    if (v->tokenizer == NULL) {
        test_fail(__FILE__, __LINE__, "%s", error.message);
        return false;
    }
    tokenizer_info info;
    tokenizer_get_info(v->tokenizer, &info);
    v->size = info.vocab_size;
    return true;
}

static inline void vocabulary_close(vocabulary *v)
{
    tokenizer_close(v->tokenizer);
    if (v->source != NULL) {
        v->source->close(v->source);
    }
    arena_close(&v->arena);
}

#define REQUIRE_VOCABULARY(v, name)                                                                          \
    do {                                                                                                     \
        if (test_model(name) == NULL) {                                                                      \
            SKIP("no model %s", name);                                                                       \
        }                                                                                                    \
        REQUIRE(vocabulary_open(v, test_model(name)));                                                       \
    } while (0)

enum { WALK_BYTES = 1 << 16 };

typedef struct walk_report {
    int steps;
    double seconds, worst; /* in grammar_mask */
} walk_report;

static uint64_t walk_random = 88172645463325252u;

static inline uint32_t walk_next(uint32_t below)
{
    walk_random ^= walk_random << 13;
    walk_random ^= walk_random >> 7;
    walk_random ^= walk_random << 17;
    return (uint32_t)(walk_random >> 32) % below;
}

/* Chooses at random until an end token; past `patience` steps it prefers the end and what closes something,
 * so that it comes to an end. False (and a failure) at a dead end or when it never ends. */
static inline bool grammar_walk(grammar *g, const vocabulary *v, int patience, char *text, size_t *size,
                                walk_report *report)
{
    float *logits = malloc((size_t)v->size * sizeof *logits);
    bool ended = false;
    *size = 0;
    grammar_reset(g);
    for (int step = 0; logits != NULL && !ended && step < patience + 3000; step++) {
        bool flat = walk_next(4) != 0; /* else favour short tokens: structure instead of text */
        for (int32_t i = 0; i < v->size; i++) {
            logits[i] = (float)walk_next(1000);
            size_t bytes;
            const char *b = tokenizer_token_bytes(v->tokenizer, i, false, &bytes);
            logits[i] += !flat && bytes == 1 ? 2000.0f : 0.0f;
            if (step > patience) {
                logits[i] += tokenizer_is_end(v->tokenizer, i) ? 9000.0f : 0.0f;
                logits[i] += bytes == 1 && (*b == '}' || *b == ']' || *b == '"') ? 8000.0f : 0.0f;
                logits[i] +=
                    bytes == 3 && memcmp(b, "cat", 3) == 0 ? 8500.0f : 0.0f; /* what a pattern waits for */
                logits[i] -= bytes == 1 && (*b == ',' || *b == '[' || *b == '{') ? 4000.0f : 0.0f;
            }
        }
        double begin = thread_seconds();
        int32_t allowed = grammar_mask(g, logits, v->size);
        double taken = thread_seconds() - begin;
        report->seconds += taken;
        report->worst = taken > report->worst ? taken : report->worst;
        report->steps++;
        int32_t best = -1;
        for (int32_t i = 0; i < v->size; i++) {
            best = logits[i] > -INFINITY && (best < 0 || logits[i] > logits[best]) ? i : best;
        }
        if (allowed <= 0 || best < 0 || !grammar_accept(g, best)) {
            test_fail(__FILE__, __LINE__, "dead end after: %.*s", (int)*size, text);
            break;
        }
        size_t bytes;
        const char *b = tokenizer_token_bytes(v->tokenizer, best, false, &bytes);
        ended = tokenizer_is_end(v->tokenizer, best);
        if (!ended && *size + bytes < WALK_BYTES) {
            memcpy(text + *size, b, bytes);
            *size += bytes;
        }
    }
    free(logits);
    if (!ended) {
        test_fail(__FILE__, __LINE__, "no end: %.*s", (int)(*size < 300 ? *size : 300), text);
    }
    return ended;
}

#endif
