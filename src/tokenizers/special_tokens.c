/* Owns the search for added tokens: a trie in a hash table, entered only at bytes that begin a token. */
#include "tokenizers/special_tokens.h"

#include <string.h>

#include "base/utf8.h"
#include "tokenizers/unicode.h"

static uint32_t edge_slot(const special_set *s, uint32_t parent, uint8_t byte)
{
    uint64_t h = (((uint64_t)parent << 8 | byte) + 1) * 0x9E3779B97F4A7C15u;
    uint32_t at = (uint32_t)(h >> 32) & s->mask;
    while (s->edges[at].parent != UINT32_MAX &&
           (s->edges[at].parent != parent || s->edges[at].byte != byte)) {
        at = (at + 1) & s->mask;
    }
    return at;
}

bool special_set_make(special_set *s, arena *a, const special_token *tokens, uint32_t count)
{
    uint64_t total = 1;
    for (uint32_t i = 0; i < count; i++) {
        total += tokens[i].size_bytes;
    }
    uint32_t slots = 16;
    while (slots / 2 < total && slots < 1u << 30) {
        slots *= 2;
    }
    *s = (special_set){.tokens = tokens, .count = count, .mask = slots - 1};
    if (count == 0) {
        return true;
    }
    s->edges = total > 1u << 29 ? NULL : arena_array(a, slots, sizeof *s->edges);
    s->token_at = total > 1u << 29 ? NULL : arena_array(a, (size_t)total, sizeof *s->token_at);
    if (s->edges == NULL || s->token_at == NULL) {
        return false;
    }
    memset(s->edges, 0xFF, (size_t)slots * sizeof *s->edges);
    memset(s->token_at, 0xFF, (size_t)total * sizeof *s->token_at);
    uint32_t nodes = 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = 0;
        for (size_t at = 0; at < tokens[i].size_bytes; at++) {
            uint8_t byte = (uint8_t)tokens[i].text[at];
            special_edge *edge = &s->edges[edge_slot(s, node, byte)];
            if (edge->parent == UINT32_MAX) {
                *edge = (special_edge){node, nodes++, byte};
            }
            node = edge->child;
        }
        if (node != 0) {
            s->first[(uint8_t)tokens[i].text[0]] = true;
            s->token_at[node] = (int32_t)i;
        }
    }
    return true;
}

/* Index of the longest token at text[at], or -1. */
static int32_t longest_at(const special_set *s, const char *text, size_t size, size_t at, bool with_control)
{
    int32_t found = -1;
    uint32_t node = 0;
    for (; at < size; at++) {
        const special_edge *edge = &s->edges[edge_slot(s, node, (uint8_t)text[at])];
        if (edge->parent == UINT32_MAX) {
            break;
        }
        node = edge->child;
        int32_t token = s->token_at[node];
        if (token >= 0 && (with_control || (s->tokens[token].flags & SPECIAL_CONTROL) == 0)) {
            found = token;
        }
    }
    return found;
}

/* The code point that ends at text[at], at > from. */
static uint32_t before(const char *text, size_t from, size_t at, size_t *begin)
{
    size_t start = at - 1;
    while (start > from && at - start < 4 && ((uint8_t)text[start] & 0xC0) == 0x80) {
        start--;
    }
    uint32_t c;
    if (utf8_decode(text + start, at - start, &c) != at - start) {
        start = at - 1;
        c = UINT32_MAX;
    }
    *begin = start;
    return c;
}

static bool touches_word(const char *text, size_t size, size_t begin, size_t end)
{
    size_t start;
    uint32_t c = 0;
    if (begin > 0 && unicode_is_word(before(text, 0, begin, &start))) {
        return true;
    }
    if (end < size) {
        utf8_decode(text + end, size - end, &c);
    }
    return end < size && unicode_is_word(c);
}

static void take_spaces(const special_token *token, const char *text, size_t size, size_t from,
                        special_match *match)
{
    while ((token->flags & SPECIAL_LEFT_SPACE) != 0 && match->begin > from) {
        size_t start;
        if ((unicode_mask(before(text, from, match->begin, &start)) & UNICODE_SPACES) == 0) {
            break;
        }
        match->begin = start;
    }
    while ((token->flags & SPECIAL_RIGHT_SPACE) != 0 && match->end < size) {
        uint32_t c;
        size_t length = utf8_decode(text + match->end, size - match->end, &c);
        if ((unicode_mask(c) & UNICODE_SPACES) == 0) {
            break;
        }
        match->end += length;
    }
}

bool special_find(const special_set *s, const char *text, size_t size, size_t from, bool with_control,
                  special_match *match)
{
    if (s->count == 0) {
        return false;
    }
    for (size_t at = from; at < size; at++) {
        if (!s->first[(uint8_t)text[at]]) {
            continue;
        }
        int32_t index = longest_at(s, text, size, at, with_control);
        if (index < 0) {
            continue;
        }
        const special_token *token = &s->tokens[index];
        *match = (special_match){at, at + token->size_bytes, token->id};
        if ((token->flags & SPECIAL_WHOLE_WORD) != 0 && touches_word(text, size, match->begin, match->end)) {
            at = match->end - 1;
            continue;
        }
        take_spaces(token, text, size, from, match);
        return true;
    }
    return false;
}
