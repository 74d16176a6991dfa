/* Iteration over the matches of a pattern and the stretches between them. */
#ifndef TOKENIZERS_PATTERN_H
#define TOKENIZERS_PATTERN_H

#include "tokenizers/internal.h"

/* The end of the match or stretch that begins at text[at]; at < size; always past `at`. */
size_t pattern_next(const pattern *p, const char *text, size_t size, size_t at, bool *is_match);

/* The engine for expressions that no split rule covers: pre_tokenizer_pcre2.c, or pre_tokenizer_no_pcre2.c, which
 * refuses. Compiled code is freed by pattern_engine_close. */
void *pattern_engine_open(const char *pattern, size_t size_bytes, const smidgen_allocator *allocator,
                          smidgen_error *error);
size_t pattern_engine_next(void *engine, const char *text, size_t size, size_t at, bool *is_match);
void pattern_engine_close(void *engine);

#endif
