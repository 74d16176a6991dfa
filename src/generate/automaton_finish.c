/* Owns the analysis of a finished automaton. Everything is a walk over reversed edges or an explicit stack:
 * linear in the nodes, no recursion. */
#include <string.h>

#include "base/arena.h"
#include "generate/automaton.h"

/* Reversed edges: for each node the nodes that go to it by next or other, for each rule the calls of it. */
typedef struct reverse {
    int32_t *into_at, *into;   /* into[into_at[n] .. into_at[n + 1]) */
    int32_t *calls_at, *calls; /* calls[calls_at[r] .. calls_at[r + 1]) */
    int32_t *starts;           /* [node_count] the rule that begins here, or -1 */
} reverse;

/* Paths through plain jumps are shortened, so that a call before the end of a rule has next == an accept
 * node. */
static int32_t skip_jumps(const automaton *a, int32_t node)
{
    while (node >= 0 && a->nodes[node].kind == AUTOMATON_JUMP && a->nodes[node].other < 0 &&
           a->nodes[node].next >= 0) {
        node = a->nodes[node].next;
    }
    return node;
}

static void shorten(automaton *a)
{
    for (int32_t i = a->node_count; i-- > 0;) {
        automaton_node *n = &a->nodes[i];
        n->next = skip_jumps(a, n->next);
        if (n->kind == AUTOMATON_JUMP) {
            n->other = skip_jumps(a, n->other);
        }
    }
    for (int32_t i = 0; i < a->rule_count; i++) {
        a->rules[i].start = skip_jumps(a, a->rules[i].start);
    }
}

static bool reverse_init(reverse *r, const automaton *a, arena *memory)
{
    size_t nodes = (size_t)a->node_count, rules = (size_t)a->rule_count;
    r->into_at = arena_array(memory, nodes + 2, sizeof(int32_t));
    r->into = arena_array(memory, 2 * nodes, sizeof(int32_t));
    r->calls_at = arena_array(memory, rules + 2, sizeof(int32_t));
    r->calls = arena_array(memory, nodes, sizeof(int32_t));
    r->starts = arena_array(memory, nodes, sizeof(int32_t));
    if (r->into_at == NULL || r->into == NULL || r->calls_at == NULL || r->calls == NULL ||
        r->starts == NULL) {
        return false;
    }
    for (size_t i = 0; i < nodes; i++) {
        const automaton_node *n = &a->nodes[i];
        r->starts[i] = -1;
        r->into_at[n->next >= 0 ? n->next + 2 : 0] += n->next >= 0;
        if (n->kind == AUTOMATON_JUMP && n->other >= 0) {
            r->into_at[n->other + 2]++;
        } else if (n->kind == AUTOMATON_CALL) {
            r->calls_at[n->other + 2]++;
        }
    }
    for (size_t i = 0; i < nodes; i++) {
        r->into_at[i + 2] += i > 0 ? r->into_at[i + 1] : 0;
    }
    for (size_t i = 0; i < rules; i++) {
        r->calls_at[i + 2] += i > 0 ? r->calls_at[i + 1] : 0;
        r->starts[a->rules[i].start] = (int32_t)i;
    }
    r->into_at[1] = r->calls_at[1] = 0;
    for (size_t i = 0; i < nodes; i++) {
        const automaton_node *n = &a->nodes[i];
        if (n->next >= 0) {
            r->into[r->into_at[n->next + 1]++] = (int32_t)i;
        }
        if (n->kind == AUTOMATON_JUMP && n->other >= 0) {
            r->into[r->into_at[n->other + 1]++] = (int32_t)i;
        } else if (n->kind == AUTOMATON_CALL) {
            r->calls[r->calls_at[n->other + 1]++] = (int32_t)i;
        }
    }
    return true;
}

