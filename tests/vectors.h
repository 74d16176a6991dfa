/* Reference vectors: safetensors files of inputs and outputs, read whole. For tests only. */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include "base/json.h"

typedef struct vectors {
    char *bytes;
    size_t size;
    json_document *header;
} vectors;

typedef struct vector_tensor {
    const void *data; /* F32, I32 or U8 */
    int64_t shape[4];
    int rank;
    int64_t count;
} vector_tensor;

bool vectors_open(vectors *v, const char *path);
void vectors_close(vectors *v);
/* data is NULL when the file has no such tensor. */
vector_tensor vectors_get(const vectors *v, const char *name);
/* A whole JSON file; NULL (and a failed check) when it cannot be read. *text is to be freed after json_close.
 */
json_document *vectors_json(const char *path, char **text);

#endif
