/* Owns byte pair encoding, both kinds: merges in the order of a list (GPT-2 and everything after it) and in
 * the order of the scores of what a merge makes (SentencePiece). A piece of n symbols takes O(n log n)
 * whatever it holds. */
#include <string.h>

#include "base/utf8.h"
#include "tokenizers/internal.h"

#define NONE UINT32_MAX /* of symbols, and the rank of a free place */
enum { NOT_LOOKED_UP = -2, SHORT_PIECE = 24 };

typedef struct symbol {
    int32_t id;           /* NOT_LOOKED_UP: by its text, when the merging is over */
    uint32_t begin, size; /* in the piece; size 0: was merged into another */
    uint32_t previous, next;
} symbol;

typedef struct candidate {
    uint64_t key;  /* priority, then the place of the left symbol: the least is merged first */
    uint32_t size; /* of both symbols when this was pushed: another size means that it is out of date */
    int32_t id;    /* what they become */
} candidate;

/* Pieces of this text that came before, and what they became: most words of a text are repetitions. */
enum { CACHE_WORDS = 4096, CACHED_BYTES = 24, CACHED_IDS = 7, CACHE_FROM_BYTES = 2048 };

typedef struct cached_word {
    uint64_t key[CACHED_BYTES / 8]; /* the piece, filled up with zeros */
    uint32_t size;                  /* 0: free */
    uint32_t count;
    int32_t ids[CACHED_IDS + 1]; /* one more to make 64 bytes */
} cached_word;

struct word_cache {
    cached_word words[CACHE_WORDS];
};

typedef struct merger {
    encoding *e;
    const char *text;
    symbol *symbols; /* [count] */
    candidate *heap; /* [heap_count] */
    uint32_t count, heap_count;
} merger;

static uint32_t merge_hash(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
    return (uint32_t)((h ^ h >> 29) * 0xD6E8FEB86659FD93u >> 32);
}

static merge_slot *merge_slot_of(const bpe_model *m, uint32_t left, uint32_t right)
{
    uint32_t at = merge_hash(left, right) & m->merge_mask;
    while (m->merges[at].rank != NONE && (m->merges[at].left != left || m->merges[at].right != right)) {
        at = (at + 1) & m->merge_mask;
    }
    return &m->merges[at];
}

/* What the symbol and its right neighbour become; false when they do not merge. */
static bool pair_of(const merger *m, const symbol *left, candidate *found)
{
    const symbol *right = &m->symbols[left->next];
    const tokenizer *t = m->e->t;
    uint32_t priority;
    found->size = left->size + right->size;
    if (t->algorithm == TOKENIZER_SENTENCEPIECE) {
        found->id = vocabulary_find(&t->vocabulary, m->text + left->begin, found->size);
        if (found->id < 0) {
            return false;
        }
        priority = t->bpe.priorities[found->id];
    } else {
        const merge_slot *slot = merge_slot_of(&t->bpe, (uint32_t)left->id, (uint32_t)right->id);
        if (slot->rank == NONE) {
            return false;
        }
        found->id = slot->id;
        priority = slot->rank;
    }
    found->key = (uint64_t)priority << 32 | (uint64_t)(left - m->symbols);
    return true;
}

