/* The bytes of a vocabulary as a trie in preorder, so that all tokens that fit a state are found in one walk.
 * Internal to grammars. */
#ifndef GENERATE_VOCABULARY_TRIE_H
#define GENERATE_VOCABULARY_TRIE_H

#include "base/arena.h"
#include "tokenizers/tokenizer.h"

enum { VOCABULARY_TOKEN_BYTES_MAX = 1024 }; /* longer tokens are left out: never allowed under a grammar */

typedef struct vocabulary_trie {
    arena memory;
    int32_t node_count, token_count;
    uint8_t *byte_class; /* [node_count] class of the byte that leads here */
    uint16_t *depth;     /* [node_count] 1 for first bytes */
    int32_t *end;        /* [node_count] first node behind the subtree */
    int32_t *first;      /* [node_count + 1] tokens of node i are order[first[i] .. first[i + 1]) */
    uint64_t *classes; /* [node_count] bit for each class of bytes below the node; every bit where a class is
                          past 63 */
    int32_t *order;    /* [token_count] ids sorted by their bytes */
    int32_t *end_tokens; /* [end_token_count] ids that end a reply */
    int32_t end_token_count;
} vocabulary_trie;

/* Every token with bytes that is neither control nor end token. byte_class [256] translates bytes. False
 * without memory. */
bool vocabulary_trie_build(vocabulary_trie *v, const tokenizer *t, const uint8_t *byte_class,
                           const smidgen_allocator *allocator);
void vocabulary_trie_close(vocabulary_trie *v);

#endif
