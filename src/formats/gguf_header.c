/* Owns the walk over a GGUF header. Refuses counts and lengths that the rest of the source cannot hold before
 * it takes memory for them, unknown value types, booleans other than 0 and 1, and deep nesting. */
#include "formats/gguf_header.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/utf8.h"

enum { FIRST_READ_BYTES = 1 << 20, VALUE_BYTES_LEAST = 14, TENSOR_BYTES_LEAST = 25 };

static bool refuse(gguf_header *h, const char *why)
{
    return error_set(h->error, SMIDGEN_ERROR_BAD_FILE, "%s '%s' %s", h->place, h->name.text, why);
}

/* Makes the first `needed` bytes of the source available, doubling so that the whole costs linear time. */
static bool grow(gguf_header *h, uint64_t needed)
{
    uint64_t size = h->source->size_bytes,
             wanted = h->filled == 0 ? FIRST_READ_BYTES : 2 * (uint64_t)h->filled;
    wanted = wanted < needed ? needed : wanted;
    wanted = wanted > size ? size : wanted;
    uint8_t *block = wanted > SIZE_MAX ? NULL : memory_allocate(h->allocator, (size_t)wanted);
    if (block == NULL) {
        return error_set_memory(h->error, "the GGUF header", wanted);
    }
    if (h->filled != 0) {
        memcpy(block, h->block, h->filled);
    }
    gguf_header_release(h);
    h->block = block;
    h->capacity = (size_t)wanted;
    if (!h->source->read(h->source, h->filled, block + h->filled, h->capacity - h->filled, h->error)) {
        return false;
    }
    h->filled = h->capacity;
    return true;
}

void gguf_header_release(gguf_header *h)
{
    memory_release(h->allocator, h->block, h->capacity);
    h->block = NULL;
    h->capacity = 0;
}

const uint8_t *gguf_header_take(gguf_header *h, uint64_t count)
{
    if (count > h->filled - h->at) {
        if (count > h->source->size_bytes - h->at) {
            error_set(h->error, SMIDGEN_ERROR_BAD_FILE,
                      "the file ends inside %s '%s': %llu bytes at offset %llu of %llu", h->place,
                      h->name.text, (unsigned long long)count, (unsigned long long)h->at,
                      (unsigned long long)h->source->size_bytes);
            return NULL;
        }
        if (!grow(h, h->at + count)) {
            return NULL;
        }
    }
    const uint8_t *p = h->block + h->at;
    h->at += count;
    return p;
}

bool gguf_header_u32(gguf_header *h, uint32_t *value)
{
    const uint8_t *p = gguf_header_take(h, 4);
    *value = p == NULL ? 0 : bytes_load_u32(p);
    return p != NULL;
}

bool gguf_header_u64(gguf_header *h, uint64_t *value)
{
    const uint8_t *p = gguf_header_take(h, 8);
    *value = p == NULL ? 0 : bytes_load_u64(p);
    return p != NULL;
}

const char *gguf_header_name(gguf_header *h, const char *place, size_t *name_bytes)
{
    h->place = place; /* the previous name stays: "after" it is where the damage is */
    uint64_t size;
    if (!gguf_header_u64(h, &size)) {
        return NULL;
    }
    if (size == 0 || size > GGUF_NAME_BYTES_LIMIT) {
        error_set(h->error, SMIDGEN_ERROR_BAD_FILE,
                  "the name of a %s (after '%s') has %llu bytes; 1 to %d are allowed", place, h->name.text,
                  (unsigned long long)size, GGUF_NAME_BYTES_LIMIT);
        return NULL;
    }
    const char *name = (const char *)gguf_header_take(h, size);
    if (name == NULL) {
        return NULL;
    }
    *name_bytes = (size_t)size;
    h->name = name_printable(name, *name_bytes);
    if (memchr(name, 0, *name_bytes) != NULL || !utf8_is_valid(name, *name_bytes)) {
        refuse(h, "has a name that is not valid UTF-8 text");
        return NULL;
    }
    return name;
}

uint32_t gguf_element_bytes(uint32_t type)
{
    static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof sizes ? sizes[type] : 0;
}

static bool skip_fixed(gguf_header *h, uint32_t type, uint64_t count)
{
    uint32_t size = gguf_element_bytes(type);
    if (count > (h->source->size_bytes - h->at) / size) {
        return error_set(h->error, SMIDGEN_ERROR_BAD_FILE,
                         "%s '%s': %llu elements of %u bytes do not fit in the file", h->place, h->name.text,
                         (unsigned long long)count, size);
    }
    const uint8_t *p = gguf_header_take(h, count * size);
    if (p == NULL) {
        return false;
    }
    if (type == GGUF_BOOL) {
        for (uint64_t i = 0; i < count; i++) {
            if (p[i] > 1) {
                return refuse(h, "is a boolean that is neither 0 nor 1");
            }
        }
    }
    return true;
}

