/* Owns the division of a template into text, tags and the tokens inside tags, and what white space is dropped
 * around tags. Refuses unterminated tags, strings and comments and characters that no token begins with. */
#include "generate/jinja/jinja_lexer.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "generate/jinja/jinja_text.h"

static const struct {
    const char *text;
    jinja_operator operation;
} operators[] = {
    /* longer ones first */
    {"==", JINJA_OP_EQUAL},        {"!=", JINJA_OP_NOT_EQUAL},
    {"<=", JINJA_OP_LESS_EQUAL},   {">=", JINJA_OP_GREATER_EQUAL},
    {"//", JINJA_OP_FLOOR_DIVIDE}, {"**", JINJA_OP_POWER},
    {"<", JINJA_OP_LESS},          {">", JINJA_OP_GREATER},
    {"=", JINJA_OP_ASSIGN},        {"+", JINJA_OP_ADD},
    {"-", JINJA_OP_SUBTRACT},      {"~", JINJA_OP_CONCATENATE},
    {"*", JINJA_OP_MULTIPLY},      {"/", JINJA_OP_DIVIDE},
    {"%", JINJA_OP_MODULO},        {".", JINJA_OP_DOT},
    {",", JINJA_OP_COMMA},         {":", JINJA_OP_COLON},
    {"|", JINJA_OP_BAR},           {"(", JINJA_OP_LEFT_PAREN},
    {")", JINJA_OP_RIGHT_PAREN},   {"[", JINJA_OP_LEFT_BRACKET},
    {"]", JINJA_OP_RIGHT_BRACKET}, {"{", JINJA_OP_LEFT_BRACE},
    {"}", JINJA_OP_RIGHT_BRACE},   {"or", JINJA_OP_OR},
    {"and", JINJA_OP_AND},         {"not", JINJA_OP_NOT},
    {"in", JINJA_OP_IN},           {"not in", JINJA_OP_NOT_IN},
};
enum { OPERATOR_COUNT = sizeof operators / sizeof operators[0], OPERATOR_SIGNS = OPERATOR_COUNT - 5 };

const char *jinja_operator_text(jinja_operator operation)
{
    for (size_t i = 0; i < OPERATOR_COUNT; i++) {
        if (operators[i].operation == operation) {
            return operators[i].text;
        }
    }
    return "";
}

static bool refuse(const jinja_lexer *lexer, uint32_t line, const char *what)
{
    return error_set(lexer->error, SMIDGEN_ERROR_TEMPLATE, "line %u: %s", (unsigned)line, what);
}

static bool starts_with(const jinja_lexer *lexer, size_t at, const char *text)
{
    size_t size = strlen(text);
    return at <= lexer->size && lexer->size - at >= size && memcmp(lexer->text + at, text, size) == 0;
}

static void advance_to(jinja_lexer *lexer, size_t at)
{
    for (size_t i = lexer->at; i < at; i++) {
        lexer->line += lexer->text[i] == '\n';
    }
    lexer->at = at;
}

static size_t skip_spaces(const jinja_lexer *lexer, size_t at)
{
    for (size_t n; (n = jinja_space_first(lexer->text + at, lexer->size - at)) != 0;) {
        at += n;
    }
    return at;
}

/* After the end of a tag: '-' eats all white space, otherwise a block or comment eats one newline. */
static void finish_tag(jinja_lexer *lexer, size_t at, bool is_stripped, bool is_newline_eaten)
{
    size_t end = at;
    if (is_stripped) {
        end = skip_spaces(lexer, at);
    } else if (is_newline_eaten && starts_with(lexer, at, "\n")) {
        end = at + 1;
    }
    advance_to(lexer, end);
    lexer->is_at_line_start = end > 0 && lexer->text[end - 1] == '\n';
    lexer->mode = JINJA_IN_TEXT;
}

/* Where the text before the tag at `tag` ends once the tag's own wishes are followed. */
static size_t strip_before(const jinja_lexer *lexer, size_t first, size_t tag, size_t sign_at,
                           bool is_variable)
{
    char sign = sign_at < lexer->size ? lexer->text[sign_at] : 0;
    size_t end = tag;
    if (sign == '-') {
        for (size_t n; end > first && (n = jinja_space_last(lexer->text + first, end - first)) != 0;) {
            end -= n;
        }
    } else if (sign != '+' && !is_variable) {
        while (end > first && lexer->text[end - 1] != '\n') {
            size_t n = jinja_space_last(lexer->text + first, end - first);
            if (n == 0) {
                return tag;
            }
            end -= n;
        }
        if (end == first && !lexer->is_at_line_start) {
            return tag;
        }
    }
    return end;
}

