/* Owns the command line tool's memory and its reading of whole files. */
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *or_die(void *block, size_t size_bytes)
{
    if (block == NULL) {
        fprintf(stderr, "error: not enough memory (%zu bytes)\n", size_bytes);
        exit(SMIDGEN_ERROR_OUT_OF_MEMORY);
    }
    return block;
}

void *cli_allocate(size_t size_bytes)
{
    return or_die(calloc(1, size_bytes != 0 ? size_bytes : 1), size_bytes);
}

void *cli_resize(void *block, size_t size_bytes)
{
    return or_die(realloc(block, size_bytes != 0 ? size_bytes : 1), size_bytes);
}

char *cli_copy(const char *bytes, size_t size)
{
    char *copy = cli_allocate(size + 1);
    memcpy(copy, bytes, size);
    return copy;
}

static void print_list(text *t, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    if (size > 0) {
        text_reserve(t, (size_t)size);
        vsnprintf(t->bytes + t->size, (size_t)size + 1, format, again);
        t->size += (size_t)size;
    }
    va_end(again);
}

char *cli_format(const char *format, ...)
{
    text t = {NULL, 0, 0};
    va_list arguments;
    text_reserve(&t, 0);
    va_start(arguments, format);
    print_list(&t, format, arguments);
    va_end(arguments);
    return t.bytes;
}

void text_reserve(text *t, size_t more_bytes)
{
    if (t->capacity - t->size <= more_bytes) {
        size_t wanted = t->size + more_bytes + 1;
        t->capacity = wanted < 2 * t->capacity ? 2 * t->capacity : wanted < 64 ? 64 : wanted;
        t->bytes = cli_resize(t->bytes, t->capacity);
    }
    t->bytes[t->size] = 0;
}

void text_add(text *t, const char *bytes, size_t size)
{
    text_reserve(t, size);
    if (size != 0) {
        memcpy(t->bytes + t->size, bytes, size);
    }
    t->size += size;
    t->bytes[t->size] = 0;
}

void text_put(text *t, const char *terminated)
{
    text_add(t, terminated, strlen(terminated));
}

void text_print(text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_list(t, format, arguments);
    va_end(arguments);
}

void text_clear(text *t)
{
    t->size = 0;
    text_reserve(t, 0);
}

void text_free(text *t)
{
    free(t->bytes);
    *t = (text){NULL, 0, 0};
}

bool text_read(text *t, const char *path, uint64_t limit_bytes, smidgen_error *error)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "rb");
    if (f == NULL) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        return cli_error(error, absent ? SMIDGEN_ERROR_NOT_FOUND : SMIDGEN_ERROR_IO, "Check the path.",
                         "cannot read %s: %s", path, strerror(errno));
    }
    bool fine = true;
    text_reserve(t, 0);
    for (;;) {
        text_reserve(t, 65536);
        size_t got = fread(t->bytes + t->size, 1, 65536, f);
        t->size += got;
        t->bytes[t->size] = 0;
        if (t->size > limit_bytes) {
            fine = cli_error(error, SMIDGEN_ERROR_LIMIT, "", "%s is longer than %llu bytes", path,
                             (unsigned long long)limit_bytes);
            break;
        }
        if (got == 0) {
            break;
        }
    }
    if (fine && ferror(f)) {
        fine = cli_error(error, SMIDGEN_ERROR_IO, "", "cannot read %s: %s", path, strerror(errno));
    }
    if (!standard) {
        fclose(f);
    }
    return fine;
}

bool cli_error(smidgen_error *error, smidgen_error_code code, const char *advice, const char *format, ...)
{
    va_list arguments;
    memset(error, 0, sizeof *error);
    error->code = code;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    snprintf(error->advice, sizeof error->advice, "%s", advice != NULL ? advice : "");
    return false;
}

const char *human_bytes(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(out, 32, unit == 0 ? "%.0f %s" : value < 10 ? "%.2f %s" : "%.1f %s", value, units[unit]);
    return out;
}

const char *human_duration(double seconds, char out[32])
{
    long whole = seconds > 0 && seconds < 1e9 ? (long)(seconds + 0.5) : 0;
    if (whole >= 3600) {
        snprintf(out, 32, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    } else {
        snprintf(out, 32, "%ld:%02ld", whole / 60, whole % 60);
    }
    return out;
}

double cli_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int word_distance(const char *a, const char *b, int limit)
{
    enum { LONGEST = 40 };
    int row[LONGEST + 1];
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size > LONGEST || b_size > LONGEST) {
        return limit + 1;
    }
    for (size_t j = 0; j <= b_size; j++) {
        row[j] = (int)j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_size; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            int best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            diagonal = row[j];
            row[j] = change < best ? change : best;
        }
    }
    return row[b_size] <= limit ? row[b_size] : limit + 1;
}
