/* Owns the bounds of a rendering, its memory and its variables. */
#include "generate/jinja/jinja_runtime.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

bool jinja_fail(jinja_runtime *rt, const char *format, ...)
{
    char sentence[300];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (size >= (int)sizeof sentence) {
        sentence[sizeof sentence - 1 - utf8_incomplete_tail(sentence, sizeof sentence - 1)] = 0;
    }
    return error_set(rt->error, SMIDGEN_ERROR_TEMPLATE, "line %u: %s", (unsigned)rt->line, sentence);
}

bool jinja_charge(jinja_runtime *rt, uint64_t work)
{
    rt->steps += 1 + work / 64;
    if (rt->steps > JINJA_STEPS_MAX) {
        return error_set_limit(rt->error, SMIDGEN_ERROR_LIMIT, JINJA_STEPS_MAX, rt->steps,
                               "line %u: the chat template ran for more than %d steps", (unsigned)rt->line,
                               JINJA_STEPS_MAX);
    }
    return true;
}

bool jinja_enter(jinja_runtime *rt)
{
    if (rt->depth >= JINJA_RUN_DEPTH_MAX) {
        return error_set_limit(rt->error, SMIDGEN_ERROR_LIMIT, JINJA_RUN_DEPTH_MAX, JINJA_RUN_DEPTH_MAX + 1,
                               "line %u: the chat template nests calls and values deeper than %d levels",
                               (unsigned)rt->line, JINJA_RUN_DEPTH_MAX);
    }
    rt->depth++;
    return true;
}

void *jinja_allocate(jinja_runtime *rt, size_t size_bytes)
{
    if (size_bytes > JINJA_MEMORY_MAX || rt->memory->used_bytes > JINJA_MEMORY_MAX - size_bytes) {
        error_set_limit(
            rt->error, SMIDGEN_ERROR_LIMIT, JINJA_MEMORY_MAX, rt->memory->used_bytes + (uint64_t)size_bytes,
            "line %u: the chat template needs more than %d bytes", (unsigned)rt->line, JINJA_MEMORY_MAX);
        return NULL;
    }
    void *block = arena_allocate(rt->memory, size_bytes);
    if (block == NULL) {
        error_set_memory(rt->error, "rendering the chat template", size_bytes);
    }
    return block;
}

void *jinja_allocate_array(jinja_runtime *rt, size_t count, size_t size)
{
    return jinja_allocate(rt, memory_array_bytes(count, size));
}

static bool reserve(jinja_runtime *rt, jinja_builder *b, size_t more)
{
    if (more <= b->capacity - b->size) {
        return true;
    }
    size_t capacity = b->capacity < 64 ? 64 : b->capacity;
    while (capacity - b->size < more) {
        if (capacity > JINJA_MEMORY_MAX) {
            return jinja_allocate(rt, SIZE_MAX) != NULL;
        }
        capacity *= 2;
    }
    char *data = jinja_allocate(rt, capacity);
    if (data == NULL) {
        return false;
    }
    if (b->size != 0) {
        memcpy(data, b->data, b->size);
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

bool jinja_append(jinja_runtime *rt, jinja_builder *b, const char *text, size_t size)
{
    if (!jinja_charge(rt, size) || !reserve(rt, b, size)) {
        return false;
    }
    if (size != 0) {
        memcpy(b->data + b->size, text, size);
    }
    b->size += size;
    return true;
}

bool jinja_append_spaces(jinja_runtime *rt, jinja_builder *b, int64_t count)
{
    size_t size = count < 0 ? 0 : count > JINJA_MEMORY_MAX ? (size_t)JINJA_MEMORY_MAX + 1 : (size_t)count;
    if (!jinja_charge(rt, size) || !reserve(rt, b, size)) {
        return false;
    }
    if (size != 0) {
        memset(b->data + b->size, ' ', size);
    }
    b->size += size;
    return true;
}

/* Values are slices that never change, so the bytes behind the end of the newest concatenation may be
 * written. */
bool jinja_concatenate(jinja_runtime *rt, jinja_value left, jinja_value right, jinja_value *out)
{
    enum { SLACK_FROM_BYTES = 512 };
    if (!jinja_charge(rt, right.size)) {
        return false;
    }
    if (left.size == 0 || right.size == 0) {
        *out = left.size == 0 ? right : left;
        return true;
    }
    jinja_tail *smallest = &rt->tails[0];
    for (size_t i = 0; i < sizeof rt->tails / sizeof rt->tails[0]; i++) {
        jinja_tail *tail = &rt->tails[i];
        if (tail->end == left.as.text + left.size && tail->room_bytes >= right.size) {
            memcpy(tail->end, right.as.text, right.size);
            tail->end += right.size;
            tail->room_bytes -= right.size;
            *out = jinja_string(left.as.text, (size_t)left.size + right.size);
            return true;
        }
        smallest = tail->room_bytes < smallest->room_bytes ? tail : smallest;
    }
    size_t size = (size_t)left.size + right.size, slack = size < SLACK_FROM_BYTES ? 0 : size;
    char *text = jinja_charge(rt, left.size) ? jinja_allocate(rt, size + slack) : NULL;
    if (text == NULL) {
        return false;
    }
    memcpy(text, left.as.text, left.size);
    memcpy(text + left.size, right.as.text, right.size);
    if (slack > smallest->room_bytes) {
        *smallest = (jinja_tail){text + size, slack};
    }
    *out = jinja_string(text, size);
    return true;
}

bool jinja_scope_set(jinja_runtime *rt, jinja_scope *scope, jinja_name name, jinja_value value)
{
    if (!jinja_charge(rt, scope->count)) {
        return false;
    }
    for (uint32_t i = 0; i < scope->count; i++) {
        if (jinja_name_equal(&scope->variables[i].name, &name)) {
            scope->variables[i].value = value;
            return true;
        }
    }
    if (scope->count == scope->capacity) {
        uint32_t capacity = scope->capacity == 0 ? 4 : scope->capacity * 2;
        jinja_variable *variables = jinja_allocate_array(rt, capacity, sizeof *variables);
        if (variables == NULL) {
            return false;
        }
        if (scope->count != 0) {
            memcpy(variables, scope->variables, scope->count * sizeof *variables);
        }
        scope->variables = variables;
        scope->capacity = capacity;
    }
    scope->variables[scope->count++] = (jinja_variable){name, value};
    return true;
}

bool jinja_scope_get(jinja_runtime *rt, const jinja_scope *scope, const jinja_name *name, jinja_value *out)
{
    size_t looked_at = 0;
    for (const jinja_scope *s = scope; s != NULL; s = s->parent) {
        for (uint32_t i = 0; i < s->count; i++) {
            if (jinja_name_equal(&s->variables[i].name, name)) {
                *out = s->variables[i].value;
                return jinja_charge(rt, looked_at + i);
            }
        }
        looked_at += s->count;
    }
    const jinja_function *function = jinja_table_find(JINJA_TABLE_FUNCTIONS, name->text, name->size);
    *out = function == NULL ? jinja_undefined(name->text, name->size)
                            : (jinja_value){.kind = JINJA_FUNCTION, .as.function = function};
    return jinja_charge(rt, looked_at);
}

void jinja_scope_capture(jinja_scope *scope)
{
    for (; scope != NULL && !scope->is_captured; scope = scope->parent) {
        scope->is_captured = true;
    }
}
