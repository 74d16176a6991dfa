/* UTF-8, tolerant of any bytes: what is not valid is reported, never read past. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one code point at text[0..size), size > 0. Returns its length in bytes (1 to 4); an invalid byte
 * gives length 1 and *code_point = 0xFFFFFFFF. Overlong forms, surrogates and values past U+10FFFF are
 * invalid. */
size_t utf8_decode(const char *text, size_t size, uint32_t *code_point);
/* Writes 1 to 4 bytes; returns their number; code points that cannot be encoded give U+FFFD. */
size_t utf8_encode(uint32_t code_point, char out[4]);
/* How many bytes at the end of text[0..size) are the beginning of a character that more bytes could complete.
 */
size_t utf8_incomplete_tail(const char *text, size_t size);
bool utf8_is_valid(const char *text, size_t size);

#endif
