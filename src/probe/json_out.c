/* Owns the writing of JSON for reports. Allocates nothing; numbers are written so that they read back
 * unchanged. */
#include "probe/json_out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_out json_out_begin(char *text, size_t capacity)
{
    json_out o = {text, text == NULL ? 0 : capacity, 0, false};
    return o;
}

static void put(json_out *o, const char *bytes, size_t size)
{
    if (o->size_bytes < o->capacity) {
        size_t room = o->capacity - o->size_bytes;
        memcpy(o->text + o->size_bytes, bytes, size < room ? size : room);
    }
    o->size_bytes += size;
}

/* Length of the valid UTF-8 sequence at p, or 0 (RFC 3629: no overlong forms, no surrogates, at most
 * U+10FFFF). */
static size_t sequence_bytes(const unsigned char *p, size_t left)
{
    size_t length = p[0] < 0x80 ? 1 : p[0] >= 0xC2 && p[0] <= 0xDF ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : 0;
    length = p[0] >= 0xF0 && p[0] <= 0xF4 ? 4 : length;
    if (length == 0 || length > left) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool outside = (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF4 && p[1] > 0x8F);
    return overlong || outside ? 0 : length;
}

static void put_quoted(json_out *o, const char *bytes, size_t size)
{
    put(o, "\"", 1);
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)bytes[i];
        size_t length = sequence_bytes((const unsigned char *)bytes + i, size - i);
        char escape[8];
        if (length == 0) {
            put(o, "\xEF\xBF\xBD", 3);
            length = 1;
        } else if (c == '"' || c == '\\') {
            escape[0] = '\\';
            escape[1] = (char)c;
            put(o, escape, 2);
        } else if (c < 0x20 || c == 0x7F) {
            const char *named = c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\r' ? "\\r" : NULL;
            int written = snprintf(escape, sizeof escape, "\\u%04x", c);
            put(o, named != NULL ? named : escape, named != NULL ? 2 : (size_t)written);
        } else {
            put(o, bytes + i, length);
        }
        i += length;
    }
    put(o, "\"", 1);
}

static void begin_value(json_out *o, const char *key)
{
    if (o->comma) {
        put(o, ",", 1);
    }
    o->comma = true;
    if (key != NULL) {
        put_quoted(o, key, strlen(key));
        put(o, ":", 1);
    }
}

void json_out_open(json_out *o, const char *key, char bracket)
{
    begin_value(o, key);
    put(o, &bracket, 1);
    o->comma = false;
}

void json_out_close(json_out *o, char bracket)
{
    put(o, &bracket, 1);
    o->comma = true;
}

void json_out_string(json_out *o, const char *key, const char *bytes, size_t size_bytes)
{
    begin_value(o, key);
    put_quoted(o, bytes, size_bytes);
}

void json_out_text(json_out *o, const char *key, const char *text)
{
    begin_value(o, key);
    if (text == NULL) {
        put(o, "null", 4);
    } else {
        put_quoted(o, text, strlen(text));
    }
}

void json_out_integer(json_out *o, const char *key, int64_t value)
{
    char digits[24];
    begin_value(o, key);
    put(o, digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)value));
}

void json_out_unsigned(json_out *o, const char *key, uint64_t value)
{
    char digits[24];
    begin_value(o, key);
    put(o, digits, (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value));
}

void json_out_number(json_out *o, const char *key, double value)
{
    char digits[40];
    begin_value(o, key);
    if (!isfinite(value)) {
        put(o, "null", 4);
        return;
    }
    /* The shortest form that reads back unchanged, as a float where it is one. */
    bool is_float = (double)(float)value == value;
    int written = 0;
    for (int digit_count = is_float ? 6 : 15; digit_count <= 17; digit_count++) {
        written = snprintf(digits, sizeof digits, "%.*g", digit_count, value);
        if (is_float ? strtof(digits, NULL) == (float)value : strtod(digits, NULL) == value) {
            break;
        }
    }
    char *comma = strchr(digits, ','); /* the host program may have set a locale */
    if (comma != NULL) {
        *comma = '.';
    }
    put(o, digits, (size_t)written);
}

void json_out_bool(json_out *o, const char *key, bool value)
{
    begin_value(o, key);
    put(o, value ? "true" : "false", value ? 4 : 5);
}
