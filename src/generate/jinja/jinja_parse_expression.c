/* Owns the grammar of expressions. Operators of one precedence become one flat chain, and attributes, calls,
 * filters and tests behind a value one flat list of suffixes; only brackets and prefix operators nest. */
#include <string.h>

#include "base/error.h"
#include "generate/jinja/jinja_node.h"
#include "generate/jinja/jinja_tables.h"

/* Appends to a list whose end is *tail. */
static void append(jinja_node ***tail, jinja_node *node)
{
    **tail = node;
    *tail = &node->next;
}

static bool is_closing(const jinja_parser *p)
{
    return p->token.kind == JINJA_TOKEN_BLOCK_END || p->token.kind == JINJA_TOKEN_VARIABLE_END ||
           jinja_parser_is_operator(p, JINJA_OP_RIGHT_PAREN) ||
           jinja_parser_is_operator(p, JINJA_OP_ASSIGN) || jinja_parser_is_name(&p->token, "in");
}

/* Items with commas between them up to `end`, which is consumed. */
static bool parse_items(jinja_parser *p, jinja_operator end, jinja_node **first)
{
    jinja_node **tail = first;
    while (!jinja_parser_is_operator(p, end)) {
        jinja_node *item;
        if (*first != NULL && !jinja_parser_expect(p, JINJA_OP_COMMA, "between items")) {
            return false;
        }
        if (jinja_parser_is_operator(p, end)) {
            break;
        }
        if (!jinja_parse_expression(p, false, &item)) {
            return false;
        }
        append(&tail, item);
    }
    return jinja_parser_advance(p);
}

static bool parse_pairs(jinja_parser *p, jinja_node **first)
{
    jinja_node **tail = first;
    while (!jinja_parser_is_operator(p, JINJA_OP_RIGHT_BRACE)) {
        if (*first != NULL && !jinja_parser_expect(p, JINJA_OP_COMMA, "between dict items")) {
            return false;
        }
        if (jinja_parser_is_operator(p, JINJA_OP_RIGHT_BRACE)) {
            break;
        }
        jinja_node *pair = jinja_parser_node(p, JINJA_PAIR);
        if (pair == NULL || !jinja_parse_expression(p, false, &pair->a) ||
            !jinja_parser_expect(p, JINJA_OP_COLON, "after a dict key") ||
            !jinja_parse_expression(p, false, &pair->b)) {
            return false;
        }
        append(&tail, pair);
    }
    return jinja_parser_advance(p);
}

/* Behind '(': an empty tuple, an expression in brackets, or a tuple. */
static bool parse_bracketed(jinja_parser *p, jinja_node **out)
{
    if (jinja_parser_is_operator(p, JINJA_OP_RIGHT_PAREN)) {
        *out = jinja_parser_node(p, JINJA_TUPLE_OF);
        return *out != NULL && jinja_parser_advance(p);
    }
    return jinja_parse_tuple(p, false, out) && jinja_parser_expect(p, JINJA_OP_RIGHT_PAREN, "to close '('");
}

static bool parse_constant(jinja_parser *p, jinja_node **out)
{
    jinja_node *node = *out = jinja_parser_node(p, JINJA_CONSTANT);
    if (node == NULL) {
        return false;
    }
    node->constant = p->token.value;
    if (!jinja_parser_advance(p)) {
        return false;
    }
    while (node->constant.kind == JINJA_STRING && p->token.kind == JINJA_TOKEN_CONSTANT &&
           p->token.value.kind == JINJA_STRING) { /* 'a' 'b' is 'ab' */
        size_t left = node->constant.size, right = p->token.value.size;
        char *joined = arena_allocate(p->memory, left + right);
        if (joined == NULL) {
            return error_set_memory(p->error, "a string of the chat template", left + right);
        }
        memcpy(joined, node->constant.as.text, left);
        memcpy(joined + left, p->token.value.as.text, right);
        node->constant = jinja_string(joined, left + right);
        if (!jinja_parser_advance(p)) {
            return false;
        }
    }
    return true;
}

