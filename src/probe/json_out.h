/* JSON text into a caller's buffer. What does not fit is counted, not written, as snprintf does. */
#ifndef PROBE_JSON_OUT_H
#define PROBE_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct json_out {
    char *text; /* [capacity] */
    size_t capacity;
    size_t size_bytes; /* of the whole text, also where it is more than capacity */
    bool comma;        /* the next value needs one before it */
} json_out;

/* text may be NULL where capacity is 0. */
json_out json_out_begin(char *text, size_t capacity);
/* key is NULL inside arrays. bracket is '{' or '['; json_out_close gets '}' or ']'. */
void json_out_open(json_out *o, const char *key, char bracket);
void json_out_close(json_out *o, char bracket);
/* Bytes that are not valid UTF-8 become U+FFFD. */
void json_out_string(json_out *o, const char *key, const char *bytes, size_t size_bytes);
void json_out_text(json_out *o, const char *key, const char *text); /* NULL gives null */
void json_out_integer(json_out *o, const char *key, int64_t value);
void json_out_unsigned(json_out *o, const char *key, uint64_t value);
void json_out_number(json_out *o, const char *key, double value); /* what JSON cannot hold gives null */
void json_out_bool(json_out *o, const char *key, bool value);

#endif
