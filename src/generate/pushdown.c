/* Owns states and stacks of a running grammar, in tables of fixed size. When they are full, what cannot be
 * reached from the path in use is dropped. Refuses states past the limits below (they read as dead). */
#include "generate/pushdown.h"

#include <string.h>

#include "base/hash.h"

enum {
    SETS_MAX = 1 << 15,
    ENTRIES_MAX = 1 << 16,
    PLACES_MAX = 1 << 17,
    STATES_MAX = 1 << 14,
    STATES_MIN = 1 << 10,
    TRANSITIONS_MAX = 1 << 20, /* states * byte classes */
    BUCKETS = 1 << 14,
    STEP_ITEMS_MAX = 1 << 12, /* places and callers within one step */
    SEEN_SLOTS = 1 << 14,
    WORK_MAX = 1 << 25, /* places looked at between two refills */
    NOWHERE = -1,
};

/* node << 32 | stack set. As a return address, node -1 means that the whole text is complete. */
typedef uint64_t place;

typedef struct stack_set {
    int32_t first, count; /* places to return to, in `entries`, ascending */
    int32_t depth;        /* calls within calls of the deepest stack */
    int32_t chain;        /* next set with the same hash, NOWHERE at the end */
} stack_set;

typedef struct state {
    int32_t first, count; /* in `places`, ascending; every node of them reads bytes */
    int32_t chain;
    bool may_end;
} state;

typedef struct caller {
    place returns;
    int32_t next; /* in the list of its rule */
} caller;

struct pushdown {
    arena memory;
    const automaton *a;
    stack_set *sets;
    place *entries;
    state *states;
    place *places;
    int32_t *transitions; /* [state_capacity, class_count] NOWHERE: not known yet */
    int32_t *set_buckets, *state_buckets;
    int32_t set_count, entry_count, state_count, place_count, state_capacity;
    uint32_t generation;
    int64_t work_left;
    int32_t first_state;

    /* one step */
    place *work, *result, *gathered; /* [STEP_ITEMS_MAX] */
    int32_t work_count, result_count;
    place *seen;       /* [SEEN_SLOTS] */
    uint32_t *seen_in; /* [SEEN_SLOTS] step in which the slot was filled */
    uint32_t step;
    caller *callers; /* [STEP_ITEMS_MAX] */
    int32_t caller_count;
    int32_t *caller_heads; /* [rule_count] */
    int32_t *rule_by_rank; /* [rule_count] */
    int32_t *rank_heap;    /* [rule_count] ranks of rules that have callers */
    int32_t rank_count;
    bool may_end, is_full, is_too_large;

    /* emptying the tables */
    int32_t *moved_sets, *moved_states; /* new numbers; NOWHERE: dropped */
};

static place place_make(int32_t node, int32_t set)
{
    return (uint64_t)(uint32_t)node << 32 | (uint32_t)set;
}

static int32_t place_node(place p)
{
    return (int32_t)(uint32_t)(p >> 32);
}

static int32_t place_set(place p)
{
    return (int32_t)(uint32_t)p;
}

/* Sorts and drops duplicates; returns the new count. */
static int32_t places_sort(place *x, int32_t count)
{
    for (int32_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (int32_t i = gap; i < count; i++) {
            place item = x[i];
            int32_t j = i;
            for (; j >= gap && x[j - gap] > item; j -= gap) {
                x[j] = x[j - gap];
            }
            x[j] = item;
        }
    }
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++) {
        if (kept == 0 || x[kept - 1] != x[i]) {
            x[kept++] = x[i];
        }
    }
    return kept;
}

/* ---------------------------------------------------------------------------------------------------- tables
 */

static uint32_t bucket_of(const place *x, int32_t count, bool flag)
{
    return (uint32_t)(hash_bytes(x, (size_t)count * sizeof *x) + flag) % BUCKETS;
}

/* The set with exactly these places to return to (sorted), made where there is none; NOWHERE when the tables
 * are full. */
