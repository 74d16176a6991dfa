/* Splits text by the regular expressions of published tokenizers, without a regular expression engine: a
 * pattern is a list of alternatives, each of a few shapes that can be matched in one pass (see
 * splitter_pattern.c). */
#ifndef TOKENIZERS_SPLITTER_H
#define TOKENIZERS_SPLITTER_H

#include "base/arena.h"

enum { SPLITTER_RULES = 24, SPLITTER_RANGES = 8 };

/* A set of characters. */
typedef struct splitter_class {
    uint64_t ascii[2];   /* the answer for code points below 128 */
    uint32_t categories; /* unicode_mask bits, for the others */
    uint32_t ranges[SPLITTER_RANGES][2];
    int32_t range_count;
    bool is_negated;
} splitter_class;

typedef struct splitter_run {
    splitter_class set;
    uint32_t least, most; /* how many characters; most UINT32_MAX: any number */
} splitter_run;

typedef enum splitter_shape {
    SPLITTER_LITERAL,     /* a fixed text */
    SPLITTER_CONTRACTION, /* 's 't 're 've 'm 'll 'd in any case */
    SPLITTER_FORWARD,  /* [first] middle{least,most} [last*]: greedy, never needs to step back into middle */
    SPLITTER_BACKWARD, /* [first] middle* last{1,most}: middle gives characters back until last matches */
    SPLITTER_NOT_BEFORE, /* middle+ (?!\S): gives the last character back when text follows */
} splitter_shape;

typedef struct splitter_rule {
    splitter_shape shape;
    splitter_run first, middle, last; /* most 0: absent */
    bool ends_with_contraction;       /* (?i:'s|'t|...)? at the end */
    const char *literal;
    size_t literal_bytes;
} splitter_rule;

typedef struct splitter {
    splitter_rule rules[SPLITTER_RULES]; /* in order: the first that matches wins */
    int32_t rule_count;
    uint32_t starts[128]; /* which rules can match at this ASCII character */
} splitter;

/* False when the pattern has a part that is none of the known shapes (then another engine must run it), or
 * when there is no memory (*out_of_memory). */
bool splitter_parse(splitter *s, arena *a, const char *pattern, size_t size_bytes, bool *out_of_memory);
/* Where the piece that begins at text[at] ends; at < size. *is_match: the pattern matches text[at..end), else
 * it is the whole stretch up to the next match. */
size_t splitter_next(const splitter *s, const char *text, size_t size, size_t at, bool *is_match);
bool splitter_class_has(const splitter_class *set, uint32_t c);

#endif
