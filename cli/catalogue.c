/* Owns the reading of models.json and the naming of cache files. Refuses entries that could write outside the
 * cache. */
#include "catalogue.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const unsigned char catalogue_builtin[];
extern const size_t catalogue_builtin_bytes;

bool is_sha256(const char *word)
{
    return strlen(word) == 64 && strspn(word, "0123456789abcdef") == 64;
}

/* A word that is safe as a file name. */
static bool is_plain_name(const char *word)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t size = strlen(word);
    return size > 0 && size < 200 && word[0] != '.' && word[0] != '-' && strspn(word, allowed) == size;
}

static bool read_parts(const json_tree *tree, const node *list, catalogue_source *source)
{
    source->parts = cli_allocate((list->count + 1) * sizeof *source->parts);
    for (const node *n = node_first(tree, list); n != NULL; n = node_next(tree, list, n)) {
        catalogue_part *part = &source->parts[source->part_count++];
        part->package = node_text(node_get(tree, n, "package"), "");
        part->files = node_text(node_get(tree, n, "files"), "*");
        /* A package name that begins with a dash would be an option of pip. */
        if (part->package[0] == 0 || part->package[0] == '-') {
            return false;
        }
    }
    return source->part_count != 0;
}

static bool read_sources(const json_tree *tree, const node *list, catalogue_entry *entry)
{
    entry->sources = cli_allocate((list->count + 1) * sizeof *entry->sources);
    for (const node *n = node_first(tree, list); n != NULL; n = node_next(tree, list, n)) {
        catalogue_source *source = &entry->sources[entry->source_count++];
        const node *packages = node_get(tree, n, "pypi");
        const char *repository = node_text(node_get(tree, n, "hf"), NULL),
                   *url = node_text(node_get(tree, n, "url"), NULL);
        if (packages != NULL && packages->kind == NODE_ARRAY) {
            source->kind = SOURCE_PYPI;
            if (!read_parts(tree, packages, source)) {
                return false;
            }
        } else {
            source->kind = repository != NULL ? SOURCE_HF : SOURCE_URL;
            source->address = repository != NULL ? repository : url;
            if (source->address == NULL) {
                return false;
            }
        }
    }
    return entry->source_count != 0;
}

static bool read_entry(const json_tree *tree, const node *n, catalogue_entry *entry)
{
    const node *sources = node_get(tree, n, "sources"), *instruct = node_get(tree, n, "instruct");
    entry->name = node_text(node_get(tree, n, "name"), "");
    entry->file = node_text(node_get(tree, n, "file"), "");
    entry->description = node_text(node_get(tree, n, "description"), "");
    entry->architecture = node_text(node_get(tree, n, "architecture"), "");
    entry->licence = node_text(node_get(tree, n, "licence"), "");
    entry->sha256 = node_text(node_get(tree, n, "sha256"), "");
    entry->size = (uint64_t)node_number(node_get(tree, n, "size"), 0);
    entry->instruct = instruct != NULL && instruct->number != 0;
    bool fine = is_plain_name(entry->name) && is_plain_name(entry->file) && is_sha256(entry->sha256);
    return fine && entry->size != 0 && sources != NULL && read_sources(tree, sources, entry);
}

bool catalogue_load(catalogue *c, const options *o, smidgen_error *error)
{
    text file = {NULL, 0, 0};
    const char *what = o->catalogue != NULL ? o->catalogue : "the built-in catalogue";
    memset(c, 0, sizeof *c);
    if (o->catalogue == NULL) {
        text_add(&file, (const char *)catalogue_builtin, catalogue_builtin_bytes);
    } else if (!text_read(&file, o->catalogue, 1 << 24, error)) {
        text_free(&file);
        return false;
    }
    bool fine = json_read(&c->tree, file.bytes, file.size, what, error);
    text_free(&file);
    if (!fine) {
        return false;
    }
    const node *models = node_get(&c->tree, c->tree.nodes, "models");
    c->entries = cli_allocate((models != NULL ? models->count + 1 : 1) * sizeof *c->entries);
    for (const node *n = node_first(&c->tree, models); n != NULL; n = node_next(&c->tree, models, n)) {
        catalogue_entry *entry = &c->entries[c->count++];
        if (!read_entry(&c->tree, n, entry)) {
            cli_error(error, SMIDGEN_ERROR_BAD_FILE,
                      "See models.json in the repository for the form of an entry.",
                      "%s: entry %zu (\"%s\") is incomplete or malformed", what, c->count, entry->name);
            catalogue_free(c);
            return false;
        }
    }
    return true;
}

void catalogue_free(catalogue *c)
{
    for (size_t i = 0; i < c->count; i++) {
        for (size_t j = 0; j < c->entries[i].source_count; j++) {
            free(c->entries[i].sources[j].parts);
        }
        free(c->entries[i].sources);
    }
    free(c->entries);
    json_tree_free(&c->tree);
    memset(c, 0, sizeof *c);
}

const catalogue_entry *catalogue_find(const catalogue *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->entries[i].name, name) == 0) {
            return &c->entries[i];
        }
    }
    return NULL;
}

