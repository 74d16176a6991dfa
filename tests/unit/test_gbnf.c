/* GBNF: which texts grammars accept, which grammars are refused, and how fast. */
#include "test.h"

#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "generate/grammar.h"

static grammar *make(const char *text, smidgen_error *error)
{
    return grammar_from_gbnf(text, strlen(text), NULL, &memory_system, error);
}

typedef struct gbnf_case {
    const char *grammar;
    const char *accepted[10]; /* whole texts */
    const char *refused[10];  /* texts that are no whole text: wrong somewhere, or unfinished */
} gbnf_case;

static const gbnf_case cases[] = {
    {"root ::= \"yes\" | \"no\"", {"yes", "no"}, {"", "y", "yesno", "No", "n"}},
    {"root ::= [0-9]+", {"0", "12", "0099"}, {"", "a", "1a", "-1"}},
    {"root ::= [0-9]* \"x\"?", {"", "x", "12", "12x"}, {"xx", "x1"}},
    {"root ::= \"a\"{3}", {"aaa"}, {"", "aa", "aaaa"}},
    {"root ::= \"ab\"{2,}", {"abab", "ababab"}, {"ab", "aba", "ababa"}},
    {"root ::= \"ab\"{1,3} \"!\"", {"ab!", "abab!", "ababab!"}, {"!", "abababab!", "a!"}},
    {"root ::= (\"a\" | \"b\" \"c\"){0,2} \"d\"{0}", {"", "a", "bc", "abc", "bca", "aa"}, {"b", "aaa", "d"}},
    {"# arithmetic\n"
     "root ::= expr \"\\n\"\n"
     "expr ::= term ([-+*/] term)*\n"
     "term ::= num | \"(\" ws expr ws \")\"\n"
     "num ::= [0-9]+ ws   # digits\n"
     "ws ::= [ \\t]*\n",
     {"1\n", "1+2\n", "(1 +2 )*3\n", "((((7))))\n", "12 /4\n"},
     {"1", "1+\n", "(1\n", "1)\n", "()\n", "1 2\n", "\n"}},
    {"root ::= object\n"
     "value ::= object | array | string | number | (\"true\" | \"false\" | \"null\") ws\n"
     "object ::= \"{\" ws ( string \":\" ws value (\",\" ws string \":\" ws value)* )? \"}\" ws\n"
     "array ::= \"[\" ws ( value (\",\" ws value)* )? \"]\" ws\n"
     "string ::= \"\\\"\" ( [^\"\\\\\\x7F\\x00-\\x1F] | \"\\\\\" ([\"\\\\bfnrt] | \"u\" [0-9a-fA-F]{4}) )* "
     "\"\\\"\" ws\n"
     "number ::= (\"-\"? ([0-9] | [1-9] [0-9]{0,15})) (\".\" [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws\n"
     "ws ::= | \" \" | \"\\n\" [ \\t]{0,20}\n",
     {"{}", "{\"a\":1}", "{\"a\": [1, -2.5e3, true, null, {}]}",
      "{\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\":\"\\u00e9\\n\"}", "{\"a\":{\"b\":{\"c\":[[[[]]]]}}}"},
     {"", "{", "[]", "{a:1}", "{\"a\":01}", "{\"a\":1,}", "{\"a\":\"\n\"}", "{\"\xC3\":1}",
      "{\"\xED\xA0\x80\":1}", "{\"a\":\"\\x\"}"}},
    {"root ::= year \"-\" month \"-\" day\nyear ::= [0-9]{4}\n"
     "month ::= \"0\" [1-9] | \"1\" [0-2]\nday ::= \"0\" [1-9] | [12] [0-9] | \"3\" [01]",
     {"2026-11-24", "0000-01-31"},
     {"2026-13-01", "2026-00-01", "2026-1-01", "2026-01-32", "20260-01-01"}},
    {"root ::= (move \" \"){1,4} result\nresult ::= \"1-0\" | \"0-1\"\n"
     "move ::= (pawn | nonpawn | castle) [+#]?\n"
     "pawn ::= ([a-h] \"x\")? [a-h] [1-8] (\"=\" [NBKQR])?\n"
     "nonpawn ::= [NBKQR] [a-h]? [1-8]? \"x\"? [a-h] [1-8]\ncastle ::= \"O-O\" \"-O\"?\n",
     {"e4 1-0", "e4 Nf3 Qxd5+ O-O-O 0-1", "exd8=Q# 1-0", "Nbd7 1-0", "R1e2 0-1"},
     {"e9 1-0", "1-0", "e4 1-1", "e4e5 1-0", "a1 a1 a1 a1 a1 1-0"}},
    {"root ::= [\xC3\xA0-\xC3\xBC] [^\xE2\x82\xAC]",
     {"\xC3\xA9x", "\xC3\xA0\xF0\x9F\x98\x80", "\xC3\xBC\xE2\x82\xAD"},
     {"\xC3\xBDx", "\xC3\xA9\xE2\x82\xAC", "\xC3\xA9\xFF", "\xC3", "\xC3\xA9\xE2\x82"}},
    {"root ::= [\\u3040-\\u309F]+ | [\\U0001F600-\\U0001F64F]",
     {"\xE3\x81\x82", "\xE3\x81\x82\xE3\x82\x9F", "\xF0\x9F\x98\x80", "\xF0\x9F\x99\x8F"},
     {"\xE3\x82\xA0", "\xE3\x80\xBF", "\xF0\x9F\x99\x90", "\xF0\x9F\x98\x80\xE3\x81\x82"}},
    {"root ::= . . \".\"", {"ab.", "\xC3\xA9\n.", "..."}, {"a.", "abc", "\xFF\xFF.", "abc."}},
    {"root ::= \"\\x41\\u00e9\\U0001F600\\t\\r\\n\\\\\\\"\"", {"A\xC3\xA9\xF0\x9F\x98\x80\t\r\n\\\""}, {"A"}},
    {"root ::= [a\\]\\\\^-]+", {"a]\\^-"}, {"b", "["}},
    {"root ::= [^^]", {"a", "]"}, {"^"}},
    {"root ::= s\ns ::= \"a\" s \"b\" | \"a\" s \"c\" | \"\"", /* exponentially many stacks */
     {"", "ab", "ac", "aaabcb", "aaaaaaaaaaaaaaaaaaaabcbcbcbcbcbcbcbcbcbc"},
     {"a", "b", "aab", "abc"}},
    {"root ::= s\ns ::= \"x\" | \"x\" s s", {"x", "xxx", "xxxxxxx"}, {"", "xx", "xxxx", "xxxxxx"}},
    {"root ::= list\nlist ::= item list | item\nitem ::= \"- \" [a-z]+ \"\\n\"", /* recursion instead of a
                                                                                    loop */
     {"- a\n", "- a\n- bc\n- d\n"},
     {"", "- a", "- \n", "- a\n-"}},
    {"root ::= a b a\na ::= \"x\"?\nb ::= a a (a | \"y\")*", {"", "x", "xxxxx", "y", "xyxyx"}, {"z", "yz"}},
    {"root ::= stmt+\nstmt ::= type \" \" name \" = \" expr \";\\n\" | \"if (\" expr \") {\\n\" stmt* "
     "\"}\\n\"\n"
     "type ::= \"int\" | \"float\"\nname ::= [a-zA-Z_] [a-zA-Z_0-9]*\n"
     "expr ::=\n  unary |\n  unary \" \" [-+<] \" \" expr\nunary ::= name | [0-9]+ | \"(\" expr \")\"\n",
     {"int x = 1;\n", "if (x < 1) {\nfloat y_2 = (x + 3) - 2;\nif (y) {\n}\n}\n"},
     {"int = 1;\n", "if (x) {\n", "int 1x = 1;\n", "double x = 1;\n"}},
    {"root ::= \"a\"\n  | \"b\"\n\n  # a comment\n  | \"c\"\nother ::= \"d\"", {"a", "b", "c"}, {"d"}},
    {"root ::= (\n \"a\" # first\n |\n \"b\"\n)", {"a", "b"}, {"ab"}},
};

