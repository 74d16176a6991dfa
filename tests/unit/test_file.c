#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

TEST(file_errors_name_the_cause)
{
    file f;
    smidgen_error error = {0};
    CHECK(!file_open(&f, "/no/such/file", &error));
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_NOT_FOUND);
    CHECK(strstr(error.message, "/no/such/file") != NULL);
    CHECK(!file_open(&f, "/", &error));
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    CHECK(!file_open(&f, "/dev/null", &error));
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    CHECK(file_is_folder("/") && file_exists("/dev/null") && !file_is_folder("/dev/null"));
    CHECK(!file_exists("/no/such/file"));
}

TEST(file_refuses_a_pipe_without_waiting)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/smidgen_pipe_%ld", (long)getpid());
    REQUIRE(mkfifo(path, 0600) == 0);
    file f;
    smidgen_error error = {0};
    CHECK(!file_open(&f, path, &error));
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    unlink(path);
}

TEST(file_read_all_ends_with_a_zero_byte_and_keeps_the_limit)
{
    char path[] = "/tmp/smidgen_file_XXXXXX";
    int descriptor = mkstemp(path);
    REQUIRE(descriptor >= 0 && write(descriptor, "hello", 5) == 5);
    close(descriptor);
    arena a;
    arena_init(&a, &memory_system);
    smidgen_error error = {0};
    uint64_t size = 0;
    const char *text = file_read_all(&a, path, 5, &size, &error);
    CHECK_TEXT(text, "hello");
    CHECK_EQUAL(size, 5);
    CHECK(file_read_all(&a, path, 4, &size, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_LIMIT);
    CHECK_EQUAL(error.needed, 5);
    file f;
    REQUIRE(file_open(&f, path, &error));
    char bytes[8];
    CHECK(file_read(&f, 1, bytes, 4, &error) && memcmp(bytes, "ello", 4) == 0);
    CHECK(!file_read(&f, 1, bytes, 5, &error));
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    CHECK(!file_read(&f, UINT64_MAX, bytes, 5, &error));
    file_close(&f);
    file_close(&f);
    arena_close(&a);
    unlink(path);
}
