/* Owns the execution of statements: output, branches, loops, assignments, macros and blocks that capture
 * text. */
#include <string.h>

#include "generate/jinja/jinja_runtime.h"

/* Runs a body whose output becomes a value. A break or continue inside leaves the value unset and travels on.
 */
static bool capture(jinja_runtime *rt, jinja_scope *scope, const jinja_node *body, jinja_value *out)
{
    jinja_builder text = {0}, *outer = rt->output;
    rt->output = &text;
    bool is_executed = jinja_execute(rt, scope, body);
    rt->output = outer;
    *out = jinja_built(&text);
    return is_executed;
}

static bool assign_attribute(jinja_runtime *rt, jinja_scope *scope, const jinja_node *target,
                             jinja_value value)
{
    jinja_value object;
    if (!jinja_scope_get(rt, scope, &target->a->name, &object)) {
        return false;
    }
    if (object.kind != JINJA_NAMESPACE) {
        return jinja_fail(rt, "'%.*s' is not a namespace, so its '%.*s' cannot be set",
                          (int)target->a->name.size, target->a->name.text, (int)target->name.size,
                          target->name.text);
    }
    return jinja_dict_set(rt, object.as.dict, jinja_string(target->name.text, target->name.size), value);
}

static bool assign(jinja_runtime *rt, jinja_scope *scope, const jinja_node *target, jinja_value value)
{
    rt->line = target->line;
    if (target->kind == JINJA_NAME) {
        return jinja_scope_set(rt, scope, target->name, value);
    }
    if (target->kind == JINJA_ATTRIBUTE) {
        return assign_attribute(rt, scope, target, value);
    }
    const jinja_value *items;
    uint32_t count, i = 0;
    if (!jinja_iterate(rt, value, &items, &count) || !jinja_enter(rt)) {
        return false;
    }
    for (const jinja_node *part = target->children; part != NULL; part = part->next, i++) {
        if (i < count && !assign(rt, scope, part, items[i])) {
            return false;
        }
    }
    rt->depth--;
    return i == count ||
           jinja_fail(rt, "%u values cannot be assigned to %u names", (unsigned)count, (unsigned)i);
}

static bool execute_output(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node)
{
    jinja_value v;
    return jinja_evaluate(rt, scope, node->a, &v) && jinja_append_value(rt, rt->output, v);
}

static bool execute_if(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node)
{
    for (const jinja_node *branch = node->children; branch != NULL; branch = branch->next) {
        jinja_value condition = jinja_bool(true);
        if (branch->a != NULL && !jinja_evaluate(rt, scope, branch->a, &condition)) {
            return false;
        }
        if (jinja_is_true(condition)) {
            return jinja_execute(rt, scope, branch->b);
        }
    }
    return true;
}

static jinja_scope *make_scope(jinja_runtime *rt, jinja_scope *parent)
{
    jinja_scope *scope = jinja_allocate(rt, sizeof *scope);
    if (scope != NULL) {
        scope->parent = parent;
    }
    return scope;
}

/* An empty scope for the next turn of a loop: the old one again unless a macro holds on to it. */
static bool renew_scope(jinja_runtime *rt, jinja_scope **scope)
{
    if ((*scope)->is_captured) {
        *scope = make_scope(rt, (*scope)->parent);
        return *scope != NULL;
    }
    (*scope)->count = 0;
    return true;
}

/* The items for which the loop's own condition holds. */
static bool select_items(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node,
                         const jinja_value **items, uint32_t *count)
{
    jinja_value *kept = jinja_allocate_array(rt, *count, sizeof *kept);
    jinja_scope *inner = make_scope(rt, scope);
    uint32_t kept_count = 0;
    if (kept == NULL || inner == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < *count; i++) {
        jinja_value condition;
        if (!renew_scope(rt, &inner) || !assign(rt, inner, node->a, (*items)[i]) ||
            !jinja_evaluate(rt, inner, node->c, &condition)) {
            return false;
        }
        if (jinja_is_true(condition)) {
            kept[kept_count++] = (*items)[i];
        }
    }
    *items = kept;
    *count = kept_count;
    return true;
}

static bool run_loop(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value iterable,
                     uint32_t depth0)
{
    const jinja_value *items;
    uint32_t count;
    if (!jinja_iterate(rt, iterable, &items, &count) ||
        (node->c != NULL && !select_items(rt, scope, node, &items, &count))) {
        return false;
    }
    jinja_scope *inner = make_scope(rt, scope);
    jinja_loop *loop = jinja_allocate(rt, sizeof *loop);
    if (inner == NULL || loop == NULL) {
        return false;
    }
    if (count == 0) {
        return jinja_execute(rt, inner, node->d);
    }
    *loop = (jinja_loop){.items = items,
                         .count = count,
                         .depth0 = depth0,
                         .scope = scope,
                         .node = node->is_flagged ? node : NULL,
                         .changed = {.kind = JINJA_NOT_GIVEN}};
    const jinja_value self = {.kind = JINJA_LOOP, .as.loop = loop};
    const jinja_name name = jinja_name_make("loop", 4);
    for (uint32_t i = 0; i < count; i++) {
        loop->index0 = i;
        if (!jinja_charge(rt, 0) || !renew_scope(rt, &inner) || !jinja_scope_set(rt, inner, name, self) ||
            !assign(rt, inner, node->a, items[i]) || !jinja_execute(rt, inner, node->children)) {
            return false;
        }
        bool is_broken = rt->signal == JINJA_SIGNAL_BREAK;
        rt->signal = JINJA_SIGNAL_NONE;
        if (is_broken) {
            break;
        }
    }
    return true;
}