static bool parse_name(jinja_parser *p, jinja_node **out)
{
    static const struct {
        const char *name;
        jinja_kind kind;
        bool boolean;
    } constants[] = {{"true", JINJA_BOOL, true},   {"True", JINJA_BOOL, true},  {"false", JINJA_BOOL, false},
                     {"False", JINJA_BOOL, false}, {"none", JINJA_NONE, false}, {"None", JINJA_NONE, false}};
    jinja_node *node = *out = jinja_parser_node(p, JINJA_NAME);
    if (node == NULL) {
        return false;
    }
    node->name = jinja_name_make(p->token.text, p->token.size);
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        if (jinja_parser_is_name(&p->token, constants[i].name)) {
            node->kind = JINJA_CONSTANT;
            node->constant =
                constants[i].kind == JINJA_NONE ? jinja_none() : jinja_bool(constants[i].boolean);
        }
    }
    p->macro_uses |= jinja_parser_is_name(&p->token, "varargs") ? JINJA_USES_VARARGS : 0;
    p->macro_uses |= jinja_parser_is_name(&p->token, "kwargs") ? JINJA_USES_KWARGS : 0;
    p->macro_uses |= jinja_parser_is_name(&p->token, "caller") ? JINJA_USES_CALLER : 0;
    return jinja_parser_advance(p);
}

static bool parse_primary(jinja_parser *p, jinja_node **out)
{
    if (p->token.kind == JINJA_TOKEN_CONSTANT) {
        return parse_constant(p, out);
    }
    if (p->token.kind == JINJA_TOKEN_NAME) {
        return parse_name(p, out);
    }
    bool is_list = jinja_parser_is_operator(p, JINJA_OP_LEFT_BRACKET);
    bool is_dict = jinja_parser_is_operator(p, JINJA_OP_LEFT_BRACE);
    if (!is_list && !is_dict && !jinja_parser_is_operator(p, JINJA_OP_LEFT_PAREN)) {
        return jinja_parser_refuse(p, "an expression");
    }
    if (!jinja_parser_enter(p) || !jinja_parser_advance(p)) {
        return false;
    }
    bool is_parsed;
    if (is_list || is_dict) {
        *out = jinja_parser_node(p, is_list ? JINJA_LIST_OF : JINJA_DICT_OF);
        is_parsed = *out != NULL && (is_list ? parse_items(p, JINJA_OP_RIGHT_BRACKET, &(*out)->children)
                                             : parse_pairs(p, &(*out)->children));
    } else {
        is_parsed = parse_bracketed(p, out);
    }
    p->depth--;
    return is_parsed;
}

static bool parse_argument(jinja_parser *p, jinja_node **out)
{
    jinja_node *argument = *out = jinja_parser_node(p, JINJA_ARGUMENT);
    if (argument == NULL) {
        return false;
    }
    if (jinja_parser_is_operator(p, JINJA_OP_MULTIPLY) || jinja_parser_is_operator(p, JINJA_OP_POWER)) {
        argument->operation = p->token.operation;
        if (!jinja_parser_advance(p)) {
            return false;
        }
    } else if (p->token.kind == JINJA_TOKEN_NAME && p->ahead.kind == JINJA_TOKEN_OPERATOR &&
               p->ahead.operation == JINJA_OP_ASSIGN) {
        argument->name = jinja_name_make(p->token.text, p->token.size);
        if (!jinja_parser_advance(p) || !jinja_parser_advance(p)) {
            return false;
        }
    }
    return jinja_parse_expression(p, false, &argument->a);
}

