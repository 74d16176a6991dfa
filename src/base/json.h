/* JSON documents, read only (yyjson behind it). Values are valid until the document is closed. Parsing is
 * strict RFC 8259, linear in the text and not recursive, so that any nesting depth is safe. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/memory.h"

typedef struct json_document json_document;
typedef struct json_value
    json_value; /* opaque; a NULL value is allowed everywhere below and reads as absent */

typedef enum json_kind {
    JSON_ABSENT,
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
} json_kind;

/* `what` names the text in errors ("config.json"). Fails with BAD_FILE (position named) or OUT_OF_MEMORY. */
json_document *json_parse(const char *text, size_t size_bytes, const char *what,
                          const smidgen_allocator *allocator, smidgen_error *error);
void json_close(json_document *document);
const json_value *json_root(const json_document *document);

json_kind json_kind_of(const json_value *value);
/* Member of an object (the first of equal keys), NULL when absent or when value is no object. */
const json_value *json_get(const json_value *value, const char *key);
/* Elements of an array or members of an object; 0 for anything else. */
size_t json_count(const json_value *value);

/* for (json_iterator it = json_iterate(v); json_next(&it);) { it.key (NULL in arrays), it.key_bytes, it.value
 * } */
typedef struct json_iterator {
    const json_value *value;
    const char *key;
    size_t key_bytes;
    const void *next;
    size_t left;
    bool is_object;
} json_iterator;
json_iterator json_iterate(const json_value *container);
bool json_next(json_iterator *it);

/* Conversions; `fallback` where the value is absent or of another kind. */
bool json_bool(const json_value *value, bool fallback);
double json_number(const json_value *value, double fallback);
/* fallback also where the number is not whole or too large. */
int64_t json_integer(const json_value *value, int64_t fallback);
/* Written as a whole number, without fraction or exponent, that fits 64 bits. */
bool json_is_integer(const json_value *value);
/* Terminated UTF-8 and its length (may contain zero bytes); NULL where it is no string. */
const char *json_string(const json_value *value, size_t *size_bytes);
bool json_is_string(const json_value *value, const char *text);

#endif
