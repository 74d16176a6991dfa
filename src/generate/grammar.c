/* Owns a grammar in use: the automaton, the place in the text, the masks of the states that were met last.
 * Refuses what its languages cannot say (gbnf.c, schema.c); after creation nothing is allocated. */
#include "generate/grammar.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "generate/grammar_source.h"
#include "generate/pushdown.h"
#include "generate/vocabulary_trie.h"

enum { MASKS_MAX = 64 };

typedef struct mask {
    int32_t state, allowed;
    uint32_t generation; /* of the pushdown's numbers */
    uint64_t used_at;    /* 0: empty */
    uint64_t *bits;      /* [words] bit i: token i fits */
} mask;

struct grammar {
    arena memory;
    automaton a;
    pushdown *p;
    const tokenizer *t;
    vocabulary_trie trie;
    int32_t vocab_size, words;
    mask masks[MASKS_MAX];
    uint64_t clock;
    int32_t *path;  /* [VOCABULARY_TOKEN_BYTES_MAX + 2] path[0]: the state after the text so far */
    bool has_ended; /* an end token was accepted */
};

int32_t grammar_source_fail(const automaton *a, smidgen_error *error)
{
    if (a->failure == SMIDGEN_ERROR_LIMIT) {
        error_set_limit(
            error, SMIDGEN_ERROR_LIMIT, AUTOMATON_NODES_MAX, (uint64_t)AUTOMATON_NODES_MAX + 1,
            "the grammar needs more than %d rules or %d nodes; long repetitions cost one node each",
            AUTOMATON_RULES_MAX, AUTOMATON_NODES_MAX);
    } else {
        error_set_memory(error, "the grammar", (uint64_t)a->node_count * sizeof(automaton_node));
    }
    return -1;
}

/* ------------------------------------------------------------------------------------------------ creation
 */

typedef int32_t compile_function(automaton *a, const char *text, size_t size_bytes, arena *scratch,
                                 smidgen_error *error);

static bool build(grammar *g, int32_t root, const smidgen_allocator *allocator, smidgen_error *error)
{
    smidgen_error_code failure;
    g->p = pushdown_create(&g->a, root, allocator, &failure);
    if (g->p == NULL && failure == SMIDGEN_ERROR_LIMIT) {
        return error_set(error, SMIDGEN_ERROR_LIMIT, "the grammar begins in more than 4096 ways at once");
    }
    bool ok = g->p != NULL;
    if (ok && g->t != NULL) {
        tokenizer_info info;
        tokenizer_get_info(g->t, &info);
        g->vocab_size = info.vocab_size;
        g->words = (info.vocab_size + 63) / 64;
        ok = vocabulary_trie_build(&g->trie, g->t, g->a.byte_class, allocator);
    }
    g->path = arena_array(&g->memory, VOCABULARY_TOKEN_BYTES_MAX + 2, sizeof *g->path);
    ok = ok && g->path != NULL;
    for (int i = 0; ok && i < MASKS_MAX; i++) {
        g->masks[i].bits = arena_array(&g->memory, (size_t)g->words, sizeof *g->masks[i].bits);
        ok = g->masks[i].bits != NULL;
    }
    return ok || error_set_memory(error, "the grammar's tables", g->memory.used_bytes);
}

static grammar *create(compile_function *compile, const char *text, size_t size_bytes, const tokenizer *t,
                       const smidgen_allocator *allocator, smidgen_error *error)
{
    grammar *g = memory_allocate_zeroed(allocator, sizeof *g);
    if (g == NULL) {
        error_set_memory(error, "the grammar", sizeof *g);
        return NULL;
    }
    arena_init(&g->memory, allocator);
    automaton_init(&g->a, allocator);
    g->t = t;
    arena scratch;
    arena_init(&scratch, allocator);
    int32_t root = compile(&g->a, text, size_bytes, &scratch, error);
    arena_close(&scratch);
    if (root < 0 || !build(g, root, allocator, error)) {
        grammar_close(g);
        return NULL;
    }
    grammar_reset(g);
    return g;
}

