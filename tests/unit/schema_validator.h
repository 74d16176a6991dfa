/* A plain validator of the keywords that the schema compiler honours, written without looking at it:
 * recursive, slow, exact. */
#ifndef TESTS_SCHEMA_VALIDATOR_H
#define TESTS_SCHEMA_VALIDATOR_H

#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static inline bool json_equal(const json_value *x, const json_value *y)
{
    json_kind kind = json_kind_of(x);
    size_t a, b;
    if (kind != json_kind_of(y)) {
        return false;
    }
    switch (kind) {
    case JSON_BOOL:
        return json_bool(x, false) == json_bool(y, false);
    case JSON_NUMBER:
        return json_number(x, 0) == json_number(y, 1);
    case JSON_STRING: {
        const char *s = json_string(x, &a), *t = json_string(y, &b);
        return a == b && memcmp(s, t, a) == 0;
    }
    case JSON_ARRAY:
    case JSON_OBJECT: {
        if (json_count(x) != json_count(y)) {
            return false;
        }
        json_iterator i = json_iterate(x), k = json_iterate(y);
        while (json_next(&i) && json_next(&k)) {
            if (!json_equal(i.value, i.key != NULL ? json_get(y, i.key) : k.value)) {
                return false;
            }
        }
        return true;
    }
    default:
        return true;
    }
}

static inline bool has_type(const json_value *type, const json_value *value)
{
    static const char *const names[] = {"", "null", "boolean", "number", "string", "array", "object"};
    double x = json_number(value, 0.5);
    return json_is_string(type, names[json_kind_of(value)]) ||
           (json_is_string(type, "integer") && json_kind_of(value) == JSON_NUMBER && x == floor(x));
}