static size_t find_tag(const jinja_lexer *lexer, size_t at)
{
    while (at < lexer->size) {
        const char *brace = memchr(lexer->text + at, '{', lexer->size - at);
        if (brace == NULL) {
            break;
        }
        at = (size_t)(brace - lexer->text);
        if (at + 1 < lexer->size && strchr("{%#", brace[1]) != NULL && brace[1] != 0) {
            return at;
        }
        at++;
    }
    return lexer->size;
}

static size_t after_sign(const jinja_lexer *lexer, size_t at)
{
    return at < lexer->size && (lexer->text[at] == '-' || lexer->text[at] == '+') ? at + 1 : at;
}

static bool skip_comment(jinja_lexer *lexer)
{
    size_t first = after_sign(lexer, lexer->at + 2);
    size_t end = jinja_text_find(lexer->text + first, lexer->size - first, "#}", 2);
    if (end == SIZE_MAX) {
        return refuse(lexer, lexer->line, "the comment {# is not closed");
    }
    end += first;
    char sign = end > first ? lexer->text[end - 1] : 0;
    finish_tag(lexer, end + 2, sign == '-', sign != '+');
    return true;
}

/* The end of `{% word %}` at `at`, or 0 when there is another tag. *is_stripped: it ends with -%}. */
static size_t match_word_tag(const jinja_lexer *lexer, size_t at, const char *word, bool *is_stripped,
                             bool *is_kept)
{
    if (!starts_with(lexer, at, "{%")) {
        return 0;
    }
    at = skip_spaces(lexer, after_sign(lexer, at + 2));
    if (!starts_with(lexer, at, word)) {
        return 0;
    }
    at = skip_spaces(lexer, at + strlen(word));
    *is_stripped = starts_with(lexer, at, "-%}");
    *is_kept = starts_with(lexer, at, "+%}");
    at += *is_stripped || *is_kept;
    return starts_with(lexer, at, "%}") ? at + 2 : 0;
}

/* {% raw %} at `at`: its content is one token of text, which may be empty. */
static bool lex_raw(jinja_lexer *lexer, size_t content, bool is_stripped, jinja_token *token)
{
    finish_tag(lexer, content, is_stripped, false);
    size_t first = lexer->at;
    for (size_t at = first; at < lexer->size; at++) {
        bool is_kept;
        const char *brace = memchr(lexer->text + at, '{', lexer->size - at);
        if (brace == NULL) {
            break;
        }
        at = (size_t)(brace - lexer->text);
        size_t end = match_word_tag(lexer, at, "endraw", &is_stripped, &is_kept);
        if (end != 0) {
            size_t text_end = strip_before(lexer, first, at, at + 2, false);
            *token = (jinja_token){.kind = JINJA_TOKEN_TEXT,
                                   .line = lexer->line,
                                   .text = lexer->text + first,
                                   .size = text_end - first};
            finish_tag(lexer, end, is_stripped, !is_kept);
            return true;
        }
    }
    return refuse(lexer, lexer->line, "the block {% raw %} is not closed by {% endraw %}");
}

static bool lex_text(jinja_lexer *lexer, jinja_token *token)
{
    for (;;) {
        size_t first = lexer->at, tag = find_tag(lexer, first);
        bool is_variable = starts_with(lexer, tag, "{{");
        size_t end = strip_before(lexer, first, tag, tag + 2, is_variable || tag == lexer->size);
        *token = (jinja_token){.line = lexer->line, .text = lexer->text + first, .size = end - first};
        advance_to(lexer, tag);
        if (end > first) {
            token->kind = JINJA_TOKEN_TEXT;
            return true;
        }
        if (tag == lexer->size) {
            token->kind = JINJA_TOKEN_END;
            return true;
        }
        if (starts_with(lexer, tag, "{#")) {
            if (!skip_comment(lexer)) {
                return false;
            }
            continue;
        }
        bool is_stripped, is_kept;
        size_t raw = match_word_tag(lexer, tag, "raw", &is_stripped, &is_kept);
        if (raw != 0 && !is_kept) {
            return lex_raw(lexer, raw, is_stripped, token);
        }
        token->kind = is_variable ? JINJA_TOKEN_VARIABLE_BEGIN : JINJA_TOKEN_BLOCK_BEGIN;
        token->line = lexer->line;
        lexer->mode = is_variable ? JINJA_IN_VARIABLE : JINJA_IN_BLOCK;
        lexer->bracket_depth = 0;
        advance_to(lexer, after_sign(lexer, tag + 2));
        return true;
    }
}

