/* SPDX-License-Identifier: MIT */
/* Completion of the word that is being typed. */
#include "emu/debug/command/command_private.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MAX_WORDS 2000u

struct completion {
    const char *part; /* what is there of the word */
    command_word_fn fn;
    void *opaque;
    unsigned words;
};

static bool offer(struct completion *c, const char *word)
{
    if (strncmp(word, c->part, strlen(c->part)))
        return true;
    return c->words++ < MAX_WORDS && c->fn(c->opaque, word);
}

static bool offer_symbol(void *opaque, const struct symbols_symbol *symbol)
{
    return offer(opaque, symbol->name);
}

struct functions {
    struct completion *completion;
};

static bool offer_function(void *opaque, const struct symbols_symbol *symbol)
{
    struct functions *f = opaque;
    return !symbol->function || offer(f->completion, symbol->name);
}

static bool offer_source(void *opaque, const char *file)
{
    const char *slash = strrchr(file, '/');
    return offer(opaque, slash ? slash + 1 : file);
}

static void complete_place(struct session *s, struct completion *c)
{
    struct functions f = {c};
    if (!session_symbols(s) || !*c->part)
        return;
    symbols_each(session_symbols(s), c->part, offer_function, &f);
    symbols_each_file(session_symbols(s), offer_source, c);
}

static void complete_expression(struct session *s, struct completion *c)
{
    char text[64];
    if (*c->part == '$') {
        const char *name;
        for (unsigned n = 0; (name = expr_register_name(n)); n++) {
            snprintf(text, sizeof(text), "$%s", name);
            if (!offer(c, text))
                return;
        }
    } else if (*c->part && session_symbols(s)) {
        symbols_each(session_symbols(s), c->part, offer_symbol, c);
    }
}

/* Names of a folder of the host, folders with a slash behind. */
static void complete_file(struct completion *c)
{
    char folder[1024] = ".", path[2048];
    const char *slash = strrchr(c->part, '/');
    size_t len = slash ? (size_t)(slash - c->part) + 1 : 0;
    if (len)
        snprintf(folder, sizeof(folder), "%.*s", (int)len, c->part);
    DIR *dir = opendir(folder);
    struct dirent *e;
    while (dir && (e = readdir(dir))) {
        struct stat st;
        if (e->d_name[0] == '.' && c->part[len] != '.')
            continue;
        snprintf(path, sizeof(path), "%.*s%s", (int)len, c->part, e->d_name);
        if (!stat(path, &st) && S_ISDIR(st.st_mode))
            snprintf(path + strlen(path), sizeof(path) - strlen(path), "/");
        if (!offer(c, path))
            break;
    }
    if (dir)
        closedir(dir);
}

static void complete_words(const char *words, struct completion *c)
{
    char word[COMMAND_WORD];
    while (words && *words) {
        words = command_word(words, word);
        if (!offer(c, word))
            return;
    }
}

/* The line so far begins names: the next word of each. */
static void complete_command(const char *line, struct completion *c)
{
    const struct command *row;
    char last[COMMAND_WORD] = "";
    size_t before = (size_t)(c->part - line);
    for (unsigned n = 0; (row = command_row(n)); n++) {
        char word[COMMAND_WORD];
        if (strncmp(row->name, line, before) || strlen(row->name) < before)
            continue;
        command_word(row->name + before, word);
        if (strcmp(word, last) && !offer(c, word))
            return;
        snprintf(last, sizeof(last), "%s", word);
    }
}

/* Where the word that is typed begins: symbols within expressions, too. */
static const char *last_word(const char *line, const char *separators)
{
    const char *at = line + strlen(line);
    while (at > line && !strchr(separators, at[-1]))
        at--;
    return at;
}

bool command_complete(struct session *s, const char *line, command_word_fn fn, void *opaque)
{
    struct completion c = {.fn = fn, .opaque = opaque};
    const struct command *row;
    const char *args;
    line += strspn(line, " \t");
    c.part = last_word(line, " \t");
    if (command_find(line, &row, &args, NULL) || args == line + strlen(line)) {
        bool more = args == line + strlen(line) && c.part == line + strlen(line);
        if (!more || command_find(line, &row, &args, NULL)) {
            complete_command(line, &c);
            return true;
        }
    }
    if (row->complete == COMPLETE_EXPRESSION)
        c.part = last_word(line, " \t()[]*&+-/<>=!~,|");
    if (row->complete == COMPLETE_PLACE)
        complete_place(s, &c);
    else if (row->complete == COMPLETE_EXPRESSION)
        complete_expression(s, &c);
    else if (row->complete == COMPLETE_FILE)
        complete_file(&c);
    else if (row->complete == COMPLETE_WORDS)
        complete_words(row->words, &c);
    else if (row->complete == COMPLETE_COMMAND)
        complete_command(args, &c);
    return row->complete == COMPLETE_WORDS || row->complete == COMPLETE_COMMAND;
}
