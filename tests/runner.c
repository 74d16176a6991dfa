/* Runs the tests of this executable: [--list] [--filter TEXT]. Exit status 0 only when none failed and at
 * least one ran. */
#include "test.h"

#include <stdarg.h>
#include <stdlib.h>

static test_case *first;
static const test_case *current;
static int failures_of_current, skips_of_current;

void test_register(test_case *test)
{
    test_case **at = &first;
    while (*at != NULL && strcmp((*at)->name, test->name) < 0) {
        at = &(*at)->next;
    }
    test->next = *at;
    *at = test;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (failures_of_current++ < 10) {
        printf("%s:%d: %s: ", file, line, current->name);
        vprintf(format, arguments);
        printf("\n");
    }
    va_end(arguments);
}

void test_skip(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("SKIP %s: ", current->name);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    skips_of_current++;
}

const char *test_data(const char *name)
{
    static char paths[4][1024];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", TEST_DATA, name);
    return path;
}

const char *test_model(const char *name)
{
    static char path[1024];
    const char *folder = getenv("SMIDGEN_MODELS");
    if (folder == NULL) {
        return NULL;
    }
    snprintf(path, sizeof path, "%s/%s.gguf", folder, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return NULL;
    }
    fclose(f);
    return path;
}

int main(int argc, char **argv)
{
    const char *filter = NULL;
    bool list = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            list = true;
        } else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc) {
            filter = argv[++i];
        } else {
            fprintf(stderr, "usage: %s [--list] [--filter TEXT]\n", argv[0]);
            return 2;
        }
    }
    int passed = 0, failed = 0, skipped = 0;
    for (current = first; current != NULL; current = current->next) {
        if (filter != NULL && strstr(current->name, filter) == NULL &&
            strstr(current->file, filter) == NULL) {
            continue;
        }
        if (list) {
            printf("%s\n", current->name);
            continue;
        }
        failures_of_current = skips_of_current = 0;
        current->run();
        if (failures_of_current != 0) {
            printf("FAIL %s (%d checks)\n", current->name, failures_of_current);
            failed++;
        } else if (skips_of_current != 0) {
            skipped++;
        } else {
            passed++;
        }
        fflush(stdout);
    }
    if (list) {
        return 0;
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed == 0 && passed + skipped > 0 ? 0 : 1;
}
