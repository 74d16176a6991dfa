/* Unicode tables and normal forms against digests of what Python's tables give
 * (tests/oracles/normal_forms.py). */
#include <stdlib.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "test.h"
#include "tokenizers/normal_form.h"
#include "tokenizers/unicode.h"

static void check_digest(const char *what, const void *bytes, size_t size, const char *expected)
{
    hash_sha256 h;
    uint8_t digest[32];
    char hex[65];
    hash_sha256_begin(&h);
    hash_sha256_update(&h, bytes, size);
    hash_sha256_end(&h, digest);
    hash_to_hex(digest, 32, hex);
    if (strcmp(hex, expected) != 0) {
        test_fail(__FILE__, __LINE__, "%s: digest is %s, expected %s", what, hex, expected);
    }
}

/* The code points of the digests: all that are assigned outside the planes of private use. */
static bool next_point(uint32_t *c)
{
    ++*c;
    *c = *c == 0xD800 ? 0xE000 : *c == 0x2FA20 ? 0xE0000 : *c;
    return *c < 0xE0200;
}

static void every_point(scratch *text, bool separated, uint32_t (*map)(uint32_t))
{
    for (uint32_t c = 0; next_point(&c);) {
        if (separated && c > 1) {
            scratch_append(text, "\n", 1);
        }
        scratch_append_code_point(text, map == NULL ? c : map(c));
    }
}

static void random_parts(scratch *text)
{
    static const uint32_t parts[] = {
        0x41,   0x65,   0x6F,   0x75,   0xE9,   0x1EA5,  0x212B,  0xFB01,  0x3C9,  0x1F7C, 0x928,  0x9C7,
        0x9BE,  0xDD9,  0xDDC,  0xFA1,  0x300,  0x301,   0x302,   0x307,   0x308,  0x30A,  0x323,  0x327,
        0x328,  0x331,  0x338,  0x345,  0x34F,  0x5B0,   0x64B,   0x93C,   0x1100, 0x1112, 0x1161, 0x1175,
        0x11A8, 0x11C2, 0xAC00, 0xAC01, 0xD7A3, 0x11099, 0x110BA, 0x1D15E, 0x1D165};
    uint32_t state = 1;
    for (int i = 0; i < 200000; i++) {
        state = state * 1664525u + 1013904223u;
        scratch_append_code_point(text, parts[(state >> 16) % (sizeof parts / sizeof parts[0])]);
    }
}

TEST(normal_forms_of_every_code_point_and_of_random_sequences_are_right)
{
    static const struct {
        int flags;
        const char *points, *random;
    } forms[] = {
        {NORMAL_FORM_COMPOSED, "682109c47834211980e487efb5559a18d4ea5a7611c070870f7e157d1e0bc299",
         "61e2ff76e8e9622ffa7f2a55d39fae69b181c42ff4a916b5035c24320aea9ba3"},
        {0, "3481afd7959908d67aa63b17ef616855453313bd4bebfe61fc716c2fe4b6208c",
         "aac9221c73c5a631d9ecc744d75869f7ceb6b687b9704e1c60811ec8304fc2b4"},
        {NORMAL_FORM_COMPOSED | NORMAL_FORM_COMPATIBLE,
         "ee897f710078ef1d1ddabd123e87712018cc05fef8ec8d6af87372c59d2f77e2",
         "8ff1d93952db5940c27b77ecded1b78e3aa48f7bc08e3db037997298bc52c021"},
        {NORMAL_FORM_COMPATIBLE, "c491c3a288c8b840dbea8b4f9dc8af0420334e1f2fcf6177d1a747022b33709a",
         "7954d4baea112a97532772e76a202edffbfeb3674ec3f752703cb52f2c80e3c3"},
    };
    scratch points = {.allocator = &memory_system}, random = points, out = points, work = points;
    every_point(&points, true, NULL);
    random_parts(&random);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        out.size = 0;
        CHECK(normal_form_append(&out, &work, points.data, points.size, forms[i].flags));
        check_digest("every code point", out.data, out.size, forms[i].points);
        out.size = 0;
        CHECK(normal_form_append(&out, &work, random.data, random.size, forms[i].flags));
        check_digest("random sequences", out.data, out.size, forms[i].random);
    }
    scratch_close(&points);
    scratch_close(&random);
    scratch_close(&out);
    scratch_close(&work);
}

TEST(normal_forms_leave_bytes_that_are_not_utf8_alone)
{
    scratch out = {.allocator = &memory_system}, work = out;
    const char text[] = "e\xFF\xCC\x81 e\xCC\x81\xCC";
    CHECK(normal_form_append(&out, &work, text, sizeof text - 1, NORMAL_FORM_COMPOSED));
    CHECK_EQUAL(out.size, 8);
    CHECK(out.size == 8 && memcmp(out.data, "e\xFF\xCC\x81 \xC3\xA9\xCC", 8) == 0);
    scratch_close(&out);
    scratch_close(&work);
}

TEST(unicode_categories_of_every_code_point_are_right)
{
    enum { ALL = 0x110000 };
    uint8_t *categories = malloc(ALL);
    REQUIRE(categories != NULL);
    for (uint32_t c = 0; c < ALL; c++) {
        uint32_t bit = unicode_mask(c) & ~UNICODE_SPACES;
        categories[c] = 0;
        while (bit > 1) {
            bit >>= 1;
            categories[c]++;
        }
    }
    check_digest("categories", categories, ALL,
                 "cf958e3d9614f127e79dcc1d5687d90079c7c9986f726d7e4d034554a874f482");
    free(categories);
}

TEST(unicode_lower_case_of_every_code_point_is_right)
{
    scratch text = {.allocator = &memory_system};
    every_point(&text, false, unicode_lower);
    check_digest("lower case", text.data, text.size,
                 "797a7ce71c164397ce1450e71a12eae277e6cc85b35f9e9c7fdd65ab6e82bc20");
    scratch_close(&text);
}

TEST(unicode_white_space_is_the_property_of_25_code_points)
{
    int count = 0;
    for (uint32_t c = 0; c < 0x110000; c++) {
        count += (unicode_mask(c) & UNICODE_SPACES) != 0;
    }
    CHECK_EQUAL(count, 25);
    CHECK((unicode_mask(0x85) & UNICODE_SPACES) != 0 && (unicode_mask(0x200B) & UNICODE_SPACES) == 0);
}