TEST(gbnf_accepts_and_refuses_texts)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        smidgen_error error = {0};
        grammar *g = make(cases[i].grammar, &error);
        if (g == NULL) {
            test_fail(__FILE__, __LINE__, "case %zu: %s", i, error.message);
            continue;
        }
        for (int k = 0; k < 10 && cases[i].accepted[k] != NULL; k++) {
            const char *text = cases[i].accepted[k];
            for (size_t cut = 0; cut <= strlen(text); cut++) { /* in two pieces everywhere */
                grammar_reset(g);
                bool ok = grammar_accept_bytes(g, text, cut) &&
                          grammar_accept_bytes(g, text + cut, strlen(text + cut));
                if (!ok || !grammar_may_end(g)) {
                    test_fail(__FILE__, __LINE__, "case %zu refuses \"%s\"", i, text);
                    break;
                }
            }
        }
        for (int k = 0; k < 10 && cases[i].refused[k] != NULL; k++) {
            grammar_reset(g);
            const char *text = cases[i].refused[k];
            if (grammar_accept_bytes(g, text, strlen(text)) && grammar_may_end(g)) {
                test_fail(__FILE__, __LINE__, "case %zu accepts \"%s\"", i, text);
            }
        }
        grammar_close(g);
    }
}

TEST(gbnf_refused_bytes_change_nothing)
{
    grammar *g = make("root ::= \"abc\"", NULL);
    REQUIRE(g != NULL);
    CHECK(grammar_accept_bytes(g, "a", 1));
    CHECK(!grammar_accept_bytes(g, "bd", 2));
    CHECK(!grammar_may_end(g));
    CHECK(grammar_accept_bytes(g, "bc", 2));
    CHECK(grammar_may_end(g));
    CHECK(!grammar_accept_bytes(g, "c", 1));
    grammar_close(g);
}

