/* SPDX-License-Identifier: MIT */
/*
 * A parser that evaluates as it goes: each function takes what its level of
 * C's grammar allows. Nothing is built, so a condition that is evaluated at
 * each of a million stops costs no memory.
 */
#include "emu/debug/expr_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 64
#define MAX_NAME 96

struct parser {
    struct expr_context *c;
    struct target *target;
    const char *at;
    struct why *why;
    unsigned depth;
    bool skip; /* the side of && || ?: that C would not evaluate: only parsed */
};

static int parse_assignment(struct parser *p, struct value *out);
static int parse_unary(struct parser *p, struct value *out);

static void blanks(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t')
        p->at++;
}

static bool take(struct parser *p, const char *token)
{
    size_t len = strlen(token);
    blanks(p);
    if (strncmp(p->at, token, len))
        return false;
    p->at += len;
    return true;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* A name, or "" if there is none. */
static void take_word(struct parser *p, char word[MAX_NAME])
{
    size_t len = 0;
    blanks(p);
    while (is_word(p->at[len]) && len + 1 < MAX_NAME)
        len++;
    if (isdigit((unsigned char)*p->at))
        len = 0;
    memcpy(word, p->at, len);
    word[len] = 0;
    p->at += len;
}

static int fail_here(struct parser *p, const char *expected)
{
    if (!*p->at)
        return why_fail(p->why, -EINVAL, "the expression ends where %s should be", expected);
    return why_fail(p->why, -EINVAL, "%s expected at \"%.40s\"", expected, p->at);
}

static bool is_type_word(const char *word)
{
    static const char *const words[] = {"unsigned", "signed", "char",   "short", "int",
                                        "long",     "float",  "double", "const", "volatile"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!strcmp(words[i], word))
            return true;
    return false;
}

/* "unsigned long int" in any order. */
static bool plain_type(const char *text, struct type *out)
{
    unsigned longs = 0;
    bool is_unsigned = strstr(text, "unsigned"), is_short = strstr(text, "short");
    for (const char *at = text; (at = strstr(at, "long")); at += 4)
        longs++;
    if (strstr(text, "char"))
        return type_builtin(is_unsigned ? "unsigned char" : "char", out);
    if (strstr(text, "float"))
        return type_builtin("float", out);
    if (strstr(text, "double"))
        return type_builtin(longs ? "long double" : "double", out);
    if (is_short)
        return type_builtin(is_unsigned ? "unsigned short" : "short", out);
    if (longs > 1)
        return type_builtin(is_unsigned ? "unsigned long long" : "long long", out);
    if (longs)
        return type_builtin(is_unsigned ? "unsigned long" : "long", out);
    return type_builtin(is_unsigned ? "unsigned int" : "int", out);
}

static bool named_type(struct parser *p, const char *first, struct type *out)
{
    char full[MAX_NAME * 2], word[MAX_NAME];
    struct value hides;
    snprintf(full, sizeof(full), "%s", first);
    if (!strcmp(first, "struct") || !strcmp(first, "union") || !strcmp(first, "enum")) {
        take_word(p, word);
        snprintf(full, sizeof(full), "%s %s", first, word);
        return word[0] && type_find(p->c->source.symbols, full, out);
    }
    if (frame_find_variable(&p->c->source, &p->c->frame, first, &hides))
        return false;
    return type_find(p->c->source.symbols, first, out);
}

/* A type's name and its stars; false, and nothing taken, if there is none. */
static bool take_type(struct parser *p, struct type *out)
{
    const char *before = p->at;
    char word[MAX_NAME], all[MAX_NAME * 2] = "";
    take_word(p, word);
    while (!strcmp(word, "const") || !strcmp(word, "volatile"))
        take_word(p, word);
    bool ok = word[0] != 0;
    if (ok && is_type_word(word)) {
        const char *behind = p->at;
        while (is_type_word(word) && strlen(all) + strlen(word) + 2 < sizeof(all)) {
            strcat(strcat(all, word), " ");
            behind = p->at;
            take_word(p, word);
        }
        p->at = behind;
        ok = plain_type(all, out);
    } else if (ok) {
        ok = named_type(p, word, out);
    }
    while (ok && (take(p, "*") || take(p, "const")))
        if (p->at[-1] == '*')
            *out = type_pointer_to(out);
    if (!ok)
        p->at = before;
    return ok;
}

static int parse_char(struct parser *p, struct value *out)
{
    static const char letters[] = "abtnvfre0", codes[] = "\a\b\t\n\v\f\r\033";
    int c = (unsigned char)*p->at++;
    if (c == '\\') {
        const char *known = *p->at ? strchr(letters, *p->at) : NULL;
        c = known ? codes[known - letters] : (unsigned char)*p->at;
        p->at += *p->at != 0;
    }
    if (!c || !take(p, "'"))
        return fail_here(p, "the closing quote");
    *out = value_integer(c, 1, true);
    type_builtin("char", &out->type);
    return 0;
}

static int parse_number(struct parser *p, struct value *out)
{
    char *end, *float_end;
    errno = 0;
    unsigned long long n = strtoull(p->at, &end, 0);
    double f = strtod(p->at, &float_end);
    if (float_end > end && strncmp(p->at, "0x", 2)) {
        *out = (struct value){.place = VALUE_BYTES};
        type_builtin("double", &out->type);
        memcpy(out->bytes, &f, sizeof(f));
        p->at = float_end;
        return 0;
    }
    bool is_unsigned = false, is_long = false;
    for (; *end == 'u' || *end == 'U' || *end == 'l' || *end == 'L'; end++) {
        is_unsigned |= *end == 'u' || *end == 'U';
        is_long |= end[1] == *end && (*end == 'l' || *end == 'L');
    }
    if (end == p->at || is_word(*end))
        return fail_here(p, "a number");
    if (errno)
        return why_fail(p->why, -EINVAL, "the number does not fit into 64 bits");
    p->at = end;
    is_unsigned |= n > INT64_MAX || (n > INT32_MAX && n <= UINT32_MAX);
    *out = value_integer((int64_t)n, n > UINT32_MAX || is_long ? 8 : 4, !is_unsigned);
    return 0;
}

static int parse_dollar(struct parser *p, struct value *out)
{
    char word[MAX_NAME];
    size_t len = 0;
    while ((is_word(p->at[len]) || p->at[len] == '$') && len + 1 < MAX_NAME)
        len++;
    memcpy(word, p->at, len);
    word[len] = 0;
    p->at += len;
    if (expr_register(p->c, word, out))
        return 0;
    if (p->c->variable && p->c->variable(p->c->opaque, word, out))
        return 0;
    return why_fail(p->why, -ENOENT, "there is no register $%s; \"info registers\" lists them",
                    word);
}

/* A label of assembly has no type: in code it is a place like a function. */
static bool is_code(const struct symbols *symbols, const struct symbols_symbol *s)
{
    uint32_t low, high;
    if (s->function || s->size)
        return s->function;
    for (unsigned n = 0; symbols_code_range(symbols, n, &low, &high); n++)
        if (s->address >= low && s->address < high)
            return true;
    return false;
}

static void symbol_value(const struct symbols *symbols, const struct symbols_symbol *s,
                         struct value *out)
{
    static const char *const by_size[9] = {[1] = "u8", [2] = "u16", [8] = "u64"};
    struct type type;
    const char *name = s->size < ARRAY_LEN(by_size) ? by_size[s->size] : NULL;
    type_builtin(is_code(symbols, s) ? "<text>" : name ? name : "u32", &type);
    *out = value_in_memory(&type, s->address);
}

static int parse_name(struct parser *p, struct value *out)
{
    char word[MAX_NAME];
    struct symbols_symbol symbol;
    take_word(p, word);
    if (!word[0])
        return fail_here(p, "a value");
    if (frame_find_variable(&p->c->source, &p->c->frame, word, out))
        return 0;
    if (symbols_find(p->c->source.symbols, word, 0, &symbol)) {
        symbol_value(p->c->source.symbols, &symbol, out);
        return 0;
    }
    return why_fail(p->why, -ENOENT,
                    "nothing is called %s here; registers begin with $, \"info functions %s\" and "
                    "\"info variables %s\" search",
                    word, word, word);
}

static int parse_primary(struct parser *p, struct value *out)
{
    blanks(p);
    if (take(p, "(")) {
        int err = parse_assignment(p, out);
        if (!err && !take(p, ")"))
            err = fail_here(p, "a )");
        return err;
    }
    if (take(p, "$"))
        return parse_dollar(p, out);
    if (take(p, "'"))
        return parse_char(p, out);
    if (isdigit((unsigned char)*p->at))
        return parse_number(p, out);
    return parse_name(p, out);
}

static int parse_postfix(struct parser *p, struct value *out)
{
    char word[MAX_NAME];
    int err = parse_primary(p, out);
    while (!err) {
        if (take(p, "[")) {
            struct value index;
            err = parse_assignment(p, &index);
            if (!err && !take(p, "]"))
                err = fail_here(p, "a ]");
            if (!err && !p->skip)
                err = expr_index(p->target, out, &index, out, p->why);
        } else if (take(p, "->") ||
                   (p->at[0] == '.' && !isdigit((unsigned char)p->at[1]) && take(p, "."))) {
            take_word(p, word);
            if (!word[0])
                err = fail_here(p, "the name of a member");
            else if (!p->skip)
                err = expr_member(p->target, out, word, out, p->why);
        } else {
            break;
        }
    }
    return err;
}

static int parse_sizeof(struct parser *p, struct value *out)
{
    struct type type;
    const char *before = p->at;
    if (take(p, "(") && take_type(p, &type) && take(p, ")")) {
        *out = value_integer(type_size(&type), 4, false);
        return 0;
    }
    p->at = before;
    int err = parse_unary(p, out);
    if (!err)
        *out = value_integer(type_size(&out->type), 4, false);
    return err;
}

/* (TYPE) VALUE, or nothing taken: 1. */
static int parse_cast(struct parser *p, struct value *out)
{
    struct type type;
    const char *before = p->at;
    if (!take(p, "(") || !take_type(p, &type) || !take(p, ")")) {
        p->at = before;
        return 1;
    }
    int err = parse_unary(p, out);
    return err || p->skip ? err : expr_cast(p->target, &type, out, out, p->why);
}

static int prefix(struct parser *p, char op, struct value *out)
{
    int err = parse_unary(p, out);
    if (err || p->skip)
        return err;
    if (op == '*')
        return expr_deref(p->target, out, out, p->why);
    if (op == '&')
        return expr_address_of(out, out, p->why);
    return op == '+' ? 0 : expr_unary(p->target, op, out, out, p->why);
}

static int unary(struct parser *p, struct value *out)
{
    const char *before = p->at;
    char word[MAX_NAME];
    int cast = parse_cast(p, out);
    if (cast <= 0)
        return cast;
    blanks(p);
    if (*p->at && strchr("-~!*&+", *p->at))
        return prefix(p, *p->at++, out);
    take_word(p, word);
    if (!strcmp(word, "sizeof"))
        return parse_sizeof(p, out);
    p->at = before;
    return parse_postfix(p, out);
}

static int parse_unary(struct parser *p, struct value *out)
{
    if (p->depth++ >= MAX_DEPTH)
        return why_fail(p->why, -EINVAL, "the expression is nested too deep");
    int err = unary(p, out);
    p->depth--;
    return err;
}

static const struct {
    const char *text;
    uint8_t op, level;
} operators[] = {
    /* Longer ones first. */
    {"||", EXPR_OR, 1},     {"&&", EXPR_AND, 2},   {"==", EXPR_EQ, 6},    {"!=", EXPR_NE, 6},
    {"<<", EXPR_SHL, 8},    {">>", EXPR_SHR, 8},   {"<=", EXPR_LE, 7},    {">=", EXPR_GE, 7},
    {"<", EXPR_LT, 7},      {">", EXPR_GT, 7},     {"|", EXPR_BIT_OR, 3}, {"^", EXPR_BIT_XOR, 4},
    {"&", EXPR_BIT_AND, 5}, {"@", EXPR_REPEAT, 9}, {"+", EXPR_ADD, 10},   {"-", EXPR_SUB, 10},
    {"*", EXPR_MUL, 11},    {"/", EXPR_DIV, 11},   {"%", EXPR_MOD, 11},
};

/* The operator that comes next, if it binds at least as `level`; its place in the table, or -1. */
static int next_operator(struct parser *p, unsigned level)
{
    blanks(p);
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (strncmp(p->at, operators[i].text, strlen(operators[i].text)))
            continue;
        return operators[i].level >= level ? (int)i : -1;
    }
    return -1;
}

