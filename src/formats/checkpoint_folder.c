/* Owns folders in Hugging Face's layout. Refuses shard names that point outside the folder, tensors that the
 * index and the shards do not agree on, and JSON files past the limits below. */
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "formats/checkpoint_private.h"
#include "formats/safetensors.h"

enum {
    CONFIG_BYTES_LIMIT = 16 << 20,
    TOKENIZER_BYTES_LIMIT = 512 << 20,
    INDEX_BYTES_LIMIT = 256 << 20,
    TEMPLATE_BYTES_LIMIT = 4 << 20,
    SHARD_LIMIT = 512, /* each stays open */
};

typedef struct folder {
    checkpoint *checkpoint;
    const char *path;
    smidgen_error *error;
    safetensors_file **files; /* [source_count] */
} folder;

/* "path/name" in the arena; NULL with the error set. */
static char *join(folder *f, const char *name)
{
    size_t path_bytes = strlen(f->path), name_bytes = strlen(name);
    char *joined = arena_allocate(&f->checkpoint->arena, path_bytes + name_bytes + 2);
    if (joined == NULL) {
        error_set_memory(f->error, "a path", path_bytes + name_bytes + 2);
        return NULL;
    }
    memcpy(joined, f->path, path_bytes);
    joined[path_bytes] = '/';
    memcpy(joined + path_bytes + 1, name, name_bytes);
    return joined;
}

/* A file that may be missing: true with *document NULL then. */
static bool read_json(folder *f, const char *name, uint64_t limit_bytes, json_document **document)
{
    *document = NULL;
    const char *path = join(f, name);
    if (path == NULL) {
        return false;
    }
    if (!file_exists(path)) {
        return true;
    }
    arena text_arena; /* the text goes as soon as it is parsed */
    arena_init(&text_arena, f->checkpoint->arena.allocator);
    uint64_t size = 0;
    const char *text = file_read_all(&text_arena, path, limit_bytes, &size, f->error);
    if (text != NULL) {
        *document = json_parse(text, (size_t)size, name, f->checkpoint->arena.allocator, f->error);
    }
    arena_close(&text_arena);
    if (*document != NULL && json_kind_of(json_root(*document)) != JSON_OBJECT) {
        json_close(*document);
        *document = NULL;
        return error_set(f->error, SMIDGEN_ERROR_BAD_FILE, "%s is not a JSON object", name);
    }
    return *document != NULL;
}

/* tokenizer_config.json holds one template, or a list of {name, template} of which "default" is meant. */
static const json_value *find_template(const json_value *value)
{
    if (json_kind_of(value) != JSON_ARRAY) {
        return value;
    }
    const json_value *first = NULL;
    for (json_iterator it = json_iterate(value); json_next(&it);) {
        const json_value *text = json_get(it.value, "template");
        if (json_is_string(json_get(it.value, "name"), "default")) {
            return text;
        }
        first = first == NULL ? text : first;
    }
    return first;
}

/* chat_template.jinja wins, as it does in the reference. */
static bool read_template(folder *f)
{
    checkpoint *c = f->checkpoint;
    const char *path = join(f, "chat_template.jinja");
    if (path == NULL) {
        return false;
    }
    if (file_exists(path)) {
        c->chat_template = file_read_all(&c->arena, path, TEMPLATE_BYTES_LIMIT, NULL, f->error);
        return c->chat_template != NULL;
    }
    size_t size = 0;
    const json_value *value = find_template(json_get(json_root(c->tokenizer_config), "chat_template"));
    const char *text = json_string(value, &size);
    if (text == NULL) {
        return true;
    }
    c->chat_template = arena_copy_text(&c->arena, text, size);
    return c->chat_template != NULL || error_set_memory(f->error, "the chat template", size);
}

static bool open_shard(folder *f, const char *name)
{
    struct checkpoint_private *p = f->checkpoint->private;
    const char *path = join(f, name);
    source *s = path == NULL ? NULL : source_open_file(&f->checkpoint->arena, path, f->error);
    if (s == NULL) {
        return false;
    }
    p->sources[p->source_count] = s;
    smidgen_error cause = {0};
    f->files[p->source_count] = safetensors_open(&f->checkpoint->arena, s, &cause);
    p->source_count++;
    if (f->files[p->source_count - 1] != NULL) {
        return true;
    }
    checkpoint_report(f->error, &cause, path);
    return false;
}

static bool add_tensor(folder *f, checkpoint_tensor *tensors, const safetensors_tensor *t, uint32_t shard)
{
    checkpoint *c = f->checkpoint;
    size_t name_bytes = strlen(t->name);
    name_added outcome = name_index_add(&c->private->names, t->name, name_bytes, (uint32_t)c->tensor_count);
    if (outcome != NAME_ADDED) {
        return error_set(
            f->error, SMIDGEN_ERROR_BAD_FILE, "tensor '%s' %s", name_printable(t->name, name_bytes).text,
            outcome == NAME_DUPLICATE ? "is in two files" : "collides with too many other names");
    }
    checkpoint_tensor *out = &tensors[c->tensor_count++];
    *out = (checkpoint_tensor){.name = t->name,
                               .type = t->type,
                               .rank = t->rank,
                               .offset = t->offset,
                               .size_bytes = t->size_bytes,
                               .file = (int32_t)shard};
    memcpy(out->shape, t->shape, sizeof t->shape);
    return true;
}