/* At '(': the arguments and the closing bracket. */
static bool parse_arguments(jinja_parser *p, jinja_node **first)
{
    jinja_node **tail = first;
    bool has_keyword = false;
    if (!jinja_parser_enter(p) || !jinja_parser_advance(p)) {
        return false;
    }
    while (!jinja_parser_is_operator(p, JINJA_OP_RIGHT_PAREN)) {
        if (*first != NULL && !jinja_parser_expect(p, JINJA_OP_COMMA, "between arguments")) {
            return false;
        }
        if (jinja_parser_is_operator(p, JINJA_OP_RIGHT_PAREN)) {
            break;
        }
        jinja_node *argument;
        if (!parse_argument(p, &argument)) {
            return false;
        }
        if (argument->name.text == NULL && argument->operation == JINJA_OP_NONE && has_keyword) {
            return error_set(p->error, SMIDGEN_ERROR_TEMPLATE,
                             "line %u: a positional argument after one given by name",
                             (unsigned)argument->line);
        }
        has_keyword |= argument->name.text != NULL;
        append(&tail, argument);
    }
    p->depth--;
    return jinja_parser_advance(p);
}

/* Behind '[': an index, a slice, or (several with commas) a tuple as index. */
static bool parse_subscript(jinja_parser *p, jinja_node **out)
{
    jinja_node *node = *out = jinja_parser_node(p, JINJA_ITEM);
    if (node == NULL) {
        return false;
    }
    jinja_node **parts[] = {&node->a, &node->b, &node->c};
    for (size_t part = 0; part < 3; part++) {
        if (!jinja_parser_is_operator(p, JINJA_OP_COLON) &&
            !jinja_parser_is_operator(p, JINJA_OP_RIGHT_BRACKET) &&
            !jinja_parse_expression(p, false, parts[part])) {
            return false;
        }
        if (!jinja_parser_is_operator(p, JINJA_OP_COLON)) {
            break;
        }
        node->kind = JINJA_SLICE;
        if (!jinja_parser_advance(p)) {
            return false;
        }
    }
    if (node->kind == JINJA_ITEM && node->a == NULL) {
        return jinja_parser_refuse(p, "an index");
    }
    return jinja_parser_expect(p, JINJA_OP_RIGHT_BRACKET, "to close '['");
}

static bool parse_attribute(jinja_parser *p, jinja_node **out)
{
    jinja_node *node = *out = jinja_parser_node(p, JINJA_ATTRIBUTE);
    if (node == NULL) {
        return false;
    }
    if (p->token.kind == JINJA_TOKEN_NAME) {
        node->name = jinja_name_make(p->token.text, p->token.size);
    } else if (p->token.kind == JINJA_TOKEN_CONSTANT && p->token.value.kind == JINJA_INTEGER) { /* x.0 */
        node->kind = JINJA_ITEM;
        node->a = jinja_parser_node(p, JINJA_CONSTANT);
        if (node->a == NULL) {
            return false;
        }
        node->a->constant = p->token.value;
    } else {
        return jinja_parser_refuse(p, "a name after '.'");
    }
    return jinja_parser_advance(p);
}

/* .name, [index] and (arguments) behind a value. */
static bool parse_postfix(jinja_parser *p, jinja_node ***tail)
{
    for (;;) {
        jinja_node *suffix = NULL;
        if (jinja_parser_is_operator(p, JINJA_OP_DOT)) {
            if (!jinja_parser_advance(p) || !parse_attribute(p, &suffix)) {
                return false;
            }
        } else if (jinja_parser_is_operator(p, JINJA_OP_LEFT_BRACKET)) {
            if (!jinja_parser_enter(p) || !jinja_parser_advance(p) || !parse_subscript(p, &suffix)) {
                return false;
            }
            p->depth--;
        } else if (jinja_parser_is_operator(p, JINJA_OP_LEFT_PAREN)) {
            suffix = jinja_parser_node(p, JINJA_CALL);
            if (suffix == NULL || !parse_arguments(p, &suffix->children)) {
                return false;
            }
        } else {
            return true;
        }
        append(tail, suffix);
    }
}