/* Which nodes can reach the end of their rule without reading; a worklist over reversed edges. */
static bool find_nullable(automaton *a, const reverse *r, arena *memory)
{
    int32_t *stack = arena_array(memory, (size_t)a->node_count, sizeof *stack);
    bool *is_empty = arena_array(memory, (size_t)a->node_count, sizeof *is_empty);
    if (stack == NULL || is_empty == NULL) {
        return false;
    }
    int32_t depth = 0;
    for (int32_t i = 0; i < a->node_count; i++) {
        if (a->nodes[i].kind == AUTOMATON_ACCEPT) {
            is_empty[i] = true;
            stack[depth++] = i;
        }
    }
    while (depth > 0) {
        int32_t node = stack[--depth], rule = r->starts[node];
        for (int32_t k = r->into_at[node]; k < r->into_at[node + 1]; k++) {
            int32_t from = r->into[k];
            const automaton_node *n = &a->nodes[from];
            bool passes =
                n->kind == AUTOMATON_JUMP || (n->kind == AUTOMATON_CALL && a->rules[n->other].is_nullable);
            if (passes && !is_empty[from]) {
                is_empty[from] = true;
                stack[depth++] = from;
            }
        }
        if (rule < 0) {
            continue;
        }
        a->rules[rule].is_nullable = true;
        for (int32_t k = r->calls_at[rule]; k < r->calls_at[rule + 1]; k++) {
            int32_t from = r->calls[k];
            if (!is_empty[from] && is_empty[a->nodes[from].next]) {
                is_empty[from] = true;
                stack[depth++] = from;
            }
        }
    }
    return true;
}

typedef struct need_queue {
    int32_t heads[AUTOMATON_DEPTH_MAX + 1]; /* lists of entries by need, -1: empty */
    int32_t (*entries)[2];                  /* node, next entry */
    int32_t used;
} need_queue;

static void need_push(need_queue *q, int32_t node, int32_t need)
{
    if (need <= AUTOMATON_DEPTH_MAX) {
        q->entries[q->used][0] = node;
        q->entries[q->used][1] = q->heads[need];
        q->heads[need] = q->used++;
    }
}

/* What a call needs, once its rule and its continuation are known. */
static void need_push_call(automaton *a, need_queue *q, int32_t call)
{
    const automaton_node *n = &a->nodes[call];
    int32_t inside = a->need[a->rules[n->other].start], after = a->need[n->next];
    if (a->need[call] == AUTOMATON_NEED_NONE && inside != AUTOMATON_NEED_NONE &&
        after != AUTOMATON_NEED_NONE) {
        need_push(q, call, inside + 1 > after ? inside + 1 : after);
    }
}

/* Least fixed point by rising need (Knuth's generalisation of Dijkstra's algorithm). */
static bool find_needs(automaton *a, const reverse *r, arena *memory)
{
    need_queue *q = arena_allocate(memory, sizeof *q);
    a->need = memory_allocate(a->allocator, memory_array_bytes((size_t)a->node_count, sizeof *a->need));
    if (q == NULL || a->need == NULL) {
        return false;
    }
    /* a node enters once for each edge out of it, and a call once more */
    q->entries = arena_array(memory, 4 * (size_t)a->node_count + 1, sizeof *q->entries);
    if (q->entries == NULL) {
        return false;
    }
    memset(q->heads, 0xFF, sizeof q->heads);
    for (int32_t i = 0; i < a->node_count; i++) {
        a->need[i] = AUTOMATON_NEED_NONE;
        if (a->nodes[i].kind == AUTOMATON_ACCEPT) {
            need_push(q, i, 0);
        }
    }
    for (int32_t need = 0; need <= AUTOMATON_DEPTH_MAX; need++) {
        while (q->heads[need] >= 0) {
            int32_t entry = q->heads[need], node = q->entries[entry][0];
            q->heads[need] = q->entries[entry][1];
            if (a->need[node] != AUTOMATON_NEED_NONE) {
                continue;
            }
            a->need[node] = (uint16_t)need;
            for (int32_t k = r->into_at[node]; k < r->into_at[node + 1]; k++) {
                int32_t from = r->into[k];
                if (a->nodes[from].kind == AUTOMATON_CALL) {
                    need_push_call(a, q, from);
                } else {
                    need_push(q, from, need);
                }
            }
            int32_t rule = r->starts[node];
            for (int32_t k = rule < 0 ? 0 : r->calls_at[rule]; rule >= 0 && k < r->calls_at[rule + 1]; k++) {
                need_push_call(a, q, r->calls[k]);
            }
        }
    }
    return true;
}

/* Edges from each rule to the rules that it can enter before it reads anything. */
typedef struct left_edges {
    int32_t *at, *to; /* to[at[r] .. at[r + 1]) */
    int32_t *degree;  /* edges into each rule */
} left_edges;

