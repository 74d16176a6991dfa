/* Iteration over the matches of a pattern and the stretches between them. */
#ifndef TOKENIZERS_PATTERN_H
#define TOKENIZERS_PATTERN_H

#include "tokenizers/internal.h"

/* A walk over a text: matches and the stretches between them, in order, without gaps. */
typedef struct pattern_walk {
    const pattern *pattern;
    const char *text; /* [size] */
    size_t size, at;
    size_t begin, end; /* of the part that pattern_walk_next found */
    bool is_match;
    bool failed;                   /* no memory */
    size_t valid_begin, valid_end; /* PATTERN_PCRE2 sees text[valid_begin .. valid_end), which is UTF-8 */
} pattern_walk;

pattern_walk pattern_walk_over(const pattern *p, const char *text, size_t size);
/* False at the end of the text, or when the walk failed. */
bool pattern_walk_next(pattern_walk *w);

/* The engine for expressions that no split rule covers: pre_tokenizer_pcre2.c, or pre_tokenizer_no_pcre2.c,
 * which refuses. Compiled code is freed by pattern_engine_close. */
void *pattern_engine_open(const char *pattern, size_t size_bytes, const smidgen_allocator *allocator,
                          smidgen_error *error);
/* text is valid UTF-8; SIZE_MAX when there is no memory. */
size_t pattern_engine_next(void *engine, const char *text, size_t size, size_t at, bool *is_match);
void pattern_engine_close(void *engine);

#endif
