/* Owns the sorted vocabulary. Built once for each grammar: a merge sort by the first 8 bytes, then a pass
 * over neighbours. */
#include "generate/vocabulary_trie.h"

#include <string.h>

typedef struct token_key {
    uint64_t prefix; /* first 8 bytes, big-endian, zeros behind the end */
    int32_t token;
    uint32_t size;
} token_key;

static int compare(const tokenizer *t, const token_key *x, const token_key *y)
{
    if (x->prefix != y->prefix) {
        return x->prefix < y->prefix ? -1 : 1;
    }
    size_t x_size, y_size;
    const char *a = tokenizer_token_bytes(t, x->token, false, &x_size);
    const char *b = tokenizer_token_bytes(t, y->token, false, &y_size);
    int order = memcmp(a, b, x_size < y_size ? x_size : y_size);
    return order != 0 ? order : x_size < y_size ? -1 : x_size > y_size;
}

/* Stable bottom-up merge sort of keys [count]; the result is in the returned one of the two arrays. */
static token_key *sort_keys(const tokenizer *t, token_key *keys, token_key *spare, size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            size_t middle = count - at < width ? count : at + width;
            size_t end = count - middle < width ? count : middle + width;
            size_t i = at, j = middle;
            for (size_t k = at; k < end; k++) {
                bool is_left = i < middle && (j >= end || compare(t, &keys[i], &keys[j]) <= 0);
                spare[k] = keys[is_left ? i++ : j++];
            }
        }
        token_key *swapped = keys;
        keys = spare;
        spare = swapped;
    }
    return keys;
}

/* Fills keys [vocabulary size] with the tokens that belong to the trie, and the list of end tokens. */
static int32_t gather(vocabulary_trie *v, const tokenizer *t, int32_t vocab_size, token_key *keys)
{
    int32_t count = 0;
    for (int32_t token = 0; token < vocab_size; token++) {
        size_t size;
        const char *bytes = tokenizer_token_bytes(t, token, false, &size);
        if (tokenizer_is_end(t, token)) {
            v->end_tokens[v->end_token_count++] = token;
        } else if (size > 0 && size <= VOCABULARY_TOKEN_BYTES_MAX && !tokenizer_is_control(t, token)) {
            uint64_t prefix = 0;
            for (size_t i = 0; i < 8; i++) {
                prefix = prefix << 8 | (i < size ? (uint8_t)bytes[i] : 0);
            }
            keys[count++] = (token_key){prefix, token, (uint32_t)size};
        }
    }
    return count;
}

static size_t common_prefix(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t n = 0;
    while (n < a_size && n < b_size && a[n] == b[n]) {
        n++;
    }
    return n;
}

static size_t count_nodes(const tokenizer *t, const token_key *keys, int32_t count)
{
    size_t nodes = 0, last_size = 0;
    const char *last = NULL;
    for (int32_t i = 0; i < count; i++) {
        size_t size;
        const char *bytes = tokenizer_token_bytes(t, keys[i].token, false, &size);
        nodes += size - common_prefix(last, last_size, bytes, size);
        last = bytes;
        last_size = size;
    }
    return nodes;
}

/* Closes the nodes open[depth..open_depth): their subtrees are complete. */
static void close_nodes(vocabulary_trie *v, const int32_t *open, size_t depth, size_t open_depth)
{
    for (size_t d = open_depth; d > depth; d--) {
        int32_t node = open[d - 1];
        v->end[node] = v->node_count;
        if (d >= 2) {
            uint8_t c = v->byte_class[node];
            v->classes[open[d - 2]] |= v->classes[node] | (c < 64 ? (uint64_t)1 << c : UINT64_MAX);
        }
    }
}

static void fill_nodes(vocabulary_trie *v, const tokenizer *t, const token_key *keys,
                       const uint8_t *byte_class)
{
    int32_t open[VOCABULARY_TOKEN_BYTES_MAX];
    size_t last_size = 0;
    const char *last = NULL;
    for (int32_t i = 0; i < v->token_count; i++) {
        size_t size;
        const char *bytes = tokenizer_token_bytes(t, keys[i].token, false, &size);
        size_t common = common_prefix(last, last_size, bytes, size);
        close_nodes(v, open, common, last_size);
        for (size_t d = common; d < size; d++) {
            int32_t node = v->node_count++;
            v->byte_class[node] = byte_class[(uint8_t)bytes[d]];
            v->depth[node] = (uint16_t)(d + 1);
            v->first[node] = i;
            open[d] = node;
        }
        v->order[i] = keys[i].token;
        last = bytes;
        last_size = size;
    }
    close_nodes(v, open, 0, last_size);
    v->first[v->node_count] = v->token_count;
}

bool vocabulary_trie_build(vocabulary_trie *v, const tokenizer *t, const uint8_t *byte_class,
                           const smidgen_allocator *allocator)
{
    *v = (vocabulary_trie){0};
    arena_init(&v->memory, allocator);
    tokenizer_info info;
    tokenizer_get_info(t, &info);
    size_t vocab = (size_t)info.vocab_size;
    arena scratch;
    arena_init(&scratch, allocator);
    token_key *keys = arena_array(&scratch, vocab, sizeof *keys),
              *spare = arena_array(&scratch, vocab, sizeof *spare);
    v->end_tokens = arena_array(&v->memory, vocab, sizeof *v->end_tokens);
    bool ok = keys != NULL && spare != NULL && v->end_tokens != NULL;
    if (ok) {
        v->token_count = gather(v, t, info.vocab_size, keys);
        keys = sort_keys(t, keys, spare, (size_t)v->token_count);
        size_t nodes = count_nodes(t, keys, v->token_count);
        v->byte_class = arena_array(&v->memory, nodes, sizeof *v->byte_class);
        v->depth = arena_array(&v->memory, nodes, sizeof *v->depth);
        v->end = arena_array(&v->memory, nodes, sizeof *v->end);
        v->first = arena_array(&v->memory, nodes + 1, sizeof *v->first);
        v->classes = arena_array(&v->memory, nodes, sizeof *v->classes);
        v->order = arena_array(&v->memory, (size_t)v->token_count, sizeof *v->order);
        ok = v->byte_class != NULL && v->depth != NULL && v->end != NULL && v->first != NULL &&
             v->classes != NULL && v->order != NULL;
    }
    if (ok) {
        fill_nodes(v, t, keys, byte_class);
    }
    arena_close(&scratch);
    if (!ok) {
        vocabulary_trie_close(v);
    }
    return ok;
}

void vocabulary_trie_close(vocabulary_trie *v)
{
    if (v->memory.allocator != NULL) {
        arena_close(&v->memory);
    }
}
