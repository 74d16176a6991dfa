/* What the tokenizer tests share: files of cases, ids compared with a useful message. */
#ifndef TESTS_TOKENIZER_FIXTURE_H
#define TESTS_TOKENIZER_FIXTURE_H

#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "formats/gguf.h"
#include "test.h"
#include "tokenizers/tokenizer.h"

typedef struct json_file {
    arena arena;
    json_document *document;
    const json_value *root;
} json_file;

static inline bool json_file_open(json_file *f, const char *name)
{
    smidgen_error error = {0};
    uint64_t size = 0;
    arena_init(&f->arena, &memory_system);
    f->document = NULL;
    f->root = NULL;
    char *text = file_read_all(&f->arena, test_data(name), 1u << 26, &size, &error);
    if (text != NULL) {
        f->document = json_parse(text, (size_t)size, name, &memory_system, &error);
    }
    if (f->document == NULL) {
        test_fail(__FILE__, __LINE__, "%s: %s", name, error.message);
        arena_close(&f->arena);
        return false;
    }
    f->root = json_root(f->document);
    return true;
}

static inline void json_file_close(json_file *f)
{
    json_close(f->document);
    arena_close(&f->arena);
}

/* Compares the ids with a JSON list; one failure for the first difference. */
static inline void check_ids(const char *what, const int32_t *ids, int64_t count, const json_value *expected)
{
    int64_t i = 0, wanted = (int64_t)json_count(expected);
    for (json_iterator it = json_iterate(expected); json_next(&it); i++) {
        int64_t id = json_integer(it.value, -1);
        if (i >= count || ids[i] != id) {
            test_fail(__FILE__, __LINE__, "%s: id %lld is %lld, expected %lld (%lld ids, expected %lld)",
                      what, (long long)i, i < count ? (long long)ids[i] : -1, (long long)id, (long long)count,
                      (long long)wanted);
            return;
        }
    }
    if (count != wanted) {
        test_fail(__FILE__, __LINE__, "%s: %lld ids, expected %lld", what, (long long)count,
                  (long long)wanted);
    }
}

static inline void check_bytes(const char *what, const char *actual, int64_t size, const char *expected,
                               size_t expected_size)
{
    if (size < 0 || (size_t)size != expected_size || memcmp(actual, expected, expected_size) != 0) {
        test_fail(__FILE__, __LINE__, "%s: \"%.*s\" (%lld bytes), expected \"%.*s\" (%zu bytes)", what,
                  (int)(size < 0     ? 0
                        : size < 200 ? size
                                     : 200),
                  actual, (long long)size, (int)(expected_size < 200 ? expected_size : 200), expected,
                  expected_size);
    }
}

#endif