/* A filter's or test's name (which may have dots) into node->name. */
static bool parse_callee_name(jinja_parser *p, jinja_node *node)
{
    if (p->token.kind != JINJA_TOKEN_NAME) {
        return jinja_parser_refuse(p, node->kind == JINJA_FILTER ? "the name of a filter"
                                                                 : "the name of a test");
    }
    const char *text = p->token.text;
    size_t size = p->token.size;
    if (!jinja_parser_advance(p)) {
        return false;
    }
    while (jinja_parser_is_operator(p, JINJA_OP_DOT) && p->ahead.kind == JINJA_TOKEN_NAME) {
        size = (size_t)(p->ahead.text + p->ahead.size - text);
        if (!jinja_parser_advance(p) || !jinja_parser_advance(p)) {
            return false;
        }
    }
    node->name = jinja_name_make(text, size);
    node->callee = node->kind == JINJA_FILTER ? (const void *)jinja_filter_find(text, size)
                                              : (const void *)jinja_test_find(text, size);
    return true;
}

static bool parse_filter(jinja_parser *p, jinja_node **out)
{
    jinja_node *filter = *out = jinja_parser_node(p, JINJA_FILTER);
    if (filter == NULL || !parse_callee_name(p, filter)) {
        return false;
    }
    return !jinja_parser_is_operator(p, JINJA_OP_LEFT_PAREN) || parse_arguments(p, &filter->children);
}

bool jinja_parse_filters(jinja_parser *p, jinja_node **first)
{
    jinja_node **tail = first;
    for (;;) {
        jinja_node *filter;
        if (!parse_filter(p, &filter)) {
            return false;
        }
        append(&tail, filter);
        if (!jinja_parser_is_operator(p, JINJA_OP_BAR)) {
            return true;
        }
        if (!jinja_parser_advance(p)) {
            return false;
        }
    }
}

/* What may stand behind a test's name as its argument without brackets: `x is divisibleby 3`. */
static bool is_test_argument(const jinja_parser *p)
{
    if (p->token.kind == JINJA_TOKEN_NAME) {
        static const char *const words[] = {"else", "or", "and", "is", "if", "not", "in"};
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            if (jinja_parser_is_name(&p->token, words[i])) {
                return false;
            }
        }
        return true;
    }
    return p->token.kind == JINJA_TOKEN_CONSTANT || jinja_parser_is_operator(p, JINJA_OP_LEFT_BRACKET) ||
           jinja_parser_is_operator(p, JINJA_OP_LEFT_BRACE);
}

/* Wraps base and its suffixes, when there are any. */
static bool finish_postfix(jinja_parser *p, jinja_node *base, jinja_node *suffixes, jinja_node **out)
{
    *out = base;
    if (suffixes != NULL) {
        jinja_node *node = *out = jinja_parser_node(p, JINJA_POSTFIX);
        if (node == NULL) {
            return false;
        }
        node->line = base->line;
        node->a = base;
        node->children = suffixes;
    }
    return true;
}

static bool parse_test(jinja_parser *p, jinja_node **out)
{
    jinja_node *test = *out = jinja_parser_node(p, JINJA_TEST);
    if (test == NULL || !jinja_parser_advance(p)) {
        return false;
    }
    if (jinja_parser_is_name(&p->token, "not")) {
        test->is_flagged = true;
        if (!jinja_parser_advance(p)) {
            return false;
        }
    }
    if (!parse_callee_name(p, test)) {
        return false;
    }
    if (jinja_parser_is_operator(p, JINJA_OP_LEFT_PAREN)) {
        return parse_arguments(p, &test->children);
    }
    if (is_test_argument(p)) {
        jinja_node *base, *suffixes = NULL, **tail = &suffixes;
        test->children = jinja_parser_node(p, JINJA_ARGUMENT);
        return test->children != NULL && parse_primary(p, &base) && parse_postfix(p, &tail) &&
               finish_postfix(p, base, suffixes, &test->children->a);
    }
    return true;
}

