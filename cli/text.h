/* Growing text, whole files, and numbers for people. Where memory ends, the program ends (exit
 * OUT_OF_MEMORY). */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "smidgen.h"

#include <stdio.h>

typedef struct text {
    char *bytes; /* terminated once anything was added; NULL before */
    size_t size, capacity;
} text;

void *cli_allocate(size_t size_bytes);
void *cli_resize(void *block, size_t size_bytes);
char *cli_copy(const char *bytes, size_t size);
/* A formatted text of its own; free it. */
__attribute__((format(printf, 1, 2))) char *cli_format(const char *format, ...);

void text_reserve(text *t, size_t more_bytes);
void text_add(text *t, const char *bytes, size_t size);
void text_put(text *t, const char *terminated);
__attribute__((format(printf, 2, 3))) void text_print(text *t, const char *format, ...);
void text_clear(text *t);
void text_free(text *t);

/* Whole file, or standard input where path is "-". Fails with NOT_FOUND, IO or LIMIT. */
bool text_read(text *t, const char *path, uint64_t limit_bytes, smidgen_error *error);

/* Fills *error as the library does; returns false. */
__attribute__((format(printf, 4, 5))) bool cli_error(smidgen_error *error, smidgen_error_code code,
                                                     const char *advice, const char *format, ...);

/* "93.8 MiB" into out. */
const char *human_bytes(uint64_t bytes, char out[32]);
/* "1:05" or "1:02:03" into out. */
const char *human_duration(double seconds, char out[32]);

/* Seconds of a monotonic clock. */
double cli_seconds(void);

/* How alike two words are: edit distance, at most `limit` (then limit + 1 is returned). */
int word_distance(const char *a, const char *b, int limit);

#endif
