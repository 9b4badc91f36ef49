/* SPDX-License-Identifier: MIT */
/*
 * What the verbs of `denali host` share: their command lines, and one request to
 * the daemon's API (docs/HOST.md).
 */
#ifndef DENALI_HOST_CLIENT_H
#define DENALI_HOST_CLIENT_H

#include "emu/cli/cli.h"

#include <jansson.h>

/* The daemon said no; its words are on stderr. Further: CLI_TIMEOUT, CLI_FAILED. */
#define HOST_REFUSED 1

struct host_option {
    const char *name;
    char letter;
    const char **value; /* NULL: a flag */
    bool *flag;
};

#define HOST_WORDS_MAX 256u

struct host_args {
    const char *socket; /* NULL: the default */
    bool json, help;
    const char *word[HOST_WORDS_MAX]; /* that are no options */
    unsigned words;
};

/* Whether a word that begins with '-' is the option --NAME[=VALUE] or -LETTER[VALUE] (0: it has no
 * letter); then *value is what is joined to it, or NULL. */
bool host_word_is(const char *word, const char *name, char letter, const char **value);
/* From the words after the verb; the options of all verbs (--socket, --json, --help) and `options`.
 * 0, or -EINVAL and `why`. */
MUST_CHECK int host_args_parse(int argc, char **argv, const struct host_option *options,
                               unsigned count, struct host_args *out, struct why *why);
/* The same for a verb with at least `min` and at most `max` words. False: it is done, *status is
 * its exit status. */
bool host_args_take(const struct cli_verb *verb, int argc, char **argv,
                    const struct host_option *options, unsigned count, unsigned min, unsigned max,
                    struct host_args *out, int *status);
/* False: complained. */
bool host_number(const char *text, const char *what, unsigned long max, unsigned long *out);

struct host_reply {
    int status;   /* of HTTP */
    json_t *json; /* NULL: the body is none */
    char *body;   /* with a 0 behind it */
    size_t len;
    uint64_t next_offset; /* of logs */
};
void host_reply_fini(struct host_reply *reply);

/* A path of the API: printf-like; %s are escaped by host_escape. Returns a static-free string to be
 * freed, or NULL. */
char *host_path(const char *fmt, const char *ref, const char *more);

/* One request. `progress`: what is said on a terminal while it takes long; NULL: nothing. 0, or a
 * negative errno and `why`. */
struct host_request {
    const char *method, *path;
    const json_t *body; /* NULL: none */
    const char *bytes;  /* or this */
    size_t len;
    const char *progress;
};
MUST_CHECK int host_ask(const struct host_args *args, const struct host_request *request,
                        struct host_reply *out, struct why *why);
/* The same, for verbs: what goes wrong is told on stderr. Exit status; 0: `out` is the answer. */
int host_do(const struct host_args *args, const struct host_request *request,
            struct host_reply *out);

/* A connection that has become a console; a descriptor or a negative errno and `why`. What came
 * behind the answer is in `extra`. */
MUST_CHECK int host_upgrade(const struct host_args *args, const char *path, char extra[4096],
                            size_t *extra_len, struct why *why);

const char *host_text(const json_t *object, const char *member); /* "" if there is none */
long long host_integer(const json_t *object, const char *member);
void host_print_json(const json_t *object);

#endif