/* Filters and tests behind a value. */
static bool parse_filters_and_tests(jinja_parser *p, jinja_node ***tail)
{
    for (;;) {
        jinja_node *suffix = NULL;
        if (jinja_parser_is_operator(p, JINJA_OP_BAR)) {
            if (!jinja_parser_advance(p) || !parse_filter(p, &suffix)) {
                return false;
            }
        } else if (jinja_parser_is_name(&p->token, "is")) {
            if (!parse_test(p, &suffix)) {
                return false;
            }
        } else if (jinja_parser_is_operator(p, JINJA_OP_LEFT_PAREN)) {
            suffix = jinja_parser_node(p, JINJA_CALL);
            if (suffix == NULL || !parse_arguments(p, &suffix->children)) {
                return false;
            }
        } else {
            return true;
        }
        append(tail, suffix);
    }
}

/* -x, +x, or a value with its suffixes. As in Jinja, `-x|abs` filters -x. */
static bool parse_unary(jinja_parser *p, bool with_filters, jinja_node **out)
{
    jinja_node *base, *suffixes = NULL, **tail = &suffixes;
    if (jinja_parser_is_operator(p, JINJA_OP_SUBTRACT) || jinja_parser_is_operator(p, JINJA_OP_ADD)) {
        base = jinja_parser_node(p, JINJA_UNARY);
        if (base == NULL) {
            return false;
        }
        base->operation = p->token.operation;
        if (!jinja_parser_enter(p) || !jinja_parser_advance(p) || !parse_unary(p, false, &base->a)) {
            return false;
        }
        p->depth--;
    } else if (!parse_primary(p, &base)) {
        return false;
    }
    return parse_postfix(p, &tail) && (!with_filters || parse_filters_and_tests(p, &tail)) &&
           finish_postfix(p, base, suffixes, out);
}

/* Binary operators from weakest to strongest; each row is one precedence. `not` stands between AND and the
 * comparisons. */
enum {
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_COMPARE,
    LEVEL_SUM,
    LEVEL_CONCATENATE,
    LEVEL_PRODUCT,
    LEVEL_POWER,
    LEVEL_UNARY
};

static jinja_operator operator_at(const jinja_parser *p, int level)
{
    const jinja_token *t = &p->token;
    if (t->kind == JINJA_TOKEN_NAME) {
        bool is_not_in = jinja_parser_is_name(t, "not") && jinja_parser_is_name(&p->ahead, "in");
        return level == LEVEL_OR && jinja_parser_is_name(t, "or")     ? JINJA_OP_OR
               : level == LEVEL_AND && jinja_parser_is_name(t, "and") ? JINJA_OP_AND
               : level != LEVEL_COMPARE                               ? JINJA_OP_NONE
               : is_not_in                                            ? JINJA_OP_NOT_IN
               : jinja_parser_is_name(t, "in")                        ? JINJA_OP_IN
                                                                      : JINJA_OP_NONE;
    }
    if (t->kind != JINJA_TOKEN_OPERATOR) {
        return JINJA_OP_NONE;
    }
    static const struct {
        jinja_operator first, last;
    } rows[LEVEL_UNARY] = {
        [LEVEL_COMPARE] = {JINJA_OP_EQUAL, JINJA_OP_GREATER_EQUAL},
        [LEVEL_SUM] = {JINJA_OP_ADD, JINJA_OP_SUBTRACT},
        [LEVEL_CONCATENATE] = {JINJA_OP_CONCATENATE, JINJA_OP_CONCATENATE},
        [LEVEL_PRODUCT] = {JINJA_OP_MULTIPLY, JINJA_OP_MODULO},
        [LEVEL_POWER] = {JINJA_OP_POWER, JINJA_OP_POWER},
    };
    return t->operation >= rows[level].first && t->operation <= rows[level].last ? t->operation
                                                                                 : JINJA_OP_NONE;
}

