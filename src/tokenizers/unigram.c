/* Owns Unigram models: the segmentation of greatest score (Viterbi over the tokens that begin at each
 * character; Kudo 2018, section 3.2). Characters that no token covers cost the unknown score; neighbours of
 * them become one token. */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "tokenizers/internal.h"

typedef struct best_path {
    double score;
    uint32_t begin; /* where the last token of the path begins; UINT32_MAX: no path ends here */
    int32_t id;
} best_path;

static void offer(best_path *at, double score, size_t begin, int32_t id)
{
    if (at->begin == UINT32_MAX || score > at->score) {
        *at = (best_path){score, (uint32_t)begin, id};
    }
}

static uint8_t byte_at(const tokenizer *t, uint32_t index, size_t depth)
{
    return (uint8_t)t->vocabulary.texts[t->unigram.sorted[index]].text[depth];
}

/* The first index in [low, high) whose byte at `depth` is at least `byte`; all of them are longer than depth.
 */
static uint32_t lower_bound(const tokenizer *t, uint32_t low, uint32_t high, size_t depth, uint32_t byte)
{
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (byte_at(t, middle, depth) < byte) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Offers every token that begins at text[begin]; tells whether one covers just the first character. */
static bool offer_tokens(const tokenizer *t, best_path *paths, const char *text, size_t size, size_t begin,
                         size_t character_bytes)
{
    const unigram_model *m = &t->unigram;
    uint32_t low = m->first[(uint8_t)text[begin]], high = m->first[(uint8_t)text[begin] + 1u];
    bool covers_one = false;
    for (size_t depth = 1; low < high; depth++) {
        int32_t id = m->sorted[low];
        if (t->vocabulary.texts[id].size_bytes == depth) {
            offer(&paths[begin + depth], paths[begin].score + m->scores[id], begin, id);
            covers_one = covers_one || depth == character_bytes;
            low++;
        }
        if (begin + depth == size) {
            break;
        }
        uint8_t byte = (uint8_t)text[begin + depth];
        low = lower_bound(t, low, high, depth, byte);
        high = lower_bound(t, low, high, depth, byte + 1u);
    }
    return covers_one;
}

static void emit_unknown(encoding *e, const char *text, size_t size)
{
    const tokenizer *t = e->t;
    bool has_bytes = t->unigram.has_byte_fallback;
    for (size_t i = 0; i < size && has_bytes; i++) {
        has_bytes = t->vocabulary.bytes[(uint8_t)text[i]] >= 0;
    }
    for (size_t i = 0; i < size && has_bytes; i++) {
        encoding_emit(e, t->vocabulary.bytes[(uint8_t)text[i]]);
    }
    if (!has_bytes && t->unknown >= 0) {
        encoding_emit(e, t->unknown);
    }
}

/* Turns the chain of last tokens round, so that it can be followed from the beginning: begin then holds the
 * end. */
static void reverse_path(best_path *paths, size_t size)
{
    size_t end = size;
    int32_t id = paths[end].id;
    uint32_t begin = paths[end].begin;
    while (end > 0) {
        best_path before = paths[begin];
        paths[begin] = (best_path){0, (uint32_t)end, id};
        end = begin;
        id = before.id;
        begin = before.begin;
    }
}

void unigram_encode(encoding *e, const char *text, size_t size)
{
    const tokenizer *t = e->t;
    if (!scratch_reserve(&e->symbols, memory_array_bytes(size + 1, sizeof(best_path)))) {
        e->failed = true;
        return;
    }
    best_path *paths = (best_path *)(void *)e->symbols.data;
    for (size_t i = 0; i <= size; i++) {
        paths[i] = (best_path){0, UINT32_MAX, -1};
    }
    for (size_t at = 0; at < size;) {
        uint32_t c;
        size_t length = utf8_decode(text + at, size - at, &c);
        if (!offer_tokens(t, paths, text, size, at, length)) {
            offer(&paths[at + length], paths[at].score + t->unigram.unknown_score, at, -1);
        }
        at += length;
    }
    reverse_path(paths, size);
    for (size_t at = 0; at < size;) {
        size_t end = paths[at].begin, begin = at;
        if (paths[at].id >= 0 && paths[at].id != t->unknown) {
            encoding_emit(e, paths[at].id);
            at = end;
            continue;
        }
        while (at < size && (paths[at].id < 0 || paths[at].id == t->unknown)) {
            at = paths[at].begin;
        }
        emit_unknown(e, text + begin, at - begin);
    }
}

static int compare(const tokenizer *t, int32_t a, int32_t b)
{
    const gguf_string *x = &t->vocabulary.texts[a], *y = &t->vocabulary.texts[b];
    size_t size = (size_t)(x->size_bytes < y->size_bytes ? x->size_bytes : y->size_bytes);
    int order = memcmp(x->text, y->text, size);
    return order != 0 ? order : x->size_bytes < y->size_bytes ? -1 : x->size_bytes > y->size_bytes;
}

/* Bottom-up merge sort: no recursion, no allocation but `other`. */
static int32_t *sort_ids(const tokenizer *t, int32_t *ids, int32_t *other, uint32_t count)
{
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t begin = 0; begin < count; begin += 2 * width) {
            uint64_t middle = begin + width < count ? begin + width : count;
            uint64_t end = middle + width < count ? middle + width : count;
            uint64_t left = begin, right = middle;
            for (uint64_t i = begin; i < end; i++) {
                bool takes_left = right == end || (left < middle && compare(t, ids[left], ids[right]) <= 0);
                other[i] = takes_left ? ids[left++] : ids[right++];
            }
        }
        int32_t *swapped = ids;
        ids = other;
        other = swapped;
    }
    return ids;
}

bool unigram_finish(tokenizer *t)
{
    const vocabulary *v = &t->vocabulary;
    unigram_model *m = &t->unigram;
    int32_t *ids = arena_array(&t->arena, v->count, sizeof *ids);
    int32_t *other = arena_array(&t->arena, v->count, sizeof *other);
    if (ids == NULL || other == NULL) {
        return false;
    }
    double least = INFINITY;
    for (uint32_t id = 0; id < v->count; id++) {
        if (isnan(m->scores[id]) || v->texts[id].text == NULL) { /* not of the model */
            continue;
        }
        least = m->scores[id] < least ? m->scores[id] : least;
        if (v->texts[id].size_bytes != 0) {
            ids[m->sorted_count++] = (int32_t)id;
        }
    }
    m->unknown_score = least - 10.0;
    m->sorted = sort_ids(t, ids, other, m->sorted_count);
    for (uint32_t i = 0; i < m->sorted_count; i++) {
        m->first[byte_at(t, i, 0) + 1u] = i + 1;
    }
    for (int i = 1; i < 257; i++) {
        m->first[i] = m->first[i] < m->first[i - 1] ? m->first[i - 1] : m->first[i];
    }
    return true;
}
