/* Chat templates that mean harm or are broken: bounded time and memory, errors that name the place, no leaks.
 */
#include "test.h"

#include "failing_allocator.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/thread.h"
#include "generate/chat_template.h"

#include <stdlib.h>
#include <time.h>

/* The bound of one second is for ordinary builds; sanitizers slow everything down. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SECONDS_MAX = 10 };
#else
enum { SECONDS_MAX = 1 };
#endif

/* Parses and renders; the code of the error, NONE when the text came out. */
static smidgen_error_code run(const char *source, size_t size, const char *variables, smidgen_error *error)
{
    arena a;
    *error = (smidgen_error){0};
    chat_template *t = chat_template_create(source, size, &memory_system, error);
    if (t == NULL) {
        return error->code;
    }
    arena_init(&a, &memory_system);
    chat_template_input input = {.variables_json = variables};
    bool is_rendered = chat_template_render(t, &input, &a, NULL, error) != NULL;
    arena_close(&a);
    chat_template_close(t);
    return is_rendered ? SMIDGEN_ERROR_NONE : error->code;
}

/* Of this process, so that a busy machine does not matter. */
static double processor_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void check_bounded(const char *name, const char *source, size_t size)
{
    smidgen_error error;
    double before = processor_seconds();
    smidgen_error_code code = run(source, size, NULL, &error);
    double seconds = processor_seconds() - before;
    if (code != SMIDGEN_ERROR_LIMIT && code != SMIDGEN_ERROR_TEMPLATE) {
        test_fail(__FILE__, __LINE__, "%s: %s %s", name, smidgen_error_name(code), error.message);
    }
    if (seconds > SECONDS_MAX) {
        test_fail(__FILE__, __LINE__, "%s took %.2f s (%s)", name, seconds, error.message);
    }
}

TEST(chat_template_that_never_ends_is_stopped)
{
    static const char *const sources[] = {
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{{ range(10 ** 18) }}",
        "{{ range(-9223372036854775807, 9223372036854775807) }}",
        "{{ 'a' * 10 ** 12 }}",
        "{{ [0] * 10 ** 12 }}",
        "{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s=1) %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ "
        "ns.s }}",
        "{% set ns = namespace(s=1) %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}"
        "{{ ns.s | tojson }}",
        "{% set ns = namespace(s=1, t=1) %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}"
        "{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.s == ns.t }}",
        "{% set ns = namespace(s=1) %}{% for i in range(9999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s "
        "}}",
        "{% set ns = namespace(s=1) %}{% for i in range(9999) %}{% set ns.s = {'a': ns.s} %}{% endfor %}"
        "{{ ns.s | tojson }}",
        "{% set ns = namespace(s=1, t=1) %}{% for i in range(9999) %}{% set ns.s = [ns.s] %}"
        "{% set ns.t = [ns.t] %}{% endfor %}{{ ns.s == ns.t }}{{ ns.s < ns.t }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{% call m() %}{% endcall %}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(30) }}",
        "{{ ('a' * 100000).replace('', 'b' * 100000) }}",
        "{% set s = 'a' * 1000000 %}{% set t = 'a' * 500000 + 'b' + 'a' * 400000 %}"
        "{% for i in range(100000) %}{{ s.rfind(t) }}{{ s.find(t) }}{% endfor %}",
        "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ s.count('b') }}{{ s == s ~ '' }}{% endfor "
        "%}",
        "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ s | length }}{{ s[999999] }}{% endfor %}",
        "{% set s = ' ' * 1000000 %}{% for i in range(100000) %}{% set x = s.strip() %}{% endfor %}",
        "{% set s = 'ab' * 1000000 %}{% for i in range(100000) %}{{ s.strip(s) }}{% endfor %}",
        "{{ 'x' | indent(10 ** 12, true) }}",
        "{{ 'x' | center(10 ** 12) }}",
        "{{ 'x'.zfill(10 ** 12) }}",
        "{{ [1] | tojson(indent=10 ** 12) }}",
        "{{ '%99999999999d' % 1 }}",
        "{{ [1] | batch(10 ** 12, 0) }}",
        "{% set s = 'a' * 100000 %}{% set l = [s ~ 'b', s ~ 'a'] * 1000 %}{{ l | sort | length }}",
        "{% set l = range(100000) | list %}{% for i in l %}{{ -1 in l }}{% endfor %}",
        "{% set l = range(100000) | list %}{% for i in l %}{{ l.index(99999) }}{{ l[::-1] | first }}{% "
        "endfor %}",
        "{% set d = dict(a=1) %}{% set k = 'k' * 1000000 %}{% for i in range(1000000) %}{{ d[k] }}{% endfor "
        "%}",
        "{{ 9223372036854775807 + 1 }}",
        "{{ -9223372036854775807 - 2 }}",
        "{{ 9223372036854775807 * 2 }}",
        "{{ 2 ** 99 }}",
        "{{ (-9223372036854775807 - 1) // -1 }}",
        "{{ (-9223372036854775807 - 1) | abs }}",
        "{{ 99999999999999999999 }}",
    };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        check_bounded(sources[i], sources[i], strlen(sources[i]));
    }
}

