/* Owns the grammar of statements: which tags exist, what they contain and where they end.
 * Refuses tags it does not know by name and line, tags left open, and break or continue outside a loop. */
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "generate/jinja/jinja_node.h"
#include "generate/jinja/jinja_tables.h"

jinja_name jinja_name_make(const char *text, size_t size)
{
    return (jinja_name){.text = text, .size = (uint32_t)size, .hash = (uint32_t)hash_bytes(text, size)};
}

bool jinja_parser_advance(jinja_parser *p)
{
    p->token = p->ahead;
    return p->token.kind == JINJA_TOKEN_END || jinja_lexer_next(&p->lexer, &p->ahead);
}

bool jinja_parser_enter(jinja_parser *p)
{
    if (p->depth >= JINJA_SYNTAX_DEPTH_MAX) {
        return error_set_limit(p->error, SMIDGEN_ERROR_LIMIT, JINJA_SYNTAX_DEPTH_MAX,
                               JINJA_SYNTAX_DEPTH_MAX + 1,
                               "line %u: the chat template nests brackets and blocks deeper than %d levels",
                               (unsigned)p->token.line, JINJA_SYNTAX_DEPTH_MAX);
    }
    p->depth++;
    return true;
}

bool jinja_parser_is_name(const jinja_token *t, const char *name)
{
    return t->kind == JINJA_TOKEN_NAME && strlen(name) == t->size && memcmp(t->text, name, t->size) == 0;
}

bool jinja_parser_is_operator(const jinja_parser *p, jinja_operator operation)
{
    return p->token.kind == JINJA_TOKEN_OPERATOR && p->token.operation == operation;
}

bool jinja_parser_refuse(jinja_parser *p, const char *what)
{
    const jinja_token *t = &p->token;
    if (t->kind == JINJA_TOKEN_END) {
        return error_set(p->error, SMIDGEN_ERROR_TEMPLATE,
                         "line %u: expected %s, found the end of the template", (unsigned)t->line, what);
    }
    int shown = t->size > 40 ? 40 : (int)t->size;
    return error_set(p->error, SMIDGEN_ERROR_TEMPLATE, "line %u: expected %s, found '%.*s'",
                     (unsigned)t->line, what, shown, t->text);
}

bool jinja_parser_expect(jinja_parser *p, jinja_operator operation, const char *where)
{
    if (!jinja_parser_is_operator(p, operation)) {
        char what[80] = "";
        strncat(what, "'", sizeof what - 1);
        strncat(what, jinja_operator_text(operation), sizeof what - 1 - strlen(what));
        strncat(what, "' ", sizeof what - 1 - strlen(what));
        strncat(what, where, sizeof what - 1 - strlen(what));
        return jinja_parser_refuse(p, what);
    }
    return jinja_parser_advance(p);
}

jinja_node *jinja_parser_node(jinja_parser *p, jinja_node_kind kind)
{
    jinja_node *node = arena_allocate(p->memory, sizeof *node);
    if (node == NULL) {
        error_set_memory(p->error, "the chat template", sizeof *node);
        return NULL;
    }
    node->kind = kind;
    node->line = p->token.line;
    return node;
}