static int parse_binary(struct parser *p, unsigned level, struct value *out);

/* && and ||: the right side counts only if the left one does not decide. */
static int parse_logic(struct parser *p, unsigned op, unsigned level, struct value *left)
{
    int64_t a = 0, b = 0;
    bool skipped = p->skip;
    struct value right;
    int err = skipped ? 0 : value_number(p->target, left, &a, p->why);
    if (err)
        return err;
    p->skip = skipped || (op == EXPR_AND ? !a : a != 0);
    err = parse_binary(p, level + 1, &right);
    if (!err && !p->skip)
        err = value_number(p->target, &right, &b, p->why);
    p->skip = skipped;
    *left = value_integer(op == EXPR_AND ? a && b : a || b, 4, true);
    return err;
}

static int parse_binary(struct parser *p, unsigned level, struct value *out)
{
    int err = parse_unary(p, out), found;
    while (!err && (found = next_operator(p, level)) >= 0) {
        unsigned op = operators[found].op, own = operators[found].level;
        struct value right;
        p->at += strlen(operators[found].text);
        if (op == EXPR_AND || op == EXPR_OR) {
            err = parse_logic(p, op, own, out);
            continue;
        }
        err = parse_binary(p, own + 1, &right);
        if (!err && !p->skip)
            err = expr_binary(p->target, op, out, &right, out, p->why);
    }
    return err;
}

