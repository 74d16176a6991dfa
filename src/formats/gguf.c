/* Owns GGUF files of versions 2 and 3: values and tensor table as C structs over one copy of the header.
 * Refuses duplicate names, unknown tensor types, dims and offsets that wrap, tensors that are misaligned,
 * outside the file or on top of each other. What the walk of gguf_header.c already checked is not checked
 * again. */
#include "formats/gguf.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "formats/extent.h"
#include "formats/gguf_header.h"

enum { ALIGNMENT_DEFAULT = 32, ALIGNMENT_LIMIT = 1 << 24 };

struct gguf_file {
    uint32_t version;
    uint64_t value_count, tensor_count, alignment;
    gguf_value *values;   /* [value_count] */
    gguf_tensor *tensors; /* [tensor_count] */
    name_index value_names, tensor_names;
};

static bool refuse_name(const gguf_header *h, name_added outcome)
{
    return error_set(h->error, SMIDGEN_ERROR_BAD_FILE,
                     outcome == NAME_DUPLICATE ? "%s '%s' appears twice"
                                               : "%s '%s' collides with too many other names",
                     h->place, h->name.text);
}

static bool read_scalar(gguf_header *h, arena *a, gguf_value *v)
{
    if (v->type == GGUF_STRING) {
        uint64_t size;
        const uint8_t *text = gguf_header_u64(h, &size) ? gguf_header_take(h, size) : NULL;
        if (text == NULL) {
            return false;
        }
        v->scalar.string = (gguf_string){arena_copy_text(a, (const char *)text, (size_t)size), size};
        return v->scalar.string.text != NULL || error_set_memory(h->error, v->key, size);
    }
    const uint8_t *p = gguf_header_take(h, gguf_element_bytes(v->type));
    if (p == NULL) {
        return false;
    }
    bytes_reader r = bytes_reader_make(p, gguf_element_bytes(v->type));
    switch (v->type) {
    case GGUF_U8:
    case GGUF_BOOL:
        v->scalar.u64 = bytes_read_u8(&r);
        break;
    case GGUF_I8:
        v->scalar.i64 = (int8_t)bytes_read_u8(&r);
        break;
    case GGUF_U16:
        v->scalar.u64 = bytes_read_u16(&r);
        break;
    case GGUF_I16:
        v->scalar.i64 = (int16_t)bytes_read_u16(&r);
        break;
    case GGUF_U32:
        v->scalar.u64 = bytes_read_u32(&r);
        break;
    case GGUF_I32:
        v->scalar.i64 = (int32_t)bytes_read_u32(&r);
        break;
    case GGUF_F32:
        v->scalar.f64 = (double)bytes_read_f32(&r);
        break;
    default: /* U64, I64, F64: the bits as they are */
        v->scalar.u64 = bytes_read_u64(&r);
        break;
    }
    return true;
}

static bool read_array(gguf_header *h, arena *a, gguf_value *v)
{
    uint64_t begin = h->at;
    uint32_t element;
    if (!gguf_header_u32(h, &element) || !gguf_header_u64(h, &v->count)) {
        return false;
    }
    v->element = (gguf_type)element;
    if (element == GGUF_ARRAY) {
        h->at = begin;
        return gguf_header_skip_value(h, GGUF_ARRAY);
    }
    if (element != GGUF_STRING) {
        v->elements = gguf_header_take(h, v->count * gguf_element_bytes(element));
        return v->elements != NULL;
    }
    gguf_string *strings = arena_array(a, (size_t)v->count, sizeof *strings);
    if (strings == NULL) {
        return error_set_memory(h->error, v->key, v->count * sizeof *strings);
    }
    for (uint64_t i = 0; i < v->count; i++) {
        uint64_t size;
        const uint8_t *text = gguf_header_u64(h, &size) ? gguf_header_take(h, size) : NULL;
        if (text == NULL) {
            return false;
        }
        strings[i] = (gguf_string){(const char *)text, size};
    }
    v->elements = strings;
    return true;
}