static bool parse_target_item(jinja_parser *p, bool allow_attribute, jinja_node **out)
{
    if (jinja_parser_is_operator(p, JINJA_OP_LEFT_PAREN)) {
        if (!jinja_parser_enter(p) || !jinja_parser_advance(p) || !jinja_parse_target(p, false, out)) {
            return false;
        }
        p->depth--;
        return jinja_parser_expect(p, JINJA_OP_RIGHT_PAREN, "to close '('");
    }
    if (p->token.kind != JINJA_TOKEN_NAME) {
        return jinja_parser_refuse(p, "a name to assign to");
    }
    static const char *const reserved[] = {"true", "True", "false", "False", "none",
                                           "None", "in",   "if",    "not"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (jinja_parser_is_name(&p->token, reserved[i])) {
            return jinja_parser_refuse(p, "a name that can be assigned to");
        }
    }
    *out = jinja_parser_node(p, JINJA_NAME);
    if (*out == NULL) {
        return false;
    }
    (*out)->name = jinja_name_make(p->token.text, p->token.size);
    if (!jinja_parser_advance(p)) {
        return false;
    }
    if (allow_attribute && jinja_parser_is_operator(p, JINJA_OP_DOT)) {
        jinja_node *node = jinja_parser_node(p, JINJA_ATTRIBUTE);
        if (node == NULL || !jinja_parser_advance(p) || p->token.kind != JINJA_TOKEN_NAME) {
            return node != NULL && jinja_parser_refuse(p, "a name after '.'");
        }
        node->a = *out;
        node->name = jinja_name_make(p->token.text, p->token.size);
        *out = node;
        return jinja_parser_advance(p);
    }
    return true;
}

bool jinja_parse_target(jinja_parser *p, bool allow_attribute, jinja_node **out)
{
    if (!parse_target_item(p, allow_attribute, out)) {
        return false;
    }
    if (!jinja_parser_is_operator(p, JINJA_OP_COMMA)) {
        return true;
    }
    jinja_node *tuple = jinja_parser_node(p, JINJA_TUPLE_OF);
    if (tuple == NULL) {
        return false;
    }
    jinja_node **tail = &(*out)->next;
    tuple->children = *out;
    *out = tuple;
    while (jinja_parser_is_operator(p, JINJA_OP_COMMA)) {
        if (!jinja_parser_advance(p)) {
            return false;
        }
        if (p->token.kind != JINJA_TOKEN_NAME && !jinja_parser_is_operator(p, JINJA_OP_LEFT_PAREN)) {
            break;
        }
        if (jinja_parser_is_name(&p->token, "in")) {
            break;
        }
        jinja_node *item;
        if (!parse_target_item(p, allow_attribute, &item)) {
            return false;
        }
        *tail = item;
        tail = &item->next;
    }
    return true;
}
/* ---- statements; each parse function begins behind the tag's name and stops at the end of the tag (or of
 * the end tag) */

typedef bool parse_tag(jinja_parser *p, jinja_node *node);

/* Statements up to a tag with one of the names in `ends` ("endif elif else"), which is left as the current
 * token. */
static bool parse_body(jinja_parser *p, const char *ends, const char *opened, jinja_node **first);

static bool end_tag(jinja_parser *p)
{
    if (p->token.kind != JINJA_TOKEN_BLOCK_END) {
        return jinja_parser_refuse(p, "the end of the tag '%}'");
    }
    return jinja_parser_advance(p);
}

/* The body of a block, its end tag included. */
static bool parse_block(jinja_parser *p, const char *end, const char *opened, jinja_node **first)
{
    return end_tag(p) && parse_body(p, end, opened, first) && jinja_parser_advance(p);
}

static bool parse_if(jinja_parser *p, jinja_node *node)
{
    jinja_node **tail = &node->children;
    for (;;) {
        jinja_node *branch = jinja_parser_node(p, JINJA_BRANCH);
        if (branch == NULL || !jinja_parse_tuple(p, true, &branch->a) || !end_tag(p) ||
            !parse_body(p, "elif else endif", "if", &branch->b)) {
            return false;
        }
        *tail = branch;
        tail = &branch->next;
        bool is_else = jinja_parser_is_name(&p->token, "else"),
             is_end = jinja_parser_is_name(&p->token, "endif");
        if (!jinja_parser_advance(p)) {
            return false;
        }
        if (is_else) {
            *tail = jinja_parser_node(p, JINJA_BRANCH);
            return *tail != NULL && parse_block(p, "endif", "if", &(*tail)->b);
        }
        if (is_end) {
            return true;
        }
    }
}