/* before, part x count, behind; exactly sized, to be freed. */
static char *repeated(const char *before, const char *part, size_t count, const char *behind, size_t *size)
{
    size_t head = strlen(before), body = strlen(part), tail = strlen(behind);
    *size = head + body * count + tail;
    char *text = malloc(*size);
    if (text == NULL) {
        return NULL;
    }
    memcpy(text, before, head);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + head + i * body, part, body);
    }
    memcpy(text + head + body * count, behind, tail);
    return text;
}

TEST(chat_template_nested_100000_deep_is_refused)
{
    static const char *const parts[][3] = {
        {"{{ ", "(", ""},
        {"{{ ", "[", ""},
        {"{{ ", "{'a':", ""},
        {"{{ ", "{", ""},
        {"{{ ", "not ", "1 }}"},
        {"{{ ", "-", "1 }}"},
        {"{{ ", "x[", ""},
        {"{{ ", "f(", ""},
        {"{{ ", "x|f(", ""},
        {"{{ ", "x is in(", ""},
        {"{{ 1 ", "if 1 else 1 ", "}}"},
        {"{{ 1 ", "if 1 ", "}}"},
        {"", "{% if 1 %}", ""},
        {"", "{% for x in y %}", ""},
        {"", "{% macro m() %}", ""},
        {"", "{% set x %}", ""},
        {"", "{% filter upper %}", ""},
        {"", "{% call m() %}", ""},
        {"", "{% with %}", ""},
        {"{% if 1 %}", "{% else %}{% if 1 %}", ""},
        {"{% for ", "(", ""},
        {"{% set ", "(", ""},
        {"{% macro m(x=", "(", ""},
        {"", "{{", ""},
        {"", "{#", ""},
        {"", "{% raw %}", ""},
        {"{{ ", "+ ", "1 }}"},
        {"{{ '", "\\", ""},
        {"{{ ", "'", ""},
        {"", "{%", ""},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t size;
        char *text = repeated(parts[i][0], parts[i][1], 100000, parts[i][2], &size);
        REQUIRE(text != NULL);
        check_bounded(parts[i][1], text, size);
        free(text);
    }
}

