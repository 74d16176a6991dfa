/* Text to tokens, one at a time, with Jinja's white space control: trim_blocks and lstrip_blocks are on. */
#ifndef GENERATE_JINJA_LEXER_H
#define GENERATE_JINJA_LEXER_H

#include "base/arena.h"
#include "generate/jinja/jinja_value.h"

typedef enum jinja_token_kind {
    JINJA_TOKEN_END,
    JINJA_TOKEN_TEXT, /* text outside of tags */
    JINJA_TOKEN_BLOCK_BEGIN,
    JINJA_TOKEN_BLOCK_END,
    JINJA_TOKEN_VARIABLE_BEGIN,
    JINJA_TOKEN_VARIABLE_END,
    JINJA_TOKEN_NAME,
    JINJA_TOKEN_CONSTANT, /* a string or a number: value */
    JINJA_TOKEN_OPERATOR,
} jinja_token_kind;

typedef enum jinja_operator {
    JINJA_OP_NONE,
    JINJA_OP_OR,
    JINJA_OP_AND,
    JINJA_OP_NOT,
    JINJA_OP_EQUAL,
    JINJA_OP_NOT_EQUAL,
    JINJA_OP_LESS,
    JINJA_OP_LESS_EQUAL,
    JINJA_OP_GREATER,
    JINJA_OP_GREATER_EQUAL,
    JINJA_OP_IN,
    JINJA_OP_NOT_IN,
    JINJA_OP_ADD,
    JINJA_OP_SUBTRACT,
    JINJA_OP_CONCATENATE,
    JINJA_OP_MULTIPLY,
    JINJA_OP_DIVIDE,
    JINJA_OP_FLOOR_DIVIDE,
    JINJA_OP_MODULO,
    JINJA_OP_POWER,
    JINJA_OP_ASSIGN,
    JINJA_OP_DOT,
    JINJA_OP_COMMA,
    JINJA_OP_COLON,
    JINJA_OP_BAR,
    JINJA_OP_LEFT_PAREN,
    JINJA_OP_RIGHT_PAREN,
    JINJA_OP_LEFT_BRACKET,
    JINJA_OP_RIGHT_BRACKET,
    JINJA_OP_LEFT_BRACE,
    JINJA_OP_RIGHT_BRACE,
} jinja_operator;

typedef struct jinja_token {
    jinja_token_kind kind;
    jinja_operator operation;
    uint32_t line;
    const char *text; /* [size] of text, names and operators */
    size_t size;
    jinja_value value;
} jinja_token;

typedef enum jinja_lexer_mode { JINJA_IN_TEXT, JINJA_IN_BLOCK, JINJA_IN_VARIABLE } jinja_lexer_mode;

typedef struct jinja_lexer {
    const char *text; /* [size], newlines normalised to \n */
    size_t size, at;
    uint32_t line;
    jinja_lexer_mode mode;
    uint32_t bracket_depth; /* inside brackets }} and %} do not end the tag */
    bool is_at_line_start;  /* the tag before ended with a newline, or there is none */
    arena *memory;          /* for strings with escapes */
    smidgen_error *error;
} jinja_lexer;

/* False: *error says what is wrong and in which line. */
bool jinja_lexer_next(jinja_lexer *lexer, jinja_token *token);
/* How a token reads in an error message. */
const char *jinja_operator_text(jinja_operator operation);

#endif
