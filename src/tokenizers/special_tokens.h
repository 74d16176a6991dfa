/* Tokens that are found in the text before anything else is done with it: <|im_end|>, <mask>, runs of
 * newlines. */
#ifndef TOKENIZERS_SPECIAL_TOKENS_H
#define TOKENIZERS_SPECIAL_TOKENS_H

#include "base/arena.h"

enum special_flags {
    SPECIAL_CONTROL = 1,     /* only with TOKENIZER_PARSE_SPECIAL */
    SPECIAL_LEFT_SPACE = 2,  /* takes the white space on its left with it */
    SPECIAL_RIGHT_SPACE = 4, /* and on its right */
    SPECIAL_WHOLE_WORD = 8,  /* only where no word character touches it */
};

typedef struct special_token {
    const char *text; /* [size_bytes], must outlive the set */
    size_t size_bytes;
    int32_t id;
    int32_t flags;
} special_token;

typedef struct special_edge {
    uint32_t parent; /* UINT32_MAX: free */
    uint32_t child;
    uint32_t byte;
} special_edge;

typedef struct special_set {
    const special_token *tokens;
    uint32_t count;
    special_edge *edges; /* [mask + 1], a trie as a table from (node, byte) to node */
    uint32_t mask;
    int32_t *token_at; /* [nodes]: index of the token that ends there, or -1 */
    bool first[256];   /* bytes that begin a token */
} special_set;

typedef struct special_match {
    size_t begin, end;
    int32_t id;
} special_match;

/* tokens must outlive the set. Empty texts are passed over; of equal texts the last counts. */
bool special_set_make(special_set *s, arena *a, const special_token *tokens, uint32_t count);
/* The first token in text[from..size), longest first; `from` is also the limit of white space on the left. */
bool special_find(const special_set *s, const char *text, size_t size, size_t from, bool with_control,
                  special_match *match);

#endif
