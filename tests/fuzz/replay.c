/* Feeds files to a fuzz entry, without a fuzzer: replay_<thing> FILE... Each file is copied into a block of
 * exactly its size, so that a sanitizer sees the first byte read past the end. Says how many files it fed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int feed(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        return 1;
    }
    long size = ftell(f);
    rewind(f);
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    if (size < 0 || data == NULL || fread(data, 1, (size_t)size, f) != (size_t)size) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        free(data);
        fclose(f);
        return 1;
    }
    fclose(f);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        fprintf(stderr, "replay: %s\n", argv[i]); /* the last line before a crash names the file */
        failed += feed(argv[i]);
    }
    printf("%d files replayed\n", argc - 1 - failed);
    return failed != 0;
}
