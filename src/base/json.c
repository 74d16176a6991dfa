/* Owns JSON documents: yyjson behind a dozen calls, its memory taken from the caller's allocator.
 * Refuses everything outside RFC 8259 (comments, trailing commas, NaN, invalid UTF-8). */
#include "base/json.h"

#include <string.h>

#include <yyjson.h>

#include "base/error.h"

struct json_document {
    const smidgen_allocator *allocator;
    yyjson_doc *document;
    yyjson_alc memory;
};

/* yyjson's free() does not tell the size, so each block is preceded by it; 64 bytes keep the alignment. */
enum { JSON_PREFIX_BYTES = 64 };

static void *json_memory_take(void *context, size_t size_bytes)
{
    const smidgen_allocator *allocator = context;
    if (size_bytes > SIZE_MAX - JSON_PREFIX_BYTES) {
        return NULL;
    }
    char *block = memory_allocate(allocator, size_bytes + JSON_PREFIX_BYTES);
    if (block == NULL) {
        return NULL;
    }
    memcpy(block, &size_bytes, sizeof size_bytes);
    return block + JSON_PREFIX_BYTES;
}

static void json_memory_give(void *context, void *pointer)
{
    if (pointer != NULL) {
        char *block = (char *)pointer - JSON_PREFIX_BYTES;
        size_t size_bytes;
        memcpy(&size_bytes, block, sizeof size_bytes);
        memory_release(context, block, size_bytes + JSON_PREFIX_BYTES);
    }
}

static void *json_memory_resize(void *context, void *pointer, size_t old_bytes, size_t size_bytes)
{
    void *larger = json_memory_take(context, size_bytes);
    if (larger != NULL) {
        memcpy(larger, pointer, old_bytes < size_bytes ? old_bytes : size_bytes);
        json_memory_give(context, pointer);
    }
    return larger;
}

