/* SPDX-License-Identifier: MIT */
/*
 * What was expected, when the guest has ended. Nothing is taken for granted: a guest that ended in
 * any other way than the expected one has failed, whatever it printed, and so has one whose script
 * was not done, or that never came to a place where something was to be looked at.
 */
#include "emu/test/match.h"
#include "emu/test/run_private.h"
#include "guests/ilwaco/boot_params.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what Ilwaco says about a program that a status cannot hold ---- */

static void cut_line(struct buffer *b, const char *line, size_t len)
{
    char *at = b->len >= len ? memmem(b->data, b->len, line, len) : NULL;
    if (!at)
        return;
    memmove(at, at + len, b->len - (size_t)(at - b->data) - len + 1);
    b->len -= len;
}

static const char *last_line(const struct buffer *b)
{
    size_t at = b->len;
    if (at)
        at--; /* its own end */
    while (at && b->data[at - 1] != '\n')
        at--;
    return b->data ? b->data + at : "";
}

/* The status 119 stands for all that are larger, and for signals: the last line on stderr has it.
 * The line is Ilwaco's, not the program's, so it goes. */
static void read_large_status(struct outcome *out)
{
    unsigned status, number;
    int used = 0;
    const char *line = last_line(&out->err);
    char copy[160];
    if (sscanf(line, "ilwaco: the program ended with status %3u\n%n", &status, &used) == 1 &&
        used) {
        out->status = status;
        run_tell_end(out, END_EXIT, "exit status %u", status);
    } else if (sscanf(line, "ilwaco: the program was ended by signal %2u", &number) == 1) {
        out->signal = number;
        out->status = 128 + number;
        used = (int)strlen(line);
        run_tell_end(out, END_SIGNAL, "%s", spec_signal_name(number));
    }
    if (!used || used >= (int)sizeof(copy))
        return;
    memcpy(copy, line, (size_t)used);
    cut_line(&out->err, copy, (size_t)used);
    cut_line(&out->all, copy, (size_t)used);
}

/* ---- the end ---- */

static void unexpected_end(struct run *run, const char *wanted)
{
    outcome_fail(run->out, "it did not end with %s, but: %s", wanted,
                 buffer_string(&run->out->end_text));
}

static void check_fault(struct run *run)
{
    const char *want = run->spec->expect.fault;
    bool fault = run->out->end == END_FAULT;
    if (!fault || (want && strncmp(buffer_string(&run->out->end_text), want, strlen(want))))
        unexpected_end(run, want ? want : "a fault");
}

static void check_status(struct run *run)
{
    const struct spec_expect *e = &run->spec->expect;
    const struct outcome *out = run->out;
    char wanted[40];
    snprintf(wanted, sizeof(wanted), "exit status %u", e->status);
    bool by_signal = out->end == END_SIGNAL && out->status == e->status;
    if (e->any_status) {
        if (out->end != END_EXIT)
            unexpected_end(run, "an exit status");
    } else if (!by_signal && (out->end != END_EXIT || out->status != e->status)) {
        unexpected_end(run, wanted);
    }
}

static void check_signal(struct run *run)
{
    const char *want = run->spec->expect.signal;
    const char *bare = strncmp(want, "SIG", 3) ? want : want + 3;
    if (run->out->end != END_SIGNAL || strcmp(spec_signal_name(run->out->signal) + 3, bare))
        unexpected_end(run, want);
}

static void check_end(struct run *run)
{
    const struct spec_expect *e = &run->spec->expect;
    if (e->hang) {
        if (run->out->end != END_HANG)
            unexpected_end(run, "waiting for ever");
    } else if (e->any_fault) {
        check_fault(run);
    } else if (run->out->end == END_STOPPED && !e->signal && !e->status) {
        return;
    } else if (e->signal) {
        check_signal(run);
    } else {
        check_status(run);
    }
}

/* ---- the rest ---- */

static void check_limits(struct run *run)
{
    const struct spec_expect *e = &run->spec->expect;
    struct outcome *out = run->out;
    if (e->max_instructions && out->instructions > e->max_instructions)
        outcome_fail(out, "it took %llu instructions, and may take %llu",
                     (unsigned long long)out->instructions,
                     (unsigned long long)e->max_instructions);
    if (out->instructions < e->min_instructions)
        outcome_fail(out, "it took %llu instructions, and must take %llu",
                     (unsigned long long)out->instructions,
                     (unsigned long long)e->min_instructions);
    if (e->max_guest_ns && out->guest_ns > e->max_guest_ns)
        outcome_fail(out, "it took %.6g s of its time, and may take %.6g",
                     (double)out->guest_ns / 1e9, (double)e->max_guest_ns / 1e9);
}

static bool is_excused(const struct spec_list *but, const char *name, uint32_t number)
{
    char digits[16];
    snprintf(digits, sizeof(digits), "%u", number);
    for (unsigned i = 0; i < but->count; i++) {
        if (!strcmp(but->item[i].data, name) || !strcmp(but->item[i].data, digits))
            return true;
    }
    return false;
}

