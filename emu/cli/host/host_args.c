/* SPDX-License-Identifier: MIT */
/* Command lines of the host's verbs: options in any order, words between them. */
#include "emu/cli/host/host_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool host_word_is(const char *word, const char *name, char letter, const char **value)
{
    size_t len = strlen(name);
    const char *end = word[1] == '-' ? word + 2 + len : word + 2;
    bool is = word[1] == '-' ? !strncmp(word + 2, name, len) && (!*end || *end == '=')
                             : letter && word[1] == letter;
    if (is)
        *value = !*end ? NULL : word[1] == '-' ? end + 1 : end;
    return is;
}

/* The option of a word, and its value if that is joined to it. */
static const struct host_option *find(const char *word, const struct host_option *options,
                                      unsigned count, const char **value)
{
    *value = NULL;
    for (unsigned i = 0; i < count; i++) {
        const struct host_option *o = &options[i];
        if (host_word_is(word, o->name, o->letter, value))
            return o;
    }
    return NULL;
}

static int take(const struct host_option *o, const char *word, const char *value, char **argv,
                int *i, struct why *why)
{
    if (!o->value) {
        *o->flag = true;
        return value ? why_fail(why, -EINVAL, "%s: this option takes no value", word) : 0;
    }
    if (!value)
        value = argv[++*i];
    if (!value)
        return why_fail(why, -EINVAL, "%s: its value is missing", word);
    *o->value = value;
    return 0;
}

int host_args_parse(int argc, char **argv, const struct host_option *options, unsigned count,
                    struct host_args *out, struct why *why)
{
    const struct host_option common[] = {{"socket", 0, &out->socket, NULL},
                                         {"json", 0, NULL, &out->json},
                                         {"help", 'h', NULL, &out->help}};
    memset(out, 0, sizeof(*out));
    bool only_words = false;
    int err = 0;
    for (int i = 0; !err && i < argc; i++) {
        const char *word = argv[i], *value;
        if (!only_words && !strcmp(word, "--")) {
            only_words = true;
        } else if (only_words || word[0] != '-' || !word[1]) {
            if (out->words == HOST_WORDS_MAX)
                return why_fail(why, -EINVAL, "too many words");
            out->word[out->words++] = word;
        } else {
            const struct host_option *o = find(word, common, ARRAY_LEN(common), &value);
            if (!o)
                o = find(word, options, count, &value);
            err = o ? take(o, word, value, argv, &i, why)
                    : why_fail(why, -EINVAL, "there is no option %s", word);
        }
    }
    return err;
}

bool host_args_take(const struct cli_verb *verb, int argc, char **argv,
                    const struct host_option *options, unsigned count, unsigned min, unsigned max,
                    struct host_args *out, int *status)
{
    struct why why = {""};
    int err = host_args_parse(argc - 1, argv + 1, options, count, out, &why);
    if (!err && out->help) {
        fputs(verb->help, stdout);
        *status = CLI_OK;
        return false;
    }
    if (!err && (out->words < min || out->words > max))
        err = why_fail(&why, -EINVAL, out->words < min ? "which VM?" : "too many words: %s",
                       out->words ? out->word[out->words - 1] : "");
    if (err)
        *status = cli_complain(CLI_FAILED, "%s; see denali help %s", why.text, verb->name);
    return !err;
}

bool host_number(const char *text, const char *what, unsigned long max, unsigned long *out)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && !errno && n <= max) {
        *out = n;
        return true;
    }
    cli_complain(CLI_FAILED, "%s %s is not a number from 0 to %lu", what, text, max);
    return false;
}
