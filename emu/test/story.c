/* SPDX-License-Identifier: MIT */
/*
 * The debugger is asked by its own commands, as a person would: where it ended, where the output
 * first went wrong, who wrote the value that is wrong.
 */
#include "emu/test/story_private.h"

#include "denali/record/record.h"
#include "emu/cli/run/run_files.h"
#include "emu/debug/symbols/symbols.h"
#include "guests/ilwaco/boot_params.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST_BLOCKS 12u
#define BLOCKS_SPAN 30000u /* instructions that are looked at for them */
#define STORY_LINES 70u

/* ---- what the debugger is asked ---- */

static void ask_place(struct buffer *c)
{
    buffer_text(c, "backtrace 12\ninfo registers\ninfo locals\nlist\n");
}

/* The first commands of all: to the end, or back to what led to it. */
static void ask_end(const struct story *s, struct buffer *c)
{
    const struct outcome *o = s->out;
    bool linux_program = s->spec->kind == SPEC_LINUX;
    bool fault = o->end == END_SIGNAL && (o->signal == 11 || o->signal == 8 || o->signal == 4 ||
                                          o->signal == 7 || o->signal == 5);
    buffer_text(c, "continue\n");
    if (fault)
        buffer_text(c, "catch fault\nreverse-continue\n");
    else if (linux_program && o->end == END_EXIT)
        buffer_text(c, "catch syscall exit_group\nreverse-continue\n");
    else if (linux_program && o->end != END_SIGNAL)
        buffer_text(c, "info threads\n");
    else if (!linux_program && o->end == END_EXIT)
        buffer_text(c, "reverse-stepi\n"); /* to the virtual instruction that ended it */
    ask_place(c);
}

static void ask_output(const struct story *s, struct buffer *c)
{
    buffer_print(c, "goto %llu\n", (unsigned long long)s->out->wrong_at);
    buffer_text(c, "backtrace 12\nlist\n");
}

/* Of the first wrong value in memory at the end. */
static const struct spec_value *wrong_value(const struct story *s)
{
    for (unsigned i = 0; i < s->spec->expect.values; i++) {
        const struct spec_value *v = &s->spec->expect.value[i];
        if (v->what == WHAT_MEMORY && !v->at && strstr(buffer_string(&s->out->why), v->where))
            return v;
    }
    return NULL;
}

static void ask_value(const struct spec_value *v, struct buffer *c)
{
    const char *plus = strchr(v->where, '+');
    buffer_text(c, "continue\n");
    if (v->where[0] >= '0' && v->where[0] <= '9')
        buffer_print(c, "who wrote %s, %u\n", v->where, v->size);
    else if (plus)
        buffer_print(c, "who wrote (u8 *)&%.*s + %s, %u\n", (int)(plus - v->where), v->where,
                     plus + 1, v->size);
    else
        buffer_print(c, "who wrote (u32)&%s, %u\n", v->where, v->size);
    buffer_text(c, "backtrace 12\nlist\n");
}

/* ---- asking ---- */

