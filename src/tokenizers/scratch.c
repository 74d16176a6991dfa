/* Owns the growth rule of scratch blocks: doubling, so that appending is linear. */
#include "tokenizers/scratch.h"

#include <string.h>

#include "base/utf8.h"

void scratch_close(scratch *s)
{
    memory_release(s->allocator, s->data, s->capacity);
    *s = (scratch){.allocator = s->allocator};
}

bool scratch_reserve(scratch *s, size_t size_bytes)
{
    if (size_bytes <= s->capacity) {
        return !s->failed;
    }
    size_t capacity = s->capacity < 256 ? 256 : s->capacity;
    while (capacity < size_bytes && capacity <= SIZE_MAX / 2) {
        capacity *= 2;
    }
    char *data = s->failed || capacity < size_bytes ? NULL : memory_allocate(s->allocator, capacity);
    if (data == NULL) {
        s->failed = true;
        return false;
    }
    if (s->size != 0) {
        memcpy(data, s->data, s->size);
    }
    memory_release(s->allocator, s->data, s->capacity);
    s->data = data;
    s->capacity = capacity;
    return true;
}

bool scratch_append(scratch *s, const char *bytes, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX - s->size || !scratch_reserve(s, s->size + size_bytes)) {
        return false;
    }
    if (size_bytes != 0) {
        memcpy(s->data + s->size, bytes, size_bytes);
    }
    s->size += size_bytes;
    return true;
}

bool scratch_append_code_point(scratch *s, uint32_t c)
{
    char bytes[4];
    return scratch_append(s, bytes, utf8_encode(c, bytes));
}