static bool parse_level(jinja_parser *p, int level, jinja_node **out);

static bool parse_not(jinja_parser *p, jinja_node **out)
{
    if (!jinja_parser_is_name(&p->token, "not")) {
        return parse_level(p, LEVEL_COMPARE, out);
    }
    jinja_node *node = *out = jinja_parser_node(p, JINJA_UNARY);
    if (node == NULL || !jinja_parser_enter(p) || !jinja_parser_advance(p) || !parse_not(p, &node->a)) {
        return false;
    }
    node->operation = JINJA_OP_NOT;
    p->depth--;
    return true;
}

static bool parse_operand(jinja_parser *p, int level, jinja_node **out)
{
    return level == LEVEL_UNARY     ? parse_unary(p, true, out)
           : level == LEVEL_COMPARE ? parse_not(p, out)
                                    : parse_level(p, level, out);
}

static bool parse_level(jinja_parser *p, int level, jinja_node **out)
{
    if (!parse_operand(p, level + 1, out)) {
        return false;
    }
    if (operator_at(p, level) == JINJA_OP_NONE) {
        return true;
    }
    jinja_node *chain = jinja_parser_node(p, JINJA_CHAIN), *operand = jinja_parser_node(p, JINJA_OPERAND);
    if (chain == NULL || operand == NULL) {
        return false;
    }
    jinja_node **tail = &chain->children;
    operand->a = *out;
    chain->line = operand->line = (*out)->line;
    append(&tail, operand);
    for (jinja_operator operation; (operation = operator_at(p, level)) != JINJA_OP_NONE;) {
        operand = jinja_parser_node(p, JINJA_OPERAND);
        if (operand == NULL || !jinja_parser_advance(p) ||
            (operation == JINJA_OP_NOT_IN && !jinja_parser_advance(p)) ||
            !parse_operand(p, level + 1, &operand->a)) {
            return false;
        }
        operand->operation = operation;
        append(&tail, operand);
    }
    *out = chain;
    return true;
}

bool jinja_parse_expression(jinja_parser *p, bool without_conditional, jinja_node **out)
{
    if (!parse_level(p, LEVEL_OR, out)) {
        return false;
    }
    uint32_t depth = p->depth;
    while (!without_conditional && jinja_parser_is_name(&p->token, "if")) {
        jinja_node *node = jinja_parser_node(p, JINJA_CONDITIONAL);
        if (node == NULL || !jinja_parser_enter(p) || !jinja_parser_advance(p) ||
            !parse_level(p, LEVEL_OR, &node->a)) {
            return false;
        }
        node->b = *out;
        *out = node;
        if (jinja_parser_is_name(&p->token, "else") &&
            (!jinja_parser_advance(p) || !jinja_parse_expression(p, false, &node->c))) {
            return false;
        }
    }
    p->depth = depth;
    return true;
}

bool jinja_parse_tuple(jinja_parser *p, bool without_conditional, jinja_node **out)
{
    if (!jinja_parse_expression(p, without_conditional, out)) {
        return false;
    }
    if (!jinja_parser_is_operator(p, JINJA_OP_COMMA)) {
        return true;
    }
    jinja_node *tuple = jinja_parser_node(p, JINJA_TUPLE_OF);
    if (tuple == NULL) {
        return false;
    }
    jinja_node **tail = &tuple->children;
    append(&tail, *out);
    *out = tuple;
    while (jinja_parser_is_operator(p, JINJA_OP_COMMA)) {
        if (!jinja_parser_advance(p)) {
            return false;
        }
        if (is_closing(p)) {
            break;
        }
        jinja_node *item;
        if (!jinja_parse_expression(p, without_conditional, &item)) {
            return false;
        }
        append(&tail, item);
    }
    return true;
}