TEST(gbnf_errors_name_the_place)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "GBNF: there is no rule named root"},
        {"start ::= \"a\"", "GBNF: there is no rule named root"},
        {"root ::= a", "GBNF line 1, column 10: rule \"a\" is used but not defined"},
        {"root ::= \"a\"\nroot ::= \"b\"", "GBNF line 2, column 1: rule \"root\" is defined twice"},
        {"root ::= root \"a\" | \"a\"", "GBNF line 1, column 1: rule \"root\" is left-recursive: it can "
                                        "enter itself without reading a character"},
        {"root ::= x\nx ::= y? x \"a\" | \"b\"\ny ::= \"c\"",
         "GBNF line 1, column 10: rule \"x\" is left-recursive: it can enter itself without reading a "
         "character"},
        {"root ::= x \"a\"\nx ::= (root)* \"b\"", "GBNF line 1, column 1: rule \"root\" is left-recursive: "
                                                  "it can enter itself without reading a character"},
        {"root ::= \"a\" root", "GBNF line 1, column 1: rule \"root\" can never be completed"},
        {"root := \"a\"", "GBNF line 1, column 6: expected ::="},
        {"root ::= \"a", "GBNF line 1, column 10: the literal is not closed"},
        {"root ::= [a", "GBNF line 1, column 10: the character class is not closed"},
        {"root ::= []", "GBNF line 1, column 10: the character class is empty"},
        {"root ::= [z-a]", "GBNF line 1, column 11: the range runs backwards"},
        {"root ::= (\"a\"", "GBNF line 1, column 10: the group is not closed"},
        {"root ::= \"a\")", "GBNF line 1, column 13: this ) closes nothing"},
        {"root ::= * \"a\"", "GBNF line 1, column 10: there is nothing to repeat"},
        {"root ::= \"a\"{2,1}",
         "GBNF line 1, column 13: the repetition's upper bound is below its lower one"},
        {"root ::= \"a\"{,1}", "GBNF line 1, column 14: a number is missing"},
        {"root ::= \"a\"{99999999999999999999}",
         "GBNF line 1, column 14: a repetition may ask for at most 1073741824"},
        {"root ::= \"\\q\"", "GBNF line 1, column 11: unknown escape"},
        {"root ::= \"\\x4\"", "GBNF line 1, column 14: a hexadecimal digit is missing"},
        {"root ::= \"\\uD800\"", "GBNF line 1, column 11: the escape is no Unicode character"},
        {"root ::= \"\xC3\xA9\xFF\"", "GBNF line 1, column 12: the text is not valid UTF-8"},
        {"root ::= <think>", "GBNF line 1, column 10: token references are not supported"},
        {"root ::= \"a\" ::= \"b\"", "GBNF line 1, column 14: unexpected character"},
        {"\"a\"", "GBNF line 1, column 1: expected the name of a rule"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        smidgen_error error = {0};
        CHECK(make(rows[i].text, &error) == NULL);
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_GRAMMAR);
        CHECK_TEXT(error.message, rows[i].message);
    }
}

TEST(gbnf_every_prefix_is_handled)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = strlen(cases[i].grammar);
        for (size_t cut = 0; cut <= size; cut++) {
            char *exact = malloc(cut + 1 - (cut > 0)); /* no byte behind the end but for the empty text */
            REQUIRE(exact != NULL);
            memcpy(exact, cases[i].grammar, cut);
            smidgen_error error = {0};
            grammar *g = grammar_from_gbnf(exact, cut, NULL, &memory_system, &error);
            CHECK((g == NULL) == (error.code == SMIDGEN_ERROR_GRAMMAR));
            grammar_close(g);
            free(exact);
        }
    }
}

static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static char *nested(const char *open, const char *middle, const char *close, size_t depth)
{
    size_t o = strlen(open), m = strlen(middle), c = strlen(close);
    char *text = malloc(10 + depth * (o + c) + m), *at = text;
    if (text == NULL) {
        return NULL;
    }
    memcpy(at, "root ::= ", 9);
    at += 9;
    for (size_t i = 0; i < depth; i++, at += o) {
        memcpy(at, open, o);
    }
    memcpy(at, middle, m);
    at += m;
    for (size_t i = 0; i < depth; i++, at += c) {
        memcpy(at, close, c);
    }
    *at = 0;
    return text;
}