grammar *grammar_from_gbnf(const char *text, size_t size_bytes, const tokenizer *t,
                           const smidgen_allocator *allocator, smidgen_error *error)
{
    return create(gbnf_compile, text, size_bytes, t, allocator, error);
}

grammar *grammar_from_json_schema(const char *text, size_t size_bytes, const tokenizer *t,
                                  const smidgen_allocator *allocator, smidgen_error *error)
{
    return create(schema_compile, text, size_bytes, t, allocator, error);
}

void grammar_close(grammar *g)
{
    if (g != NULL) {
        const smidgen_allocator *allocator = g->memory.allocator;
        vocabulary_trie_close(&g->trie);
        pushdown_close(g->p);
        automaton_close(&g->a);
        arena_close(&g->memory);
        memory_release(allocator, g, sizeof *g);
    }
}

void grammar_reset(grammar *g)
{
    g->path[0] = pushdown_first(g->p);
    g->has_ended = false;
}

/* --------------------------------------------------------------------------------------------------- masks
 */

static void allow_range(const vocabulary_trie *v, uint64_t *bits, int32_t from, int32_t to)
{
    for (int32_t i = from; i < to; i++) {
        uint32_t token = (uint32_t)v->order[i];
        bits[token / 64] |= (uint64_t)1 << (token % 64);
    }
}

/* Classes of bytes after which path[depth] stays itself: below them whole subtrees need no walk. path[depth +
 * 1] is used. */
static uint64_t find_loops(grammar *g, int32_t depth)
{
    uint64_t loops = 0;
    for (int32_t c = 0; c < g->a.class_count && c < 64; c++) {
        int32_t to = pushdown_step(g->p, g->path, depth, (uint8_t)c);
        loops |= (uint64_t)(to == g->path[depth]) << c;
    }
    return loops;
}

/* One walk over the trie in preorder; path[d] is the state after d bytes. */
static void fill_mask(grammar *g, uint64_t *bits)
{
    const vocabulary_trie *v = &g->trie;
    uint64_t loops = 0;
    int32_t loops_of = PUSHDOWN_DEAD;
    uint32_t loops_generation = pushdown_generation(g->p);
    memset(bits, 0, (size_t)g->words * sizeof *bits);
    for (int32_t node = 0; node < v->node_count;) {
        int32_t depth = v->depth[node] - 1;
        int32_t state = pushdown_step(g->p, g->path, depth, v->byte_class[node]);
        if (state == PUSHDOWN_DEAD) {
            node = v->end[node];
            continue;
        }
        if (v->end[node] - node > 4 && state == g->path[depth]) {
            if (state != loops_of || pushdown_generation(g->p) != loops_generation) {
                loops = find_loops(g, depth);
                g->path[depth + 1] = loops_of = g->path[depth];
                loops_generation = pushdown_generation(g->p);
            }
            if ((v->classes[node] & ~loops) == 0) {
                allow_range(v, bits, v->first[node], v->first[v->end[node]]);
                node = v->end[node];
                continue;
            }
        }
        allow_range(v, bits, v->first[node], v->first[node + 1]);
        node++;
    }
    if (pushdown_may_end(g->p, g->path[0])) {
        for (int32_t i = 0; i < v->end_token_count; i++) {
            uint32_t token = (uint32_t)v->end_tokens[i];
            bits[token / 64] |= (uint64_t)1 << (token % 64);
        }
    }
}

static int32_t count_bits(const uint64_t *bits, int32_t words)
{
    int32_t count = 0;
    for (int32_t i = 0; i < words; i++) {
        uint64_t x = bits[i];
        x -= x >> 1 & 0x5555555555555555u;
        x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
        x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
        count += (int32_t)(x * 0x0101010101010101u >> 56);
    }
    return count;
}