static void fill_error(const char *text, size_t size_bytes, const char *what, const yyjson_read_err *failure,
                       smidgen_error *error)
{
    if (failure->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) {
        error_set_memory(error, what, size_bytes);
        return;
    }
    size_t end = failure->pos < size_bytes ? failure->pos : size_bytes, line = 1, column = 1;
    for (size_t i = 0; i < end; i++) {
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    error_set(error, SMIDGEN_ERROR_BAD_FILE, "%s is not valid JSON: %s (line %zu, column %zu)", what,
              failure->msg != NULL ? failure->msg : "?", line, column);
}

json_document *json_parse(const char *text, size_t size_bytes, const char *what,
                          const smidgen_allocator *allocator, smidgen_error *error)
{
    json_document *d = memory_allocate_zeroed(allocator, sizeof *d);
    if (d == NULL) {
        error_set_memory(error, what, sizeof *d);
        return NULL;
    }
    d->allocator = allocator;
    /* yyjson only hands the context back to the three functions above, which do not write through it. */
    union {
        const smidgen_allocator *in;
        void *out;
    } context = {.in = allocator};
    d->memory = (yyjson_alc){json_memory_take, json_memory_resize, json_memory_give, context.out};
    union {
        const char *in;
        char *out;
    } input = {.in = text}; /* not written either: YYJSON_READ_INSITU is off */
    yyjson_read_err failure = {0};
    d->document = yyjson_read_opts(size_bytes == 0 ? NULL : input.out, size_bytes, YYJSON_READ_NOFLAG,
                                   &d->memory, &failure);
    if (d->document == NULL) {
        if (size_bytes == 0) {
            failure = (yyjson_read_err){YYJSON_READ_ERROR_EMPTY_CONTENT, "it is empty", 0};
        }
        fill_error(text, size_bytes, what, &failure, error);
        memory_release(allocator, d, sizeof *d);
        return NULL;
    }
    return d;
}

void json_close(json_document *d)
{
    if (d != NULL) {
        yyjson_doc_free(d->document);
        memory_release(d->allocator, d, sizeof *d);
    }
}

/* json_value is yyjson_val under another name; yyjson's getters take it without const but do not write. */
static yyjson_val *value_of(const json_value *value)
{
    union {
        const json_value *in;
        yyjson_val *out;
    } cast = {.in = value};
    return cast.out;
}

static const json_value *value_from(const yyjson_val *value)
{
    return (const json_value *)(const void *)value;
}

const json_value *json_root(const json_document *d)
{
    return d == NULL ? NULL : value_from(yyjson_doc_get_root(d->document));
}

json_kind json_kind_of(const json_value *value)
{
    switch (yyjson_get_type(value_of(value))) {
    case YYJSON_TYPE_NULL:
        return JSON_NULL;
    case YYJSON_TYPE_BOOL:
        return JSON_BOOL;
    case YYJSON_TYPE_NUM:
        return JSON_NUMBER;
    case YYJSON_TYPE_STR:
        return JSON_STRING;
    case YYJSON_TYPE_ARR:
        return JSON_ARRAY;
    case YYJSON_TYPE_OBJ:
        return JSON_OBJECT;
    default:
        return JSON_ABSENT;
    }
}

const json_value *json_get(const json_value *value, const char *key)
{
    return value_from(yyjson_obj_get(value_of(value), key));
}

size_t json_count(const json_value *value)
{
    yyjson_val *v = value_of(value);
    return yyjson_is_ctn(v) ? unsafe_yyjson_get_len(v) : 0;
}

json_iterator json_iterate(const json_value *container)
{
    size_t count = json_count(container);
    return (json_iterator){
        .next = count == 0 ? NULL : unsafe_yyjson_get_first(value_of(container)),
        .left = count,
        .is_object = json_kind_of(container) == JSON_OBJECT,
    };
}

bool json_next(json_iterator *it)
{
    if (it->left == 0) {
        it->value = NULL;
        it->key = NULL;
        return false;
    }
    yyjson_val *at = value_of(it->next);
    if (it->is_object) {
        it->key = unsafe_yyjson_get_str(at);
        it->key_bytes = unsafe_yyjson_get_len(at);
        at++; /* a member is its key followed by its value */
    }
    it->value = value_from(at);
    it->left--;
    it->next = it->left == 0 ? NULL : unsafe_yyjson_get_next(at);
    return true;
}

bool json_bool(const json_value *value, bool fallback)
{
    return json_kind_of(value) == JSON_BOOL ? yyjson_get_bool(value_of(value)) : fallback;
}

double json_number(const json_value *value, double fallback)
{
    return json_kind_of(value) == JSON_NUMBER ? yyjson_get_num(value_of(value)) : fallback;
}

int64_t json_integer(const json_value *value, int64_t fallback)
{
    yyjson_val *v = value_of(value);
    if (yyjson_is_sint(v)) {
        return yyjson_get_sint(v);
    }
    if (yyjson_is_uint(v)) {
        uint64_t number = yyjson_get_uint(v);
        return number <= INT64_MAX ? (int64_t)number : fallback;
    }
    if (yyjson_is_real(v)) {
        double number = yyjson_get_real(v);
        if (number >= -0x1p63 && number < 0x1p63 && (double)(int64_t)number == number) {
            return (int64_t)number;
        }
    }
    return fallback;
}

bool json_is_integer(const json_value *value)
{
    yyjson_val *v = value_of(value);
    return yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX);
}

const char *json_string(const json_value *value, size_t *size_bytes)
{
    yyjson_val *v = value_of(value);
    if (!yyjson_is_str(v)) {
        return NULL;
    }
    if (size_bytes != NULL) {
        *size_bytes = unsafe_yyjson_get_len(v);
    }
    return unsafe_yyjson_get_str(v);
}

bool json_is_string(const json_value *value, const char *text)
{
    return yyjson_equals_str(value_of(value), text);
}