static bool execute_for(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node)
{
    jinja_value iterable;
    return jinja_evaluate(rt, scope, node->b, &iterable) && run_loop(rt, scope, node, iterable, 0);
}

bool jinja_call_loop(jinja_runtime *rt, jinja_loop *loop, jinja_value items, jinja_value *out)
{
    if (loop->node == NULL) {
        return jinja_fail(rt, "loop() needs a loop that is marked 'recursive'");
    }
    if (!jinja_enter(rt)) {
        return false;
    }
    jinja_builder text = {0}, *outer = rt->output;
    rt->output = &text;
    bool is_run = run_loop(rt, loop->scope, loop->node, items, loop->depth0 + 1);
    rt->output = outer;
    rt->depth--;
    *out = jinja_built(&text);
    return is_run;
}

static bool execute_set(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node)
{
    jinja_value value;
    return jinja_evaluate(rt, scope, node->b, &value) && assign(rt, scope, node->a, value);
}

/* {% set name %} ... {% endset %} and {% filter name %} ... {% endfilter %} */
static bool execute_captured(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node)
{
    jinja_value value;
    jinja_scope *inner = make_scope(rt, scope);
    if (inner == NULL || !capture(rt, inner, node->children, &value)) {
        return false;
    }
    if (rt->signal != JINJA_SIGNAL_NONE) {
        return true;
    }
    if (!jinja_apply_filters(rt, scope, node->b, &value)) {
        return false;
    }
    return node->kind == JINJA_SET_BLOCK ? assign(rt, scope, node->a, value)
                                         : jinja_append_value(rt, rt->output, value);
}

static bool execute_with(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node)
{
    jinja_scope *inner = make_scope(rt, scope);
    if (inner == NULL) {
        return false;
    }
    for (const jinja_node *set = node->a; set != NULL; set = set->next) {
        jinja_value value;
        if (!jinja_evaluate(rt, scope, set->b, &value) || !assign(rt, inner, set->a, value)) {
            return false;
        }
    }
    return jinja_execute(rt, inner, node->children);
}

static bool make_macro(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *out)
{
    jinja_macro *macro = jinja_allocate(rt, sizeof *macro);
    if (macro == NULL) {
        return false;
    }
    *macro = (jinja_macro){node, scope};
    jinja_scope_capture(scope);
    *out = (jinja_value){.kind = JINJA_MACRO, .as.macro = macro};
    return true;
}

static bool execute_macro(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node)
{
    jinja_value macro;
    return make_macro(rt, scope, node, &macro) && jinja_scope_set(rt, scope, node->name, macro);
}

/* {% call(parameters) macro(arguments) %}body{% endcall %}: the body is a macro that is passed as `caller`.
 */
static bool execute_call(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node)
{
    jinja_value callee, caller, value;
    jinja_arguments arguments;
    const jinja_node *call = node->a->children;
    if (!jinja_evaluate(rt, scope, node->a->a, &callee)) {
        return false;
    }
    for (; call->next != NULL; call = call->next) {
        if (call->kind != JINJA_ATTRIBUTE) {
            return jinja_fail(rt, "{%% call %%} needs the name of a macro");
        }
        if (!jinja_attribute(rt, callee, call->name.text, call->name.size, &callee)) {
            return false;
        }
    }
    if (!make_macro(rt, scope, node->b, &caller) ||
        !jinja_evaluate_arguments(rt, scope, call->children, &arguments)) {
        return false;
    }
    uint32_t count = arguments.named_count;
    jinja_variable *named = jinja_allocate_array(rt, (size_t)count + 1, sizeof *named);
    if (named == NULL) {
        return false;
    }
    memcpy(named, count == 0 ? named : arguments.named, count * sizeof *named);
    named[count] = (jinja_variable){jinja_name_make("caller", 6), caller};
    arguments.named = named;
    arguments.named_count = count + 1;
    return jinja_call(rt, callee, &arguments, &value) && jinja_append_value(rt, rt->output, value);
}

/* What is left over once the parameters have theirs: `varargs`, `kwargs` and `caller` where the body mentions
 * them. */
