#include "test.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"

TEST(arena_blocks_are_aligned_and_zeroed)
{
    arena a;
    arena_init(&a, &memory_system);
    for (size_t size = 1; size < 200000; size = size * 3 + 1) {
        unsigned char *p = arena_allocate(&a, size);
        REQUIRE(p != NULL);
        CHECK((uintptr_t)p % 16 == 0);
        CHECK(p[0] == 0 && p[size - 1] == 0);
        memset(p, 0xAA, size);
    }
    CHECK(arena_array(&a, SIZE_MAX / 2, 4) == NULL);
    arena_close(&a);
}

TEST(reader_never_reads_past_the_end)
{
    const uint8_t data[7] = {1, 2, 3, 4, 5, 6, 7};
    bytes_reader r = bytes_reader_make(data, sizeof data);
    CHECK_EQUAL(bytes_read_u32(&r), 0x04030201);
    CHECK_EQUAL(bytes_read_u32(&r), 0);
    CHECK(r.failed);
    CHECK_EQUAL(bytes_read_u8(&r), 0);
    CHECK(bytes_take(&r, UINT64_MAX) == NULL);
}

TEST(sha256_matches_the_standard)
{
    hash_sha256 h;
    uint8_t digest[32];
    char hex[65];
    hash_sha256_begin(&h);
    hash_sha256_update(&h, "abc", 3);
    hash_sha256_end(&h, digest);
    hash_to_hex(digest, 32, hex);
    CHECK_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_sha256_begin(&h);
    char block[1000];
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 1000; i++) {
        hash_sha256_update(&h, block, sizeof block);
    }
    hash_sha256_end(&h, digest);
    hash_to_hex(digest, 32, hex);
    CHECK_TEXT(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(utf8_round_trips_every_code_point)
{
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        if (c >= 0xD800 && c <= 0xDFFF) {
            continue;
        }
        char text[4];
        uint32_t back;
        size_t size = utf8_encode(c, text);
        CHECK(utf8_decode(text, size, &back) == size && back == c);
        CHECK_EQUAL(utf8_incomplete_tail(text, size), 0);
        for (size_t cut = 1; cut < size; cut++) {
            CHECK_EQUAL(utf8_incomplete_tail(text, cut), cut);
        }
    }
}

TEST(utf8_refuses_overlong_and_surrogates)
{
    CHECK(!utf8_is_valid("\xC0\x80", 2));
    CHECK(!utf8_is_valid("\xE0\x80\x80", 3));
    CHECK(!utf8_is_valid("\xED\xA0\x80", 3));
    CHECK(!utf8_is_valid("\xF5\x80\x80\x80", 4));
    CHECK(!utf8_is_valid("\xFF", 1));
    CHECK(utf8_is_valid("\xF0\x9F\x98\x80", 4));
}

TEST(every_error_has_a_name)
{
    CHECK_TEXT(smidgen_error_name(SMIDGEN_ERROR_BAD_FILE), "BAD_FILE");
    CHECK_TEXT(smidgen_error_name((smidgen_error_code)9999), "INTERNAL");
}
