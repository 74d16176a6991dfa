/* Owns the common view on GGUF files and Hugging Face folders. The folder's files are read by
 * checkpoint_folder.c. Refuses names that appear in two files, and reads outside a tensor. */
#include "formats/checkpoint.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "formats/checkpoint_private.h"

void checkpoint_report(smidgen_error *error, const smidgen_error *cause, const char *path)
{
    if (error == NULL) {
        return;
    }
    if (path == NULL || strstr(cause->message, path) != NULL) {
        *error = *cause;
        return;
    }
    const char *slash = strrchr(path, '/');
    error_set_limit(error, cause->code, cause->limit, cause->needed, "%.100s: %s",
                    slash == NULL ? path : slash + 1, cause->message);
    error_advise(error, cause->advice);
}

checkpoint *checkpoint_begin(const smidgen_allocator *allocator, smidgen_error *error)
{
    checkpoint *c = memory_allocate_zeroed(allocator, sizeof *c);
    if (c == NULL) {
        error_set_memory(error, "a checkpoint", sizeof *c);
        return NULL;
    }
    arena_init(&c->arena, allocator);
    c->private = arena_allocate(&c->arena, sizeof *c->private);
    if (c->private == NULL) {
        error_set_memory(error, "a checkpoint", sizeof *c->private);
        checkpoint_close(c);
        return NULL;
    }
    return c;
}

void checkpoint_close(checkpoint *c)
{
    if (c == NULL) {
        return;
    }
    const smidgen_allocator *allocator = c->arena.allocator;
    struct checkpoint_private *p = c->private;
    for (uint32_t i = 0; p != NULL && i < p->source_count; i++) {
        p->sources[i]->close(p->sources[i]);
    }
    json_close(c->config);
    json_close(c->tokenizer);
    json_close(c->tokenizer_config);
    json_close(c->generation_config);
    if (p != NULL) {
        arena source_arena = p->source_arena; /* the struct lies in the other arena */
        if (source_arena.allocator != NULL) {
            arena_close(&source_arena);
        }
    }
    arena_close(&c->arena);
    memory_release(allocator, c, sizeof *c);
}

static bool fill_from_gguf(checkpoint *c, source *s, smidgen_error *error)
{
    c->gguf = gguf_open(&c->arena, s, error);
    if (c->gguf == NULL) {
        return false;
    }
    c->chat_template = gguf_text(c->gguf, "tokenizer.chat_template", NULL);
    c->tensor_count = gguf_tensor_count(c->gguf);
    checkpoint_tensor *tensors = arena_array(&c->arena, (size_t)c->tensor_count, sizeof *tensors);
    if (tensors == NULL) {
        return error_set_memory(error, "the tensor table", c->tensor_count * sizeof *tensors);
    }
    for (uint64_t i = 0; i < c->tensor_count; i++) {
        const gguf_tensor *t = gguf_tensor_at(c->gguf, i);
        tensors[i] = (checkpoint_tensor){.name = t->name,
                                         .type = t->type,
                                         .rank = t->rank,
                                         .offset = t->offset,
                                         .size_bytes = t->size_bytes};
        memcpy(tensors[i].shape, t->shape, sizeof t->shape);
    }
    c->tensors = tensors;
    return true;
}

static bool adopt_source(checkpoint *c, source *s, smidgen_error *error)
{
    struct checkpoint_private *p = c->private;
    p->sources = arena_array(&c->arena, 1, sizeof *p->sources);
    if (p->sources == NULL) {
        s->close(s);
        return error_set_memory(error, "a checkpoint", sizeof *p->sources);
    }
    p->sources[p->source_count++] = s;
    return true;
}

checkpoint *checkpoint_open_source(source *s, arena *owner, const smidgen_allocator *allocator,
                                   smidgen_error *error)
{
    checkpoint *c = checkpoint_begin(allocator, error);
    if (c == NULL) {
        s->close(s);
        if (owner != NULL) {
            arena_close(owner);
        }
        return NULL;
    }
    if (owner != NULL) { /* moved: closing the caller's arena is harmless from here on */
        c->private->source_arena = *owner;
        arena_init(owner, owner->allocator);
    }
    if (!adopt_source(c, s, error) || !fill_from_gguf(c, s, error)) {
        checkpoint_close(c);
        return NULL;
    }
    return c;
}

static bool open_file(checkpoint *c, const char *path, smidgen_error *error)
{
    source *s = source_open_file(&c->arena, path, error);
    if (s == NULL || !adopt_source(c, s, error)) {
        return false;
    }
    if (fill_from_gguf(c, s, error)) {
        return true;
    }
    size_t length = strlen(path);
    if (error->code == SMIDGEN_ERROR_BAD_FILE && length > 12 &&
        strcmp(path + length - 12, ".safetensors") == 0) {
        error_advise(error, "Pass the folder that holds the file, config.json and tokenizer.json.");
    }
    return false;
}

checkpoint *checkpoint_open(const char *path, const smidgen_allocator *allocator, smidgen_error *error)
{
    smidgen_error cause = {0};
    checkpoint *c = checkpoint_begin(allocator, &cause);
    if (c != NULL &&
        (file_is_folder(path) ? checkpoint_open_folder(c, path, &cause) : open_file(c, path, &cause))) {
        return c;
    }
    checkpoint_close(c);
    checkpoint_report(error, &cause, path);
    return NULL;
}

const checkpoint_tensor *checkpoint_find(const checkpoint *c, const char *name)
{
    if (c->gguf != NULL) {
        const gguf_tensor *t = gguf_find_tensor(c->gguf, name);
        return t == NULL ? NULL : &c->tensors[t - gguf_tensor_at(c->gguf, 0)];
    }
    uint32_t number;
    return name_index_find(&c->private->names, name, strlen(name), &number) ? &c->tensors[number] : NULL;
}

bool checkpoint_read(const checkpoint *c, const checkpoint_tensor *t, uint64_t offset, void *into,
                     size_t size_bytes, smidgen_error *error)
{
    if (offset > t->size_bytes || size_bytes > t->size_bytes - offset) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "%zu bytes at %llu are outside tensor '%s' (%llu bytes)", size_bytes,
                         (unsigned long long)offset, name_printable(t->name, strlen(t->name)).text,
                         (unsigned long long)t->size_bytes);
    }
    const source *s = c->private->sources[t->file];
    return s->read(s, t->offset + offset, into, size_bytes, error);
}