static int32_t intern_set(pushdown *p, const place *x, int32_t count)
{
    uint32_t bucket = bucket_of(x, count, false);
    for (int32_t i = p->set_buckets[bucket]; i != NOWHERE; i = p->sets[i].chain) {
        if (p->sets[i].count == count &&
            memcmp(p->entries + p->sets[i].first, x, (size_t)count * sizeof *x) == 0) {
            return i;
        }
    }
    if (p->set_count == SETS_MAX || p->entry_count + count > ENTRIES_MAX) {
        p->is_full = true;
        return NOWHERE;
    }
    int32_t depth = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t below = p->set_count == 0 ? 0 : p->sets[place_set(x[i])].depth + 1;
        depth = below > depth ? below : depth;
    }
    memcpy(p->entries + p->entry_count, x, (size_t)count * sizeof *x);
    p->sets[p->set_count] = (stack_set){p->entry_count, count, depth, p->set_buckets[bucket]};
    p->set_buckets[bucket] = p->set_count;
    p->entry_count += count;
    return p->set_count++;
}

static int32_t intern_state(pushdown *p, const place *x, int32_t count, bool may_end)
{
    uint32_t bucket = bucket_of(x, count, may_end);
    for (int32_t i = p->state_buckets[bucket]; i != NOWHERE; i = p->states[i].chain) {
        const state *s = &p->states[i];
        if (s->count == count && s->may_end == may_end &&
            memcmp(p->places + s->first, x, (size_t)count * sizeof *x) == 0) {
            return i;
        }
    }
    if (p->state_count == p->state_capacity || p->place_count + count > PLACES_MAX) {
        p->is_full = true;
        return NOWHERE;
    }
    if (count > 0) {
        memcpy(p->places + p->place_count, x, (size_t)count * sizeof *x);
    }
    p->states[p->state_count] = (state){p->place_count, count, p->state_buckets[bucket], may_end};
    p->state_buckets[bucket] = p->state_count;
    p->place_count += count;
    int32_t *row = p->transitions + (size_t)p->state_count * (size_t)p->a->class_count;
    for (int32_t i = 0; i < p->a->class_count; i++) {
        row[i] = NOWHERE;
    }
    return p->state_count++;
}

/* Keeps the marked sets and their entries, in order, and gives them new numbers. */
static void slide_sets(pushdown *p)
{
    int32_t kept = 0, entries = 0;
    memset(p->set_buckets, 0xFF, BUCKETS * sizeof *p->set_buckets);
    for (int32_t i = 0; i < p->set_count; i++) {
        if (p->moved_sets[i] == NOWHERE) {
            continue;
        }
        stack_set s = p->sets[i];
        place *to = p->entries + entries;
        for (int32_t k = 0; k < s.count; k++) { /* sets lie behind those that they return to: already moved */
            place from = p->entries[s.first + k];
            to[k] = place_make(place_node(from), p->moved_sets[place_set(from)]);
        }
        p->moved_sets[i] = kept;
        if (i == 0) { /* the bottom refers to itself */
            to[0] = place_make(NOWHERE, 0);
        }
        uint32_t bucket = bucket_of(to, s.count, false);
        p->sets[kept] = (stack_set){entries, s.count, s.depth, p->set_buckets[bucket]};
        p->set_buckets[bucket] = kept++;
        entries += s.count;
    }
    p->set_count = kept;
    p->entry_count = entries;
}

static void slide_states(pushdown *p)
{
    int32_t kept = 0, places = 0, classes = p->a->class_count;
    memset(p->state_buckets, 0xFF, BUCKETS * sizeof *p->state_buckets);
    for (int32_t i = 0; i < p->state_count; i++) {
        if (p->moved_states[i] == NOWHERE) {
            continue;
        }
        state s = p->states[i];
        place *to = p->places + places;
        for (int32_t k = 0; k < s.count; k++) {
            place from = p->places[s.first + k];
            to[k] = place_make(place_node(from), p->moved_sets[place_set(from)]);
        }
        uint32_t bucket = bucket_of(to, s.count, s.may_end);
        p->states[kept] = (state){places, s.count, p->state_buckets[bucket], s.may_end};
        p->state_buckets[bucket] = kept;
        p->moved_states[i] = kept++;
        places += s.count;
    }
    p->state_count = kept;
    p->place_count = places;
    for (size_t i = 0; i < (size_t)kept * (size_t)classes; i++) {
        p->transitions[i] = i < (size_t)classes ? PUSHDOWN_DEAD : NOWHERE;
    }
}

