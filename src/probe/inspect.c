/* Owns smidgen_inspect_json: what a model file holds, in the file's own words. Reads headers only, computes
 * nothing from weights, and accepts every file that formats/checkpoint.h accepts, also where no model family
 * knows it. */
#include "base/error.h"
#include "base/file.h"
#include "formats/checkpoint.h"
#include "probe/json_out.h"

#include <string.h>

enum { TYPE_SLOTS = 64, DEFAULT_ARRAY_LIMIT = 8 };

static const char *gguf_type_name(gguf_type type)
{
    static const char *const names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                        "bool", "string", "array", "u64", "i64", "f64"};
    return (size_t)type < sizeof names / sizeof names[0] ? names[type] : "?";
}

static int64_t load_signed(const uint8_t *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)p[i] << (8 * i);
    }
    uint64_t sign = (uint64_t)1 << (8 * bytes - 1);
    return bytes == 8 ? (int64_t)value : (int64_t)((value ^ sign) - sign);
}

static uint64_t load_unsigned(const uint8_t *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)p[i] << (8 * i);
    }
    return value;
}

/* One packed element of an array. */
static void write_element(json_out *o, gguf_type type, const void *elements, uint64_t index)
{
    static const uint8_t width[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    const uint8_t *p = (const uint8_t *)elements + index * width[type];
    switch (type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64:
        json_out_unsigned(o, NULL, load_unsigned(p, width[type]));
        break;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        json_out_integer(o, NULL, load_signed(p, width[type]));
        break;
    case GGUF_F32: {
        float value;
        memcpy(&value, p, sizeof value);
        json_out_number(o, NULL, (double)value);
        break;
    }
    case GGUF_F64: {
        double value;
        memcpy(&value, p, sizeof value);
        json_out_number(o, NULL, value);
        break;
    }
    case GGUF_BOOL:
        json_out_bool(o, NULL, p[0] != 0);
        break;
    case GGUF_STRING: {
        const gguf_string *string = (const gguf_string *)elements + index;
        json_out_string(o, NULL, string->text, (size_t)string->size_bytes);
        break;
    }
    case GGUF_ARRAY:
        break;
    }
}

static void write_array(json_out *o, const gguf_value *v, int32_t limit)
{
    json_out_text(o, "element", gguf_type_name(v->element));
    json_out_unsigned(o, "count", v->count);
    json_out_open(o, "values", '[');
    if (v->element != GGUF_ARRAY && (size_t)v->element <= GGUF_F64) {
        uint64_t shown = limit < 0 || v->count < (uint64_t)limit ? v->count : (uint64_t)limit;
        for (uint64_t i = 0; i < shown; i++) {
            write_element(o, v->element, v->elements, i);
        }
    }
    json_out_close(o, ']');
}

static void write_value(json_out *o, const gguf_value *v, int32_t limit)
{
    json_out_open(o, NULL, '{');
    json_out_text(o, "key", v->key);
    json_out_text(o, "type", gguf_type_name(v->type));
    switch (v->type) {
    case GGUF_ARRAY:
        write_array(o, v, limit);
        break;
    case GGUF_STRING:
        json_out_string(o, "value", v->scalar.string.text, (size_t)v->scalar.string.size_bytes);
        break;
    case GGUF_BOOL:
        json_out_bool(o, "value", v->scalar.boolean);
        break;
    case GGUF_F32:
    case GGUF_F64:
        json_out_number(o, "value", v->scalar.f64);
        break;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        json_out_integer(o, "value", v->scalar.i64);
        break;
    default:
        json_out_unsigned(o, "value", v->scalar.u64);
        break;
    }
    json_out_close(o, '}');
}

/* Members of config.json, one level: a member that is no scalar is shown by its kind and count. */
static void write_config(json_out *o, const json_document *config)
{
    json_iterator it = json_iterate(json_root(config));
    while (json_next(&it)) {
        json_kind kind = json_kind_of(it.value);
        size_t size = 0;
        json_out_open(o, NULL, '{');
        json_out_string(o, "key", it.key, it.key_bytes);
        switch (kind) {
        case JSON_STRING: {
            const char *text = json_string(it.value, &size);
            json_out_text(o, "type", "string");
            json_out_string(o, "value", text, size);
            break;
        }
        case JSON_NUMBER:
            json_out_text(o, "type", "number");
            json_out_number(o, "value", json_number(it.value, 0));
            break;
        case JSON_BOOL:
            json_out_text(o, "type", "bool");
            json_out_bool(o, "value", json_bool(it.value, false));
            break;
        case JSON_ARRAY:
        case JSON_OBJECT:
            json_out_text(o, "type", kind == JSON_ARRAY ? "array" : "object");
            json_out_unsigned(o, "count", json_count(it.value));
            break;
        default:
            json_out_text(o, "type", "null");
            json_out_text(o, "value", NULL);
            break;
        }
        json_out_close(o, '}');
    }
}

typedef struct type_sum {
    uint64_t tensors, weights, bytes;
} type_sum;

static uint64_t weight_count(const checkpoint_tensor *t)
{
    return t->shape[0] * t->shape[1] * t->shape[2] * t->shape[3];
}

static void write_tensors(json_out *o, const checkpoint *c, type_sum sums[TYPE_SLOTS])
{
    json_out_open(o, "tensors", '[');
    for (uint64_t i = 0; i < c->tensor_count; i++) {
        const checkpoint_tensor *t = &c->tensors[i];
        json_out_open(o, NULL, '{');
        json_out_text(o, "name", t->name);
        json_out_text(o, "type", element_name(t->type));
        json_out_open(o, "shape", '[');
        for (int32_t axis = 0; axis < t->rank && axis < 4; axis++) {
            json_out_unsigned(o, NULL, t->shape[axis]);
        }
        json_out_close(o, ']');
        json_out_unsigned(o, "bytes", t->size_bytes);
        json_out_unsigned(o, "offset", t->offset);
        json_out_integer(o, "file", t->file);
        json_out_close(o, '}');
        if ((size_t)t->type < TYPE_SLOTS) {
            sums[t->type].tensors++;
            sums[t->type].weights += weight_count(t);
            sums[t->type].bytes += t->size_bytes;
        }
    }
    json_out_close(o, ']');
}

static void write_sums(json_out *o, const type_sum sums[TYPE_SLOTS])
{
    type_sum total = {0, 0, 0};
    json_out_open(o, "types", '[');
    for (uint32_t type = 0; type < TYPE_SLOTS; type++) {
        if (sums[type].tensors == 0) {
            continue;
        }
        json_out_open(o, NULL, '{');
        json_out_text(o, "type", element_name(type));
        json_out_unsigned(o, "tensors", sums[type].tensors);
        json_out_unsigned(o, "weights", sums[type].weights);
        json_out_unsigned(o, "bytes", sums[type].bytes);
        json_out_close(o, '}');
        total.tensors += sums[type].tensors;
        total.weights += sums[type].weights;
        total.bytes += sums[type].bytes;
    }
    json_out_close(o, ']');
    json_out_open(o, "total", '{');
    json_out_unsigned(o, "tensors", total.tensors);
    json_out_unsigned(o, "weights", total.weights);
    json_out_unsigned(o, "bytes", total.bytes);
    json_out_close(o, '}');
}

int64_t smidgen_inspect_json(const char *path, int32_t array_limit, char *text, size_t capacity,
                             smidgen_error *error)
{
    type_sum sums[TYPE_SLOTS];
    if (path == NULL) {
        error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "path must not be NULL");
        return -1;
    }
    checkpoint *c = checkpoint_open(path, &memory_system, error);
    if (c == NULL) {
        return -1;
    }
    int32_t limit = array_limit == 0 ? DEFAULT_ARRAY_LIMIT : array_limit;
    memset(sums, 0, sizeof sums);
    json_out o = json_out_begin(text, capacity);
    json_out_open(&o, NULL, '{');
    json_out_text(&o, "path", path);
    json_out_text(&o, "format", c->gguf != NULL ? "gguf" : "folder");
    if (c->gguf != NULL) {
        json_out_unsigned(&o, "version", gguf_version(c->gguf));
    }
    json_out_open(&o, "metadata", '[');
    for (uint64_t i = 0; c->gguf != NULL && i < gguf_value_count(c->gguf); i++) {
        write_value(&o, gguf_value_at(c->gguf, i), limit);
    }
    if (c->gguf == NULL && c->config != NULL) {
        write_config(&o, c->config);
    }
    json_out_close(&o, ']');
    write_tensors(&o, c, sums);
    write_sums(&o, sums);
    json_out_close(&o, '}');
    checkpoint_close(c);
    return (int64_t)o.size_bytes;
}