static const mask *find_mask(grammar *g)
{
    mask *oldest = &g->masks[0];
    for (int i = 0; i < MASKS_MAX; i++) {
        mask *m = &g->masks[i];
        if (m->used_at != 0 && m->state == g->path[0] && m->generation == pushdown_generation(g->p)) {
            m->used_at = ++g->clock;
            return m;
        }
        oldest = m->used_at < oldest->used_at ? m : oldest;
    }
    pushdown_refill(g->p);
    fill_mask(g, oldest->bits);
    oldest->state = g->path[0];
    oldest->generation = pushdown_generation(g->p);
    oldest->used_at = ++g->clock;
    oldest->allowed = count_bits(oldest->bits, g->words);
    return oldest;
}

static void forbid(float *logits, int32_t from, int32_t to)
{
    for (int32_t i = from; i < to; i++) {
        logits[i] = -INFINITY;
    }
}

static int32_t mask_ended(const grammar *g, float *logits, int32_t vocab_size)
{
    int32_t at = 0, allowed = 0;
    for (int32_t i = 0; i < g->trie.end_token_count && g->trie.end_tokens[i] < vocab_size; i++) {
        forbid(logits, at, g->trie.end_tokens[i]);
        at = g->trie.end_tokens[i] + 1;
        allowed++;
    }
    forbid(logits, at, vocab_size);
    return allowed;
}

int32_t grammar_mask(grammar *g, float *logits, int32_t vocab_size)
{
    if (g->has_ended || g->t == NULL) {
        return mask_ended(g, logits, vocab_size);
    }
    const mask *m = find_mask(g);
    int32_t allowed = m->allowed, known = vocab_size < g->vocab_size ? vocab_size : g->vocab_size;
    for (int32_t word = 0; word * 64 < known; word++) {
        uint64_t bits = m->bits[word];
        int32_t from = word * 64, to = known - from < 64 ? known : from + 64;
        if (bits == 0) {
            forbid(logits, from, to);
            continue;
        }
        for (int32_t i = from; bits != UINT64_MAX && i < to; i++) {
            logits[i] = (bits >> (i - from) & 1) != 0 ? logits[i] : -INFINITY;
        }
    }
    forbid(logits, known, vocab_size);
    for (int32_t i = known; i < g->vocab_size;
         i++) { /* fewer logits than tokens: what cannot be chosen does not count */
        allowed -= (int32_t)(m->bits[i / 64] >> (i % 64) & 1);
    }
    return allowed;
}

/* ------------------------------------------------------------------------------------------------ progress
 */

bool grammar_accept_bytes(grammar *g, const char *bytes, size_t size_bytes)
{
    if (g->has_ended) {
        return false;
    }
    pushdown_refill(g->p);
    g->path[1] = g->path[0]; /* path[0] stays until everything fits */
    for (size_t i = 0; i < size_bytes; i++) {
        if (pushdown_step(g->p, g->path, 1, g->a.byte_class[(uint8_t)bytes[i]]) == PUSHDOWN_DEAD) {
            return false;
        }
        g->path[1] = g->path[2];
    }
    g->path[0] = g->path[1];
    return true;
}

bool grammar_accept(grammar *g, int32_t token)
{
    if (g->t == NULL) {
        return false;
    }
    if (tokenizer_is_end(g->t, token)) {
        g->has_ended = g->has_ended || pushdown_may_end(g->p, g->path[0]);
        return g->has_ended;
    }
    size_t size;
    const char *bytes = tokenizer_token_bytes(g->t, token, false, &size);
    if (size == 0 || size > VOCABULARY_TOKEN_BYTES_MAX || tokenizer_is_control(g->t, token)) {
        return false;
    }
    return grammar_accept_bytes(g, bytes, size);
}

bool grammar_may_end(const grammar *g)
{
    return g->has_ended || pushdown_may_end(g->p, g->path[0]);
}