static int parse_conditional(struct parser *p, struct value *out)
{
    struct value yes, no;
    bool skipped = p->skip;
    int64_t n = 0;
    int err = parse_binary(p, 1, out);
    if (err || !take(p, "?"))
        return err;
    if (!skipped)
        err = value_number(p->target, out, &n, p->why);
    p->skip = skipped || !n;
    if (!err)
        err = parse_assignment(p, &yes);
    if (!err && !take(p, ":"))
        err = fail_here(p, "a :");
    p->skip = skipped || n;
    if (!err)
        err = parse_conditional(p, &no);
    p->skip = skipped;
    *out = n ? yes : no;
    return err;
}

/* $name = VALUE, where it is no register. 1: it is not that. */
static int set_variable(struct parser *p, struct value *out)
{
    const char *before = p->at;
    char word[MAX_NAME];
    struct value known;
    if (take(p, "$")) {
        take_word(p, word);
        if (word[0] && !expr_register(p->c, word, &known) && take(p, "=") && *p->at != '=') {
            int err = parse_assignment(p, out);
            if (!err && !(p->c->set_variable && p->c->set_variable(p->c->opaque, word, out)))
                err = why_fail(p->why, -EINVAL, "$%s cannot be set", word);
            return err;
        }
    }
    p->at = before;
    return 1;
}