static void heap_push(merger *m, const candidate *c)
{
    uint32_t at = m->heap_count++;
    while (at > 0 && m->heap[(at - 1) / 2].key > c->key) {
        m->heap[at] = m->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    m->heap[at] = *c;
}

static candidate heap_pop(merger *m)
{
    candidate top = m->heap[0], moved = m->heap[--m->heap_count];
    uint32_t at = 0;
    for (uint64_t child = 1; child < m->heap_count; child = 2 * (uint64_t)at + 1) {
        if (child + 1 < m->heap_count && m->heap[child + 1].key < m->heap[child].key) {
            child++;
        }
        if (m->heap[child].key >= moved.key) {
            break;
        }
        m->heap[at] = m->heap[child];
        at = (uint32_t)child;
    }
    m->heap[at] = moved;
    return top;
}

static void consider(merger *m, uint32_t left)
{
    candidate c;
    if (left != NONE && m->symbols[left].next != NONE && pair_of(m, &m->symbols[left], &c)) {
        heap_push(m, &c);
    }
}

static void join(merger *m, uint32_t left, int32_t id)
{
    symbol *l = &m->symbols[left], *r = &m->symbols[l->next];
    l->id = id;
    l->size += r->size;
    r->size = 0;
    l->next = r->next;
    if (r->next != NONE) {
        m->symbols[r->next].previous = left;
    }
}

static bool merge_long(merger *m)
{
    if (!scratch_reserve(&m->e->heap, memory_array_bytes(2 * (size_t)m->count, sizeof *m->heap))) {
        return false;
    }
    m->heap = (candidate *)(void *)m->e->heap.data;
    m->heap_count = 0;
    for (uint32_t i = 0; i + 1 < m->count; i++) {
        consider(m, i);
    }
    while (m->heap_count > 0) {
        candidate c = heap_pop(m);
        uint32_t left = (uint32_t)c.key;
        const symbol *l = &m->symbols[left];
        if (l->size == 0 || l->next == NONE || l->size + m->symbols[l->next].size != c.size) {
            continue;
        }
        join(m, left, c.id);
        consider(m, left);
        consider(m, l->previous);
    }
    return true;
}

/* The same for few symbols, where looking at all candidates each time is quicker than a heap. */
static void merge_short(merger *m)
{
    candidate pairs[SHORT_PIECE];
    for (uint32_t i = 0; i < m->count; i++) {
        pairs[i].key = UINT64_MAX;
        if (i + 1 < m->count && !pair_of(m, &m->symbols[i], &pairs[i])) {
            pairs[i].key = UINT64_MAX;
        }
    }
    while (true) {
        uint32_t best = 0;
        for (uint32_t i = 1; i + 1 < m->count; i++) {
            best = pairs[i].key < pairs[best].key ? i : best;
        }
        if (pairs[best].key == UINT64_MAX) {
            return;
        }
        symbol *l = &m->symbols[best];
        pairs[l->next].key = UINT64_MAX;
        join(m, best, pairs[best].id);
        if (l->next == NONE || !pair_of(m, l, &pairs[best])) {
            pairs[best].key = UINT64_MAX;
        }
        if (l->previous != NONE && !pair_of(m, &m->symbols[l->previous], &pairs[l->previous])) {
            pairs[l->previous].key = UINT64_MAX;
        }
    }
}

static void add_symbol(merger *m, int32_t id, size_t begin, size_t size)
{
    uint32_t at = m->count++;
    m->symbols[at] = (symbol){id, (uint32_t)begin, (uint32_t)size, at == 0 ? NONE : at - 1, NONE};
    if (at > 0) {
        m->symbols[at - 1].next = at;
    }
}

static void byte_symbols(merger *m, size_t size)
{
    const tokenizer *t = m->e->t;
    for (size_t i = 0; i < size; i++) {
        const int32_t *ids = i + 1 == size ? t->bpe.last_byte_ids : t->bpe.byte_ids;
        int32_t id = ids[(uint8_t)m->text[i]];
        id = id < 0 ? t->unknown : id;
        if (id >= 0) {
            add_symbol(m, id, i, 1);
        }
    }
}

/* The id of one character, with the marks of word-inner and word-final symbols where the model has them. */
static int32_t character_id(const merger *m, size_t begin, size_t length, bool is_first, bool is_last)
{
    const tokenizer *t = m->e->t;
    size_t prefix = is_first ? 0 : t->bpe.prefix.size_bytes, suffix = is_last ? t->bpe.suffix.size_bytes : 0;
    if (prefix + suffix == 0) {
        return vocabulary_find(&t->vocabulary, m->text + begin, length);
    }
    scratch *work = &m->e->work;
    work->size = 0;
    if (!scratch_append(work, t->bpe.prefix.text, prefix) || !scratch_append(work, m->text + begin, length) ||
        !scratch_append(work, t->bpe.suffix.text, suffix)) {
        m->e->failed = true;
        return -1;
    }
    return vocabulary_find(&t->vocabulary, work->data, work->size);
}

static bool all_bytes_known(const vocabulary *v, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (v->bytes[(uint8_t)text[i]] < 0) {
            return false;
        }
    }
    return true;
}