TEST(chat_template_chains_may_be_long)
{
    static const char *const parts[][3] = {
        {"{{ 1 ", "+ 1 ", "}}"},
        {"{{ 'a' ", "~ 'b' ", "}}"},
        {"{{ 1 ", "or 1 ", "}}"},
        {"{{ 1 ", "< 1 ", "}}"},
        {"{{ 'a'", "|upper", "}}"},
        {"{{ 'a'", ".upper()", "}}"},
        {"{{ [", "1,", "]}}"},
        {"{{ 1 ", "is odd ", "}}"},
        {"{% if 0 %}", "{% elif 0 %}", "{% endif %}"},
        {"", "{# c #}", ""},
        {"", "{{ 1 }}", ""},
        {"", "a { b", ""},
        {"", "{% set x = 1 %}", ""},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t size;
        smidgen_error error;
        char *text = repeated(parts[i][0], parts[i][1], 10000, parts[i][2], &size);
        REQUIRE(text != NULL);
        double before = processor_seconds();
        if (run(text, size, NULL, &error) != SMIDGEN_ERROR_NONE) {
            test_fail(__FILE__, __LINE__, "%s: %s", parts[i][1], error.message);
        }
        CHECK(processor_seconds() - before < SECONDS_MAX);
        free(text);
    }
}

TEST(chat_template_variables_nested_100000_deep_are_refused)
{
    size_t size;
    smidgen_error error;
    char *text = repeated("{\"x\":", "[", 100000, "", &size);
    char *closed = malloc(size + 100000 + 2);
    REQUIRE(text != NULL && closed != NULL);
    memcpy(closed, text, size);
    memset(closed + size, ']', 100000);
    memcpy(closed + size + 100000, "}", 2);
    CHECK_EQUAL(run("{{ x }}", 7, closed, &error), SMIDGEN_ERROR_LIMIT);
    free(text);
    free(closed);
}

