/* Owns the building of automata: nodes, fragments in Thompson's manner, characters as UTF-8 byte ranges.
 * Refuses to grow past the limits; failure sticks, and building goes on harmlessly on node 0. */
#include "generate/automaton.h"

#include <string.h>

#include "base/utf8.h"

void automaton_init(automaton *a, const smidgen_allocator *allocator)
{
    *a = (automaton){.allocator = allocator};
}

void automaton_close(automaton *a)
{
    memory_release(a->allocator, a->nodes, memory_array_bytes((size_t)a->node_capacity, sizeof *a->nodes));
    memory_release(a->allocator, a->need, memory_array_bytes((size_t)a->node_count, sizeof *a->need));
    memory_release(a->allocator, a->rules, memory_array_bytes((size_t)a->rule_capacity, sizeof *a->rules));
    automaton_init(a, a->allocator);
}

/* Doubles an array; false (and the failure is recorded) when it may not or cannot grow. */
static bool grow(automaton *a, void **items, int32_t count, int32_t *capacity, int32_t max, size_t item_bytes)
{
    if (a->failure != SMIDGEN_ERROR_NONE) {
        return false;
    }
    if (count < *capacity) {
        return true;
    }
    if (count >= max) {
        a->failure = SMIDGEN_ERROR_LIMIT;
        return false;
    }
    int32_t larger = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = memory_allocate(a->allocator, (size_t)larger * item_bytes);
    if (grown == NULL) {
        a->failure = SMIDGEN_ERROR_OUT_OF_MEMORY;
        return false;
    }
    if (count > 0) {
        memcpy(grown, *items, (size_t)count * item_bytes);
    }
    memory_release(a->allocator, *items, (size_t)*capacity * item_bytes);
    *items = grown;
    *capacity = larger;
    return true;
}

static int32_t node_new(automaton *a, automaton_node node)
{
    void *items = a->nodes;
    bool ok = grow(a, &items, a->node_count, &a->node_capacity, AUTOMATON_NODES_MAX, sizeof node);
    a->nodes = items;
    if (!ok) {
        return 0;
    }
    a->nodes[a->node_count] = node;
    return a->node_count++;
}

int32_t automaton_rule_new(automaton *a)
{
    void *items = a->rules;
    bool ok = grow(a, &items, a->rule_count, &a->rule_capacity, AUTOMATON_RULES_MAX, sizeof *a->rules);
    a->rules = items;
    if (!ok) {
        return -1;
    }
    a->rules[a->rule_count] = (automaton_rule){.start = -1, .owner = a->rule_count};
    return a->rule_count++;
}

static int32_t jump_new(automaton *a, int32_t next, int32_t other)
{
    return node_new(a, (automaton_node){.kind = AUTOMATON_JUMP, .next = next, .other = other});
}

int32_t automaton_node_new(automaton *a)
{
    return jump_new(a, -1, -1);
}

void automaton_add(automaton *a, int32_t node, int32_t to)
{
    if (a->failure != SMIDGEN_ERROR_NONE) {
        return;
    }
    automaton_node old = a->nodes[node];
    if (old.next < 0) {
        a->nodes[node].next = to;
        return;
    }
    int32_t rest = old.other < 0 ? old.next : jump_new(a, old.next, old.other);
    a->nodes[node].next = to;
    a->nodes[node].other = rest;
}

void automaton_connect(automaton *a, fragment f, int32_t to)
{
    if (a->failure == SMIDGEN_ERROR_NONE) {
        a->nodes[f.last].next = to;
    }
}

void automaton_define(automaton *a, int32_t rule, fragment f)
{
    int32_t accept = node_new(a, (automaton_node){.kind = AUTOMATON_ACCEPT, .next = -1, .other = -1});
    automaton_connect(a, f, accept);
    if (a->failure == SMIDGEN_ERROR_NONE) {
        a->rules[rule].start = f.first;
    }
}

fragment automaton_empty(automaton *a)
{
    int32_t node = jump_new(a, -1, -1);
    return (fragment){node, node};
}

fragment automaton_never(automaton *a)
{
    return (fragment){jump_new(a, -1, -1), jump_new(a, -1, -1)};
}

fragment automaton_bytes(automaton *a, uint8_t low, uint8_t high)
{
    int32_t last = jump_new(a, -1, -1);
    automaton_node node = {.kind = AUTOMATON_BYTES, .low = low, .high = high, .next = last, .other = -1};
    return (fragment){node_new(a, node), last};
}

fragment automaton_call(automaton *a, int32_t rule)
{
    int32_t last = jump_new(a, -1, -1);
    return (fragment){node_new(a, (automaton_node){.kind = AUTOMATON_CALL, .next = last, .other = rule}),
                      last};
}