static void character_symbols(merger *m, size_t size)
{
    const tokenizer *t = m->e->t;
    bool was_unknown = false;
    for (size_t at = 0; at < size;) {
        uint32_t c;
        size_t length = utf8_decode(m->text + at, size - at, &c);
        int32_t id = NOT_LOOKED_UP;
        if (t->algorithm == TOKENIZER_BPE) {
            id = character_id(m, at, length, at == 0, at + length == size);
        }
        bool is_unknown = id == -1;
        if (!is_unknown) {
            add_symbol(m, id, at, length);
        } else if (t->bpe.has_byte_fallback && all_bytes_known(&t->vocabulary, m->text + at, length)) {
            is_unknown = false;
            for (size_t i = 0; i < length; i++) {
                add_symbol(m, t->vocabulary.bytes[(uint8_t)m->text[at + i]], at + i, 1);
            }
        } else if (t->unknown >= 0 && !(was_unknown && t->bpe.fuses_unknown)) {
            add_symbol(m, t->unknown, at, length);
        }
        was_unknown = is_unknown;
        at += length;
    }
}

/* A SentencePiece symbol that no merge has touched: its token, or its bytes. */
static void emit_by_text(encoding *e, const char *text, size_t size)
{
    const vocabulary *v = &e->t->vocabulary;
    int32_t id = vocabulary_find(v, text, size);
    if (id >= 0) {
        encoding_emit(e, id);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        id = v->bytes[(uint8_t)text[i]];
        id = id < 0 ? vocabulary_find(v, text + i, 1) : id;
        id = id < 0 ? e->t->unknown : id;
        if (id >= 0) {
            encoding_emit(e, id);
        }
    }
}

/* The id of the whole piece when it is spelled like one token. */
static int32_t whole_piece(encoding *e, const char *text, size_t size)
{
    const tokenizer *t = e->t;
    if (size > t->vocabulary.longest_bytes) {
        return -1;
    }
    if (!t->bpe.is_byte_level) {
        return vocabulary_find(&t->vocabulary, text, size);
    }
    e->work.size = 0;
    for (size_t i = 0; i < size; i++) {
        scratch_append_code_point(&e->work, byte_level_character((uint8_t)text[i]));
    }
    e->failed = e->failed || e->work.failed;
    return e->work.failed ? -1 : vocabulary_find(&t->vocabulary, e->work.data, e->work.size);
}

void bpe_open_cache(encoding *e, size_t text_bytes)
{
    if (text_bytes >= CACHE_FROM_BYTES) {
        e->words = memory_allocate_zeroed(e->t->arena.allocator, sizeof *e->words);
    }
}

void bpe_close_cache(encoding *e)
{
    memory_release(e->t->arena.allocator, e->words, sizeof *e->words);
    e->words = NULL;
}

/* The piece's place in the cache; NULL for a piece that is not cached. *is_there: it has been encoded before.
 */
static cached_word *cache_place(encoding *e, const char *text, size_t size, bool *is_there)
{
    *is_there = false;
    if (e->words == NULL || size > CACHED_BYTES) {
        return NULL;
    }
    uint64_t key[CACHED_BYTES / 8] = {0};
    memcpy(key, text, size);
    uint64_t h = (key[0] ^ size) * 0x9E3779B97F4A7C15u;
    h = (h ^ h >> 32 ^ key[1]) * 0x9E3779B97F4A7C15u;
    h = (h ^ h >> 32 ^ key[2]) * 0x9E3779B97F4A7C15u;
    cached_word *word = &e->words->words[h >> 52];
    *is_there = word->size == size && memcmp(word->key, key, sizeof key) == 0;
    if (!*is_there) {
        word->size = 0;
        memcpy(word->key, key, sizeof key);
    }
    return word;
}

