/* SentencePiece's precompiled character map: a double-array trie from byte strings to their replacements. */
#ifndef TOKENIZERS_CHARSMAP_H
#define TOKENIZERS_CHARSMAP_H

#include "tokenizers/scratch.h"

typedef struct charsmap {
    const uint8_t *units; /* [unit_count] little-endian 32-bit numbers, perhaps unaligned */
    uint32_t unit_count;
    const char *texts; /* [texts_bytes] replacements, each ended by a zero */
    size_t texts_bytes;
} charsmap;

/* blob must outlive the map. False when it is damaged. */
bool charsmap_make(charsmap *m, const uint8_t *blob, size_t size_bytes);
bool charsmap_append(const charsmap *m, scratch *out, const char *text, size_t size);

#endif