static uint32_t read_digits(const char *digits, size_t count, uint32_t base)
{
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) {
        char c = digits[i];
        uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : ((uint32_t)c | 32) - 'a' + 10;
        if (digit >= base) {
            return UINT32_MAX;
        }
        value = value * base + digit;
    }
    return value;
}

/* \xhh, \uhhhh, \Uhhhhhhhh at text[1]; a surrogate pair is joined. Returns the bytes read after the
 * backslash, 0: none. */
static size_t read_hex_escape(const char *text, size_t size, uint32_t *c)
{
    size_t digits = text[0] == 'x' ? 2 : text[0] == 'u' ? 4 : 8;
    if (size < 1 + digits || (*c = read_digits(text + 1, digits, 16)) == UINT32_MAX) {
        return 0;
    }
    if (digits == 4 && *c >= 0xD800 && *c < 0xDC00 && size >= 11 && text[5] == '\\' && text[6] == 'u') {
        uint32_t low = read_digits(text + 7, 4, 16);
        if (low >= 0xDC00 && low < 0xE000) {
            *c = 0x10000 + ((*c - 0xD800) << 10) + (low - 0xDC00);
            return 11;
        }
    }
    return 1 + digits;
}

/* One escape, text[0] being the character after the backslash; *written bytes go to out (at most 4 and at
 * most as many as were read). Returns the bytes read. */
static size_t unescape(const char *text, size_t size, char *out, size_t *written)
{
    static const char from[] = "ntr\\'\"abfv", to[] = "\n\t\r\\'\"\a\b\f\v";
    const char *plain = text[0] == 0 ? NULL : strchr(from, text[0]);
    uint32_t c;
    if (plain != NULL) {
        out[0] = to[plain - from];
        *written = 1;
        return 1;
    }
    if (text[0] == '\n') {
        *written = 0;
        return 1;
    }
    size_t read = 0;
    if (text[0] == 'x' || text[0] == 'u' || text[0] == 'U') {
        read = read_hex_escape(text, size, &c);
    } else if (text[0] >= '0' && text[0] <= '7') {
        while (read < 3 && read < size && text[read] >= '0' && text[read] <= '7') {
            read++;
        }
        c = read_digits(text, read, 8);
    }
    if (read == 0) { /* unknown: the backslash stays, as in Python */
        out[0] = '\\';
        *written = 1;
        return 0;
    }
    char encoded[4];
    *written = utf8_encode(c, encoded);
    memcpy(out, encoded, *written);
    return read;
}

static bool lex_string(jinja_lexer *lexer, jinja_token *token)
{
    char quote = lexer->text[lexer->at];
    size_t first = lexer->at + 1, end = first;
    bool has_escape = false;
    while (end < lexer->size && lexer->text[end] != quote) {
        has_escape |= lexer->text[end] == '\\';
        end += lexer->text[end] == '\\' ? 2 : 1;
    }
    if (end >= lexer->size) {
        return refuse(lexer, lexer->line, "a string is not closed");
    }
    token->kind = JINJA_TOKEN_CONSTANT;
    token->text = lexer->text + lexer->at;
    token->size = end + 1 - lexer->at;
    token->value = jinja_string(lexer->text + first, end - first);
    if (has_escape) {
        char *out = arena_allocate(lexer->memory, end - first + 4);
        if (out == NULL) {
            return error_set_memory(lexer->error, "a string of the chat template", end - first);
        }
        size_t size = 0;
        for (size_t at = first; at < end;) {
            if (lexer->text[at] != '\\') {
                out[size++] = lexer->text[at++];
                continue;
            }
            size_t written;
            at += 1 + unescape(lexer->text + at + 1, end - at - 1, out + size, &written);
            size += written;
        }
        token->value = jinja_string(out, size);
    }
    advance_to(lexer, end + 1);
    return true;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || (uint8_t)c >= 0x80;
}

static bool is_digit_at(const jinja_lexer *lexer, size_t at)
{
    return at < lexer->size && lexer->text[at] >= '0' && lexer->text[at] <= '9';
}