static int assign(struct parser *p, struct value *out)
{
    struct value right;
    int64_t n;
    int err = parse_assignment(p, &right);
    if (!err && !p->c->may_write)
        err = why_fail(p->why, -EPERM, "nothing is assigned here; use \"set\"");
    if (!err && !p->skip)
        err = value_number(p->target, &right, &n, p->why);
    if (err || p->skip)
        return err;
    err = value_assign(p->target, out, n, p->why);
    if (!err && out->place == VALUE_REGISTER)
        memcpy(out->bytes, &n, 4);
    return err;
}

static int parse_assignment(struct parser *p, struct value *out)
{
    if (p->depth++ >= MAX_DEPTH)
        return why_fail(p->why, -EINVAL, "the expression is nested too deep");
    int err = set_variable(p, out);
    if (err == 1) {
        err = parse_conditional(p, out);
        blanks(p);
        if (!err && p->at[0] == '=' && p->at[1] != '=') {
            p->at++;
            err = assign(p, out);
        }
    }
    p->depth--;
    return err;
}

int expr_evaluate(struct expr_context *c, const char *text, const char **end, struct value *out,
                  struct why *why)
{
    struct parser p = {.c = c, .target = c->source.target, .at = text, .why = why};
    int err = parse_assignment(&p, out);
    blanks(&p);
    if (err)
        return err;
    if (end)
        *end = p.at;
    else if (*p.at)
        return why_fail(why, -EINVAL, "this is too much: \"%.40s\"", p.at);
    return 0;
}

int expr_number(struct expr_context *c, const char *text, const char **end, int64_t *out,
                struct why *why)
{
    struct value v;
    int err = expr_evaluate(c, text, end, &v, why);
    return err ? err : value_number(c->source.target, &v, out, why);
}