/* The tensors of every open file, in file order. */
static bool collect_tensors(folder *f)
{
    checkpoint *c = f->checkpoint;
    uint64_t count = 0;
    for (uint32_t i = 0; i < c->private->source_count; i++) {
        count += f->files[i]->tensor_count;
    }
    checkpoint_tensor *tensors = arena_array(&c->arena, (size_t)count, sizeof *tensors);
    if (tensors == NULL || !name_index_make(&c->private->names, &c->arena, count)) {
        return error_set_memory(f->error, "the tensor table", count * sizeof *tensors);
    }
    for (uint32_t i = 0; i < c->private->source_count; i++) {
        for (uint64_t k = 0; k < f->files[i]->tensor_count; k++) {
            if (!add_tensor(f, tensors, &f->files[i]->tensors[k], i)) {
                return false;
            }
        }
    }
    c->tensors = tensors;
    return true;
}

static bool make_room(folder *f, size_t shards)
{
    struct checkpoint_private *p = f->checkpoint->private;
    p->sources = arena_array(&f->checkpoint->arena, shards, sizeof *p->sources);
    f->files = arena_array(&f->checkpoint->arena, shards, sizeof *f->files);
    return (p->sources != NULL && f->files != NULL) ||
           error_set_memory(f->error, "the shard table", shards * sizeof *p->sources);
}

/* A plain file name: no folder, nothing hidden. */
static bool is_plain_name(const char *name, size_t name_bytes)
{
    return name_bytes != 0 && name_bytes < 256 && name[0] != '.' && memchr(name, 0, name_bytes) == NULL &&
           memchr(name, '/', name_bytes) == NULL && memchr(name, '\\', name_bytes) == NULL;
}

/* Opens each shard that weight_map names, once, in the order of its first mention. */
static bool open_shards(folder *f, const json_value *map, name_index *shards)
{
    uint32_t count = 0;
    for (json_iterator it = json_iterate(map); json_next(&it);) {
        size_t name_bytes = 0;
        uint32_t number;
        const char *name = json_string(it.value, &name_bytes);
        if (name == NULL || !is_plain_name(name, name_bytes)) {
            return error_set(f->error, SMIDGEN_ERROR_BAD_FILE,
                             "the index puts tensor '%s' in a file whose name is not allowed",
                             name_printable(it.key, it.key_bytes).text);
        }
        if (name_index_find(shards, name, name_bytes, &number)) {
            continue;
        }
        if (count == SHARD_LIMIT) {
            return error_set_limit(f->error, SMIDGEN_ERROR_LIMIT, SHARD_LIMIT, SHARD_LIMIT + 1,
                                   "the index names more than %d files", SHARD_LIMIT);
        }
        if (!open_shard(f, name) || name_index_add(shards, name, name_bytes, count++) != NAME_ADDED) {
            return false;
        }
    }
    return true;
}

/* Each tensor of the index must be in the shard that it names. */
static bool check_map(folder *f, const json_value *map, const name_index *shards)
{
    for (json_iterator it = json_iterate(map); json_next(&it);) {
        size_t name_bytes = 0;
        uint32_t tensor, shard = 0;
        const char *name = json_string(it.value, &name_bytes);
        const checkpoint *c = f->checkpoint;
        bool is_there = name_index_find(&c->private->names, it.key, it.key_bytes, &tensor) &&
                        name_index_find(shards, name, name_bytes, &shard) &&
                        c->tensors[tensor].file == (int32_t)shard;
        if (!is_there) {
            return error_set(
                f->error, SMIDGEN_ERROR_MISSING_TENSOR, "tensor '%s' is not in %s, where the index puts it",
                name_printable(it.key, it.key_bytes).text, name_printable(name, name_bytes).text);
        }
    }
    return true;
}

static bool open_sharded(folder *f, const json_value *map)
{
    name_index shards;
    if (json_kind_of(map) != JSON_OBJECT || json_count(map) == 0) {
        return error_set(f->error, SMIDGEN_ERROR_BAD_FILE, "model.safetensors.index.json has no weight_map");
    }
    if (!make_room(f, SHARD_LIMIT)) {
        return false;
    }
    if (!name_index_make(&shards, &f->checkpoint->arena, SHARD_LIMIT)) {
        return error_set_memory(f->error, "the shard table", SHARD_LIMIT);
    }
    return open_shards(f, map, &shards) && collect_tensors(f) && check_map(f, map, &shards);
}

static bool open_weights(folder *f)
{
    const char *single = join(f, "model.safetensors");
    if (single == NULL) {
        return false;
    }
    if (file_exists(single)) {
        return make_room(f, 1) && open_shard(f, "model.safetensors") && collect_tensors(f);
    }
    json_document *index;
    if (!read_json(f, "model.safetensors.index.json", INDEX_BYTES_LIMIT, &index)) {
        return false;
    }
    if (index == NULL) {
        return error_set(f->error, SMIDGEN_ERROR_NOT_FOUND,
                         "%s has neither model.safetensors nor model.safetensors.index.json", f->path);
    }
    bool is_open = open_sharded(f, json_get(json_root(index), "weight_map"));
    json_close(index);
    return is_open;
}

bool checkpoint_open_folder(checkpoint *c, const char *path, smidgen_error *error)
{
    folder f = {.checkpoint = c, .path = path, .error = error};
    if (!read_json(&f, "config.json", CONFIG_BYTES_LIMIT, &c->config)) {
        return false;
    }
    if (c->config == NULL) {
        return error_set(error, SMIDGEN_ERROR_NOT_FOUND, "%s has no config.json", path);
    }
    return read_json(&f, "tokenizer.json", TOKENIZER_BYTES_LIMIT, &c->tokenizer) &&
           read_json(&f, "tokenizer_config.json", CONFIG_BYTES_LIMIT, &c->tokenizer_config) &&
           read_json(&f, "generation_config.json", CONFIG_BYTES_LIMIT, &c->generation_config) &&
           read_template(&f) && open_weights(&f);
}
