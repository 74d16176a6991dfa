/* Owns printf-style formatting: 'text %s' % values. Knows %s %r %d %i %x %f %e %g %% with flags, width and
 * precision. */
#include <stdio.h>
#include <string.h>

#include "generate/jinja/jinja_library.h"
#include "generate/jinja/jinja_text.h"

typedef struct conversion {
    char flags[8];
    int64_t width, precision; /* -1: not given */
    char code;
} conversion;

static bool is_flag(char c)
{
    return c != 0 && strchr("-+ 0#", c) != NULL;
}

/* Reads what stands behind '%'; false when it ends early or is not known. */
static bool read_conversion(jinja_value format, uint32_t *at, conversion *c)
{
    size_t flags = 0;
    *c = (conversion){.width = -1, .precision = -1};
    for (; *at < format.size && is_flag(format.as.text[*at]); (*at)++) {
        if (flags + 1 < sizeof c->flags && strchr(c->flags, format.as.text[*at]) == NULL) {
            c->flags[flags++] = format.as.text[*at];
        }
    }
    for (; *at < format.size && format.as.text[*at] >= '0' && format.as.text[*at] <= '9'; (*at)++) {
        c->width = (c->width < 0 ? 0 : c->width) * 10 + (format.as.text[*at] - '0');
        if (c->width > 1000) {
            return false;
        }
    }
    if (*at < format.size && format.as.text[*at] == '.') {
        c->precision = 0;
        for ((*at)++; *at < format.size && format.as.text[*at] >= '0' && format.as.text[*at] <= '9';
             (*at)++) {
            c->precision = c->precision * 10 + (format.as.text[*at] - '0');
            if (c->precision > 100) {
                return false;
            }
        }
    }
    c->code = *at < format.size ? format.as.text[(*at)++] : 0;
    return c->code != 0 && strchr("srdixXoufFeEgG%", c->code) != NULL;
}

static bool append_number(jinja_runtime *rt, jinja_builder *b, const conversion *c, jinja_value v)
{
    char pattern[48], text[1500];
    bool is_whole = strchr("dixXou", c->code) != NULL;
    if (!jinja_is_numeric(v)) {
        return jinja_fail(rt, "'%%%c' needs a number, not %s", c->code, jinja_kind_name(v));
    }
    if (is_whole && v.kind == JINJA_FLOAT && !(v.as.number > -0x1p63 && v.as.number < 0x1p63)) {
        return jinja_fail(rt, "'%%%c': the number does not fit 64 bits", c->code);
    }
    int used = snprintf(pattern, sizeof pattern, "%%%s", c->flags);
    used += c->width < 0 ? 0 : snprintf(pattern + used, sizeof pattern - (size_t)used, "%d", (int)c->width);
    used += c->precision < 0
                ? 0
                : snprintf(pattern + used, sizeof pattern - (size_t)used, ".%d", (int)c->precision);
    char code = c->code == 'u' || c->code == 'i' ? 'd' : c->code;
    snprintf(pattern + used, sizeof pattern - (size_t)used, is_whole ? "ll%c" : "%c", code);
    int size;
    if (is_whole) {
        long long integer = v.kind == JINJA_FLOAT ? (long long)v.as.number : (long long)jinja_as_integer(v);
        if (integer < 0 && code != 'd') {
            return jinja_fail(rt, "'%%%c' of a negative number is not supported", c->code);
        }
        size = snprintf(text, sizeof text, pattern, integer);
    } else {
        size = snprintf(text, sizeof text, pattern, jinja_as_double(v));
    }
    return size >= 0 && size < (int)sizeof text ? jinja_append(rt, b, text, (size_t)size)
                                                : jinja_fail(rt, "a formatted number is too long");
}

