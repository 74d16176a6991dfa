/* Files of scored distributions, for --save-logits and --kl-against. Little-endian:
 *   "SMLOGITS", u32 version 1, u32 vocab_size, u32 context_tokens, u32 first scored position, u32 windows,
 *   u32 zero, u64 hash of the token ids; then for each scored position
 *   i32 token that follows, f32 largest log probability, f32 step, u16 code [vocab_size]
 * where log p(i) = largest - step * code[i]. A step is 1/65535 of the range: the error of a log probability
 * is below 0.0005 for any range up to 60, and a divergence computed from it is off by less than 1e-5. */
#ifndef CLI_LOGITS_FILE_H
#define CLI_LOGITS_FILE_H

#include "smidgen.h"

#include <stdio.h>

typedef struct logits_header {
    uint32_t vocab_size, context_tokens, first_position, windows;
    uint64_t ids_hash;
} logits_header;

typedef struct logits_file {
    FILE *stream;
    const char *path;
    logits_header header;
    uint8_t *record; /* [12 + 2 * vocab_size] */
} logits_file;

bool logits_create(logits_file *f, const char *path, const logits_header *header, smidgen_error *error);
/* log_p: [vocab_size], natural logs. */
bool logits_write(logits_file *f, int32_t next_token, const float *log_p, smidgen_error *error);
/* Refuses a file that was made of another text, vocabulary or window (INVALID_ARGUMENT), or is damaged
 * (BAD_FILE). */
bool logits_open(logits_file *f, const char *path, const logits_header *expected, smidgen_error *error);
/* The next position, normalised. */
bool logits_read(logits_file *f, int32_t next_token, float *log_p, smidgen_error *error);
/* False when what was written did not reach the disk. */
bool logits_close(logits_file *f, smidgen_error *error);

#endif
