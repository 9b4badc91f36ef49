/* SPDX-License-Identifier: MIT */
/*
 * A PC has no recording. It is deterministic, so it is run once more to keep its state at its end,
 * which the debugger is asked about and people can look at; what it said last; and how it is begun
 * anew.
 */
#include "emu/test/story_private.h"

#include "emu/test/net.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS 56u

/* `denali pc` with this machine, as words of a command line. */
struct command {
    const char *word[WORDS];
    unsigned words;
    char memory[32];
};

static void put(struct command *c, const char *word)
{
    BUG_ON(c->words + 1 >= WORDS, "a PC with more options than a command has words");
    c->word[c->words++] = word;
    c->word[c->words] = NULL;
}

static void put_option(struct command *c, const char *name, const char *value)
{
    if (!value)
        return;
    put(c, name);
    put(c, value);
}

static void make_command(const struct spec *spec, struct command *c)
{
    const struct spec_pc *pc = &spec->pc;
    const struct {
        const char *name, *value;
    } option[] = {{"--machine", pc->machine}, {"--cpu", pc->cpu},       {"--bios", pc->bios},
                  {"--vgabios", pc->vgabios}, {"--kernel", pc->kernel}, {"--initrd", pc->initrd},
                  {"--append", pc->append},   {"--hda", pc->hd[0]},     {"--hdb", pc->hd[1]},
                  {"--hdc", pc->hd[2]},       {"--hdd", pc->hd[3]},     {"--cdrom", pc->cdrom},
                  {"--fda", pc->fd[0]},       {"--fdb", pc->fd[1]},     {"--boot", pc->boot},
                  {"--nic", pc->nic}};
    *c = (struct command){.words = 0};
    snprintf(c->memory, sizeof(c->memory), "%lluK", (unsigned long long)(spec->memory_bytes / KIB));
    put(c, "denali");
    put(c, "pc");
    put(c, "--deterministic");
    put_option(c, "--memory", c->memory);
    for (unsigned i = 0; i < ARRAY_LEN(option); i++)
        put_option(c, option[i].name, option[i].value);
    if (test_net_is_wanted(spec))
        put_option(c, "--net", "none");
    if (pc->exit_port)
        put(c, "--exit-port");
}

/* A word as a shell takes it. */
static void print_word(const char *word, struct buffer *to)
{
    bool plain = *word && !strpbrk(word, " \t\n'\"\\$`&|;<>()*?[]#~!{}");
    buffer_text(to, plain ? "" : "'");
    for (; *word; word++) {
        if (*word == '\'')
            buffer_text(to, "'\\''");
        else
            buffer_add(to, word, 1);
    }
    buffer_text(to, plain ? "" : "'");
}

static void print_command(const struct command *c, struct buffer *to)
{
    for (unsigned i = 0; i < c->words; i++) {
        buffer_text(to, i ? " " : "  ");
        print_word(c->word[i], to);
    }
    buffer_text(to, " --monitor -S\n");
}

/* Once more, to its end. */
static bool keep_end(struct story *s, struct runner *runner, const struct run_wish *wish)
{
    struct outcome again = {0};
    struct run_wish kept = *wish;
    kept.record = s->snapshot;
    kept.check = false;
    run_test(runner, s->spec, &kept, &again);
    if (again.sum != s->out->sum)
        buffer_text(&s->out->story, "the run that was kept was another one: this test is flaky\n");
    outcome_free(&again);
    return !access(s->snapshot, R_OK);
}

static bool may_run_again(const struct story *s, const struct run_wish *wish)
{
    bool soon = s->out->host_ns < RECORD_MOST_NS || s->out->booted;
    return soon && !s->spec->real_time && !wish->real_time && s->out->end != END_SECONDS;
}

static void tell_end(struct story *s)
{
    struct command c;
    struct buffer commands = {0};
    make_command(s->spec, &c);
    put_option(&c, "--restore", s->snapshot);
    buffer_text(&s->out->story, "to look at it as it stood at its end:\n");
    print_command(&c, &s->out->story);
    put(&c, "--batch");
    put_option(&c, "--commands", s->commands);
    buffer_text(&commands, "info registers\nbacktrace 12\nlist\n");
    story_ask(s, c.word, "how it ended", &commands);
    buffer_free(&commands);
}

/* Without the empty lines that a screen has many of. */
static void tell_screen(struct story *s)
{
    struct buffer text = {0};
    for (const char *at = buffer_string(&s->out->screen); *at;) {
        size_t len = strcspn(at, "\n");
        if (strspn(at, " ") < len)
            buffer_print(&text, "%.*s\n", (int)len, at);
        at += len + (at[len] == '\n');
    }
    if (text.len)
        buffer_text(&s->out->story, "screen:\n");
    story_add_lines(&s->out->story, buffer_string(&text), 50);
    buffer_free(&text);
}

static void tell_line(struct story *s, const char *name, const struct buffer *said)
{
    size_t from = said->len > TAIL_BYTES ? said->len - TAIL_BYTES : 0;
    if (!said->len)
        return;
    buffer_print(&s->out->story, "%s%s:\n", name, from ? ", its end" : "");
    story_add_lines(&s->out->story, said->data + from, 30);
}

void story_tell_pc(struct story *s, struct runner *runner, const struct run_wish *wish,
                   bool records)
{
    struct command c;
    tell_line(s, "serial line", &s->out->serial);
    tell_line(s, "debug console", &s->out->out);
    tell_screen(s);
    unlink(s->snapshot); /* an older run's */
    if (records && may_run_again(s, wish) && keep_end(s, runner, wish))
        tell_end(s);
    buffer_text(
        &s->out->story,
        "to run it from its beginning, under the debugger (input steps are not in this):\n");
    make_command(s->spec, &c);
    print_command(&c, &s->out->story);
}