static inline bool matches(const char *pattern, const char *text)
{
    regex_t r;
    char plain[512];
    size_t used = 0;
    for (const char *p = pattern; *p != 0 && used < sizeof plain - 8; p++) { /* into POSIX's dialect */
        if (p[0] == '\\' && p[1] == 'd') {
            used += (size_t)snprintf(plain + used, 8, "[0-9]");
            p++;
        } else if (p[0] == '(' && p[1] == '?') {
            plain[used++] = '(';
            p += 2;
        } else {
            plain[used++] = *p;
        }
    }
    plain[used] = 0;
    if (regcomp(&r, plain, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    bool ok = regexec(&r, text, 0, NULL, 0) == 0;
    regfree(&r);
    return ok;
}

static inline bool is_format(const char *name, const char *text)
{
    int year, month, day, hour, minute, second, used = 0;
    char t;
    if (strcmp(name, "uuid") == 0) {
        return matches("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", text);
    }
    if (name[0] == 'd') {
        static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 || used != 10 || month < 1 ||
            month > 12) {
            return false;
        }
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (day < 1 || day > days[month - 1] + (leap && month == 2)) {
            return false;
        }
        text += used;
        if (strcmp(name, "date") == 0) {
            return *text == 0;
        }
        if (*text++ != 'T') {
            return false;
        }
    }
    if (sscanf(text, "%2d:%2d:%2d%n%c", &hour, &minute, &second, &used, &t) != 4 || used != 8) {
        return false;
    }
    return hour < 24 && minute < 60 && second < 60 &&
           matches("^(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$", text + 8);
}

static inline const json_value *follow_reference(const json_value *root, const char *pointer)
{
    const json_value *value = root;
    while (*pointer != 0 && value != NULL) {
        char key[100];
        size_t used = 0;
        for (pointer++; *pointer != 0 && *pointer != '/'; pointer++) {
            if (*pointer == '~') {
                pointer++;
                key[used++] = *pointer == '0' ? '~' : '/';
            } else {
                key[used++] = *pointer;
            }
        }
        key[used] = 0;
        value = json_get(value, key);
    }
    return value;
}

static inline bool schema_valid(const json_value *root, const json_value *schema, const json_value *value);

static inline bool valid_string(const json_value *schema, const json_value *value)
{
    size_t size;
    const char *text = json_string(value, &size);
    double characters = 0;
    for (size_t i = 0; i < size; i++) {
        characters += ((uint8_t)text[i] & 0xC0) != 0x80;
    }
    const char *pattern = json_string(json_get(schema, "pattern"), &size);
    const char *format = json_string(json_get(schema, "format"), &size);
    return characters >= json_number(json_get(schema, "minLength"), 0) &&
           characters <= json_number(json_get(schema, "maxLength"), 1e9) &&
           (pattern == NULL || matches(pattern, text)) && (format == NULL || is_format(format, text));
}

static inline bool valid_array(const json_value *root, const json_value *schema, const json_value *value)
{
    double count = (double)json_count(value);
    if (count < json_number(json_get(schema, "minItems"), 0) ||
        count > json_number(json_get(schema, "maxItems"), 1e9)) {
        return false;
    }
    json_iterator prefix = json_iterate(json_get(schema, "prefixItems"));
    for (json_iterator it = json_iterate(value); json_next(&it);) {
        const json_value *own = json_next(&prefix) ? prefix.value : json_get(schema, "items");
        if (own != NULL && !schema_valid(root, own, it.value)) {
            return false;
        }
    }
    return true;
}

static inline bool valid_object(const json_value *root, const json_value *schema, const json_value *value)
{
    for (json_iterator it = json_iterate(json_get(schema, "required")); json_next(&it);) {
        size_t size;
        if (json_get(value, json_string(it.value, &size)) == NULL) {
            return false;
        }
    }
    for (json_iterator it = json_iterate(value); json_next(&it);) {
        const json_value *own = json_get(json_get(schema, "properties"), it.key);
        own = own == NULL ? json_get(schema, "additionalProperties") : own;
        if (own != NULL && !schema_valid(root, own, it.value)) {
            return false;
        }
    }
    return true;
}

static inline int count_valid(const json_value *root, const json_value *list, const json_value *value)
{
    int count = 0;
    for (json_iterator it = json_iterate(list); json_next(&it);) {
        count += schema_valid(root, it.value, value);
    }
    return count;
}

static inline bool schema_valid(const json_value *root, const json_value *schema, const json_value *value)
{
    if (json_kind_of(schema) == JSON_BOOL) {
        return json_bool(schema, true);
    }
    size_t size;
    const char *reference = json_string(json_get(schema, "$ref"), &size);
    const json_value *type = json_get(schema, "type"), *list = json_get(schema, "enum");
    bool ok = type == NULL || json_kind_of(type) == JSON_ARRAY || has_type(type, value);
    if (json_kind_of(type) == JSON_ARRAY) {
        ok = false;
        for (json_iterator it = json_iterate(type); json_next(&it);) {
            ok = ok || has_type(it.value, value);
        }
    }
    bool is_listed = list == NULL;
    for (json_iterator it = json_iterate(list); json_next(&it);) {
        is_listed = is_listed || json_equal(it.value, value);
    }
    const json_value *all = json_get(schema, "allOf"), *any = json_get(schema, "anyOf"),
                     *one = json_get(schema, "oneOf");
    ok = ok && is_listed &&
         (json_get(schema, "const") == NULL || json_equal(json_get(schema, "const"), value)) &&
         (reference == NULL || schema_valid(root, follow_reference(root, reference + 1), value)) &&
         (any == NULL || count_valid(root, any, value) > 0) &&
         (one == NULL || count_valid(root, one, value) == 1) &&
         (all == NULL || count_valid(root, all, value) == (int)json_count(all));
    double x = json_number(value, 0);
    switch (json_kind_of(value)) {
    case JSON_STRING:
        return ok && valid_string(schema, value);
    case JSON_ARRAY:
        return ok && valid_array(root, schema, value);
    case JSON_OBJECT:
        return ok && valid_object(root, schema, value);
    case JSON_NUMBER:
        return ok && x >= json_number(json_get(schema, "minimum"), -1e300) &&
               x <= json_number(json_get(schema, "maximum"), 1e300) &&
               x > json_number(json_get(schema, "exclusiveMinimum"), -1e300) &&
               x < json_number(json_get(schema, "exclusiveMaximum"), 1e300);
    default:
        return ok;
    }
}

#endif