void catalogue_suggest(const catalogue *c, const char *name, char *out, size_t capacity)
{
    size_t used = (size_t)snprintf(out, capacity, "Names of the catalogue:");
    for (size_t i = 0; i < c->count; i++) {
        if (word_distance(name, c->entries[i].name, 3) <= 3) {
            snprintf(out, capacity, "Did you mean %s?", c->entries[i].name);
            return;
        }
        if (used < capacity) {
            used += (size_t)snprintf(out + used, capacity - used, " %s", c->entries[i].name);
        }
    }
}

/* ------------------------------------------------------------------------------------------------- paths */

static char *cache_root(smidgen_error *error)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache != NULL && cache[0] == '/') { /* the XDG rules: a relative path is ignored */
        return cli_format("%s/smidgen", cache);
    }
    if (home != NULL && home[0] != 0) {
        return cli_format("%s/.cache/smidgen", home);
    }
    cli_error(error, SMIDGEN_ERROR_NOT_FOUND, "Set XDG_CACHE_HOME to an absolute path, or use --output.",
              "there is no cache folder: neither XDG_CACHE_HOME nor HOME is set");
    return NULL;
}

char *cache_path_entry(const catalogue_entry *entry, smidgen_error *error)
{
    char *root = cache_root(error);
    char *path = root != NULL ? cli_format("%s/models/%s/%s", root, entry->name, entry->file) : NULL;
    free(root);
    return path;
}

/* Every component must be a plain name; a revision (org/repo@rev/file) is allowed in the second. */
char *cache_path_hf(const char *address, smidgen_error *error)
{
    int components = 0;
    bool fine = strlen(address) < 1000;
    for (const char *at = address; fine && *at != 0; components++) {
        size_t size = strcspn(at, "/");
        char *component = cli_copy(at, size);
        char *revision = components == 1 ? strchr(component, '@') : NULL;
        if (revision != NULL) {
            *revision++ = 0;
            fine = is_plain_name(revision);
        }
        fine = fine && is_plain_name(component);
        free(component);
        at += size;
        fine = fine && (*at == 0 || at[1] != 0);
        at += *at == '/';
    }
    if (!fine || components < 3) {
        cli_error(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                  "The form is hf:ORG/REPO/FILE or hf:ORG/REPO@REVISION/FILE.",
                  "hf:%s is not an address of a file", address);
        return NULL;
    }
    char *root = cache_root(error);
    char *path = root != NULL ? cli_format("%s/hf/%s", root, address) : NULL;
    free(root);
    return path;
}

char *cache_path_url(const char *url, smidgen_error *error)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a keeps files of one name from different places apart */
    for (const char *at = url; *at != 0; at++) {
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    }
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
    char *file = NULL;
    for (const char *at = path; at != NULL && *at == '/';) {
        size_t size = strcspn(at + 1, "/?#");
        free(file);
        file = cli_copy(at + 1, size);
        at += 1 + size;
    }
    char *root = file != NULL && is_plain_name(file) ? cache_root(error) : NULL;
    char *result = NULL;
    if (file == NULL || !is_plain_name(file)) {
        cli_error(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "Say where to put it with --output FILE.",
                  "%.200s does not end with a plain file name", url);
    } else if (root != NULL) {
        result = cli_format("%s/url/%016llx/%s", root, (unsigned long long)hash, file);
    }
    free(root);
    free(file);
    return result;
}

static bool exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

/* NAME.gguf in $SMIDGEN_MODELS, or NULL. */
static char *in_models_folder(const char *name)
{
    const char *folder = getenv("SMIDGEN_MODELS");
    char *path = folder != NULL && *folder != 0 ? cli_format("%s/%s.gguf", folder, name) : NULL;
    if (path != NULL && !exists(path)) {
        free(path);
        path = NULL;
    }
    return path;
}

static bool not_found(const catalogue *c, const char *what, smidgen_error *error)
{
    char advice[160];
    catalogue_suggest(c, what, advice, sizeof advice);
    return cli_error(error, SMIDGEN_ERROR_NOT_FOUND, strchr(what, '/') != NULL ? "Check the path." : advice,
                     "there is no file, folder or catalogue model \"%s\"", what);
}

char *model_resolve(const options *o, const char *what, smidgen_error *error)
{
    catalogue c;
    char *path = NULL;
    if (exists(what)) {
        return cli_copy(what, strlen(what));
    }
    if (!catalogue_load(&c, o, error)) {
        return NULL;
    }
    const catalogue_entry *entry = catalogue_find(&c, what);
    bool remote = strncmp(what, "hf:", 3) == 0 || strstr(what, "://") != NULL;
    if (entry != NULL) {
        path = in_models_folder(what);
        path = path != NULL ? path : cache_path_entry(entry, error);
    } else if (remote) {
        path = what[2] == ':' ? cache_path_hf(what + 3, error) : cache_path_url(what, error);
    } else {
        not_found(&c, what, error);
    }
    if (path != NULL && !exists(path)) {
        char advice[160];
        snprintf(advice, sizeof advice, "Run `smidgen fetch %.120s` first.", what);
        cli_error(error, SMIDGEN_ERROR_NOT_FOUND, advice, "%s is not on this machine yet", what);
        free(path);
        path = NULL;
    }
    catalogue_free(&c);
    return path;
}
