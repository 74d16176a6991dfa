/* From ids back to text. */
#ifndef TOKENIZERS_DECODER_H
#define TOKENIZERS_DECODER_H

#include "tokenizers/internal.h"

/* The text of ids[0..count) by the tokenizer's decoder; the contract of tokenizer_decode. */
int64_t decoder_run(const tokenizer *t, const int32_t *ids, size_t count, bool render_special, char *text,
                    size_t capacity, smidgen_error *error);

#endif
