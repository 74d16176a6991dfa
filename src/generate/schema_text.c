/* Owns strings of JSON schemas: lengths, formats, patterns. Refuses formats that it does not know and
 * combinations that would need an intersection. */
#include <string.h>

#include "generate/schema.h"

/* A year, month and day that exist (1000 to 9999); hours, minutes, seconds without leap seconds; an offset or
 * Z. */
#define MONTHS_AND_DAYS                                                                                      \
    "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8])" \
    ")"
#define LEAP_DAYS "([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)-02-29"
#define DATE      "([1-9][0-9]{3}-" MONTHS_AND_DAYS "|" LEAP_DAYS ")"
#define CLOCK     "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?"
#define OFFSET    "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"

static const char *format_pattern(const json_value *format)
{
    static const struct {
        const char *name, *pattern;
    } rows[] = {{"date", "^" DATE "$"},
                {"time", "^" CLOCK OFFSET "$"},
                {"date-time", "^" DATE "T" CLOCK OFFSET "$"},
                {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (json_is_string(format, rows[i].name)) {
            return rows[i].pattern;
        }
    }
    return NULL;
}

typedef struct string_shape {
    const json_value *where;
    const char *pattern; /* [pattern_bytes], NULL without */
    size_t pattern_bytes;
    int32_t pattern_count;
    int64_t min, max; /* characters; max -1: open */
} string_shape;

static bool read_length(schema_compiler *c, const json_value *schema, const char *key, int64_t *length)
{
    const json_value *value = json_get(schema, key);
    *length = json_integer(value, -1);
    return value == NULL || *length >= 0 ||
           schema_fail(c, schema, "%s must be a whole number from 0 on", key);
}

static bool read_member(schema_compiler *c, const json_value *schema, string_shape *s)
{
    const json_value *pattern = json_get(schema, "pattern"), *format = json_get(schema, "format");
    int64_t min, max;
    if (!read_length(c, schema, "minLength", &min) || !read_length(c, schema, "maxLength", &max)) {
        return false;
    }
    s->min = min > s->min ? min : s->min;
    s->max = max >= 0 && (s->max < 0 || max < s->max) ? max : s->max;
    if (pattern != NULL) {
        s->where = schema;
        s->pattern = json_string(pattern, &s->pattern_bytes);
        s->pattern_count++;
        if (s->pattern == NULL) {
            return schema_fail(c, schema, "pattern must be a string");
        }
    }
    if (format != NULL) {
        size_t size;
        const char *name = json_string(format, &size);
        s->where = schema;
        s->pattern = format_pattern(format);
        s->pattern_count++;
        if (s->pattern == NULL) {
            return schema_fail(c, schema, "the format \"%.60s\" cannot be honoured",
                               name == NULL ? "" : name);
        }
        s->pattern_bytes = strlen(s->pattern);
    }
    return true;
}

bool schema_string(schema_compiler *c, const schema_entry *e, fragment *f)
{
    string_shape s = {.max = -1};
    for (int32_t i = 0; i < e->count; i++) {
        if (!read_member(c, e->items[i].schema, &s)) {
            return false;
        }
    }
    if (s.pattern_count > 1) {
        return schema_fail(c, s.where, "several patterns or formats cannot be honoured together");
    }
    if (s.pattern != NULL && (s.min > 0 || s.max >= 0)) {
        return schema_fail(c, s.where,
                           "minLength and maxLength cannot be honoured together with pattern or format");
    }
    fragment inside;
    if (s.pattern != NULL) {
        if (!schema_pattern(c, s.where, s.pattern, s.pattern_bytes, &inside)) {
            return false;
        }
    } else if (s.min == 0 && s.max < 0) {
        *f = automaton_call(c->a, c->string);
        return true;
    } else if (s.max >= 0 && s.max < s.min) {
        *f = automaton_never(c->a);
        return true;
    } else {
        inside = automaton_repeat(c->a, automaton_call(c->a, c->character), s.min, s.max);
    }
    *f = schema_quoted(c, inside);
    return true;
}
