/* SPDX-License-Identifier: MIT */
/* The keys of [expect]: what the guest must do. */
#include "emu/test/spec_private.h"

#include <errno.h>
#include <string.h>

#define KEYS(what, rows)                                                                           \
    {                                                                                              \
        what, rows, ARRAY_LEN(rows)                                                                \
    }

/* ---- texts ---- */

static const struct spec_key text_rows[] = {
    {"is", spec_key_bytes, offsetof(struct spec_text, is)},
    {"hex", spec_key_hex, offsetof(struct spec_text, is)},
    {"contains", spec_key_list, offsetof(struct spec_text, has)},
    {"not-contains", spec_key_list, offsetof(struct spec_text, has_not)},
    {"in-order", spec_key_list, offsetof(struct spec_text, in_order)},
    {"matches", spec_key_regex, offsetof(struct spec_text, like)},
    {"not-matches", spec_key_regex, offsetof(struct spec_text, unlike)},
    {"golden", spec_key_path, offsetof(struct spec_text, golden)},
    {"ignore-lines", spec_key_regex, offsetof(struct spec_text, ignore)},
    {"max-bytes", spec_key_size, offsetof(struct spec_text, max_bytes)},
};
static const struct spec_keys text_keys = KEYS("an expected text", text_rows);

int spec_key_match(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_text *text = to;
    text->given = true;
    if (v->kind == TOML_STRING)
        return spec_key_bytes(r, v, &text->is);
    int err = spec_read_table(r, v, &text_keys, text);
    if (!err && text->is.data && text->golden)
        err = spec_fail(r, v, "either the text itself or a golden file");
    if (!err && !v->first)
        err = spec_fail(r, v, "nothing is expected of it");
    return err;
}

/* ---- how it ends ---- */

static const char *const signals[] = {
    [1] = "SIGHUP",   [2] = "SIGINT",   [3] = "SIGQUIT",  [4] = "SIGILL",   [5] = "SIGTRAP",
    [6] = "SIGABRT",  [7] = "SIGBUS",   [8] = "SIGFPE",   [9] = "SIGKILL",  [10] = "SIGUSR1",
    [11] = "SIGSEGV", [12] = "SIGUSR2", [13] = "SIGPIPE", [14] = "SIGALRM", [15] = "SIGTERM",
};

const char *spec_signal_name(uint64_t number)
{
    return number < ARRAY_LEN(signals) && signals[number] ? signals[number] : "a signal";
}

/* With or without SIG. */
static int key_signal(struct spec_reader *r, const struct toml *v, void *to)
{
    const char **name = to;
    int err = spec_key_text(r, v, to);
    for (unsigned i = 0; !err && i < ARRAY_LEN(signals); i++) {
        if (signals[i] && (!strcmp(signals[i], *name) || !strcmp(signals[i] + 3, *name)))
            return 0;
    }
    return err ? err : spec_fail(r, v, "there is no signal \"%s\"", *name);
}

static int key_status(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_expect *e = to;
    uint64_t n = 0;
    if (v->kind == TOML_STRING && !strcmp(v->text, "any")) {
        e->any_status = true;
        return 0;
    }
    int err = spec_key_count(r, v, &n);
    e->status = (uint32_t)n;
    return err || n <= UINT32_MAX ? err : spec_fail(r, v, "no such status");
}

static int key_fault(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_expect *e = to;
    if (v->kind == TOML_BOOL) {
        e->any_fault = v->yes;
        return 0;
    }
    e->any_fault = true;
    return spec_key_text(r, v, &e->fault);
}

/* ---- numbers ---- */

static int value_equals(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_value *value = to;
    value->has_equals = true;
    if (v->kind == TOML_INTEGER && v->integer < 0) {
        value->equals = (uint64_t)v->integer;
        return 0;
    }
    return spec_key_count(r, v, &value->equals);
}

static int value_least(struct spec_reader *r, const struct toml *v, void *to)
{
    ((struct spec_value *)to)->has_least = true;
    return spec_key_count(r, v, &((struct spec_value *)to)->least);
}

static int value_most(struct spec_reader *r, const struct toml *v, void *to)
{
    ((struct spec_value *)to)->has_most = true;
    return spec_key_count(r, v, &((struct spec_value *)to)->most);
}

static int value_register(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_value *value = to;
    value->what = WHAT_REGISTER;
    value->line = v->line;
    return spec_key_text(r, v, &value->where);
}

/* An address as a number or a string, or a symbol. */
static int value_memory(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_value *value = to;
    value->what = WHAT_MEMORY;
    value->line = v->line;
    if (v->kind == TOML_STRING)
        return spec_key_text(r, v, &value->where);
    uint64_t address = 0;
    int err = spec_key_count(r, v, &address);
    value->where = arena_print(&r->spec->arena, "0x%llx", (unsigned long long)address);
    return err || value->where ? err : spec_no_memory(r);
}