fragment automaton_text(automaton *a, const char *text, size_t size_bytes)
{
    int32_t last = jump_new(a, -1, -1), next = last;
    for (size_t i = size_bytes; i-- > 0 && a->failure == SMIDGEN_ERROR_NONE;) {
        uint8_t byte = (uint8_t)text[i];
        next = node_new(
            a,
            (automaton_node){.kind = AUTOMATON_BYTES, .low = byte, .high = byte, .next = next, .other = -1});
    }
    return (fragment){next, last};
}

fragment automaton_then(automaton *a, fragment f, fragment g)
{
    automaton_connect(a, f, g.first);
    return (fragment){f.first, g.last};
}

fragment automaton_either(automaton *a, fragment f, fragment g)
{
    int32_t last = jump_new(a, -1, -1), first = jump_new(a, f.first, g.first);
    automaton_connect(a, f, last);
    automaton_connect(a, g, last);
    return (fragment){first, last};
}

fragment automaton_optional(automaton *a, fragment f)
{
    int32_t last = jump_new(a, -1, -1);
    automaton_connect(a, f, last);
    return (fragment){jump_new(a, f.first, last), last};
}

static int compare_words(const automaton_word *x, const automaton_word *y)
{
    int order = memcmp(x->bytes, y->bytes, x->size < y->size ? x->size : y->size);
    return order != 0 ? order : x->size < y->size ? -1 : x->size > y->size;
}

static void sort_words(automaton_word *words, size_t count)
{
    for (size_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (size_t i = gap; i < count; i++) {
            automaton_word word = words[i];
            size_t j = i;
            for (; j >= gap && compare_words(&words[j - gap], &word) > 0; j -= gap) {
                words[j] = words[j - gap];
            }
            words[j] = word;
        }
    }
}

fragment automaton_words(automaton *a, automaton_word *words, size_t count, int32_t *path)
{
    sort_words(words, count);
    int32_t last = jump_new(a, -1, -1);
    path[0] = jump_new(a, -1, -1);
    for (size_t i = 0; i < count && a->failure == SMIDGEN_ERROR_NONE; i++) {
        const automaton_word *word = &words[i];
        size_t shared = 0;
        while (i > 0 && shared < word->size && shared < word[-1].size &&
               word->bytes[shared] == word[-1].bytes[shared]) {
            shared++;
        }
        if (i > 0 && shared == word->size && shared == word[-1].size) {
            continue;
        }
        for (size_t d = shared; d < word->size; d++) {
            fragment byte = automaton_bytes(a, (uint8_t)word->bytes[d], (uint8_t)word->bytes[d]);
            automaton_add(a, path[d], byte.first);
            path[d + 1] = byte.last;
        }
        automaton_add(a, path[word->size], last);
    }
    return (fragment){path[0], last};
}

/* ---------------------------------------------------------------------------------------------- repetition
 */

/* One byte range or one call: cheap to write again. */
static bool is_simple(const automaton *a, fragment f)
{
    const automaton_node *n = &a->nodes[f.first];
    return (n->kind == AUTOMATON_BYTES || n->kind == AUTOMATON_CALL) && n->next == f.last;
}

static fragment copy_simple(automaton *a, automaton_node node)
{
    return node.kind == AUTOMATON_CALL ? automaton_call(a, node.other)
                                       : automaton_bytes(a, node.low, node.high);
}

static fragment repeat_any(automaton *a, fragment f)
{
    int32_t last = jump_new(a, -1, -1), loop = jump_new(a, f.first, last);
    automaton_connect(a, f, loop);
    return (fragment){loop, last};
}

fragment automaton_repeat(automaton *a, fragment f, int64_t min, int64_t max)
{
    if (a->failure != SMIDGEN_ERROR_NONE) {
        return (fragment){0, 0};
    }
    if (max == 0) {
        return automaton_empty(a);
    }
    if (min == 0 && max == 1) {
        return automaton_optional(a, f);
    }
    if (min == 1 && max == 1) {
        return f;
    }
    if (min == 0 && max < 0) {
        return repeat_any(a, f);
    }
    if (!is_simple(a, f)) {
        int32_t rule = automaton_rule_new(a);
        if (rule < 0) {
            return (fragment){0, 0};
        }
        a->rules[rule].owner = a->owner;
        automaton_define(a, rule, f);
        f = automaton_call(a, rule);
    }
    if (a->failure != SMIDGEN_ERROR_NONE) {
        return (fragment){0, 0};
    }
    automaton_node item = a->nodes[f.first];
    fragment whole = automaton_empty(a);
    for (int64_t i = 0; i < min && a->failure == SMIDGEN_ERROR_NONE; i++) {
        whole = automaton_then(a, whole, copy_simple(a, item));
    }
    if (max < 0) {
        return automaton_then(a, whole, repeat_any(a, copy_simple(a, item)));
    }
    int32_t end = jump_new(a, -1, -1);
    for (int64_t i = min; i < max && a->failure == SMIDGEN_ERROR_NONE; i++) {
        fragment next = copy_simple(a, item);
        int32_t choice = jump_new(a, next.first, end);
        automaton_connect(a, whole, choice);
        whole.last = next.last;
    }
    automaton_connect(a, whole, end);
    return (fragment){whole.first, end};
}