static bool read_values(gguf_file *g, gguf_header *h, arena *a)
{
    g->values = arena_array(a, (size_t)g->value_count, sizeof *g->values);
    if (g->values == NULL || !name_index_make(&g->value_names, a, g->value_count)) {
        return error_set_memory(h->error, "GGUF metadata", g->value_count * sizeof *g->values);
    }
    for (uint64_t i = 0; i < g->value_count; i++) {
        gguf_value *v = &g->values[i];
        size_t key_bytes;
        uint32_t type;
        const char *key = gguf_header_name(h, "key", &key_bytes);
        if (key == NULL || !gguf_header_u32(h, &type)) {
            return false;
        }
        v->key = arena_copy_text(a, key, key_bytes);
        if (v->key == NULL) {
            return error_set_memory(h->error, "a GGUF key", key_bytes);
        }
        name_added outcome = name_index_add(&g->value_names, v->key, key_bytes, (uint32_t)i);
        if (outcome != NAME_ADDED) {
            return refuse_name(h, outcome);
        }
        v->type = (gguf_type)type;
        if (type == GGUF_ARRAY ? !read_array(h, a, v) : !read_scalar(h, a, v)) {
            return false;
        }
    }
    return true;
}

static bool read_alignment(gguf_file *g, smidgen_error *error)
{
    const gguf_value *v = gguf_find(g, "general.alignment");
    g->alignment = ALIGNMENT_DEFAULT;
    if (v == NULL) {
        return true;
    }
    if (v->type != GGUF_U32) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                         "key 'general.alignment' is not an unsigned 32-bit number");
    }
    g->alignment = v->scalar.u64;
    if (g->alignment == 0 || (g->alignment & (g->alignment - 1)) != 0 || g->alignment > ALIGNMENT_LIMIT) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                         "key 'general.alignment' is %llu; it must be a power of two and at most %d",
                         (unsigned long long)g->alignment, ALIGNMENT_LIMIT);
    }
    return true;
}

/* Names for messages only: types that exist but that Smidgen does not read. */
static const char *unread_type_name(uint32_t number)
{
    static const struct {
        uint32_t number;
        const char *name;
    } rows[] = {{4, "Q4_2, withdrawn"}, {5, "Q4_3, withdrawn"}, {9, "Q8_1"},  {15, "Q8_K"}, {19, "IQ1_S"},
                {29, "IQ1_M"},          {40, "NVFP4"},          {41, "Q1_0"}, {42, "Q2_0"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].number == number) {
            return rows[i].name;
        }
    }
    return "unknown";
}

/* Shape and bytes from file order (innermost first), each product checked. */
static bool read_shape(gguf_tensor *t, const uint64_t *dims, const gguf_header *h)
{
    const char *name = h->name.text;
    uint64_t rows = 1, row_bytes = 0;
    for (int32_t i = 0; i < t->rank; i++) {
        t->shape[t->rank - 1 - i] = dims[i];
        if (dims[i] == 0 || dims[i] > INT64_MAX) {
            return error_set(h->error, SMIDGEN_ERROR_BAD_FILE, "tensor '%s' has a dimension of %llu", name,
                             (unsigned long long)dims[i]);
        }
        if (i > 0 && rows > INT64_MAX / dims[i]) {
            return error_set(h->error, SMIDGEN_ERROR_BAD_FILE, "the dimensions of tensor '%s' are too large",
                             name);
        }
        rows *= i > 0 ? dims[i] : 1;
    }
    uint64_t columns = t->rank == 0 ? 1 : dims[0];
    if (!element_bytes(t->type, columns, &row_bytes)) {
        return error_set(h->error, SMIDGEN_ERROR_BAD_FILE,
                         "tensor '%s': rows of %llu weights do not fill whole blocks of %s", name,
                         (unsigned long long)columns, element_name((uint32_t)t->type));
    }
    if (rows > INT64_MAX / columns || rows > INT64_MAX / row_bytes) {
        return error_set(h->error, SMIDGEN_ERROR_BAD_FILE, "the dimensions of tensor '%s' are too large",
                         name);
    }
    t->size_bytes = rows * row_bytes;
    return true;
}