static void emit_symbols(encoding *e, const merger *m, cached_word *word, size_t size)
{
    uint32_t count = 0;
    for (uint32_t at = m->count != 0 ? 0 : NONE; at != NONE; at = m->symbols[at].next) {
        const symbol *s = &m->symbols[at];
        if (s->id == NOT_LOOKED_UP) {
            emit_by_text(e, m->text + s->begin, s->size);
            word = NULL; /* may be several ids */
            continue;
        }
        if (word != NULL && count < CACHED_IDS) {
            word->ids[count] = s->id;
        }
        count++;
        encoding_emit(e, s->id);
    }
    if (word != NULL && count <= CACHED_IDS) {
        word->size = (uint32_t)size;
        word->count = count;
    }
}

static void encode_piece(encoding *e, const char *text, size_t size)
{
    const tokenizer *t = e->t;
    bool is_there;
    cached_word *word = cache_place(e, text, size, &is_there);
    for (uint32_t i = 0; is_there && i < word->count; i++) {
        encoding_emit(e, word->ids[i]);
    }
    if (is_there) {
        return;
    }
    if (t->bpe.ignores_merges) {
        int32_t id = whole_piece(e, text, size);
        if (id >= 0) {
            encoding_emit(e, id);
            return;
        }
    }
    if (!scratch_reserve(&e->symbols, memory_array_bytes(size, sizeof(symbol)))) {
        e->failed = true;
        return;
    }
    merger m = {.e = e, .text = text, .symbols = (symbol *)(void *)e->symbols.data};
    if (t->bpe.is_byte_level) {
        byte_symbols(&m, size);
    } else {
        character_symbols(&m, size);
    }
    if (m.count > SHORT_PIECE) {
        e->failed = !merge_long(&m) || e->failed;
    } else if (m.count > 1) {
        merge_short(&m);
    }
    emit_symbols(e, &m, word, size);
}

void bpe_encode(encoding *e, const char *text, size_t size)
{
    const bpe_model *m = &e->t->bpe;
    size_t begin = 0;
    if (m->cuts_before_space) {
        for (size_t at = 1; at + 2 < size && !e->failed; at++) {
            if (memcmp(text + at, "\xE2\x96\x81", 3) == 0 && !m->joins_space[(uint8_t)text[at - 1]]) {
                encode_piece(e, text + begin, at - begin);
                begin = at;
            }
        }
    }
    if (size > begin && !e->failed) {
        encode_piece(e, text + begin, size - begin);
    }
}

bool bpe_begin_merges(tokenizer *t, uint32_t count)
{
    uint32_t slots = 16;
    while (slots / 3 * 2 < count && slots < 1u << 31) {
        slots *= 2;
    }
    t->bpe.merge_mask = slots - 1;
    t->bpe.merges = arena_array(&t->arena, slots, sizeof *t->bpe.merges);
    if (t->bpe.merges != NULL) {
        memset(t->bpe.merges, 0xFF, (size_t)slots * sizeof *t->bpe.merges);
    }
    return t->bpe.merges != NULL;
}

void bpe_prefetch_merge(const tokenizer *t, const merge_slot *merge)
{
    __builtin_prefetch(&t->bpe.merges[merge_hash(merge->left, merge->right) & t->bpe.merge_mask], 1);
}

bool bpe_add_merge(tokenizer *t, const merge_slot *merge)
{
    enum { FARTHEST = 4096 }; /* honest lists stay below 200 */
    merge_slot *slot = merge_slot_of(&t->bpe, merge->left, merge->right);
    uint32_t home = merge_hash(merge->left, merge->right);
    if (slot->rank == NONE) {
        *slot = *merge;
    }
    return (((uint32_t)(slot - t->bpe.merges) - home) & t->bpe.merge_mask) <= FARTHEST;
}
