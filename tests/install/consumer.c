/* A stranger's program: it links the installed library, and has functions of its own with names that the
 * library uses inside. Prints the version of the library. */
#include <smidgen.h>
#include <stdio.h>
#include <string.h>

int arena_init(void);
int yyjson_read_opts(void);

int arena_init(void)
{
    return 1;
}

int yyjson_read_opts(void)
{
    return 2;
}

int main(void)
{
    smidgen_error error = {0};
    smidgen_model *model = smidgen_model_open("no-such-file.gguf", NULL, &error);
    if (model != NULL || error.code != SMIDGEN_ERROR_NOT_FOUND || arena_init() + yyjson_read_opts() != 3) {
        fprintf(stderr, "error %d: %s\n", (int)error.code, error.message);
        return 1;
    }
    puts(smidgen_version());
    return 0;
}