/* Drops every state but the dead one, the first one and path[0..count). */
static void collect(pushdown *p, int32_t *path, int32_t count)
{
    memset(p->moved_sets, 0xFF, SETS_MAX * sizeof *p->moved_sets);
    memset(p->moved_states, 0xFF, (size_t)p->state_capacity * sizeof *p->moved_states);
    p->moved_states[PUSHDOWN_DEAD] = p->moved_states[p->first_state] = 1;
    for (int32_t i = 0; i < count; i++) {
        p->moved_states[path[i]] = 1;
    }
    p->moved_sets[0] = 1;
    for (int32_t i = 0; i < p->state_count; i++) {
        for (int32_t k = 0; p->moved_states[i] != NOWHERE && k < p->states[i].count; k++) {
            p->moved_sets[place_set(p->places[p->states[i].first + k])] = 1;
        }
    }
    for (int32_t i = p->set_count; i-- > 0;) {
        for (int32_t k = 0; p->moved_sets[i] != NOWHERE && k < p->sets[i].count; k++) {
            p->moved_sets[place_set(p->entries[p->sets[i].first + k])] = 1;
        }
    }
    slide_sets(p);
    slide_states(p);
    for (int32_t i = 0; i < count; i++) {
        path[i] = p->moved_states[path[i]];
    }
    p->first_state = p->moved_states[p->first_state];
    p->generation++;
    p->work_left -= SETS_MAX;
}

/* ------------------------------------------------------------------------------------------------------ step
 */

/* Notes that a node is reached with a set of stacks. What could not be completed within the depth limit is
 * left out: that keeps every state alive, see AUTOMATON_DEPTH_MAX. */
static void visit(pushdown *p, int32_t node, int32_t set)
{
    if (p->sets[set].depth + p->a->need[node] > AUTOMATON_DEPTH_MAX) {
        return;
    }
    place x = place_make(node, set);
    uint32_t slot = (uint32_t)(x * 0x9E3779B97F4A7C15u >> 40) % SEEN_SLOTS;
    for (; p->seen_in[slot] == p->step; slot = (slot + 1) % SEEN_SLOTS) {
        if (p->seen[slot] == x) {
            return;
        }
    }
    if (p->work_count == STEP_ITEMS_MAX) {
        p->is_too_large = true;
        return;
    }
    p->seen[slot] = x;
    p->seen_in[slot] = p->step;
    p->work[p->work_count++] = x;
}

static void heap_push(pushdown *p, int32_t rank)
{
    int32_t at = p->rank_count++;
    for (; at > 0 && p->rank_heap[(at - 1) / 2] > rank; at = (at - 1) / 2) {
        p->rank_heap[at] = p->rank_heap[(at - 1) / 2];
    }
    p->rank_heap[at] = rank;
}

static int32_t heap_pop(pushdown *p)
{
    int32_t least = p->rank_heap[0], last = p->rank_heap[--p->rank_count], at = 0;
    for (;;) {
        int32_t child = 2 * at + 1;
        if (child + 1 < p->rank_count && p->rank_heap[child + 1] < p->rank_heap[child]) {
            child++;
        }
        if (child >= p->rank_count || p->rank_heap[child] >= last) {
            break;
        }
        p->rank_heap[at] = p->rank_heap[child];
        at = child;
    }
    p->rank_heap[at] = last;
    return least;
}

static void add_caller(pushdown *p, int32_t rule, place returns)
{
    if (p->caller_count == STEP_ITEMS_MAX) {
        p->is_too_large = true;
        return;
    }
    if (p->caller_heads[rule] == NOWHERE) {
        heap_push(p, p->a->rules[rule].rank);
    }
    p->callers[p->caller_count] = (caller){returns, p->caller_heads[rule]};
    p->caller_heads[rule] = p->caller_count++;
}

/* A call at the end of its rule returns to where that rule returns: lists written as recursion do not deepen
 * stacks. */
static void call(pushdown *p, const automaton_node *n, int32_t set)
{
    if (p->a->nodes[n->next].kind != AUTOMATON_ACCEPT) {
        add_caller(p, n->other, place_make(n->next, set));
        return;
    }
    for (int32_t i = 0; i < p->sets[set].count; i++) {
        add_caller(p, n->other, p->entries[p->sets[set].first + i]);
    }
}

/* Follows everything that reads nothing from work[*done] on. is_fresh: the stacks began within this step;
 * their rules then do not return, since the empty match was already taken beside the call. */