static bool parse_for(jinja_parser *p, jinja_node *node)
{
    if (!jinja_parse_target(p, false, &node->a)) {
        return false;
    }
    if (!jinja_parser_is_name(&p->token, "in")) {
        return jinja_parser_refuse(p, "'in' after the loop variable");
    }
    if (!jinja_parser_advance(p) || !jinja_parse_tuple(p, true, &node->b)) {
        return false;
    }
    if (jinja_parser_is_name(&p->token, "if") &&
        (!jinja_parser_advance(p) || !jinja_parse_expression(p, false, &node->c))) {
        return false;
    }
    if (jinja_parser_is_name(&p->token, "recursive")) {
        node->is_flagged = true;
        if (!jinja_parser_advance(p)) {
            return false;
        }
    }
    p->loop_depth++;
    if (!end_tag(p) || !parse_body(p, "else endfor", "for", &node->children)) {
        return false;
    }
    p->loop_depth--;
    bool is_else = jinja_parser_is_name(&p->token, "else");
    return jinja_parser_advance(p) && (!is_else || parse_block(p, "endfor", "for", &node->d));
}

static bool parse_assignment(jinja_parser *p, jinja_node *node)
{
    return jinja_parser_expect(p, JINJA_OP_ASSIGN, "after the name") && jinja_parse_tuple(p, false, &node->b);
}

static bool parse_set(jinja_parser *p, jinja_node *node)
{
    if (!jinja_parse_target(p, true, &node->a)) {
        return false;
    }
    if (jinja_parser_is_operator(p, JINJA_OP_ASSIGN)) {
        return parse_assignment(p, node);
    }
    node->kind = JINJA_SET_BLOCK;
    if (jinja_parser_is_operator(p, JINJA_OP_BAR) &&
        (!jinja_parser_advance(p) || !jinja_parse_filters(p, &node->b))) {
        return false;
    }
    return parse_block(p, "endset", "set", &node->children);
}

static bool parse_with(jinja_parser *p, jinja_node *node)
{
    jinja_node **tail = &node->a;
    while (p->token.kind != JINJA_TOKEN_BLOCK_END) {
        if (node->a != NULL && !jinja_parser_expect(p, JINJA_OP_COMMA, "between assignments")) {
            return false;
        }
        jinja_node *set = jinja_parser_node(p, JINJA_SET);
        if (set == NULL || !jinja_parse_target(p, false, &set->a) ||
            !jinja_parser_expect(p, JINJA_OP_ASSIGN, "after the name") ||
            !jinja_parse_expression(p, false, &set->b)) {
            return false;
        }
        *tail = set;
        tail = &set->next;
    }
    return parse_block(p, "endwith", "with", &node->children);
}

static bool parse_generation(jinja_parser *p, jinja_node *node)
{
    return parse_block(p, "endgeneration", "generation", &node->children);
}

/* Behind '(': parameters with or without defaults, and ')'. */
static bool parse_parameters(jinja_parser *p, jinja_node **first)
{
    jinja_node **tail = first;
    while (!jinja_parser_is_operator(p, JINJA_OP_RIGHT_PAREN)) {
        if (*first != NULL && !jinja_parser_expect(p, JINJA_OP_COMMA, "between parameters")) {
            return false;
        }
        if (jinja_parser_is_operator(p, JINJA_OP_RIGHT_PAREN)) {
            break;
        }
        jinja_node *parameter = jinja_parser_node(p, JINJA_PARAMETER);
        if (parameter == NULL || p->token.kind != JINJA_TOKEN_NAME) {
            return parameter != NULL && jinja_parser_refuse(p, "the name of a parameter");
        }
        parameter->name = jinja_name_make(p->token.text, p->token.size);
        if (!jinja_parser_advance(p)) {
            return false;
        }
        if (jinja_parser_is_operator(p, JINJA_OP_ASSIGN) &&
            (!jinja_parser_advance(p) || !jinja_parse_expression(p, false, &parameter->a))) {
            return false;
        }
        *tail = parameter;
        tail = &parameter->next;
    }
    return jinja_parser_advance(p);
}

