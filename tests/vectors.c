#include "vectors.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "test.h"

static char *read_whole(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        test_fail(__FILE__, __LINE__, "cannot open %s", path);
        return NULL;
    }
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*size + 1);
    if (bytes == NULL || fread(bytes, 1, *size, f) != *size) {
        test_fail(__FILE__, __LINE__, "cannot read %s", path);
        free(bytes);
        bytes = NULL;
    }
    fclose(f);
    return bytes;
}

bool vectors_open(vectors *v, const char *path)
{
    *v = (vectors){0};
    v->bytes = read_whole(path, &v->size);
    if (v->bytes == NULL || v->size < 8) {
        return false;
    }
    uint64_t header = bytes_load_u64(v->bytes);
    v->header =
        header > v->size - 8 ? NULL : json_parse(v->bytes + 8, (size_t)header, path, &memory_system, NULL);
    if (v->header == NULL) {
        vectors_close(v);
        return false;
    }
    return true;
}

void vectors_close(vectors *v)
{
    if (v->header != NULL) {
        json_close(v->header);
    }
    free(v->bytes);
    *v = (vectors){0};
}

vector_tensor vectors_get(const vectors *v, const char *name)
{
    const json_value *row = json_get(json_root(v->header), name);
    vector_tensor t = {.count = 1};
    if (row == NULL) {
        t.count = 0;
        return t;
    }
    for (json_iterator it = json_iterate(json_get(row, "shape")); json_next(&it);) {
        t.shape[t.rank++] = json_integer(it.value, 0);
        t.count *= json_integer(it.value, 0);
    }
    json_iterator offsets = json_iterate(json_get(row, "data_offsets"));
    json_next(&offsets);
    t.data = v->bytes + 8 + bytes_load_u64(v->bytes) + json_integer(offsets.value, 0);
    return t;
}

json_document *vectors_json(const char *path, char **text)
{
    size_t size;
    *text = read_whole(path, &size);
    json_document *document = *text == NULL ? NULL : json_parse(*text, size, path, &memory_system, NULL);
    if (document == NULL) {
        test_fail(__FILE__, __LINE__, "no JSON in %s", path);
    }
    return document;
}