static void check_calls(struct run *run)
{
    const struct spec_expect *e = &run->spec->expect;
    uint32_t number;
    const char *name;
    for (unsigned i = 0; e->known_calls && vm_unknown(run->vm, i, &number, &name); i++) {
        if (!is_excused(&e->but, name, number))
            outcome_fail(run->out, "it asked for the system call %s (%u), which is not there", name,
                         number);
    }
}

static const struct run_place *find_place(const struct run *run, const char *text)
{
    for (unsigned i = 0; i < run->places; i++) {
        if (!strcmp(run->place[i].text, text))
            return &run->place[i];
    }
    return NULL;
}

static void check_reached(struct run *run, const char *text, bool wanted)
{
    const struct run_place *p = find_place(run, text);
    if (!p || !p->known)
        outcome_fail(run->out, "the place %s is not known", text);
    else if (p->reached != wanted)
        outcome_fail(run->out, wanted ? "it never came to %s" : "it came to %s", text);
}

static void check_places(struct run *run)
{
    const struct spec_expect *e = &run->spec->expect;
    for (unsigned i = 0; i < e->reached.count; i++)
        check_reached(run, e->reached.item[i].data, true);
    for (unsigned i = 0; i < e->not_reached.count; i++)
        check_reached(run, e->not_reached.item[i].data, false);
    for (unsigned i = 0; i < e->values; i++) {
        if (e->value[i].at)
            check_reached(run, e->value[i].at, true);
        else
            run_check_value(run, &e->value[i]);
    }
}

static int read_disk(struct run *run, const struct spec_named_text *d, struct buffer *out)
{
    return run->pc ? run_pc_read_disk(run, d->name, d->at, d->len, out)
                   : run_read_disk(run, d->name, d->at, d->len, out);
}

static void check_disks(struct run *run)
{
    const struct spec_expect *e = &run->spec->expect;
    char name[80];
    for (unsigned i = 0; i < e->disks; i++) {
        const struct spec_named_text *d = &e->disk[i];
        struct buffer bytes = {0};
        int err;
        snprintf(name, sizeof(name), "disk %s", d->name);
        err = read_disk(run, d, &bytes);
        if (err == -EFBIG)
            outcome_fail(run->out, "%s: too much to look at; say where: at, length", name);
        else if (err)
            outcome_fail(run->out,
                         run->pc ? "%s: there is no such disk"
                                 : "%s: there is no such disk that it could write",
                         name);
        else
            match_text(name, &d->text, bytes.data, bytes.len, run->out);
        buffer_free(&bytes);
    }
}

static void check_script(struct run *run)
{
    struct buffer b = {0};
    script_tell(&run->script, &b);
    if (b.len && run->out->end != END_HANG)
        outcome_fail(run->out, "%s", buffer_string(&b));
    buffer_free(&b);
}

/* Where stdout first is what it should not be; its length: it only lacks something. */
static size_t first_wrong(const struct spec_text *want, const struct buffer *out)
{
    size_t at = 0;
    for (unsigned i = 0; i < want->has_not.count; i++) {
        const char *found = match_find(buffer_string(out), out->len, &want->has_not.item[i]);
        if (found)
            return (size_t)(found - out->data);
    }
    if (!want->is.data)
        return out->len;
    while (at < out->len && at < want->is.len && out->data[at] == want->is.data[at])
        at++;
    return at;
}

static void find_wrong_write(struct run *run, uint64_t failed_before)
{
    size_t at = first_wrong(&run->spec->expect.out, &run->out->out);
    if (run->out->failed > failed_before && at < run->out->out.len)
        run->out->wrong_at = test_console_when(&run->console, at);
}

void run_check_pc(struct run *run)
{
    const struct spec_expect *e = &run->spec->expect;
    struct outcome *out = run->out;
    uint64_t before;
    check_end(run);
    check_script(run);
    if (run->net)
        test_net_check(run->net, out);
    check_limits(run);
    check_places(run);
    before = out->failed;
    match_text("serial", &e->serial, out->serial.data, out->serial.len, out);
    match_text("debugcon", &e->debugcon, out->out.data, out->out.len, out);
    match_text("screen", &e->screen, out->screen.data, out->screen.len, out);
    check_disks(run);
    out->only_goldens = out->goldens && before == 0 && out->failed == out->goldens;
}

static void check_texts(struct run *run)
{
    const struct spec_expect *e = &run->spec->expect;
    struct outcome *out = run->out;
    uint64_t before = out->failed;
    match_text("stdout", &e->out, out->out.data, out->out.len, out);
    find_wrong_write(run, before);
    match_text("stderr", &e->err, out->err.data, out->err.len, out);
    match_text("console", &e->console, out->all.data, out->all.len, out);
    check_disks(run);
    /* Goldens that differ, each told once, and nothing else? */
    out->only_goldens = out->goldens && before == 0 && out->failed == out->goldens;
}

void run_read_status(struct run *run)
{
    struct outcome *out = run->out;
    if (run->boot.linux_program && out->end == END_EXIT && out->status == ILWACO_STATUS_MAX)
        read_large_status(out);
}

void run_check(struct run *run)
{
    check_end(run);
    check_script(run);
    if (run->net)
        test_net_check(run->net, run->out);
    check_limits(run);
    check_calls(run);
    check_places(run);
    check_texts(run);
}
