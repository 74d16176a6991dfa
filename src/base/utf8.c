#include "base/utf8.h"

size_t utf8_decode(const char *text, size_t size, uint32_t *code_point)
{
    const uint8_t *p = (const uint8_t *)text;
    uint32_t first = p[0];
    if (first < 0x80) {
        *code_point = first;
        return 1;
    }
    *code_point = UINT32_MAX;
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || size < length) {
        return 1;
    }
    uint32_t value = first & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 1;
        }
        value = value << 6 | (p[i] & 0x3F);
    }
    bool is_overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
    if (is_overlong || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return 1;
    }
    *code_point = value;
    return length;
}

size_t utf8_encode(uint32_t c, char out[4])
{
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
        c = 0xFFFD;
    }
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

size_t utf8_incomplete_tail(const char *text, size_t size)
{
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        uint8_t byte = (uint8_t)text[size - back];
        if ((byte & 0xC0) == 0x80) {
            continue;
        }
        size_t length = byte >= 0xF0 && byte <= 0xF4  ? 4
                        : byte >= 0xE0 && byte < 0xF0 ? 3
                        : byte >= 0xC2 && byte < 0xE0 ? 2
                                                      : 1;
        return length > back ? back : 0;
    }
    return 0;
}

bool utf8_is_valid(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint32_t c;
        size_t length = utf8_decode(text + at, size - at, &c);
        if (c == UINT32_MAX) {
            return false;
        }
        at += length;
    }
    return true;
}