static int value_size(struct spec_reader *r, const struct toml *v, void *to)
{
    uint64_t n = 0;
    int err = spec_key_count(r, v, &n);
    if (!err && n != 1 && n != 2 && n != 4 && n != 8)
        err = spec_fail(r, v, "a size is 1, 2, 4 or 8 bytes");
    *(unsigned *)to = (unsigned)n;
    return err;
}

#define VALUE(member) offsetof(struct spec_value, member)
static const struct spec_key value_rows[] = {
    {"register", value_register, 0},     {"memory", value_memory, 0},
    {"at", spec_key_text, VALUE(at)},    {"size", value_size, VALUE(size)},
    {"equals", value_equals, 0},         {"at-least", value_least, 0},
    {"at-most", value_most, 0},          {"text", spec_key_bytes, VALUE(bytes)},
    {"hex", spec_key_hex, VALUE(bytes)},
};
static const struct spec_keys value_keys = KEYS("an expected value", value_rows);

static int key_values(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_expect *e = to;
    int err = spec_read_tables(r, v, &value_keys, sizeof(struct spec_value), (void **)&e->value,
                               &e->values);
    for (unsigned i = 0; !err && i < e->values; i++) {
        struct spec_value *value = &e->value[i];
        bool number = value->has_equals || value->has_least || value->has_most;
        value->size = value->size ? value->size : 4;
        if (!value->where)
            err = spec_fail(r, v, "value %u: of which register, or which memory?", i + 1);
        else if (number == (value->bytes.data != NULL))
            err =
                spec_fail(r, v, "value %u: equals, at-least, at-most, or else text or hex", i + 1);
        else if (value->what == WHAT_REGISTER && value->bytes.data)
            err = spec_fail(r, v, "value %u: a register holds no text", i + 1);
    }
    return err;
}

/* ---- named texts: disks, frames ---- */

static int named_match(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_named_text *named = to;
    named->line = v->line;
    return spec_key_match(r, v, &named->text);
}

#define NAMED(member) offsetof(struct spec_named_text, member)
static const struct spec_key disk_rows[] = {
    {"name", spec_key_text, NAMED(name)},
    {"at", spec_key_size, NAMED(at)},
    {"length", spec_key_size, NAMED(len)},
    {"data", named_match, 0},
};
static const struct spec_keys disk_keys = KEYS("an expected disk", disk_rows);

static int key_disks(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_expect *e = to;
    int err = spec_read_tables(r, v, &disk_keys, sizeof(struct spec_named_text), (void **)&e->disk,
                               &e->disks);
    for (unsigned i = 0; !err && i < e->disks; i++) {
        struct spec_named_text *d = &e->disk[i];
        if (!d->name || !d->text.given)
            err = spec_fail(r, v, "disk %u: name and data", i + 1);
        else if (!d->len)
            d->len = d->text.is.data ? d->text.is.len : 0;
    }
    return err;
}

static const struct spec_key frame_rows[] = {
    {"data", named_match, 0},
    {"name", spec_key_text, NAMED(name)},
};
static const struct spec_keys frame_keys = KEYS("an expected frame", frame_rows);

static int key_frames(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_expect *e = to;
    int err = spec_read_tables(r, v, &frame_keys, sizeof(struct spec_named_text),
                               (void **)&e->frame, &e->frames);
    for (unsigned i = 0; !err && i < e->frames; i++) {
        if (!e->frame[i].text.given)
            err = spec_fail(r, v, "frame %u: data = ...", i + 1);
    }
    return err;
}

#define AT(member) offsetof(struct spec_expect, member)
static const struct spec_key expect_rows[] = {
    {"status", key_status, 0},
    {"signal", key_signal, AT(signal)},
    {"fault", key_fault, 0},
    {"hang", spec_key_yes, AT(hang)},
    {"stdout", spec_key_match, AT(out)},
    {"stderr", spec_key_match, AT(err)},
    {"console", spec_key_match, AT(console)},
    {"serial", spec_key_match, AT(serial)},
    {"debugcon", spec_key_match, AT(debugcon)},
    {"screen", spec_key_match, AT(screen)},
    {"screenshot", spec_key_path, AT(screenshot)},
    {"max-instructions", spec_key_count, AT(max_instructions)},
    {"min-instructions", spec_key_count, AT(min_instructions)},
    {"max-time", spec_key_time, AT(max_guest_ns)},
    {"known-syscalls", spec_key_yes, AT(known_calls)},
    {"unknown-syscalls", spec_key_list, AT(but)},
    {"values", key_values, 0},
    {"reaches", spec_key_list, AT(reached)},
    {"not-reaches", spec_key_list, AT(not_reached)},
    {"disks", key_disks, 0},
    {"frames", key_frames, 0},
};
const struct spec_keys spec_expect_keys = KEYS("expect", expect_rows);

int spec_key_expect(struct spec_reader *r, const struct toml *v, void *to)
{
    (void)to;
    return spec_read_table(r, v, &spec_expect_keys, &r->spec->expect);
}