static bool lex_number(jinja_lexer *lexer, jinja_token *token)
{
    size_t first = lexer->at, end = first;
    bool is_float = false;
    char mark =
        first + 1 < lexer->size && lexer->text[first] == '0' ? (char)(lexer->text[first + 1] | 32) : 0;
    int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    while (end < lexer->size && is_word(lexer->text[end]) &&
           (base != 10 || is_digit_at(lexer, end) || lexer->text[end] == '_')) {
        end++;
    }
    if (base == 10 && end < lexer->size && lexer->text[end] == '.' && is_digit_at(lexer, end + 1) &&
        (first == 0 || lexer->text[first - 1] != '.')) {
        is_float = true;
        for (end++; is_digit_at(lexer, end) || (end < lexer->size && lexer->text[end] == '_'); end++) {
        }
    }
    if (base == 10 && end < lexer->size && (lexer->text[end] | 32) == 'e') {
        size_t exponent = after_sign(lexer, end + 1);
        if (is_digit_at(lexer, exponent)) {
            is_float = true;
            for (end = exponent; is_digit_at(lexer, end); end++) {
            }
        }
    }
    token->kind = JINJA_TOKEN_CONSTANT;
    token->size = end - first;
    int64_t integer;
    double number;
    if (!is_float && jinja_parse_integer(lexer->text + first, end - first, base, &integer)) {
        token->value = jinja_integer(integer);
    } else if (is_float && jinja_parse_float(lexer->text + first, end - first, &number)) {
        token->value = jinja_float(number);
    } else {
        return refuse(lexer, lexer->line, "a number is malformed or does not fit 64 bits");
    }
    lexer->at = end;
    return true;
}

static bool lex_operator(jinja_lexer *lexer, jinja_token *token)
{
    for (size_t i = 0; i < OPERATOR_SIGNS; i++) {
        if (starts_with(lexer, lexer->at, operators[i].text)) {
            token->kind = JINJA_TOKEN_OPERATOR;
            token->operation = operators[i].operation;
            token->size = strlen(operators[i].text);
            lexer->at += token->size;
            lexer->bracket_depth += strchr("([{", token->text[0]) != NULL;
            lexer->bracket_depth -= strchr(")]}", token->text[0]) != NULL && lexer->bracket_depth > 0;
            return true;
        }
    }
    return error_set(lexer->error, SMIDGEN_ERROR_TEMPLATE, "line %u: unexpected character 0x%02x in a tag",
                     (unsigned)lexer->line, (unsigned)(uint8_t)lexer->text[lexer->at]);
}

/* The end of the tag that the lexer is in, when it is here. */
static bool lex_tag_end(jinja_lexer *lexer, jinja_token *token)
{
    bool is_variable = lexer->mode == JINJA_IN_VARIABLE;
    const char *mark = is_variable ? "}}" : "%}";
    char sign = lexer->text[lexer->at];
    size_t at = lexer->at + (sign == '-' || (sign == '+' && !is_variable));
    if (lexer->bracket_depth != 0 || !starts_with(lexer, at, mark)) {
        return false;
    }
    token->kind = is_variable ? JINJA_TOKEN_VARIABLE_END : JINJA_TOKEN_BLOCK_END;
    token->size = at + 2 - lexer->at;
    finish_tag(lexer, at + 2, sign == '-', !is_variable && sign != '+');
    return true;
}

bool jinja_lexer_next(jinja_lexer *lexer, jinja_token *token)
{
    if (lexer->mode == JINJA_IN_TEXT) {
        return lex_text(lexer, token);
    }
    advance_to(lexer, skip_spaces(lexer, lexer->at));
    *token = (jinja_token){.line = lexer->line, .text = lexer->text + lexer->at};
    if (lexer->at == lexer->size) {
        return refuse(lexer, lexer->line, "the template ends inside a tag");
    }
    if (lex_tag_end(lexer, token)) {
        return true;
    }
    char c = lexer->text[lexer->at];
    if (c == '"' || c == '\'') {
        return lex_string(lexer, token);
    }
    if (c >= '0' && c <= '9') {
        return lex_number(lexer, token);
    }
    if (is_word(c)) {
        token->kind = JINJA_TOKEN_NAME;
        while (lexer->at < lexer->size && is_word(lexer->text[lexer->at])) {
            lexer->at++;
            token->size++;
        }
        return true;
    }
    return lex_operator(lexer, token);
}
