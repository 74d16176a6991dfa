/* Owns the evaluation of expressions. Each node costs a step; nesting is counted, so hostile input ends in
 * LIMIT. */
#include <string.h>

#include "generate/jinja/jinja_runtime.h"

static uint32_t count_nodes(const jinja_node *first)
{
    uint32_t count = 0;
    for (; first != NULL; first = first->next) {
        count++;
    }
    return count;
}

static bool evaluate_sequence(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *out)
{
    uint32_t count = count_nodes(node->children), i = 0;
    jinja_value *items = jinja_allocate_array(rt, count, sizeof *items);
    if (items == NULL) {
        return false;
    }
    for (const jinja_node *item = node->children; item != NULL; item = item->next) {
        if (!jinja_evaluate(rt, scope, item, &items[i++])) {
            return false;
        }
    }
    jinja_kind kind = node->kind == JINJA_LIST_OF ? JINJA_LIST : JINJA_TUPLE;
    *out = (jinja_value){.kind = kind, .size = count, .as.items = items};
    return true;
}

static bool evaluate_dict(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *out)
{
    jinja_dict *d = jinja_dict_make(rt, count_nodes(node->children));
    if (d == NULL) {
        return false;
    }
    for (const jinja_node *pair = node->children; pair != NULL; pair = pair->next) {
        jinja_value key, value;
        if (!jinja_evaluate(rt, scope, pair->a, &key) || !jinja_evaluate(rt, scope, pair->b, &value) ||
            !jinja_dict_set(rt, d, key, value)) {
            return false;
        }
    }
    *out = (jinja_value){.kind = JINJA_DICT, .as.dict = d};
    return true;
}

static bool evaluate_conditional(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node,
                                 jinja_value *out)
{
    jinja_value condition;
    if (!jinja_evaluate(rt, scope, node->a, &condition)) {
        return false;
    }
    const jinja_node *chosen = jinja_is_true(condition) ? node->b : node->c;
    if (chosen == NULL) {
        *out = jinja_undefined("the missing else of an inline if", 32);
        return true;
    }
    return jinja_evaluate(rt, scope, chosen, out);
}

static bool evaluate_unary(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *out)
{
    jinja_value v;
    if (!jinja_evaluate(rt, scope, node->a, &v)) {
        return false;
    }
    if (node->operation == JINJA_OP_NOT) {
        *out = jinja_bool(!jinja_is_true(v));
        return true;
    }
    if (node->operation == JINJA_OP_SUBTRACT && v.kind == JINJA_FLOAT) { /* 0 - 0.0 would lose the sign */
        *out = jinja_float(-v.as.number);
        return true;
    }
    if (!jinja_is_numeric(v)) {
        return jinja_fail(rt, "'%s' does not go with %s", jinja_operator_text(node->operation),
                          jinja_kind_name(v));
    }
    return jinja_operate(rt, node->operation, jinja_integer(0), v, out);
}

/* a < b < c: every neighbour pair must hold; the rest is not evaluated once one does not. */
static bool evaluate_comparisons(jinja_runtime *rt, jinja_scope *scope, jinja_value left,
                                 const jinja_node *operand, jinja_value *out)
{
    for (; operand != NULL; operand = operand->next) {
        jinja_value right;
        if (!jinja_evaluate(rt, scope, operand->a, &right) ||
            !jinja_operate(rt, operand->operation, left, right, out)) {
            return false;
        }
        if (!jinja_is_true(*out)) {
            return true;
        }
        left = right;
    }
    return true;
}

static bool evaluate_chain(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *out)
{
    const jinja_node *operand = node->children->next;
    if (!jinja_evaluate(rt, scope, node->children->a, out)) {
        return false;
    }
    if (operand->operation >= JINJA_OP_EQUAL && operand->operation <= JINJA_OP_NOT_IN) {
        return evaluate_comparisons(rt, scope, *out, operand, out);
    }
    for (; operand != NULL; operand = operand->next) {
        if (operand->operation == JINJA_OP_OR || operand->operation == JINJA_OP_AND) {
            if (jinja_is_true(*out) == (operand->operation == JINJA_OP_OR)) {
                return true;
            }
            if (!jinja_evaluate(rt, scope, operand->a, out)) {
                return false;
            }
            continue;
        }
        jinja_value right;
        if (!jinja_evaluate(rt, scope, operand->a, &right) ||
            !jinja_operate(rt, operand->operation, *out, right, out)) {
            return false;
        }
    }
    return true;
}

/* How many positional and named arguments there will be, counts[0] and counts[1]. What * and ** unpack is
 * evaluated here, once, and kept in `unpacked`. */
static bool measure_arguments(jinja_runtime *rt, jinja_scope *scope, const jinja_node *first,
                              jinja_value *unpacked, uint32_t counts[2])
{
    for (; first != NULL; first = first->next) {
        if (first->operation == JINJA_OP_NONE) {
            counts[first->name.text != NULL]++;
            continue;
        }
        bool is_named = first->operation == JINJA_OP_POWER;
        if (!jinja_evaluate(rt, scope, first->a, unpacked)) {
            return false;
        }
        if (is_named ? unpacked->kind != JINJA_DICT : !jinja_is_sequence(*unpacked)) {
            return jinja_fail(rt, "%s cannot be unpacked into arguments", jinja_kind_name(*unpacked));
        }
        counts[is_named] += is_named ? unpacked->as.dict->count : unpacked->size;
        unpacked++;
    }
    return true;
}

static bool unpack_named(jinja_runtime *rt, const jinja_dict *d, jinja_variable *named)
{
    for (uint32_t i = 0; i < d->count; i++) {
        if (d->entries[i].key.kind != JINJA_STRING) {
            return jinja_fail(rt, "names of arguments must be strings");
        }
        named[i] = (jinja_variable){jinja_name_make(d->entries[i].key.as.text, d->entries[i].key.size),
                                    d->entries[i].value};
    }
    return true;
}

