/* The pushdown automaton that grammars and schemas compile to: rules made of nodes over bytes, and the
 * operations that build them. Characters are UTF-8 byte ranges from the start, so that a token may end inside
 * a character. Internal. */
#ifndef GENERATE_AUTOMATON_H
#define GENERATE_AUTOMATON_H

#include "base/memory.h"

enum {
    AUTOMATON_NODES_MAX = 1 << 18,
    AUTOMATON_RULES_MAX = 1 << 14,
    AUTOMATON_DEPTH_MAX = 256, /* calls within calls while text is read */
    AUTOMATON_NEED_NONE = 0xFFFF,
};

typedef enum automaton_kind {
    AUTOMATON_JUMP,   /* to next and to other (-1: nowhere) without reading */
    AUTOMATON_BYTES,  /* reads one byte in low..high, then next */
    AUTOMATON_CALL,   /* enters rule `other`, then next */
    AUTOMATON_ACCEPT, /* the rule is complete */
} automaton_kind;

typedef struct automaton_node {
    uint8_t kind, low, high;
    int32_t next, other;
} automaton_node;

typedef struct automaton_rule {
    int32_t start;    /* node, -1 while it is not defined */
    int32_t owner;    /* the rule that it was made for: itself, or the one whose repetition it is */
    int32_t rank;     /* a rule may enter others without reading only if their rank is higher */
    bool is_nullable; /* may match the empty text */
} automaton_rule;

typedef struct automaton {
    const smidgen_allocator *allocator;
    automaton_node *nodes; /* [node_count] */
    uint16_t *
        need; /* [node_count] calls within calls that completing the rule from here takes; NEED_NONE: never */
    automaton_rule *rules; /* [rule_count] */
    int32_t node_count, node_capacity, rule_count, rule_capacity;
    uint8_t byte_class[256]; /* bytes that no node tells apart share a class */
    uint8_t class_byte[256]; /* [class_count] one byte of each class */
    int32_t class_count;
    int32_t owner;              /* of rules made by repetition */
    smidgen_error_code failure; /* NONE, OUT_OF_MEMORY or LIMIT; sticky: everything after it is harmless */
} automaton;

/* A piece of a rule: from node `first` to node `last`, a jump to nowhere yet. */
typedef struct fragment {
    int32_t first, last;
} fragment;

typedef struct code_range {
    uint32_t low, high; /* code points, inclusive */
} code_range;

void automaton_init(automaton *a, const smidgen_allocator *allocator);
void automaton_close(automaton *a);

/* A new rule, not defined yet; -1 on failure. */
int32_t automaton_rule_new(automaton *a);
/* Makes f the body of the rule. */
void automaton_define(automaton *a, int32_t rule, fragment f);

fragment automaton_empty(automaton *a);
/* Matches nothing at all. */
fragment automaton_never(automaton *a);
fragment automaton_bytes(automaton *a, uint8_t low, uint8_t high);
fragment automaton_text(automaton *a, const char *text, size_t size_bytes);
fragment automaton_call(automaton *a, int32_t rule);
/* One character of the ranges, which are sorted and merged in place; surrogates are left out. */
fragment automaton_class(automaton *a, code_range *ranges, size_t count);
fragment automaton_then(automaton *a, fragment f, fragment g);
fragment automaton_either(automaton *a, fragment f, fragment g);
fragment automaton_optional(automaton *a, fragment f);
/* min to max times; max < 0: any number. f may not be used afterwards. */
fragment automaton_repeat(automaton *a, fragment f, int64_t min, int64_t max);

/* For shapes that are no tree: a node without a way out; one more way out of it; the open end of f leads to
 * `to`. */
int32_t automaton_node_new(automaton *a);
void automaton_add(automaton *a, int32_t node, int32_t to);
void automaton_connect(automaton *a, fragment f, int32_t to);
typedef struct automaton_word {
    const char *bytes; /* [size] */
    size_t size;
} automaton_word;
/* One of the words (sorted in place), beginnings shared. path: room for the longest word + 1 nodes. */
fragment automaton_words(automaton *a, automaton_word *words, size_t count, int32_t *path);

/* Sorts and merges; returns the new count. */
size_t code_ranges_sort(code_range *ranges, size_t count);
/* The complement of sorted ranges within 0..0x10FFFF into out [count + 1]; returns their number. */
size_t code_ranges_invert(const code_range *ranges, size_t count, code_range *out);

/* Analyses the finished automaton (every rule defined): nullable rules, ranks, needs, byte classes. Linear.
 * Returns false with *left_recursive = a rule of a cycle that reads nothing, or -1 where memory failed
 * (failure is set). */
bool automaton_finish(automaton *a, int32_t *left_recursive);
/* Whether the rule can ever be completed within AUTOMATON_DEPTH_MAX. */
bool automaton_is_productive(const automaton *a, int32_t rule);

#endif