static bool left_edges_init(left_edges *e, const automaton *a, arena *memory)
{
    size_t nodes = (size_t)a->node_count, rules = (size_t)a->rule_count;
    int32_t *stack = arena_array(memory, 2 * nodes + 1, sizeof *stack), used = 0;
    bool *is_seen = arena_array(memory, nodes, sizeof *is_seen);
    e->at = arena_array(memory, rules + 1, sizeof *e->at);
    e->to = arena_array(memory, nodes, sizeof *e->to);
    e->degree = arena_array(memory, rules, sizeof *e->degree);
    if (stack == NULL || is_seen == NULL || e->at == NULL || e->to == NULL || e->degree == NULL) {
        return false;
    }
    for (int32_t rule = 0; rule < a->rule_count; rule++) {
        int32_t depth = 0;
        e->at[rule] = used;
        stack[depth++] = a->rules[rule].start;
        while (depth > 0) {
            int32_t node = stack[--depth];
            if (node < 0 || is_seen[node]) {
                continue;
            }
            is_seen[node] = true; /* rules share no nodes */
            const automaton_node *n = &a->nodes[node];
            if (n->kind == AUTOMATON_JUMP) {
                stack[depth++] = n->next;
                stack[depth++] = n->other;
            } else if (n->kind == AUTOMATON_CALL) {
                e->to[used++] = n->other;
                e->degree[n->other]++;
                if (a->rules[n->other].is_nullable) {
                    stack[depth++] = n->next;
                }
            }
        }
    }
    e->at[rules] = used;
    return true;
}

/* After the sorting stopped: every rule with edges left has a predecessor with edges left or lies behind a
 * cycle. Walking forwards from a rule of the cycle stays among such rules, so the one that is met twice is on
 * a cycle. */
static int32_t find_cycle(const automaton *a, const left_edges *e, int32_t *from)
{
    for (int32_t rule = 0; rule < a->rule_count; rule++) {
        from[rule] = -1;
    }
    int32_t any = -1;
    for (int32_t rule = 0; rule < a->rule_count; rule++) {
        for (int32_t k = e->at[rule]; e->degree[rule] > 0 && k < e->at[rule + 1]; k++) {
            from[e->to[k]] = rule; /* a predecessor that is itself unsorted */
            any = e->to[k];
        }
    }
    for (int32_t i = 0; i < a->rule_count && any >= 0 && from[any] >= 0; i++) {
        any = from[any];
    }
    return any;
}

static bool find_ranks(automaton *a, arena *memory, int32_t *left_recursive)
{
    left_edges e;
    int32_t *queue = arena_array(memory, (size_t)a->rule_count, sizeof *queue), head = 0, tail = 0;
    if (queue == NULL || !left_edges_init(&e, a, memory)) {
        a->failure = SMIDGEN_ERROR_OUT_OF_MEMORY;
        return false;
    }
    for (int32_t rule = 0; rule < a->rule_count; rule++) {
        if (e.degree[rule] == 0) {
            queue[tail++] = rule;
        }
    }
    while (head < tail) {
        int32_t rule = queue[head];
        a->rules[rule].rank = head++;
        for (int32_t k = e.at[rule]; k < e.at[rule + 1]; k++) {
            if (--e.degree[e.to[k]] == 0) {
                queue[tail++] = e.to[k];
            }
        }
    }
    if (tail == a->rule_count) {
        return true;
    }
    *left_recursive = a->rules[find_cycle(a, &e, queue)].owner;
    return false;
}

static void find_byte_classes(automaton *a)
{
    bool begins[257] = {true};
    for (int32_t i = 0; i < a->node_count; i++) {
        if (a->nodes[i].kind == AUTOMATON_BYTES) {
            begins[a->nodes[i].low] = true;
            begins[a->nodes[i].high + 1] = true;
        }
    }
    a->class_count = 0;
    for (int byte = 0; byte < 256; byte++) {
        if (begins[byte]) {
            a->class_byte[a->class_count++] = (uint8_t)byte;
        }
        a->byte_class[byte] = (uint8_t)(a->class_count - 1);
    }
}

bool automaton_finish(automaton *a, int32_t *left_recursive)
{
    *left_recursive = -1;
    if (a->failure != SMIDGEN_ERROR_NONE) {
        return false;
    }
    arena memory;
    arena_init(&memory, a->allocator);
    reverse r;
    shorten(a);
    bool ok = reverse_init(&r, a, &memory) && find_nullable(a, &r, &memory) && find_needs(a, &r, &memory);
    if (!ok) {
        a->failure = SMIDGEN_ERROR_OUT_OF_MEMORY;
    }
    ok = ok && find_ranks(a, &memory, left_recursive);
    find_byte_classes(a);
    arena_close(&memory);
    return ok;
}

bool automaton_is_productive(const automaton *a, int32_t rule)
{
    return a->need[a->rules[rule].start] != AUTOMATON_NEED_NONE;
}