/* Parameters (when at a bracket) are followed by what `behind` reads and the body. Loops around do not reach
 * inside. */
static bool parse_macro_body(jinja_parser *p, jinja_node *macro, const char *end, const char *opened)
{
    uint32_t loop_depth = p->loop_depth;
    uint8_t uses = p->macro_uses;
    p->loop_depth = 0;
    p->macro_uses = 0;
    if (!parse_block(p, end, opened, &macro->children)) {
        return false;
    }
    macro->uses = p->macro_uses;
    p->loop_depth = loop_depth;
    p->macro_uses = uses;
    return true;
}

static bool parse_macro(jinja_parser *p, jinja_node *node)
{
    if (p->token.kind != JINJA_TOKEN_NAME) {
        return jinja_parser_refuse(p, "the name of the macro");
    }
    node->name = jinja_name_make(p->token.text, p->token.size);
    return jinja_parser_advance(p) && jinja_parser_expect(p, JINJA_OP_LEFT_PAREN, "after the macro's name") &&
           parse_parameters(p, &node->a) && parse_macro_body(p, node, "endmacro", "macro");
}

static bool parse_call(jinja_parser *p, jinja_node *node)
{
    jinja_node *body = node->b = jinja_parser_node(p, JINJA_MACRO_BLOCK);
    if (body == NULL) {
        return false;
    }
    body->name = jinja_name_make("caller", 6);
    if (jinja_parser_is_operator(p, JINJA_OP_LEFT_PAREN) &&
        (!jinja_parser_advance(p) || !parse_parameters(p, &body->a))) {
        return false;
    }
    if (!jinja_parse_expression(p, false, &node->a)) {
        return false;
    }
    const jinja_node *last = node->a->kind == JINJA_POSTFIX ? node->a->children : NULL;
    while (last != NULL && last->next != NULL) {
        last = last->next;
    }
    if (last == NULL || last->kind != JINJA_CALL) {
        return jinja_parser_refuse(p, "a call of a macro before this");
    }
    return parse_macro_body(p, body, "endcall", "call");
}

static bool parse_filter_block(jinja_parser *p, jinja_node *node)
{
    return jinja_parse_filters(p, &node->b) && parse_block(p, "endfilter", "filter", &node->children);
}

static bool parse_jump(jinja_parser *p, jinja_node *node)
{
    if (p->loop_depth == 0) {
        return error_set(p->error, SMIDGEN_ERROR_TEMPLATE, "line %u: {%% %s %%} outside of a loop",
                         (unsigned)node->line, node->kind == JINJA_BREAK ? "break" : "continue");
    }
    return true;
}

static const struct tag_row {
    const char *name;
    jinja_node_kind kind;
    parse_tag *parse;
} tags[] = {
    {"if", JINJA_IF, parse_if},
    {"for", JINJA_FOR, parse_for},
    {"set", JINJA_SET, parse_set},
    {"macro", JINJA_MACRO_BLOCK, parse_macro},
    {"call", JINJA_CALL_BLOCK, parse_call},
    {"filter", JINJA_FILTER_BLOCK, parse_filter_block},
    {"with", JINJA_WITH, parse_with},
    {"generation", JINJA_WITH, parse_generation},
    {"break", JINJA_BREAK, parse_jump},
    {"continue", JINJA_CONTINUE, parse_jump},
};

size_t jinja_tag_names(const char **names, size_t capacity)
{
    size_t count = sizeof tags / sizeof tags[0];
    for (size_t i = 0; i < count && i < capacity; i++) {
        names[i] = tags[i].name;
    }
    return count;
}

static const struct tag_row *find_tag(const jinja_token *t)
{
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        if (jinja_parser_is_name(t, tags[i].name)) {
            return &tags[i];
        }
    }
    return NULL;
}