static void follow(pushdown *p, int32_t *done, bool is_fresh)
{
    while (*done < p->work_count) {
        place x = p->work[(*done)++];
        int32_t set = place_set(x);
        const automaton_node *n = &p->a->nodes[place_node(x)];
        switch (n->kind) {
        case AUTOMATON_BYTES:
            p->result[p->result_count++] = x; /* as many at most as work */
            break;
        case AUTOMATON_JUMP:
            visit(p, n->next, set);
            if (n->other >= 0) {
                visit(p, n->other, set);
            }
            break;
        case AUTOMATON_CALL:
            call(p, n, set);
            if (p->a->rules[n->other].is_nullable) {
                visit(p, n->next, set);
            }
            break;
        default:
            for (int32_t i = 0; !is_fresh && i < p->sets[set].count; i++) {
                place to = p->entries[p->sets[set].first + i];
                if (place_node(to) == NOWHERE) {
                    p->may_end = true;
                } else {
                    visit(p, place_node(to), place_set(to));
                }
            }
        }
    }
}

static void step_begin(pushdown *p)
{
    p->work_count = p->result_count = p->caller_count = p->rank_count = 0;
    p->may_end = p->is_full = p->is_too_large = false;
    if (++p->step == 0) { /* wrapped: old marks could look new */
        memset(p->seen_in, 0, SEEN_SLOTS * sizeof *p->seen_in);
        p->step = 1;
    }
}

/* Enters the rules that are called, those of lower rank first, so that all callers of a rule are known when
 * it is entered. */
static int32_t step_end(pushdown *p)
{
    int32_t done = 0;
    follow(p, &done, false);
    while (p->rank_count > 0) {
        int32_t rule = p->rule_by_rank[heap_pop(p)], count = 0;
        for (int32_t i = p->caller_heads[rule]; i != NOWHERE; i = p->callers[i].next) {
            p->gathered[count++] = p->callers[i].returns;
        }
        p->caller_heads[rule] = NOWHERE;
        int32_t set = p->is_full ? NOWHERE : intern_set(p, p->gathered, places_sort(p->gathered, count));
        if (set != NOWHERE) {
            visit(p, p->a->rules[rule].start, set);
            follow(p, &done, true);
        }
    }
    p->work_left -= p->work_count + p->caller_count + 8;
    if (p->is_too_large) {
        return PUSHDOWN_DEAD;
    }
    return p->is_full ? NOWHERE
                      : intern_state(p, p->result, places_sort(p->result, p->result_count), p->may_end);
}

static int32_t step_try(pushdown *p, int32_t from, uint8_t byte)
{
    step_begin(p);
    const state *s = &p->states[from];
    for (int32_t i = 0; i < s->count; i++) {
        place x = p->places[s->first + i];
        const automaton_node *n = &p->a->nodes[place_node(x)];
        if (n->low <= byte && byte <= n->high) {
            visit(p, n->next, place_set(x));
        }
    }
    return step_end(p);
}

int32_t pushdown_step(pushdown *p, int32_t *path, int32_t depth, uint8_t byte_class)
{
    size_t classes = (size_t)p->a->class_count;
    int32_t to = p->transitions[(size_t)path[depth] * classes + byte_class];
    if (to == NOWHERE && p->work_left > 0) {
        to = step_try(p, path[depth], p->a->class_byte[byte_class]);
        if (to == NOWHERE) {
            collect(p, path, depth + 1);
            to = step_try(p, path[depth], p->a->class_byte[byte_class]);
        }
        to = to == NOWHERE ? PUSHDOWN_DEAD : to;
        p->transitions[(size_t)path[depth] * classes + byte_class] = to;
    }
    path[depth + 1] = to == NOWHERE ? PUSHDOWN_DEAD : to;
    return path[depth + 1];
}

/* -------------------------------------------------------------------------------------------------- creation
 */

