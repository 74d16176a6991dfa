/* The syntax tree, and the parser that makes it. Long chains (a + b + c ..., x.y.z | f | g, elif ... elif)
 * are lists, not towers, so the depth of a tree is the depth of brackets and blocks in its text, which is
 * bounded. */
#ifndef GENERATE_JINJA_NODE_H
#define GENERATE_JINJA_NODE_H

#include "base/arena.h"
#include "generate/jinja/jinja_lexer.h"
#include "generate/jinja/jinja_value.h"

enum { JINJA_SYNTAX_DEPTH_MAX = 100 }; /* nested brackets, prefix operators and blocks together */

typedef enum jinja_node_kind {
    /* Statements         what the fields hold */
    JINJA_TEXT,   /* constant */
    JINJA_OUTPUT, /* a: expression */
    JINJA_IF,     /* children: BRANCH */
    JINJA_BRANCH, /* a: condition, NULL for else; b: body */
    JINJA_FOR, /* a: target, b: iterable, c: condition or NULL, children: body, d: else or NULL; is_flagged:
                  recursive */
    JINJA_SET, /* a: target, b: expression */
    JINJA_SET_BLOCK,    /* a: target, b: FILTER suffixes or NULL, children: body */
    JINJA_MACRO_BLOCK,  /* name, a: PARAMETER list, children: body, uses */
    JINJA_CALL_BLOCK,   /* a: POSTFIX that ends with CALL, b: MACRO_BLOCK of the body */
    JINJA_FILTER_BLOCK, /* b: FILTER suffixes, children: body */
    JINJA_WITH,         /* a: SET list, children: body; also {% generation %} */
    JINJA_BREAK,
    JINJA_CONTINUE,
    /* Expressions */
    JINJA_CONSTANT,    /* constant */
    JINJA_NAME,        /* name */
    JINJA_LIST_OF,     /* children */
    JINJA_TUPLE_OF,    /* children */
    JINJA_DICT_OF,     /* children: PAIR */
    JINJA_PAIR,        /* a: key, b: value */
    JINJA_CONDITIONAL, /* a: condition, b: value, c: else or NULL */
    JINJA_UNARY,       /* operation: JINJA_OP_NOT, _SUBTRACT (negate) or _ADD; a: operand */
    JINJA_CHAIN,       /* children: OPERAND; all operations of one precedence */
    JINJA_OPERAND,     /* operation (of all but the first), a */
    JINJA_POSTFIX,     /* a: base, children: suffixes */
    /* Suffixes */
    JINJA_ATTRIBUTE, /* name */
    JINJA_ITEM,      /* a */
    JINJA_SLICE,     /* a, b, c: start, stop, step, each may be NULL */
    JINJA_CALL,      /* children: ARGUMENT */
    JINJA_FILTER,    /* name, children: ARGUMENT, callee */
    JINJA_TEST,      /* name, children: ARGUMENT, callee; is_flagged: `is not` */
    /* Parts */
    JINJA_ARGUMENT,  /* a; name when given by keyword; operation: _MULTIPLY for *x, _POWER for **x */
    JINJA_PARAMETER, /* name, a: default or NULL */
} jinja_node_kind;

/* Which of the implicit names a macro's body mentions. */
typedef enum jinja_macro_uses {
    JINJA_USES_VARARGS = 1,
    JINJA_USES_KWARGS = 2,
    JINJA_USES_CALLER = 4
} jinja_macro_uses;

typedef struct jinja_name {
    const char *text; /* [size] */
    uint32_t size, hash;
} jinja_name;

typedef struct jinja_node {
    jinja_node_kind kind;
    jinja_operator operation;
    uint32_t line;
    bool is_flagged;
    uint8_t uses;
    jinja_name name;
    jinja_value constant;
    struct jinja_node *a, *b, *c, *d;
    struct jinja_node *children; /* first of a list linked by next */
    struct jinja_node *next;
    const void *callee; /* the filter's or test's row, NULL when there is none of that name */
} jinja_node;

jinja_name jinja_name_make(const char *text, size_t size);
static inline bool jinja_name_equal(const jinja_name *x, const jinja_name *y)
{
    if (x->hash != y->hash || x->size != y->size) {
        return false;
    }
    for (uint32_t i = 0; i < x->size; i++) {
        if (x->text[i] != y->text[i]) {
            return false;
        }
    }
    return true;
}

/* Parses the text (which must stay alive) into *root, a list of statements (NULL when empty). All nodes lie
 * in the arena. */
bool jinja_parse(const char *text, size_t size, arena *memory, jinja_node **root, smidgen_error *error);

/* ---- between jinja_parser.c (statements) and jinja_parse_expression.c */

typedef struct jinja_parser {
    jinja_lexer lexer;
    jinja_token token, ahead; /* the current token and the one after it */
    arena *memory;
    smidgen_error *error;
    uint32_t depth, loop_depth;
    uint32_t open_line; /* of the innermost open block */
    uint8_t macro_uses; /* names that the macro being parsed mentions */
} jinja_parser;

bool jinja_parser_advance(jinja_parser *p);
bool jinja_parser_enter(jinja_parser *p); /* one level deeper, or LIMIT */
bool jinja_parser_is_name(const jinja_token *t, const char *name);
bool jinja_parser_is_operator(const jinja_parser *p, jinja_operator operation);
bool jinja_parser_expect(jinja_parser *p, jinja_operator operation, const char *where);
/* TEMPLATE: "line N: expected WHAT, found TOKEN". */
bool jinja_parser_refuse(jinja_parser *p, const char *what);
jinja_node *jinja_parser_node(jinja_parser *p, jinja_node_kind kind);

/* An expression; without_conditional stops before a trailing `if` (the iterable of a loop, the test of an
 * if). */
bool jinja_parse_expression(jinja_parser *p, bool without_conditional, jinja_node **out);
/* An expression, or several with commas between them: a tuple. */
bool jinja_parse_tuple(jinja_parser *p, bool without_conditional, jinja_node **out);
/* What a loop or a set assigns to: names, tuples of names, and with allow_attribute `namespace.attribute`. */
bool jinja_parse_target(jinja_parser *p, bool allow_attribute, jinja_node **out);
/* One `name(arguments)` of a filter and those that follow after bars. */
bool jinja_parse_filters(jinja_parser *p, jinja_node **first);

#endif