static bool read_tensor(gguf_tensor *t, gguf_header *h, arena *a)
{
    size_t name_bytes;
    uint32_t rank, number;
    uint64_t dims[GGUF_RANK_LIMIT];
    const char *name = gguf_header_name(h, "tensor", &name_bytes);
    if (name == NULL || !gguf_header_u32(h, &rank)) {
        return false;
    }
    t->name = arena_copy_text(a, name, name_bytes);
    if (t->name == NULL) {
        return error_set_memory(h->error, "a tensor name", name_bytes);
    }
    t->rank = (int32_t)rank;
    for (uint32_t i = 0; i < rank; i++) {
        if (!gguf_header_u64(h, &dims[i])) {
            return false;
        }
    }
    if (!gguf_header_u32(h, &number) || !gguf_header_u64(h, &t->offset)) {
        return false;
    }
    if (element_find(number) == NULL) {
        return error_set(h->error, SMIDGEN_ERROR_UNSUPPORTED_TYPE,
                         "tensor '%s' has type %u (%s), which is not supported", h->name.text, number,
                         unread_type_name(number));
    }
    t->type = (element_type)number;
    for (int i = 0; i < 4; i++) {
        t->shape[i] = 1;
    }
    return read_shape(t, dims, h);
}

static bool read_tensors(gguf_file *g, gguf_header *h, arena *a)
{
    g->tensors = arena_array(a, (size_t)g->tensor_count, sizeof *g->tensors);
    if (g->tensors == NULL || !name_index_make(&g->tensor_names, a, g->tensor_count)) {
        return error_set_memory(h->error, "the tensor table", g->tensor_count * sizeof *g->tensors);
    }
    for (uint64_t i = 0; i < g->tensor_count; i++) {
        gguf_tensor *t = &g->tensors[i];
        if (!read_tensor(t, h, a)) {
            return false;
        }
        name_added outcome = name_index_add(&g->tensor_names, t->name, strlen(t->name), (uint32_t)i);
        if (outcome != NAME_ADDED) {
            return refuse_name(h, outcome);
        }
    }
    return true;
}

/* Turns offsets in the data section into offsets in the source. */
static bool place_tensors(gguf_file *g, uint64_t header_bytes, uint64_t file_bytes, extent *extents,
                          smidgen_error *error)
{
    uint64_t start = (header_bytes + g->alignment - 1) & ~(g->alignment - 1);
    for (uint64_t i = 0; i < g->tensor_count; i++) {
        gguf_tensor *t = &g->tensors[i];
        name_text name = name_printable(t->name, strlen(t->name));
        if (t->offset % g->alignment != 0) {
            return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                             "tensor '%s' lies at offset %llu, not a multiple of %llu", name.text,
                             (unsigned long long)t->offset, (unsigned long long)g->alignment);
        }
        if (start > file_bytes || t->offset > file_bytes - start ||
            t->size_bytes > file_bytes - start - t->offset) {
            return error_set(
                error, SMIDGEN_ERROR_BAD_FILE,
                "tensor '%s' (%llu bytes at %llu + %llu) reaches past the end of the file (%llu bytes)",
                name.text, (unsigned long long)t->size_bytes, (unsigned long long)start,
                (unsigned long long)t->offset, (unsigned long long)file_bytes);
        }
        t->offset += start;
        extents[i] = (extent){t->offset, t->size_bytes, i};
    }
    extent_sort(extents, g->tensor_count);
    for (uint64_t i = 1; i < g->tensor_count; i++) {
        if (extents[i].begin - extents[i - 1].begin < extents[i - 1].size_bytes) {
            const char *first = g->tensors[extents[i - 1].index].name,
                       *second = g->tensors[extents[i].index].name;
            return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tensors '%s' and '%s' overlap",
                             name_printable(first, strlen(first)).text,
                             name_printable(second, strlen(second)).text);
        }
    }
    return true;
}