/* ---------------------------------------------------------------------------------------------- characters
 */

size_t code_ranges_sort(code_range *ranges, size_t count)
{
    for (size_t gap = count / 2; gap > 0; gap /= 2) {
        for (size_t i = gap; i < count; i++) {
            code_range r = ranges[i];
            size_t j = i;
            for (; j >= gap && ranges[j - gap].low > r.low; j -= gap) {
                ranges[j] = ranges[j - gap];
            }
            ranges[j] = r;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && ranges[i].low <= ranges[kept - 1].high + 1) {
            if (ranges[i].high > ranges[kept - 1].high) {
                ranges[kept - 1].high = ranges[i].high;
            }
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    return kept;
}

size_t code_ranges_invert(const code_range *ranges, size_t count, code_range *out)
{
    size_t written = 0;
    uint32_t next = 0;
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].low > next) {
            out[written++] = (code_range){next, ranges[i].low - 1};
        }
        next = ranges[i].high + 1;
    }
    if (next <= 0x10FFFF) {
        out[written++] = (code_range){next, 0x10FFFF};
    }
    return written;
}

typedef struct class_builder {
    automaton *a;
    int32_t last;    /* where every alternative ends */
    int32_t first;   /* the alternatives so far, or -1 */
    int32_t tail[3]; /* tail[i]: i + 1 continuation bytes, then last; -1 while not made */
} class_builder;

/* The node that reads any `count` continuation bytes and goes to the end. */
static int32_t class_tail(class_builder *b, int count)
{
    int32_t next = b->last;
    for (int i = 0; i < count; i++) {
        if (b->tail[i] < 0) {
            b->tail[i] = node_new(
                b->a, (automaton_node){
                          .kind = AUTOMATON_BYTES, .low = 0x80, .high = 0xBF, .next = next, .other = -1});
        }
        next = b->tail[i];
    }
    return next;
}

/* One alternative: all characters from low to high, whose encodings differ only as a product of byte ranges.
 */
static void class_add_product(class_builder *b, uint32_t low, uint32_t high)
{
    char from[4], to[4];
    int size = (int)utf8_encode(low, from), full = 0;
    utf8_encode(high, to);
    while (full < size - 1 && (uint8_t)from[size - 1 - full] == 0x80 &&
           (uint8_t)to[size - 1 - full] == 0xBF) {
        full++;
    }
    int32_t next = class_tail(b, full);
    for (int i = size - 1 - full; i >= 0; i--) {
        next = node_new(b->a, (automaton_node){.kind = AUTOMATON_BYTES,
                                               .low = (uint8_t)from[i],
                                               .high = (uint8_t)to[i],
                                               .next = next,
                                               .other = -1});
    }
    b->first = b->first < 0 ? next : jump_new(b->a, next, b->first);
}

/* Splits low..high, all of one encoded length, into products. At most 2 splits for each continuation byte. */
static void class_add_range(class_builder *b, uint32_t low, uint32_t high, int continuation_bytes)
{
    code_range stack[16];
    int depth = 0;
    stack[depth++] = (code_range){low, high};
    while (depth > 0) {
        code_range r = stack[--depth];
        bool is_product = true;
        for (int i = 1; i <= continuation_bytes && is_product; i++) {
            uint32_t mask = (1u << (6 * i)) - 1;
            if ((r.low & ~mask) == (r.high & ~mask)) {
                continue;
            }
            uint32_t cut = (r.low & mask) != 0       ? (r.low | mask) + 1
                           : (r.high & mask) != mask ? r.high & ~mask
                                                     : 0;
            if (cut != 0) {
                stack[depth++] = (code_range){cut, r.high};
                stack[depth++] = (code_range){r.low, cut - 1};
                is_product = false;
            }
        }
        if (is_product) {
            class_add_product(b, r.low, r.high);
        }
    }
}

fragment automaton_class(automaton *a, code_range *ranges, size_t count)
{
    static const struct {
        uint32_t low, high;
        int continuation_bytes;
    } lengths[] = {
        {0, 0x7F, 0}, {0x80, 0x7FF, 1}, {0x800, 0xD7FF, 2}, {0xE000, 0xFFFF, 2}, {0x10000, 0x10FFFF, 3}};
    count = code_ranges_sort(ranges, count);
    class_builder b = {a, jump_new(a, -1, -1), -1, {-1, -1, -1}};
    for (size_t i = 0; i < count && a->failure == SMIDGEN_ERROR_NONE; i++) {
        for (int k = 0; k < 5; k++) {
            uint32_t low = ranges[i].low > lengths[k].low ? ranges[i].low : lengths[k].low;
            uint32_t high = ranges[i].high < lengths[k].high ? ranges[i].high : lengths[k].high;
            if (low <= high) {
                class_add_range(&b, low, high, lengths[k].continuation_bytes);
            }
        }
    }
    return b.first < 0 ? automaton_never(a) : (fragment){b.first, b.last};
}