TEST(gbnf_hostile_grammars_are_refused_quickly)
{
    char *rows[] = {
        nested("", "\"a\"{1000000}", "", 0),    nested("(", "\"a\"", ")", 100000),
        nested("(", "\"a\"", "){2,3000}", 200), nested("\"a\" ", "\"a\"", "", 200000),
        nested("[^a-z] ", "", "", 100000),      nested("\"a\" | ", "\"a\"", "", 200000),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        REQUIRE(rows[i] != NULL);
        smidgen_error error = {0};
        double begin = seconds();
        CHECK(make(rows[i], &error) == NULL);
        CHECK(error.code == SMIDGEN_ERROR_LIMIT);
        CHECK(seconds() - begin < 1.0);
        free(rows[i]);
    }
}

TEST(gbnf_ambiguity_stays_bounded_in_time)
{
    static const char *const grammars[] = {
        "root ::= s\ns ::= \"a\" s \"b\" | \"a\" s \"c\" | \"a\" s | \"\"",
        "root ::= x\nx ::= \"a\" x x | \"a\"",
        "root ::= x\nx ::= \"a\" x x x | \"a\" x x | \"a\" x \"b\" | \"a\"",
        "root ::= (\"a\"{0,1000}){0,1000} \"b\"",
        "root ::= ((((\"a\"*)*)*)* | \"a\")* \"b\"",
        "root ::= (\"a\" | \"aa\" | \"aaa\"){1,2000}",
    };
    for (size_t i = 0; i < sizeof grammars / sizeof grammars[0]; i++) {
        smidgen_error error = {0};
        grammar *g = make(grammars[i], &error);
        if (g == NULL) {
            CHECK_EQUAL(error.code, SMIDGEN_ERROR_LIMIT);
            continue;
        }
        double begin = seconds();
        int read = 0;
        while (read < 1000 && grammar_accept_bytes(g, "a", 1)) {
            read++;
        }
        CHECK(read > 30); /* past 4096 places at once nothing fits any more */
        CHECK(seconds() - begin < 10.0);
        grammar_close(g);
    }
}

TEST(gbnf_depth_limit_leaves_no_dead_end)
{
    /* whoever opens must be able to close: past the limit only what needs no more depth is offered */
    grammar *g = make(
        "root ::= v\nv ::= \"[\" v \"]\" \".\" | \"{\" k \":\" v \"}\" | \"x\"\nk ::= \"k\" v \"!\" | \"q\"",
        NULL);
    REQUIRE(g != NULL);
    uint64_t random = 12345;
    for (int round = 0; round < 200; round++) {
        grammar_reset(g);
        int length = 0;
        while (!grammar_may_end(g)) {
            static const char bytes[] = "[{k[{kx]}.:!q";
            random = random * 6364136223846793005u + 1;
            size_t at = random >> 60;
            bool moved = false;
            for (size_t i = 0; i < sizeof bytes - 1 && !moved; i++) {
                size_t choice = length < 2000 ? (i + at) % (sizeof bytes - 1) : (i + 6) % (sizeof bytes - 1);
                moved = grammar_accept_bytes(g, bytes + choice, 1);
            }
            REQUIRE(moved);
            length++;
        }
    }
    grammar_close(g);
}

/* ------------------------------------------------------------------------------------------------- memory */

typedef struct failing {
    int allowed, live;
} failing;

static void *failing_allocate(void *context, size_t size_bytes)
{
    failing *f = context;
    if (f->allowed-- <= 0) {
        return NULL;
    }
    f->live++;
    return memory_system.allocate(NULL, size_bytes);
}

static void failing_release(void *context, void *block, size_t size_bytes)
{
    ((failing *)context)->live--;
    memory_system.release(NULL, block, size_bytes);
}

TEST(gbnf_creation_survives_every_failing_allocation)
{
    const char *text = cases[8].grammar;
    bool created = false;
    for (int allowed = 0; !created && allowed < 300; allowed++) {
        failing f = {allowed, 0};
        smidgen_allocator a = {failing_allocate, failing_release, &f};
        smidgen_error error = {0};
        grammar *g = grammar_from_gbnf(text, strlen(text), NULL, &a, &error);
        created = g != NULL;
        CHECK(created || error.code == SMIDGEN_ERROR_OUT_OF_MEMORY);
        if (created) {
            f.allowed = 0;
            CHECK(grammar_accept_bytes(g, "{\"a\": [1]}", 10));
        }
        grammar_close(g);
        CHECK_EQUAL(f.live, 0);
    }
    CHECK(created);
}