static bool skip_strings(gguf_header *h, uint64_t count)
{
    if (count > (h->source->size_bytes - h->at) / 8) {
        return error_set(h->error, SMIDGEN_ERROR_BAD_FILE, "%s '%s': %llu strings do not fit in the file",
                         h->place, h->name.text, (unsigned long long)count);
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t size;
        if (!gguf_header_u64(h, &size) || gguf_header_take(h, size) == NULL) {
            return false;
        }
    }
    return true;
}

static bool refuse_type(gguf_header *h, uint32_t type)
{
    return error_set(h->error, SMIDGEN_ERROR_BAD_FILE, "%s '%s' has the unknown value type %u", h->place,
                     h->name.text, type);
}

/* Arrays in arrays, without recursion: left[] holds how many arrays are still to come at each depth. */
static bool skip_array(gguf_header *h)
{
    uint64_t left[GGUF_NESTING_LIMIT];
    int depth = 0;
    do {
        uint32_t element;
        uint64_t count;
        if (!gguf_header_u32(h, &element) || !gguf_header_u64(h, &count)) {
            return false;
        }
        if (element == GGUF_ARRAY && count != 0) {
            if (depth == GGUF_NESTING_LIMIT) {
                return refuse(h, "nests arrays more than 8 deep");
            }
            left[depth++] =
                count; /* a count that is too large ends with the file: each array takes 12 bytes */
            continue;
        }
        if (element == GGUF_STRING             ? !skip_strings(h, count)
            : gguf_element_bytes(element) != 0 ? !skip_fixed(h, element, count)
            : element != GGUF_ARRAY            ? !refuse_type(h, element)
                                               : false) {
            return false;
        }
        while (depth > 0 && --left[depth - 1] == 0) {
            depth--;
        }
    } while (depth > 0);
    return true;
}

bool gguf_header_skip_value(gguf_header *h, uint32_t type)
{
    if (type == GGUF_ARRAY) {
        return skip_array(h);
    }
    if (type == GGUF_STRING) {
        return skip_strings(h, 1);
    }
    return gguf_element_bytes(type) != 0 ? skip_fixed(h, type, 1) : refuse_type(h, type);
}

static bool skip_tensor(gguf_header *h)
{
    size_t name_bytes;
    uint32_t rank;
    if (gguf_header_name(h, "tensor", &name_bytes) == NULL || !gguf_header_u32(h, &rank)) {
        return false;
    }
    if (rank > GGUF_RANK_LIMIT) {
        return error_set(h->error, SMIDGEN_ERROR_BAD_FILE,
                         "tensor '%s' has %u dimensions, at most %d are allowed", h->name.text, rank,
                         GGUF_RANK_LIMIT);
    }
    return gguf_header_take(h, 8u * rank + 4 + 8) != NULL;
}

static bool read_counts(gguf_header *h)
{
    const uint8_t *p = gguf_header_take(h, GGUF_MAGIC_BYTES);
    if (p == NULL) {
        return false;
    }
    if (memcmp(p, "GGUF", 4) != 0) {
        return error_set(h->error, SMIDGEN_ERROR_BAD_FILE, "the file does not begin with 'GGUF'");
    }
    h->version = bytes_load_u32(p + 4);
    h->tensor_count = bytes_load_u64(p + 8);
    h->value_count = bytes_load_u64(p + 16);
    if (h->version != 2 && h->version != 3) {
        bool is_swapped = (h->version & 0xFFFFFF) == 0 && h->version != 0;
        return error_set(h->error, SMIDGEN_ERROR_UNSUPPORTED_FORMAT,
                         is_swapped ? "GGUF in big-endian byte order (version field %u) is not supported"
                                    : "GGUF version %u is not supported; 2 and 3 are",
                         h->version);
    }
    uint64_t left = h->source->size_bytes - h->at;
    if (h->value_count > left / VALUE_BYTES_LEAST || h->tensor_count > left / TENSOR_BYTES_LEAST) {
        return error_set(h->error, SMIDGEN_ERROR_BAD_FILE,
                         "the header claims %llu keys and %llu tensors, more than %llu bytes can hold",
                         (unsigned long long)h->value_count, (unsigned long long)h->tensor_count,
                         (unsigned long long)left);
    }
    return true;
}

static bool walk(gguf_header *h)
{
    if (!read_counts(h)) {
        return false;
    }
    for (uint64_t i = 0; i < h->value_count; i++) {
        size_t name_bytes;
        uint32_t type;
        if (gguf_header_name(h, "key", &name_bytes) == NULL || !gguf_header_u32(h, &type) ||
            !gguf_header_skip_value(h, type)) {
            return false;
        }
    }
    for (uint64_t i = 0; i < h->tensor_count; i++) {
        if (!skip_tensor(h)) {
            return false;
        }
    }
    return true;
}

bool gguf_header_load(gguf_header *h, const source *s, const smidgen_allocator *allocator,
                      smidgen_error *error)
{
    *h = (gguf_header){.source = s, .allocator = allocator, .place = "header", .error = error};
    h->name = name_printable("GGUF", 4);
    if (s->size_bytes < 4) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "the file has only %llu bytes",
                         (unsigned long long)s->size_bytes);
    }
    if (!walk(h)) {
        gguf_header_release(h);
        return false;
    }
    return true;
}
