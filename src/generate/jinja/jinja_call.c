/* Owns calls: sorting what a template passes into the parameters that a table row names. */
#include <string.h>

#include "generate/jinja/jinja_runtime.h"

/* Position of a name among names with blanks between, or -1; *count of all. */
static int parameter_index(const char *parameters, const char *name, size_t size, uint32_t *count)
{
    int found = -1;
    *count = 0;
    for (const char *at = parameters; *at != 0; (*count)++) {
        size_t length = strcspn(at, " ");
        if (length == size && memcmp(at, name, size) == 0) {
            found = (int)*count;
        }
        at += length + (at[length] == ' ');
    }
    return found;
}

static bool bind(jinja_runtime *rt, const jinja_function *f, const char *what,
                 const jinja_arguments *arguments, jinja_value *given)
{
    uint32_t count;
    parameter_index(f->parameters, "", 0, &count);
    if (arguments->count > count) {
        return jinja_fail(rt, "the %s '%s' takes at most %u arguments, got %u", what, f->name,
                          (unsigned)count, (unsigned)arguments->count);
    }
    for (uint32_t i = 0; i < JINJA_PARAMETERS_MAX; i++) {
        given[i] = i < arguments->count ? arguments->values[i] : (jinja_value){.kind = JINJA_NOT_GIVEN};
    }
    for (uint32_t i = 0; i < arguments->named_count; i++) {
        const jinja_name *name = &arguments->named[i].name;
        int index = parameter_index(f->parameters, name->text, name->size, &count);
        if (index < 0 || given[index].kind != JINJA_NOT_GIVEN) {
            return jinja_fail(rt, "the %s '%s' %s the argument '%.*s'", what, f->name,
                              index < 0 ? "does not support" : "got twice", (int)name->size, name->text);
        }
        given[index] = arguments->named[i].value;
    }
    for (uint32_t i = 0; i < f->required; i++) {
        if (given[i].kind == JINJA_NOT_GIVEN) {
            return jinja_fail(rt, "the %s '%s' needs %u argument%s", what, f->name, (unsigned)f->required,
                              f->required == 1 ? "" : "s");
        }
    }
    return true;
}

bool jinja_call_function(jinja_runtime *rt, const jinja_function *f, const char *what, jinja_value subject,
                         const jinja_arguments *arguments, jinja_value *out)
{
    if (f->free != NULL) {
        return f->free(rt, subject, arguments, out);
    }
    if (f->bound == NULL) {
        return jinja_fail(rt, "the %s '%s' is not supported", what, f->name);
    }
    jinja_value given[JINJA_PARAMETERS_MAX];
    return bind(rt, f, what, arguments, given) && f->bound(rt, subject, given, out);
}

bool jinja_call(jinja_runtime *rt, jinja_value callee, const jinja_arguments *arguments, jinja_value *out)
{
    switch (callee.kind) {
    case JINJA_FUNCTION:
        return jinja_call_function(rt, callee.as.function, "function", jinja_none(), arguments, out);
    case JINJA_METHOD:
        return jinja_call_function(rt, callee.as.method->function, "method", callee.as.method->receiver,
                                   arguments, out);
    case JINJA_MACRO:
        return jinja_call_macro(rt, callee.as.macro, arguments, out);
    case JINJA_LOOP:
        if (arguments->count != 1 || arguments->named_count != 0) {
            return jinja_fail(rt, "loop() takes one argument");
        }
        return jinja_call_loop(rt, callee.as.loop, arguments->values[0], out);
    case JINJA_UNDEFINED:
        return jinja_fail(rt, "'%.*s' is not defined, so it cannot be called", (int)callee.size,
                          callee.as.text);
    default:
        return jinja_fail(rt, "%s cannot be called", jinja_kind_name(callee));
    }
}