/* `name` is one of the words in `names`. */
static bool is_listed(const jinja_token *name, const char *names)
{
    for (const char *at = names; *at != 0;) {
        size_t size = strcspn(at, " ");
        if (size == name->size && memcmp(at, name->text, size) == 0) {
            return true;
        }
        at += size + (at[size] == ' ');
    }
    return false;
}

/* At the name of a tag. */
static bool parse_statement(jinja_parser *p, const char *ends, const char *opened, jinja_node **out)
{
    const struct tag_row *row = find_tag(&p->token);
    if (row == NULL) {
        int shown = p->token.size > 40 ? 40 : (int)p->token.size;
        if (opened != NULL) {
            return error_set(
                p->error, SMIDGEN_ERROR_TEMPLATE,
                "line %u: the tag {%% %.*s %%} is unknown or out of place; {%% %s %%} waits for %s",
                (unsigned)p->token.line, shown, p->token.text, opened, ends);
        }
        return error_set(p->error, SMIDGEN_ERROR_TEMPLATE,
                         "line %u: the tag {%% %.*s %%} is unknown or out of place", (unsigned)p->token.line,
                         shown, p->token.text);
    }
    jinja_node *node = *out = jinja_parser_node(p, row->kind);
    uint32_t outer_line = p->open_line;
    p->open_line = p->token.line;
    if (node == NULL || !jinja_parser_enter(p) || !jinja_parser_advance(p) || !row->parse(p, node)) {
        return false;
    }
    p->depth--;
    p->open_line = outer_line;
    return end_tag(p);
}

static bool parse_output(jinja_parser *p, jinja_node **out)
{
    jinja_node *node = *out = jinja_parser_node(p, JINJA_OUTPUT);
    if (node == NULL || !jinja_parser_advance(p) || !jinja_parse_tuple(p, false, &node->a)) {
        return false;
    }
    if (p->token.kind != JINJA_TOKEN_VARIABLE_END) {
        return jinja_parser_refuse(p, "the end of the expression '}}'");
    }
    return jinja_parser_advance(p);
}

static bool parse_body(jinja_parser *p, const char *ends, const char *opened, jinja_node **first)
{
    jinja_node **tail = first;
    uint32_t line = p->open_line;
    while (p->token.kind != JINJA_TOKEN_END) {
        jinja_node *node = NULL;
        if (p->token.kind == JINJA_TOKEN_TEXT) {
            node = jinja_parser_node(p, JINJA_TEXT);
            if (node == NULL) {
                return false;
            }
            node->constant = jinja_string(p->token.text, p->token.size);
            if (!jinja_parser_advance(p)) {
                return false;
            }
        } else if (p->token.kind == JINJA_TOKEN_VARIABLE_BEGIN) {
            if (!parse_output(p, &node)) {
                return false;
            }
        } else {
            if (!jinja_parser_advance(p)) {
                return false;
            }
            if (p->token.kind != JINJA_TOKEN_NAME) {
                return jinja_parser_refuse(p, "the name of a tag");
            }
            if (is_listed(&p->token, ends)) {
                return true;
            }
            if (!parse_statement(p, ends, opened, &node)) {
                return false;
            }
        }
        *tail = node;
        tail = &node->next;
    }
    return opened == NULL || error_set(p->error, SMIDGEN_ERROR_TEMPLATE,
                                       "line %u: the block {%% %s %%} is not closed, expected one of: %s",
                                       (unsigned)line, opened, ends);
}

bool jinja_parse(const char *text, size_t size, arena *memory, jinja_node **root, smidgen_error *error)
{
    jinja_parser p = {.memory = memory, .error = error};
    p.lexer = (jinja_lexer){
        .text = text, .size = size, .line = 1, .is_at_line_start = true, .memory = memory, .error = error};
    *root = NULL;
    return jinja_lexer_next(&p.lexer, &p.ahead) && jinja_parser_advance(&p) && parse_body(&p, "", NULL, root);
}