static bool append_text(jinja_runtime *rt, jinja_builder *b, const conversion *c, jinja_value v)
{
    jinja_value text;
    if (c->code == 'r' && v.kind == JINJA_STRING) { /* the repr of a string is how it looks inside a list */
        if (!jinja_to_string(rt, jinja_list(&v, 1), &text)) {
            return false;
        }
        text = jinja_string(text.as.text + 1, text.size - 2);
    } else if (!jinja_to_string(rt, v, &text)) {
        return false;
    }
    if (c->precision >= 0) {
        text.size = (uint32_t)jinja_text_offset(text.as.text, text.size, (size_t)c->precision);
    }
    jinja_side space_at = strchr(c->flags, '-') != NULL ? JINJA_SIDE_RIGHT : JINJA_SIDE_LEFT;
    return jinja_pad(rt, text, c->width, space_at, &text) && jinja_append_value(rt, b, text);
}

bool jinja_format_percent(jinja_runtime *rt, jinja_value format, jinja_value values, jinja_value *out)
{
    jinja_builder b = {0};
    const jinja_value *items = values.kind == JINJA_TUPLE ? values.as.items : &values;
    uint32_t count = values.kind == JINJA_TUPLE ? values.size : 1, used = 0, at = 0;
    while (at < format.size) {
        const char *mark = memchr(format.as.text + at, '%', format.size - at);
        uint32_t end = mark == NULL ? format.size : (uint32_t)(mark - format.as.text);
        if (!jinja_append(rt, &b, format.as.text + at, end - at)) {
            return false;
        }
        at = end;
        if (mark == NULL) {
            break;
        }
        conversion c;
        at++;
        if (!read_conversion(format, &at, &c)) {
            return jinja_fail(rt, "a conversion behind '%%' is not supported");
        }
        if (c.code == '%') {
            if (!jinja_append(rt, &b, "%", 1)) {
                return false;
            }
            continue;
        }
        if (used == count) {
            return jinja_fail(rt, "there are fewer values than conversions");
        }
        jinja_value v = items[used++];
        if (!(c.code == 's' || c.code == 'r' ? append_text(rt, &b, &c, v) : append_number(rt, &b, &c, v))) {
            return false;
        }
    }
    *out = jinja_built(&b);
    return used == count || jinja_fail(rt, "there are more values than conversions");
}

/* ---- str.format() */

/* What the field between the braces stands for; *next counts the fields without a name. */
static bool field_value(jinja_runtime *rt, const char *name, size_t size, const jinja_arguments *arguments,
                        uint32_t *next, jinja_value *out)
{
    int64_t index = *next;
    bool is_number =
        size == 0 || (name[0] >= '0' && name[0] <= '9' && jinja_parse_integer(name, size, 10, &index));
    *next += size == 0;
    if (is_number && index >= 0 && index < arguments->count) {
        *out = arguments->values[index];
        return true;
    }
    for (uint32_t i = 0; !is_number && i < arguments->named_count; i++) {
        const jinja_name *given = &arguments->named[i].name;
        if (given->size == size && memcmp(given->text, name, size) == 0) {
            *out = arguments->named[i].value;
            return true;
        }
    }
    return jinja_fail(rt,
                      "format(): there is no argument for '{%.*s}' (only {}, {0} and {name} are supported)",
                      (int)(size > 40 ? 40 : size), name);
}

bool jinja_format_braces(jinja_runtime *rt, jinja_value format, const jinja_arguments *arguments,
                         jinja_value *out)
{
    jinja_builder b = {0};
    uint32_t next = 0;
    for (uint32_t at = 0; at < format.size;) {
        char c = format.as.text[at];
        bool is_doubled = at + 1 < format.size && format.as.text[at + 1] == c;
        if (c == '{' && !is_doubled) {
            const char *name = format.as.text + at + 1;
            const char *end = memchr(name, '}', format.size - at - 1);
            jinja_value v;
            if (end == NULL) {
                return jinja_fail(rt, "format(): a '{' is not closed");
            }
            if (!field_value(rt, name, (size_t)(end - name), arguments, &next, &v) ||
                !jinja_append_value(rt, &b, v)) {
                return false;
            }
            at = (uint32_t)(end + 1 - format.as.text);
            continue;
        }
        if (c == '}' && !is_doubled) {
            return jinja_fail(rt, "format(): a '}' without '{'");
        }
        if (!jinja_append(rt, &b, &c, 1)) {
            return false;
        }
        at += c == '{' || c == '}' ? 2 : 1;
    }
    *out = jinja_built(&b);
    return true;
}