void story_add_lines(struct buffer *to, const char *text, unsigned most)
{
    for (const char *at = text; *at && most; most--) {
        size_t len = strcspn(at, "\n");
        buffer_print(to, "  %.*s\n", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

static bool is_noise(const char *line)
{
    static const char *const noise[] = {"Continuing.", "Catchpoint", "denali: ", "No locals.", ""};
    size_t len = strcspn(line, "\n");
    for (unsigned i = 0; i < ARRAY_LEN(noise); i++) {
        size_t n = strlen(noise[i]);
        if (n ? len >= n && !memcmp(line, noise[i], n) : !len)
            return true;
    }
    return false;
}

static void without_noise(const struct buffer *in, struct buffer *out)
{
    for (const char *at = buffer_string(in); *at;) {
        size_t len = strcspn(at, "\n");
        if (!is_noise(at))
            buffer_print(out, "%.*s\n", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

void story_ask(struct story *s, const char *const argv[], const char *title,
               const struct buffer *commands)
{
    struct buffer said = {0}, text = {0};
    story_write(s->folder, "commands", commands);
    (void)story_run_self(argv, &said);
    without_noise(&said, &text);
    if (text.len) {
        buffer_print(&s->out->story, "%s:\n", title);
        story_add_lines(&s->out->story, text.data, STORY_LINES);
    }
    buffer_free(&said);
    buffer_free(&text);
}

static void ask(struct story *s, const char *title, const struct buffer *commands)
{
    const char *const argv[] = {"denali",     "replay",    "-q",         "--batch",
                                "--commands", s->commands, s->recording, NULL};
    story_ask(s, argv, title, commands);
}

/* ---- the last blocks ---- */

static struct symbols *symbols_of(const struct story *s)
{
    struct recording *recording;
    struct symbols *symbols = NULL;
    struct run_files files;
    struct why why;
    if (recording_open(s->recording, &recording, &why))
        return NULL;
    if (!run_files_of_recording(recording_info(recording), &files, &why)) {
        if (symbols_create(&symbols))
            symbols = NULL;
        for (unsigned i = 0; symbols && i < files.count; i++) {
            if (symbols_add(symbols, files.file[i].path, files.file[i].offset, &why))
                continue;
        }
        run_files_free(&files);
    }
    recording_close(recording);
    return symbols;
}

static void put_block(struct story *s, const struct symbols *symbols, const char *line)
{
    char text[SYMBOLS_TEXT] = "";
    struct symbols_line at;
    unsigned long long icount;
    unsigned address;
    if (sscanf(line, "%llu %x", &icount, &address) != 2)
        return;
    buffer_print(&s->out->story, "  %llu  0x%08x%s", icount, address,
                 symbols ? symbols_text(symbols, address, text) : "");
    if (symbols && symbols_line_at(symbols, address, &at))
        buffer_print(&s->out->story, " %s:%d",
                     strrchr(at.file, '/') ? strrchr(at.file, '/') + 1 : at.file, at.line);
    buffer_text(&s->out->story, "\n");
}

/* Of a Linux program those of its own, not of the kernel's below it. */
static bool is_own_block(const struct story *s, const char *line)
{
    unsigned long long icount;
    unsigned address;
    return sscanf(line, "%llu %x", &icount, &address) == 2 &&
           (s->spec->kind != SPEC_LINUX || address >= ILWACO_PIE_BASE);
}

static void put_last_blocks(struct story *s, const char *text)
{
    const char *last[LAST_BLOCKS] = {NULL};
    unsigned n = 0;
    for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        if (is_own_block(s, at))
            last[n++ % LAST_BLOCKS] = at;
    }
    struct symbols *symbols = n ? symbols_of(s) : NULL;
    if (n)
        buffer_text(&s->out->story, "last blocks (instruction, place):\n");
    for (unsigned i = n > LAST_BLOCKS ? n - LAST_BLOCKS : 0; i < n; i++)
        put_block(s, symbols, last[i % LAST_BLOCKS]);
    symbols_destroy(symbols);
}

static void tell_blocks(struct story *s)
{
    uint64_t n = s->out->instructions;
    char *trace = NULL;
    struct buffer said = {0}, blocks = {0};
    char part[4096];
    size_t got;
    if (asprintf(&trace, "block:%s/blocks.txt,first=%llu", s->folder,
                 (unsigned long long)(n > BLOCKS_SPAN ? n - BLOCKS_SPAN : 0)) < 0)
        return;
    const char *const argv[] = {"denali", "replay", "-q", "--trace", trace, s->recording, NULL};
    (void)story_run_self(argv, &said);
    char *path = story_path(s->folder, "blocks.txt");
    FILE *file = path ? fopen(path, "re") : NULL;
    while (file && (got = fread(part, 1, sizeof(part), file)) > 0)
        buffer_add(&blocks, part, got);
    if (file)
        fclose(file);
    put_last_blocks(s, buffer_string(&blocks));
    buffer_free(&said);
    buffer_free(&blocks);
    free(path);
    free(trace);
}

/* ---- all of it ---- */

/* Once more, recorded; a guest that ran out of time ends where it was ended. */
static bool record(struct story *s, struct runner *runner, const struct run_wish *wish)
{
    struct outcome again = {0};
    struct spec spec = *s->spec;
    struct run_wish recorded = *wish;
    struct buffer what = {0};
    recorded.record = s->recording;
    recorded.check = false;
    spec.timeout_ns *= 4;
    if (s->out->end == END_SECONDS)
        spec.max_instructions = s->out->instructions;
    story_forget_recording(s->recording);
    run_test(runner, &spec, &recorded, &again);
    bool good = again.end != END_NOT_RUN && again.end != END_HOST;
    if (!good)
        buffer_print(&s->out->story, "it could not be recorded: %s\n",
                     buffer_string(&again.end_text));
    else if (again.sum != s->out->sum && s->out->end != END_SECONDS && !spec.real_time &&
             !wish->real_time)
        buffer_text(&s->out->story, "the recorded run was another one: this test is flaky\n");
    outcome_free(&again);
    buffer_free(&what);
    return good;
}

static void tell_tail(struct story *s)
{
    const struct buffer *all = &s->out->all;
    size_t from = all->len > TAIL_BYTES ? all->len - TAIL_BYTES : 0;
    if (!all->len)
        return;
    buffer_print(&s->out->story, "console%s:\n", from ? ", its end" : "");
    story_add_lines(&s->out->story, all->data + from, 30);
}

static void tell_recording(struct story *s)
{
    struct buffer commands = {0};
    const struct spec_value *value = wrong_value(s);
    ask_end(s, &commands);
    ask(s, "where it ended", &commands);
    buffer_clear(&commands);
    if (s->out->wrong_at) {
        ask_output(s, &commands);
        ask(s, "where stdout was first other than expected", &commands);
        buffer_clear(&commands);
    }
    if (value) {
        ask_value(value, &commands);
        ask(s, "who wrote the value that is wrong", &commands);
        buffer_clear(&commands);
    }
    tell_blocks(s);
    ask_end(s, &commands);
    story_write(s->folder, "commands", &commands);
    buffer_print(&s->out->story,
                 "to look at it, forwards and backwards:\n"
                 "  denali replay --monitor %s\n",
                 s->recording);
    buffer_free(&commands);
}

static void write_files(struct story *s)
{
    struct outcome *o = s->out;
    story_write(s->folder, "stdout", &o->out);
    story_write(s->folder, "stderr", &o->err);
    story_write(s->folder, "console", &o->all);
    story_write(s->folder, "serial", &o->serial);
    story_write(s->folder, "screen.txt", &o->screen);
    story_write(s->folder, "screen.png", &o->picture);
    story_write(s->folder, "report", &o->report);
    story_write(s->folder, "failures", &o->why);
    story_write(s->folder, "story", &o->story);
}

void story_tell(struct runner *runner, const struct spec *spec, const struct run_wish *wish,
                const char *folder, bool records, struct outcome *out)
{
    struct story s = {.spec = spec,
                      .folder = folder,
                      .out = out,
                      .recording = story_path(folder, "recording"),
                      .commands = story_path(folder, "commands"),
                      .snapshot = story_path(folder, "end.snapshot")};
    int err = s.recording && s.commands && s.snapshot ? story_make_folder(folder) : -ENOMEM;
    if (err) {
        tell_tail(&s);
        buffer_print(&out->story, "nothing is kept in %s: %s\n", folder, strerror(-err));
    } else {
        buffer_text(&out->folder, folder);
        tell_tail(&s);
        bool can = records && spec->kind != SPEC_PC && out->end != END_NOT_RUN &&
                   out->end != END_HOST && out->host_ns < RECORD_MOST_NS;
        if (can && record(&s, runner, wish))
            tell_recording(&s);
        if (spec->kind == SPEC_PC && out->end != END_NOT_RUN)
            story_tell_pc(&s, runner, wish, records);
        buffer_print(&out->story, "all of it is in %s\n", folder);
        write_files(&s);
    }
    free(s.recording);
    free(s.commands);
    free(s.snapshot);
}