static bool build(gguf_file *g, gguf_header *h, arena *a, const source *s, smidgen_error *error)
{
    if (!read_values(g, h, a) || !read_alignment(g, error) || !read_tensors(g, h, a)) {
        return false;
    }
    size_t extent_bytes = memory_array_bytes((size_t)g->tensor_count, sizeof(extent));
    extent *extents = memory_allocate(a->allocator, extent_bytes);
    if (extents == NULL && extent_bytes != 0) {
        return error_set_memory(error, "the tensor table", extent_bytes);
    }
    bool is_placed = place_tensors(g, h->at, s->size_bytes, extents, error);
    memory_release(a->allocator, extents, extent_bytes);
    return is_placed;
}

gguf_file *gguf_open(arena *a, const source *s, smidgen_error *error)
{
    gguf_header walked;
    if (!gguf_header_load(&walked, s, a->allocator, error)) {
        return NULL;
    }
    gguf_header h = walked; /* the same reader once more, over the copy that stays */
    h.block = arena_copy(a, walked.block, (size_t)walked.at);
    h.filled = h.capacity = (size_t)walked.at;
    h.at = GGUF_MAGIC_BYTES;
    gguf_header_release(&walked);
    gguf_file *g = h.block == NULL ? NULL : arena_allocate(a, sizeof *g);
    if (g == NULL) {
        error_set_memory(error, "the GGUF header", h.filled);
        return NULL;
    }
    g->version = h.version;
    g->value_count = h.value_count;
    g->tensor_count = h.tensor_count;
    return build(g, &h, a, s, error) ? g : NULL;
}

uint32_t gguf_version(const gguf_file *g)
{
    return g->version;
}

uint64_t gguf_value_count(const gguf_file *g)
{
    return g->value_count;
}

const gguf_value *gguf_value_at(const gguf_file *g, uint64_t index)
{
    return index < g->value_count ? &g->values[index] : NULL;
}

const gguf_value *gguf_find(const gguf_file *g, const char *key)
{
    uint32_t number;
    return name_index_find(&g->value_names, key, strlen(key), &number) ? &g->values[number] : NULL;
}

uint64_t gguf_tensor_count(const gguf_file *g)
{
    return g->tensor_count;
}

const gguf_tensor *gguf_tensor_at(const gguf_file *g, uint64_t index)
{
    return index < g->tensor_count ? &g->tensors[index] : NULL;
}

const gguf_tensor *gguf_find_tensor(const gguf_file *g, const char *name)
{
    uint32_t number;
    return name_index_find(&g->tensor_names, name, strlen(name), &number) ? &g->tensors[number] : NULL;
}

int64_t gguf_integer(const gguf_file *g, const char *key, int64_t fallback)
{
    const gguf_value *v = gguf_find(g, key);
    switch (v == NULL ? GGUF_ARRAY : v->type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64:
    case GGUF_BOOL:
        return v->scalar.u64 <= INT64_MAX ? (int64_t)v->scalar.u64 : fallback;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        return v->scalar.i64;
    case GGUF_F32:
    case GGUF_F64:
        return v->scalar.f64 >= -0x1p63 && v->scalar.f64 < 0x1p63 &&
                       (double)(int64_t)v->scalar.f64 == v->scalar.f64
                   ? (int64_t)v->scalar.f64
                   : fallback;
    default:
        return fallback;
    }
}

double gguf_number(const gguf_file *g, const char *key, double fallback)
{
    const gguf_value *v = gguf_find(g, key);
    switch (v == NULL ? GGUF_ARRAY : v->type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64:
    case GGUF_BOOL:
        return (double)v->scalar.u64;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        return (double)v->scalar.i64;
    case GGUF_F32:
    case GGUF_F64:
        return v->scalar.f64;
    default:
        return fallback;
    }
}

bool gguf_bool(const gguf_file *g, const char *key, bool fallback)
{
    return gguf_integer(g, key, fallback ? 1 : 0) != 0;
}

const char *gguf_text(const gguf_file *g, const char *key, const char *fallback)
{
    const gguf_value *v = gguf_find(g, key);
    return v == NULL || v->type != GGUF_STRING ? fallback : v->scalar.string.text;
}
