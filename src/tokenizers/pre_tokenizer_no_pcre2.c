/* Stands in for pre_tokenizer_pcre2.c in builds without PCRE2: refuses every expression that the split rules
 * do not cover, naming it. */
#include "base/error.h"
#include "tokenizers/pattern.h"

void *pattern_engine_open(const char *expression, size_t size_bytes, const smidgen_allocator *allocator,
                          smidgen_error *error)
{
    (void)allocator;
    error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
              "the tokenizer splits with the expression \"%.*s\", which is not built in and needs PCRE2",
              (int)(size_bytes < 160 ? size_bytes : 160), expression);
    return NULL;
}

size_t pattern_engine_next(void *engine, const char *text, size_t size, size_t at, bool *is_match)
{
    (void)engine;
    (void)text;
    (void)at;
    *is_match = false;
    return size;
}

void pattern_engine_close(void *engine)
{
    (void)engine;
}