static bool bind_rest(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node,
                      const jinja_arguments *arguments, uint32_t used, const bool *is_used)
{
    uint32_t left = arguments->count > used ? arguments->count - used : 0;
    if (left != 0 && (node->uses & JINJA_USES_VARARGS) == 0) {
        return jinja_fail(rt, "the macro '%.*s' takes at most %u arguments, got %u", (int)node->name.size,
                          node->name.text, (unsigned)used, (unsigned)arguments->count);
    }
    jinja_value rest = {
        .kind = JINJA_TUPLE, .size = left, .as.items = left == 0 ? NULL : arguments->values + used};
    if ((node->uses & JINJA_USES_VARARGS) != 0 &&
        !jinja_scope_set(rt, scope, jinja_name_make("varargs", 7), rest)) {
        return false;
    }
    jinja_dict *kwargs = jinja_dict_make(rt, 0);
    if (kwargs == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < arguments->named_count; i++) {
        const jinja_variable *named = &arguments->named[i];
        bool is_caller = named->name.size == 6 && memcmp(named->name.text, "caller", 6) == 0;
        if (is_used[i]) {
            continue;
        }
        if (!is_caller && (node->uses & JINJA_USES_KWARGS) == 0) {
            return jinja_fail(rt, "the macro '%.*s' has no parameter '%.*s'", (int)node->name.size,
                              node->name.text, (int)named->name.size, named->name.text);
        }
        if (is_caller ? !jinja_scope_set(rt, scope, named->name, named->value)
                      : !jinja_dict_set(rt, kwargs, jinja_string(named->name.text, named->name.size),
                                        named->value)) {
            return false;
        }
    }
    jinja_value value = {.kind = JINJA_DICT, .as.dict = kwargs};
    return (node->uses & JINJA_USES_KWARGS) == 0 ||
           jinja_scope_set(rt, scope, jinja_name_make("kwargs", 6), value);
}

static bool bind_parameters(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node,
                            const jinja_arguments *arguments)
{
    uint32_t position = 0;
    bool *is_used = jinja_allocate_array(rt, (size_t)arguments->named_count + 1, sizeof *is_used);
    if (is_used == NULL) {
        return false;
    }
    for (const jinja_node *p = node->a; p != NULL; p = p->next, position++) {
        jinja_value value = {.kind = JINJA_NOT_GIVEN};
        if (position < arguments->count) {
            value = arguments->values[position];
        }
        for (uint32_t i = 0; i < arguments->named_count; i++) {
            if (!is_used[i] && jinja_name_equal(&arguments->named[i].name, &p->name) &&
                position >= arguments->count) {
                value = arguments->named[i].value;
                is_used[i] = true;
            }
        }
        if (value.kind == JINJA_NOT_GIVEN) {
            value = jinja_undefined(p->name.text, p->name.size);
            if (p->a != NULL && !jinja_evaluate(rt, scope, p->a, &value)) {
                return false;
            }
        }
        if (!jinja_charge(rt, arguments->named_count) || !jinja_scope_set(rt, scope, p->name, value)) {
            return false;
        }
    }
    return bind_rest(rt, scope, node, arguments, position, is_used);
}

bool jinja_call_macro(jinja_runtime *rt, const jinja_macro *macro, const jinja_arguments *arguments,
                      jinja_value *out)
{
    jinja_scope *scope = make_scope(rt, macro->scope);
    return scope != NULL && bind_parameters(rt, scope, macro->node, arguments) &&
           capture(rt, scope, macro->node->children, out);
}

static bool execute_statement(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node)
{
    switch (node->kind) {
    case JINJA_TEXT:
        return jinja_append_value(rt, rt->output, node->constant);
    case JINJA_OUTPUT:
        return execute_output(rt, scope, node);
    case JINJA_IF:
        return execute_if(rt, scope, node);
    case JINJA_FOR:
        return execute_for(rt, scope, node);
    case JINJA_SET:
        return execute_set(rt, scope, node);
    case JINJA_SET_BLOCK:
    case JINJA_FILTER_BLOCK:
        return execute_captured(rt, scope, node);
    case JINJA_MACRO_BLOCK:
        return execute_macro(rt, scope, node);
    case JINJA_CALL_BLOCK:
        return execute_call(rt, scope, node);
    case JINJA_WITH:
        return execute_with(rt, scope, node);
    default:
        rt->signal = node->kind == JINJA_BREAK ? JINJA_SIGNAL_BREAK : JINJA_SIGNAL_CONTINUE;
        return true;
    }
}

bool jinja_execute(jinja_runtime *rt, jinja_scope *scope, const jinja_node *first)
{
    if (!jinja_enter(rt)) {
        return false;
    }
    for (const jinja_node *node = first; node != NULL; node = node->next) {
        rt->line = node->line;
        if (!jinja_charge(rt, 0) || !execute_statement(rt, scope, node)) {
            return false;
        }
        if (rt->signal != JINJA_SIGNAL_NONE) {
            break;
        }
    }
    rt->depth--;
    return true;
}
