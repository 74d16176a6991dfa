/* Characters and numbers as Python sees them: white space, upper and lower case, code points, decimal text.
 */
#ifndef GENERATE_JINJA_TEXT_H
#define GENERATE_JINJA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the white space character at the start (at the end) of text[0..size); 0 when there is none. */
size_t jinja_space_first(const char *text, size_t size);
size_t jinja_space_last(const char *text, size_t size);
/* Bytes of the last character of text[0..size), size > 0. */
size_t jinja_character_last(const char *text, size_t size);

/* Code points; a byte that is not UTF-8 counts as one. */
size_t jinja_text_length(const char *text, size_t size);
/* Byte offset of code point number `index`, or size. */
size_t jinja_text_offset(const char *text, size_t size, size_t index);
/* Offset of the first (last) `part` in text, or SIZE_MAX. The first is found in linear time; the search for
 * the last compares at every place. */
size_t jinja_text_find(const char *text, size_t size, const char *part, size_t part_size);
size_t jinja_text_find_last(const char *text, size_t size, const char *part, size_t part_size);

/* Simple case mapping of Latin, Greek, Cyrillic and Armenian; everything else stays. */
uint32_t jinja_upper(uint32_t c);
uint32_t jinja_lower(uint32_t c);
/* Letters as far as case and title() need it: ASCII letters and everything from U+00AA that is not a known
 * sign. */
bool jinja_is_letter(uint32_t c);

/* [+-]digits[.digits][e[+-]digits], underscores between digits allowed; surrounding white space skipped.
 * False when it is something else. Correctly rounded up to 19 digits. */
bool jinja_parse_float(const char *text, size_t size, double *number);
/* [+-]digits in base 2 to 36 (prefix 0x 0o 0b allowed where it fits); false also past 64 bits. */
bool jinja_parse_integer(const char *text, size_t size, int base, int64_t *integer);
enum { JINJA_NUMBER_BYTES = 40 };
/* Python's repr(): shortest digits that read back; returns the size. */
size_t jinja_format_float(double number, char out[JINJA_NUMBER_BYTES]);
size_t jinja_format_integer(int64_t integer, char out[JINJA_NUMBER_BYTES]);

#endif