bool jinja_evaluate_arguments(jinja_runtime *rt, jinja_scope *scope, const jinja_node *first,
                              jinja_arguments *out)
{
    *out = (jinja_arguments){0};
    if (first == NULL) {
        return true;
    }
    uint32_t counts[2] = {0, 0}, count = 0, named_count = 0;
    jinja_value *unpacked = jinja_allocate_array(rt, count_nodes(first), sizeof *unpacked);
    if (unpacked == NULL || !measure_arguments(rt, scope, first, unpacked, counts)) {
        return false;
    }
    jinja_value *values = jinja_allocate_array(rt, counts[0], sizeof *values);
    jinja_variable *named = jinja_allocate_array(rt, counts[1], sizeof *named);
    if (values == NULL || named == NULL || !jinja_charge(rt, counts[0] + counts[1])) {
        return false;
    }
    for (; first != NULL; first = first->next) {
        if (first->operation == JINJA_OP_MULTIPLY) {
            for (uint32_t i = 0; i < unpacked->size; i++) {
                values[count++] = unpacked->as.items[i];
            }
            unpacked++;
        } else if (first->operation == JINJA_OP_POWER) {
            if (!unpack_named(rt, unpacked->as.dict, named + named_count)) {
                return false;
            }
            named_count += (unpacked++)->as.dict->count;
        } else {
            bool is_named = first->name.text != NULL;
            jinja_value *into = is_named ? &named[named_count].value : &values[count];
            if (!jinja_evaluate(rt, scope, first->a, into)) {
                return false;
            }
            if (is_named) {
                named[named_count++].name = first->name;
            } else {
                count++;
            }
        }
    }
    *out = (jinja_arguments){values, count, named_count, named};
    return true;
}

static bool evaluate_slice(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *value)
{
    jinja_value bounds[3] = {jinja_none(), jinja_none(), jinja_none()};
    const jinja_node *nodes[3] = {node->a, node->b, node->c};
    for (int i = 0; i < 3; i++) {
        if (nodes[i] != NULL && !jinja_evaluate(rt, scope, nodes[i], &bounds[i])) {
            return false;
        }
    }
    return jinja_slice(rt, *value, bounds, value);
}

/* A filter or a test. */
static bool evaluate_named(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *value)
{
    bool is_test = node->kind == JINJA_TEST;
    const char *what = is_test ? "test" : "filter";
    jinja_arguments arguments;
    rt->line = node->line;
    if (node->callee == NULL) {
        return jinja_fail(rt, "there is no %s '%.*s'", what, (int)node->name.size, node->name.text);
    }
    if (!jinja_evaluate_arguments(rt, scope, node->children, &arguments) ||
        !jinja_call_function(rt, node->callee, what, *value, &arguments, value)) {
        return false;
    }
    if (is_test && node->is_flagged) {
        *value = jinja_bool(!jinja_is_true(*value));
    }
    return true;
}

bool jinja_apply_filters(jinja_runtime *rt, jinja_scope *scope, const jinja_node *first, jinja_value *value)
{
    for (; first != NULL; first = first->next) {
        if (!evaluate_named(rt, scope, first, value)) {
            return false;
        }
    }
    return true;
}

static bool evaluate_suffix(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *value)
{
    jinja_value key;
    jinja_arguments arguments;
    switch (node->kind) {
    case JINJA_ATTRIBUTE:
        return jinja_attribute(rt, *value, node->name.text, node->name.size, value);
    case JINJA_ITEM:
        return jinja_evaluate(rt, scope, node->a, &key) && jinja_item(rt, *value, key, value);
    case JINJA_SLICE:
        return evaluate_slice(rt, scope, node, value);
    case JINJA_CALL:
        return jinja_evaluate_arguments(rt, scope, node->children, &arguments) &&
               jinja_call(rt, *value, &arguments, value);
    default:
        return evaluate_named(rt, scope, node, value);
    }
}

static bool evaluate_postfix(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *out)
{
    if (!jinja_evaluate(rt, scope, node->a, out)) {
        return false;
    }
    for (const jinja_node *suffix = node->children; suffix != NULL; suffix = suffix->next) {
        rt->line = suffix->line;
        if (!jinja_charge(rt, 0) || !evaluate_suffix(rt, scope, suffix, out)) {
            return false;
        }
    }
    return true;
}

static bool evaluate_node(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *out)
{
    switch (node->kind) {
    case JINJA_CONSTANT:
        *out = node->constant;
        return true;
    case JINJA_NAME:
        return jinja_scope_get(rt, scope, &node->name, out);
    case JINJA_LIST_OF:
    case JINJA_TUPLE_OF:
        return evaluate_sequence(rt, scope, node, out);
    case JINJA_DICT_OF:
        return evaluate_dict(rt, scope, node, out);
    case JINJA_CONDITIONAL:
        return evaluate_conditional(rt, scope, node, out);
    case JINJA_UNARY:
        return evaluate_unary(rt, scope, node, out);
    case JINJA_CHAIN:
        return evaluate_chain(rt, scope, node, out);
    case JINJA_POSTFIX:
        return evaluate_postfix(rt, scope, node, out);
    default:
        return jinja_fail(rt, "this cannot be evaluated");
    }
}

bool jinja_evaluate(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *out)
{
    rt->line = node->line;
    if (!jinja_charge(rt, 0) || !jinja_enter(rt)) {
        return false;
    }
    bool is_evaluated = evaluate_node(rt, scope, node, out);
    rt->depth--;
    return is_evaluated;
}
