/* SPDX-License-Identifier: MIT */
/*
 * Words that a person or a file gives: the daemon's config file, what a VM is to be (its words for
 * `denali run` are then parsed as such), the options of run, and those for networks.
 * fuzz: max_len=1024
 */
#include "denali/host/daemon/settings.h"
#include "denali/host/spec.h"
#include "emu/cli/run/run_options.h"
#include "testsuite/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS 64

static void config_file(const uint8_t *data, size_t len)
{
    char path[FUZZ_PATH];
    struct config config = {0};
    struct why why = {""};
    int fd = fuzz_file(data, len, path);
    char option[] = "--config";
    char *argv[] = {option, path, NULL};
    if (config_parse(2, argv, &config, &why))
        FUZZ_REQUIRE(why.text[0]);
    config_fini(&config);
    close(fd);
}

static void run_options(int argc, char **argv)
{
    struct run_options *options = calloc(1, sizeof(*options));
    struct why why = {""};
    FUZZ_REQUIRE(options);
    if (run_options_parse(argc, argv, options, &why))
        FUZZ_REQUIRE(why.text[0]);
    run_options_fini(options);
    free(options);
}

static void spec(const uint8_t *data, size_t len)
{
    json_error_t error;
    struct why why = {""};
    struct quota quota;
    int count;
    json_t *object = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, &error);
    if (object && spec_check(object, &why) == 0) {
        char **words = spec_words(object, &count);
        FUZZ_REQUIRE(words && !words[count]);
        run_options(count, words);
        spec_words_free(words);
        (void)!spec_quota(json_object_get(object, "quota"), &quota);
        (void)spec_restart(object);
    } else if (object) {
        FUZZ_REQUIRE(why.text[0]);
    }
    json_decref(object);
}

/* Words of a command line, each up to a line feed. */
static void words(const uint8_t *data, size_t len)
{
    char *text = fuzz_text(data, len), *rest = text, *argv[WORDS + 1];
    int argc = 0;
    while (argc < WORDS && (argv[argc] = strsep(&rest, "\n")))
        argc++;
    argv[argc] = NULL;
    run_options(argc, argv);
    free(text);
}

static void networks(const uint8_t *data, size_t len)
{
    char *text = fuzz_text(data, len);
    struct net_publish publish;
    struct net_error error = {""};
    struct wire_config wire = {0};
    if (net_publish_parse(text, &publish, &error))
        FUZZ_REQUIRE(error.text[0]);
    (void)!wire_config_parse(&wire, text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const try[])(const uint8_t *, size_t) = {config_file, spec, words, networks};
    if (len)
        try[data[0] % ARRAY_LEN(try)](data + 1, len - 1);
    return 0;
}
