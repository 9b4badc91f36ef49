/* SPDX-License-Identifier: MIT */
/*
 * The debugger's command line: lines of commands, with expressions, places and formats, for a
 * machine whose symbols and types are those of the ELF file behind the first 00h, if there is
 * one. Every error has a reason. Commands that take files of the host are left out.
 * fuzz: max_len=12000
 */
#include "emu/debug/session.h"
#include "emu/debug/symbols/symbols.h"
#include "testsuite/fuzz/fuzz.h"
#include "testsuite/fuzz/machine.h"

#include <stdlib.h>
#include <string.h>

#define LINES 40u

static bool takes_file(const char *line)
{
    const struct command *row;
    const char *args;
    struct why why;
    return command_find(line, &row, &args, &why) == 0 && row->complete == COMPLETE_FILE;
}

static bool count_word(void *opaque, const char *word)
{
    unsigned *n = opaque;
    return ++*n < 200 && word[0] != 1;
}

static void run_line(struct session *session, const char *line, FILE *sink)
{
    struct command_out out = {.file = sink};
    struct why why = {""};
    unsigned words = 0;
    if (strlen(line) > 400 || takes_file(line))
        return;
    command_complete(session, line, count_word, &words);
    if (command_run(session, line, &out, &why) < 0)
        FUZZ_REQUIRE(why.text[0]);
}

static void run_lines(struct session *session, char *text, FILE *sink)
{
    char *rest = text, *line;
    for (unsigned n = 0; n < LINES && (line = strsep(&rest, "\n")); n++)
        run_line(session, line, sink);
}

static FILE *the_sink(void)
{
    static FILE *sink;
    if (!sink)
        sink = fopen("/dev/null", "w");
    FUZZ_REQUIRE(sink);
    return sink;
}

static void add_symbols(struct session *session, struct fuzz_machine *m, const uint8_t *elf,
                        size_t len)
{
    struct why why = {""};
    fuzz_machine_load(m, elf, len);
    struct symbols *symbols = session_symbols(session);
    uint8_t *copy = fuzz_exact(elf, len);
    FUZZ_REQUIRE(symbols);
    if (symbols_add_bytes(symbols, "fuzz.elf", copy, len, 0, &why))
        FUZZ_REQUIRE(why.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct loop *loop;
    struct session *session;
    struct fuzz_machine machine;
    const uint8_t *end = memchr(data, 0, len);
    size_t text_len = end ? (size_t)(end - data) : len;
    char *text = fuzz_text(data, text_len);
    FUZZ_REQUIRE(loop_create(&loop) == 0);
    fuzz_machine_make(&machine, loop, "one");
    FUZZ_REQUIRE(session_create(loop, &session) == 0);
    session_select(session, &machine.target);
    if (end)
        add_symbols(session, &machine, end + 1, len - text_len - 1);
    run_lines(session, text, the_sink());
    session_destroy(session);
    loop_destroy(loop);
    fuzz_machine_end(&machine);
    free(text);
    return 0;
}
