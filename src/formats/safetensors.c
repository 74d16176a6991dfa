/* Owns safetensors files. Refuses what the format forbids: long headers, duplicate names, wrong sizes,
 * overlaps, holes; and what Smidgen cannot hold: types outside the element table, more than 4 dimensions. */
#include "formats/safetensors.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/json.h"
#include "formats/extent.h"
#include "formats/name_index.h"

enum { HEADER_BYTES_LIMIT = 100000000, RANK_LIMIT = 4, LENGTH_BYTES = 8 };

typedef struct reader {
    arena *arena;
    const source *source;
    smidgen_error *error;
    uint64_t data_begin, data_bytes;
    safetensors_tensor *tensors; /* [count] */
    uint64_t count;
    name_index names;
    extent *extents; /* [count] */
} reader;

static bool find_type(const json_value *dtype, element_type *type)
{
    static const struct {
        const char *name;
        element_type type;
    } rows[] = {{"F32", ELEMENT_F32}, {"F16", ELEMENT_F16}, {"BF16", ELEMENT_BF16}, {"F64", ELEMENT_F64},
                {"I64", ELEMENT_I64}, {"I32", ELEMENT_I32}, {"I16", ELEMENT_I16},   {"I8", ELEMENT_I8}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (json_is_string(dtype, rows[i].name)) {
            *type = rows[i].type;
            return true;
        }
    }
    return false;
}

static bool refuse(const reader *r, const char *name, const char *why)
{
    return error_set(r->error, SMIDGEN_ERROR_BAD_FILE, "tensor '%s' %s", name, why);
}

/* Fills shape and rank; weights becomes their product. */
static bool read_shape(const reader *r, const char *name, const json_value *shape, safetensors_tensor *t,
                       uint64_t *weights)
{
    if (json_kind_of(shape) != JSON_ARRAY) {
        return refuse(r, name, "has no shape");
    }
    if (json_count(shape) > RANK_LIMIT) {
        return error_set(r->error, SMIDGEN_ERROR_UNSUPPORTED_FORMAT,
                         "tensor '%s' has %zu dimensions, at most %d are supported", name, json_count(shape),
                         RANK_LIMIT);
    }
    *weights = 1;
    for (int i = 0; i < RANK_LIMIT; i++) {
        t->shape[i] = 1;
    }
    for (json_iterator it = json_iterate(shape); json_next(&it); t->rank++) {
        int64_t dimension = json_integer(it.value, -1);
        if (dimension < 0) {
            return refuse(r, name, "has a dimension that is not a whole number from 0 on");
        }
        t->shape[t->rank] = (uint64_t)dimension;
        if (dimension != 0 && *weights > INT64_MAX / (uint64_t)dimension) {
            return refuse(r, name, "has dimensions whose product is too large");
        }
        *weights *= (uint64_t)dimension;
    }
    return true;
}

static bool read_extent(const reader *r, const char *name, const json_value *offsets, uint64_t *begin,
                        uint64_t *end)
{
    int64_t ends[2] = {-1, -1};
    int count = 0;
    if (json_kind_of(offsets) != JSON_ARRAY || json_count(offsets) != 2) {
        return refuse(r, name, "has no pair of data_offsets");
    }
    for (json_iterator it = json_iterate(offsets); json_next(&it); count++) {
        ends[count] = json_integer(it.value, -1);
    }
    if (ends[0] < 0 || ends[1] < ends[0]) {
        return refuse(r, name, "has data_offsets that are not a range");
    }
    *begin = (uint64_t)ends[0];
    *end = (uint64_t)ends[1];
    if (*end > r->data_bytes) {
        return error_set(r->error, SMIDGEN_ERROR_BAD_FILE,
                         "tensor '%s' ends at %llu, past the end of the data (%llu bytes)", name,
                         (unsigned long long)*end, (unsigned long long)r->data_bytes);
    }
    return true;
}

static bool read_tensor(reader *r, const char *key, size_t key_bytes, const json_value *value)
{
    safetensors_tensor *t = &r->tensors[r->count];
    name_text name = name_printable(key, key_bytes);
    if (memchr(key, 0, key_bytes) != NULL) {
        return refuse(r, name.text, "has a zero byte in its name");
    }
    t->name = arena_copy_text(r->arena, key, key_bytes);
    if (t->name == NULL) {
        return error_set_memory(r->error, "a tensor name", key_bytes);
    }
    name_added outcome = name_index_add(&r->names, t->name, key_bytes, (uint32_t)r->count);
    if (outcome != NAME_ADDED) {
        return refuse(r, name.text,
                      outcome == NAME_DUPLICATE ? "appears twice" : "collides with too many other names");
    }
    const json_value *dtype = json_get(value, "dtype"), *shape = json_get(value, "shape");
    const json_value *offsets = json_get(value, "data_offsets");
    if (json_kind_of(dtype) != JSON_STRING || json_count(value) != 3) {
        return refuse(r, name.text, "is not described by exactly dtype, shape and data_offsets");
    }
    if (!find_type(dtype, &t->type)) {
        const char *text = json_string(dtype, NULL);
        return error_set(r->error, SMIDGEN_ERROR_UNSUPPORTED_TYPE,
                         "tensor '%s' has type %s, which is not supported", name.text,
                         name_printable(text, strlen(text)).text);
    }
    uint64_t weights = 0, begin = 0, end = 0, bytes = 0;
    if (!read_shape(r, name.text, shape, t, &weights) || !read_extent(r, name.text, offsets, &begin, &end)) {
        return false;
    }
    if (!element_bytes(t->type, weights, &bytes) || bytes != end - begin) {
        return error_set(r->error, SMIDGEN_ERROR_BAD_FILE,
                         "tensor '%s' has %llu bytes of data, its shape and type do not need that many",
                         name.text, (unsigned long long)(end - begin));
    }
    t->offset = r->data_begin + begin;
    t->size_bytes = bytes;
    r->extents[r->count] = (extent){t->offset, bytes, r->count};
    r->count++;
    return true;
}