static const char variables[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be kind.\"},{\"role\":\"user\",\"content\":\"Hi\"},"
    "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"abcdef123\",\"type\":\"function\","
    "\"function\":{\"name\":\"f\",\"arguments\":{\"x\":[1,2.5,true,null,\"y\"]}}}]},"
    "{\"role\":\"tool\",\"content\":\"ok\",\"tool_call_id\":\"abcdef123\"},{\"role\":\"user\",\"content\":"
    "\"Go\"}],"
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":"
    "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"array\",\"description\":\"e\"}},\"required\":[]}}"
    "}],"
    "\"add_generation_prompt\":true,\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"date_string\":\"today\"}";

static const char *const five[] = {"llama3.1", "gpt_oss", "hermes_tools", "call_blocks", "deepseek_r1"};

TEST(chat_template_survives_every_prefix)
{
    for (size_t i = 0; i < sizeof five / sizeof five[0]; i++) {
        arena a;
        smidgen_error error;
        char name[64];
        uint64_t size;
        int rendered = 0;
        arena_init(&a, &memory_system);
        snprintf(name, sizeof name, "templates/%s.jinja", five[i]);
        const char *source = file_read_all(&a, test_data(name), 1 << 20, &size, &error);
        REQUIRE(source != NULL);
        for (size_t length = 0; length <= size; length++) {
            char *prefix = malloc(length == 0 ? 1 : length); /* exactly sized, for AddressSanitizer */
            REQUIRE(prefix != NULL);
            memcpy(prefix, source, length);
            smidgen_error_code code = run(prefix, length, variables, &error);
            CHECK(code == SMIDGEN_ERROR_NONE || code == SMIDGEN_ERROR_TEMPLATE);
            CHECK((code == SMIDGEN_ERROR_NONE) == (error.message[0] == 0));
            rendered += code == SMIDGEN_ERROR_NONE;
            free(prefix);
        }
        CHECK(rendered > 1); /* the whole, and prefixes that end between blocks */
        arena_close(&a);
    }
}

TEST(chat_template_survives_every_failing_allocation)
{
    for (size_t i = 0; i < sizeof five / sizeof five[0]; i++) {
        arena files;
        smidgen_error error;
        char name[64];
        uint64_t size;
        arena_init(&files, &memory_system);
        snprintf(name, sizeof name, "templates/%s.jinja", five[i]);
        const char *source = file_read_all(&files, test_data(name), 1 << 20, &size, &error);
        REQUIRE(source != NULL);
        for (uint64_t n = 0;; n++) {
            failing_allocator f;
            failing_allocator_bind(&f, n);
            arena a;
            arena_init(&a, &f.base);
            error = (smidgen_error){0};
            chat_template *t = chat_template_create(source, (size_t)size, &f.base, &error);
            chat_template_input input = {.variables_json = variables};
            const char *text = t == NULL ? NULL : chat_template_render(t, &input, &a, NULL, &error);
            bool is_whole = f.calls <= n;
            if (is_whole ? text == NULL : text != NULL || error.code != SMIDGEN_ERROR_OUT_OF_MEMORY) {
                test_fail(__FILE__, __LINE__, "%s, allocation %d of %d: %s", five[i], (int)n, (int)f.calls,
                          text != NULL ? "it went on without the block" : error.message);
            }
            chat_template_close(t);
            arena_close(&a);
            CHECK(f.live_blocks == 0 && !f.was_mismatched);
            if (is_whole) {
                CHECK(n > 3);
                break;
            }
        }
        arena_close(&files);
    }
}

TEST(chat_template_errors_name_the_construct_and_its_line)
{
    static const char *const rows[][2] = {
        {"a\n\n{% include 'x' %}", "line 3: the tag {% include %} is unknown or out of place"},
        {"{% if 1 %}\n{% block y %}",
         "line 2: the tag {% block %} is unknown or out of place; {% if %} waits for elif else endif"},
        {"\n{{ 1 | nosuch }}", "line 2: there is no filter 'nosuch'"},
        {"{{ 1 is nosuch }}", "line 1: there is no test 'nosuch'"},
        {"{{ [1] | map('nosuch') }}", "line 1: there is no filter 'nosuch'"},
        {"\n\n\n{{ nosuch() }}", "line 4: 'nosuch' is not defined, so it cannot be called"},
        {"{{ [].append(1) }}", "line 1: the method 'append' is not supported"},
        {"{{ [1] | random }}", "line 1: the filter 'random' is not supported"},
        {"{{ x.y }}\n{{ x.y.z }}", "line 1: 'x' is undefined, so it has no 'y'"},
        {"{{ 'a' | upper(3) }}", "line 1: the filter 'upper' takes at most 0 arguments, got 1"},
        {"{{ 'a' | indent(depth=3) }}", "line 1: the filter 'indent' does not support the argument 'depth'"},
        {"{{ 'a' | replace('b') }}", "line 1: the filter 'replace' needs 2 arguments"},
        {"\n{{ 'a' + 1 }}", "line 2: '+' does not go with str and int"},
        {"{{ strftime_now('%Q') }}", "line 1: strftime_now(): the code '%Q' is not supported"},
        {"{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", "line 1: the macro 'm' has no parameter 'b'"},
        {"{{ 'a\n\n", "line 1: a string is not closed"},
        {"{# a", "line 1: the comment {# is not closed"},
        {"{% if x %}\n\n", "line 1: the block {% if %} is not closed, expected one of: elif else endif"},
        {"{% break %}", "line 1: {% break %} outside of a loop"},
        {"{{ 1 1 }}", "line 1: expected the end of the expression '}}', found '1'"},
        {"{{ raise_exception('Grüße') }}", "Grüße"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        smidgen_error error;
        CHECK_EQUAL(run(rows[i][0], strlen(rows[i][0]), NULL, &error), SMIDGEN_ERROR_TEMPLATE);
        CHECK_TEXT(error.message, rows[i][1]);
    }
}

TEST(chat_template_cuts_a_long_message_between_characters)
{
    static const char source[] = "{{ raise_exception('a' ~ 'é' * 1000) }}";
    smidgen_error error;
    CHECK_EQUAL(run(source, sizeof source - 1, NULL, &error), SMIDGEN_ERROR_TEMPLATE);
    CHECK_EQUAL(strlen(error.message), 319);
    CHECK_TEXT(error.message + 317, "é");
}

TEST(chat_template_takes_messages_and_lets_variables_replace_them)
{
    static const char source[] =
        "{{ bos_token }}{% for m in messages %}{{ m.role }}={{ m['content'] }};{% endfor %}"
        "{{ add_generation_prompt }}{{ eos_token }}{{ x }}";
    const smidgen_message messages[] = {{"user", "Hi"}, {"assistant", NULL}};
    chat_template_input input = {
        .messages = messages, .count = 2, .bos_token = "<s>", .add_generation_prompt = true};
    smidgen_error error;
    arena a;
    size_t size;
    arena_init(&a, &memory_system);
    chat_template *t = chat_template_create(source, sizeof source - 1, &memory_system, &error);
    REQUIRE(t != NULL);
    CHECK_TEXT(chat_template_render(t, &input, &a, &size, &error), "<s>user=Hi;assistant=;True");
    CHECK_EQUAL(size, 26);
    input.variables_json = "{\"x\":\"a\\u0000b\",\"messages\":[{\"role\":\"r\",\"content\":[1.0]}]}";
    const char *text = chat_template_render(t, &input, &a, &size, &error);
    REQUIRE(text != NULL);
    CHECK_EQUAL(size, 18);
    CHECK(memcmp(text, "<s>r=[1.0];Truea\0b", 18) == 0);
    input.variables_json = "[1]";
    CHECK(chat_template_render(t, &input, &a, &size, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_INVALID_ARGUMENT);
    input.variables_json = "{";
    CHECK(chat_template_render(t, &input, &a, &size, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    chat_template_close(t);
    arena_close(&a);
}

TEST(chat_template_knows_the_date)
{
    static const char source[] = "{{ strftime_now('%d %B %Y, %A %b %a %y %j %I %p %F %%') }}";
    char expected[2][128];
    arena a;
    smidgen_error error;
    arena_init(&a, &memory_system);
    chat_template *t = chat_template_create(source, sizeof source - 1, &memory_system, &error);
    REQUIRE(t != NULL);
    chat_template_input input = {0};
    const char *text = NULL;
    for (int i = 0; i < 2; i++) { /* midnight may pass in between */
        time_t now = time(NULL);
        struct tm local;
        localtime_r(&now, &local);
        strftime(expected[i], sizeof expected[i], "%d %B %Y, %A %b %a %y %j %I %p %F %%", &local);
        text = text != NULL ? text : chat_template_render(t, &input, &a, NULL, &error);
    }
    REQUIRE(text != NULL);
    CHECK(strcmp(text, expected[0]) == 0 || strcmp(text, expected[1]) == 0);
    chat_template_close(t);
    arena_close(&a);
}

typedef struct rendering {
    const chat_template *t;
    size_t size;
    bool is_same;
} rendering;

static void render_often(void *context)
{
    rendering *r = context;
    r->is_same = true;
    for (int i = 0; i < 20; i++) {
        arena a;
        smidgen_error error;
        size_t size = 0;
        arena_init(&a, &memory_system);
        chat_template_input input = {.variables_json = variables};
        r->is_same &= chat_template_render(r->t, &input, &a, &size, &error) != NULL && size == r->size;
        arena_close(&a);
    }
}

TEST(chat_template_renders_from_several_threads_at_once)
{
    arena a;
    smidgen_error error;
    uint64_t source_size;
    size_t size = 0;
    arena_init(&a, &memory_system);
    const char *source =
        file_read_all(&a, test_data("templates/gpt_oss.jinja"), 1 << 20, &source_size, &error);
    REQUIRE(source != NULL);
    chat_template *t = chat_template_create(source, (size_t)source_size, &memory_system, &error);
    REQUIRE(t != NULL);
    chat_template_input input = {.variables_json = variables};
    REQUIRE(chat_template_render(t, &input, &a, &size, &error) != NULL);
    thread threads[4];
    rendering results[4];
    for (int i = 0; i < 4; i++) {
        results[i] = (rendering){.t = t, .size = size};
        REQUIRE(thread_start(&threads[i], render_often, &results[i]));
    }
    for (int i = 0; i < 4; i++) {
        thread_join(&threads[i]);
        CHECK(results[i].is_same);
    }
    chat_template_close(t);
    arena_close(&a);
}