static bool allocate_tables(pushdown *p)
{
    arena *m = &p->memory;
    size_t rules = (size_t)p->a->rule_count, states;
    states = TRANSITIONS_MAX / (size_t)p->a->class_count;
    states = states < STATES_MIN ? STATES_MIN : states > STATES_MAX ? STATES_MAX : states;
    p->state_capacity = (int32_t)states;
    p->sets = arena_array(m, SETS_MAX, sizeof *p->sets);
    p->entries = arena_array(m, ENTRIES_MAX, sizeof *p->entries);
    p->states = arena_array(m, states, sizeof *p->states);
    p->places = arena_array(m, PLACES_MAX, sizeof *p->places);
    p->transitions = arena_array(m, states * (size_t)p->a->class_count, sizeof *p->transitions);
    p->set_buckets = arena_array(m, BUCKETS, sizeof *p->set_buckets);
    p->state_buckets = arena_array(m, BUCKETS, sizeof *p->state_buckets);
    p->work = arena_array(m, STEP_ITEMS_MAX, sizeof *p->work);
    p->result = arena_array(m, STEP_ITEMS_MAX, sizeof *p->result);
    p->gathered = arena_array(m, STEP_ITEMS_MAX, sizeof *p->gathered);
    p->seen = arena_array(m, SEEN_SLOTS, sizeof *p->seen);
    p->seen_in = arena_array(m, SEEN_SLOTS, sizeof *p->seen_in);
    p->callers = arena_array(m, STEP_ITEMS_MAX, sizeof *p->callers);
    p->caller_heads = arena_array(m, rules, sizeof *p->caller_heads);
    p->rule_by_rank = arena_array(m, rules, sizeof *p->rule_by_rank);
    p->rank_heap = arena_array(m, rules, sizeof *p->rank_heap);
    p->moved_sets = arena_array(m, SETS_MAX, sizeof *p->moved_sets);
    p->moved_states = arena_array(m, states, sizeof *p->moved_states);
    return p->sets != NULL && p->entries != NULL && p->states != NULL && p->places != NULL &&
           p->transitions != NULL && p->set_buckets != NULL && p->state_buckets != NULL && p->work != NULL &&
           p->result != NULL && p->gathered != NULL && p->seen != NULL && p->seen_in != NULL &&
           p->callers != NULL && p->caller_heads != NULL && p->rule_by_rank != NULL && p->rank_heap != NULL &&
           p->moved_sets != NULL && p->moved_states != NULL;
}

pushdown *pushdown_create(const automaton *a, int32_t root_rule, const smidgen_allocator *allocator,
                          smidgen_error_code *failure)
{
    *failure = SMIDGEN_ERROR_OUT_OF_MEMORY;
    pushdown *p = memory_allocate_zeroed(allocator, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    arena_init(&p->memory, allocator);
    p->a = a;
    if (!allocate_tables(p)) {
        pushdown_close(p);
        return NULL;
    }
    memset(p->set_buckets, 0xFF, BUCKETS * sizeof *p->set_buckets);
    memset(p->state_buckets, 0xFF, BUCKETS * sizeof *p->state_buckets);
    for (int32_t rule = 0; rule < a->rule_count; rule++) {
        p->caller_heads[rule] = NOWHERE;
        p->rule_by_rank[a->rules[rule].rank] = rule;
    }
    place bottom = place_make(NOWHERE, 0);
    intern_set(p, &bottom, 1);
    intern_state(p, NULL, 0, false);
    memset(p->transitions, 0, (size_t)a->class_count * sizeof *p->transitions); /* dead leads to dead */
    step_begin(p);
    add_caller(p, root_rule, bottom);
    p->may_end = a->rules[root_rule].is_nullable;
    p->first_state = step_end(p);
    pushdown_refill(p);
    if (p->first_state == PUSHDOWN_DEAD || p->first_state == NOWHERE) {
        *failure = SMIDGEN_ERROR_LIMIT;
        pushdown_close(p);
        return NULL;
    }
    *failure = SMIDGEN_ERROR_NONE;
    return p;
}

void pushdown_close(pushdown *p)
{
    if (p != NULL) {
        const smidgen_allocator *allocator = p->memory.allocator;
        arena_close(&p->memory);
        memory_release(allocator, p, sizeof *p);
    }
}

int32_t pushdown_first(const pushdown *p)
{
    return p->first_state;
}

bool pushdown_may_end(const pushdown *p, int32_t state_id)
{
    return p->states[state_id].may_end;
}

uint32_t pushdown_generation(const pushdown *p)
{
    return p->generation;
}

void pushdown_refill(pushdown *p)
{
    p->work_left = WORK_MAX;
}