/* The data must be one run from the header's end to the file's end. Puts the tensors in that order. */
static bool check_run(reader *r, safetensors_tensor *ordered)
{
    uint64_t at = r->data_begin;
    extent_sort(r->extents, r->count);
    for (uint64_t i = 0; i < r->count; i++) {
        const safetensors_tensor *t = &r->tensors[r->extents[i].index];
        if (t->offset != at) {
            return refuse(r, name_printable(t->name, strlen(t->name)).text,
                          t->offset < at ? "overlaps the tensor before it"
                                         : "leaves a hole in the data before it");
        }
        at += t->size_bytes;
        ordered[i] = *t;
    }
    if (at != r->data_begin + r->data_bytes) {
        return error_set(r->error, SMIDGEN_ERROR_BAD_FILE, "%llu bytes after the last tensor belong to none",
                         (unsigned long long)(r->data_begin + r->data_bytes - at));
    }
    return true;
}

static bool check_metadata(const reader *r, const json_value *metadata)
{
    if (json_kind_of(metadata) != JSON_OBJECT) {
        return error_set(r->error, SMIDGEN_ERROR_BAD_FILE, "__metadata__ is not an object");
    }
    for (json_iterator it = json_iterate(metadata); json_next(&it);) {
        if (json_kind_of(it.value) != JSON_STRING) {
            return error_set(r->error, SMIDGEN_ERROR_BAD_FILE, "__metadata__ '%s' is not a string",
                             name_printable(it.key, it.key_bytes).text);
        }
    }
    return true;
}

static bool read_tensors(reader *r, const json_value *root)
{
    bool has_metadata = false;
    for (json_iterator it = json_iterate(root); json_next(&it);) {
        bool is_metadata = it.key_bytes == 12 && memcmp(it.key, "__metadata__", 12) == 0;
        if (is_metadata && has_metadata) {
            return error_set(r->error, SMIDGEN_ERROR_BAD_FILE, "__metadata__ appears twice");
        }
        has_metadata = has_metadata || is_metadata;
        if (is_metadata ? !check_metadata(r, it.value) : !read_tensor(r, it.key, it.key_bytes, it.value)) {
            return false;
        }
    }
    return true;
}

static safetensors_file *build(reader *r, const json_value *root)
{
    size_t capacity = json_count(root);
    if (json_kind_of(root) != JSON_OBJECT) {
        error_set(r->error, SMIDGEN_ERROR_BAD_FILE, "the safetensors header is not an object");
        return NULL;
    }
    /* Both lists of tensors stay in the arena: the second one is the first one in the order of the data. */
    safetensors_file *file = arena_allocate(r->arena, sizeof *file);
    safetensors_tensor *ordered = arena_array(r->arena, capacity, sizeof *ordered);
    r->tensors = arena_array(r->arena, capacity, sizeof *r->tensors);
    r->extents = arena_array(r->arena, capacity, sizeof *r->extents);
    if (file == NULL || ordered == NULL || r->tensors == NULL || r->extents == NULL ||
        !name_index_make(&r->names, r->arena, capacity)) {
        error_set_memory(r->error, "the safetensors header", capacity * sizeof *ordered);
        return NULL;
    }
    if (!read_tensors(r, root) || !check_run(r, ordered)) {
        return NULL;
    }
    *file = (safetensors_file){r->count, ordered};
    return file;
}

static safetensors_file *parse(reader *r, const char *text, size_t size_bytes)
{
    if (size_bytes == 0 || text[0] != '{') {
        error_set(r->error, SMIDGEN_ERROR_BAD_FILE, "the safetensors header does not begin with '{'");
        return NULL;
    }
    json_document *d = json_parse(text, size_bytes, "the safetensors header", r->arena->allocator, r->error);
    safetensors_file *file = d == NULL ? NULL : build(r, json_root(d));
    json_close(d);
    return file;
}

safetensors_file *safetensors_open(arena *a, const source *s, smidgen_error *error)
{
    uint8_t length_bytes[LENGTH_BYTES];
    if (s->size_bytes < LENGTH_BYTES) {
        error_set(error, SMIDGEN_ERROR_BAD_FILE, "the file has only %llu bytes",
                  (unsigned long long)s->size_bytes);
        return NULL;
    }
    if (!s->read(s, 0, length_bytes, LENGTH_BYTES, error)) {
        return NULL;
    }
    uint64_t length = bytes_load_u64(length_bytes);
    if (length > s->size_bytes - LENGTH_BYTES || length > HEADER_BYTES_LIMIT) {
        error_set(error, SMIDGEN_ERROR_BAD_FILE,
                  "the safetensors header claims %llu bytes; the file has %llu, and %d are allowed",
                  (unsigned long long)length, (unsigned long long)s->size_bytes, HEADER_BYTES_LIMIT);
        return NULL;
    }
    size_t text_bytes = (size_t)length;
    char *text = memory_allocate(a->allocator, text_bytes);
    if (text == NULL && text_bytes != 0) {
        error_set_memory(error, "the safetensors header", length);
        return NULL;
    }
    reader r = {.arena = a, .source = s, .error = error, .data_begin = LENGTH_BYTES + length};
    r.data_bytes = s->size_bytes - r.data_begin;
    bool is_read = s->read(s, LENGTH_BYTES, text, text_bytes, error);
    safetensors_file *file = is_read ? parse(&r, text, text_bytes) : NULL;
    memory_release(a->allocator, text, text_bytes);
    return file;
}
