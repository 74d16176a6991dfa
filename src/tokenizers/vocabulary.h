/* The tokens of a model: their spelling in the file, the way back from a spelling to its id, what each adds
 * to a text. */
#ifndef TOKENIZERS_VOCABULARY_H
#define TOKENIZERS_VOCABULARY_H

#include "base/arena.h"
#include "formats/gguf.h"

enum vocabulary_flags {
    VOCABULARY_CONTROL = 1, /* not part of a text: BOS, <|im_end|>, padding */
    VOCABULARY_END = 2,     /* ends a reply */
    VOCABULARY_BYTE = 4,    /* <0x0A>: stands for one byte */
    VOCABULARY_PARSED =
        16, /* an ordinary token that is spelled like a control token: found like one in a prompt */
    VOCABULARY_LITERAL =
        8, /* its text means itself, no decoding rule applies (tokens added to the vocabulary) */
};

typedef struct vocabulary_slot {
    uint32_t hash;
    int32_t id; /* -1: free */
} vocabulary_slot;

typedef struct vocabulary {
    const gguf_string *texts; /* [count] as the file spells them; NULL text where an id is not used */
    uint8_t *flags;           /* [count] of vocabulary_flags */
    uint32_t count;
    uint32_t mask;          /* slots - 1 */
    vocabulary_slot *slots; /* [mask + 1] */
    uint32_t longest_bytes; /* of any spelling */
    int32_t bytes[256];     /* the id of <0xNN>, -1 where there is none */
    bool has_all_bytes;
    /* What each token adds in the middle of a text: pieces[piece_at[id] .. piece_at[id + 1]). */
    const char *pieces;
    const uint32_t *piece_at; /* [count + 1] */
} vocabulary;

/* texts must outlive the vocabulary (they are not copied). Tokens of equal spelling are refused with
 * BAD_FILE, except where may_repeat[id] (the first of them is found then). may_repeat may be NULL. */
bool vocabulary_make(vocabulary *v, arena *a, const gguf_string *texts, uint32_t count,
                     const bool *may_repeat, smidgen_error *error);
/* The id of the token spelled text[0..size_bytes), or -1. */
int32_t vocabulary_find(const vocabulary *v, const char *text, size_t size_bytes);
/* Brings the table's place for the spelling into the cache, for a find that follows soon. */
void vocabulary_prefetch(const vocabulary *v, const char *text, size_t size_bytes);
/* The same for the spelling a followed by b; room has longest_bytes bytes. */
int32_t vocabulary_find_joined(const vocabulary *v, const char *a, size_t a_bytes, const char *b,
                               size_t b_bytes, char *room);
bool vocabulary_is(const vocabulary *v, int32_t id, const char *text, size_t size_bytes);
/* Fills v->bytes and flags every <0xNN> that is not a control token with VOCABULARY_BYTE. */
void vocabulary_find_byte_tokens(vocabulary *v);
/* The byte that <0xNN> spells, or -1. */
int vocabulary_byte_of(const char *text, size_t size_bytes);

#endif
