/* SPDX-License-Identifier: MIT */
/* The keys of a test: what the guest is, what it is given, and what is done to it. */
#include "emu/test/keys.h"
#include "emu/test/spec_private.h"

#include "denali/abi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEYS(what, rows)                                                                           \
    {                                                                                              \
        what, rows, ARRAY_LEN(rows)                                                                \
    }

/* ---- a Denali image or a Linux program ---- */

static int key_image(struct spec_reader *r, const struct toml *v, void *to)
{
    r->spec->kind = SPEC_DENALI;
    return spec_key_path(r, v, to);
}

/* A file from here, unless there is a root: then perhaps something in there (spec_check_test). */
static int key_program(struct spec_reader *r, const struct toml *v, void *to)
{
    const char *text = NULL;
    r->spec->kind = SPEC_LINUX;
    int err = spec_key_text(r, v, &text);
    *(const char **)to = err ? NULL : spec_expand(r, v, text);
    return err ? err : *(const char **)to ? 0 : -EINVAL;
}

static int key_env(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_list *list = to;
    unsigned n = 0;
    if (v->kind != TOML_TABLE) {
        int err = spec_key_list(r, v, to);
        for (unsigned i = 0; !err && i < list->count; i++)
            if (!strchr(list->item[i].data, '='))
                err = spec_fail(r, v, "\"%s\" is no NAME=VALUE: the host's variables do not go in",
                                list->item[i].data);
        return err;
    }
    for (const struct toml *at = v->first; at; at = at->next)
        n++;
    list->item = arena_alloc(&r->spec->arena, (n + 1) * sizeof(*list->item));
    if (!list->item)
        return spec_no_memory(r);
    for (const struct toml *at = v->first; at; at = at->next) {
        const char *value = NULL;
        int err = spec_key_text(r, at, &value);
        char *pair = err ? NULL : arena_print(&r->spec->arena, "%s=%s", at->key, value);
        if (err || !pair)
            return err ? err : spec_no_memory(r);
        list->item[list->count++] = (struct spec_bytes){pair, strlen(pair)};
    }
    return 0;
}

static int key_mode(struct spec_reader *r, const struct toml *v, void *to)
{
    uint64_t n = 0;
    char *end = NULL;
    int err = v->kind == TOML_STRING ? 0 : spec_key_count(r, v, &n);
    if (v->kind == TOML_STRING)
        n = strtoul(v->text, &end, 8);
    if (!err && (n > 07777 || (end && *end)))
        err = spec_fail(r, v, "a mode is an octal number, as 0o755 or \"755\"");
    *(unsigned *)to = (unsigned)n;
    return err;
}

static const struct spec_key file_rows[] = {
    {"text", spec_key_bytes, offsetof(struct spec_file, content)},
    {"hex", spec_key_hex, offsetof(struct spec_file, content)},
    {"copy", spec_key_path, offsetof(struct spec_file, copy)},
    {"mode", key_mode, offsetof(struct spec_file, mode)},
};
static const struct spec_keys file_keys = KEYS("a file", file_rows);

static int read_guest_file(struct spec_reader *r, const struct toml *at, struct spec_file *file)
{
    *file = (struct spec_file){.path = at->key, .mode = 0644};
    if (*at->key != '/' || strstr(at->key, "/../") || at->key[strlen(at->key) - 1] == '/')
        return spec_fail(r, at, "a file in the guest has a path from / on, not \"%s\"", at->key);
    if (at->kind == TOML_STRING)
        return spec_key_bytes(r, at, &file->content);
    int err = spec_read_table(r, at, &file_keys, file);
    if (!err && !file->copy == !file->content.data)
        err = spec_fail(r, at, "%s: either text, hex or copy", at->key);
    return err;
}

static int key_files(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec *spec = r->spec;
    unsigned n = 0;
    (void)to;
    int err = spec_want(r, v, TOML_TABLE);
    for (const struct toml *at = v->first; at; at = at->next)
        n++;
    spec->guest_file = arena_alloc(&spec->arena, (n + 1) * sizeof(*spec->guest_file));
    if (!spec->guest_file)
        return spec_no_memory(r);
    for (const struct toml *at = v->first; !err && at; at = at->next)
        err = read_guest_file(r, at, &spec->guest_file[spec->guest_files++]);
    return err;
}

static const struct spec_key disk_rows[] = {
    {"name", spec_key_text, offsetof(struct spec_disk, name)},
    {"file", spec_key_path, offsetof(struct spec_disk, file)},
    {"size", spec_key_size, offsetof(struct spec_disk, bytes)},
    {"text", spec_key_bytes, offsetof(struct spec_disk, content)},
    {"hex", spec_key_hex, offsetof(struct spec_disk, content)},
    {"readonly", spec_key_yes, offsetof(struct spec_disk, readonly)},
};
static const struct spec_keys disk_keys = KEYS("a disk", disk_rows);

#define DISK_MOST (1024 * GIB) /* it lies in memory, where something was written */

static int key_disks(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec *spec = r->spec;
    (void)to;
    int err = spec_read_tables(r, v, &disk_keys, sizeof(struct spec_disk), (void **)&spec->disk,
                               &spec->disks);
    for (unsigned i = 0; !err && i < spec->disks; i++) {
        const struct spec_disk *d = &spec->disk[i];
        if (!d->name || strlen(d->name) >= DENALI_NAME_LEN)
            err = spec_fail(r, v, "disk %u needs a name, as the guest knows it", i + 1);
        else if (!d->file && !d->bytes && !d->content.data)
            err = spec_fail(r, v, "the disk \"%s\" needs a file, a size, or a text", d->name);
        else if (d->file && (d->content.data || d->bytes))
            err = spec_fail(r, v, "the disk \"%s\" has a file, and so no size or text", d->name);
        else if (d->bytes > DISK_MOST)
            err = spec_fail(r, v, "the disk \"%s\" is too large; it may have 1024G", d->name);
        for (unsigned k = 0; !err && k < i; k++) {
            if (!strcmp(spec->disk[k].name, d->name))
                err = spec_fail(r, v, "the disk \"%s\" is there twice", d->name);
        }
    }
    return err;
}

/* ---- what is done to it ---- */

static int act(struct spec_reader *r, const struct toml *v, struct spec_step *step, enum spec_act a)
{
    if (step->act)
        return spec_fail(r, v, "a step does one thing; make another one for \"%s\"", v->key);
    step->act = a;
    step->line = v->line;
    return 0;
}

static int step_type(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_step *step = to;
    int err = act(r, v, step, ACT_TYPE);
    return err ? err : spec_key_bytes(r, v, &step->data);
}

static int step_serial(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_step *step = to;
    int err = act(r, v, step, ACT_SERIAL);
    return err ? err : spec_key_bytes(r, v, &step->data);
}

static int step_frame(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_step *step = to;
    int err = act(r, v, step, ACT_FRAME);
    if (!err)
        err = spec_key_hex(r, v, &step->data);
    if (!err && (step->data.len < 14 || step->data.len > 1514))
        err = spec_fail(r, v, "a frame has 14 to 1514 bytes, not %zu", step->data.len);
    return err;
}

static int step_keys(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_step *step = to;
    int err = act(r, v, step, ACT_KEYS);
    if (!err)
        err = spec_key_list(r, v, &step->keys);
    for (unsigned i = 0; !err && i < step->keys.count; i++) {
        if (!keys_known(step->keys.item[i].data))
            err = spec_fail(r, v,
                            "there is no key \"%s\"; there are a, enter, esc, up, f1, ctrl-c, "
                            "alt-x, ctrl-alt-delete and the like",
                            step->keys.item[i].data);
    }
    return err;
}

static int step_eof(struct spec_reader *r, const struct toml *v, void *to)
{
    bool yes = false;
    int err = act(r, v, to, ACT_EOF);
    if (!err)
        err = spec_key_yes(r, v, &yes);
    return err || yes ? err : spec_fail(r, v, "eof = true, or nothing");
}

static int step_power(struct spec_reader *r, const struct toml *v, void *to)
{
    bool yes = false;
    int err = act(r, v, to, ACT_POWER);
    if (!err)
        err = spec_key_yes(r, v, &yes);
    return err || yes ? err : spec_fail(r, v, "power-button = true, or nothing");
}

static int step_stop(struct spec_reader *r, const struct toml *v, void *to)
{
    bool yes = false;
    int err = act(r, v, to, ACT_STOP);
    if (!err)
        err = spec_key_yes(r, v, &yes);
    return err || yes ? err : spec_fail(r, v, "stop = true, or nothing");
}

static int step_signal(struct spec_reader *r, const struct toml *v, void *to)
{
    static const struct {
        const char *name;
        uint32_t signal;
    } known[] = {{"interrupt", DENALI_SIGNAL_INTERRUPT},
                 {"quit", DENALI_SIGNAL_QUIT},
                 {"terminate", DENALI_SIGNAL_TERMINATE},
                 {"hangup", DENALI_SIGNAL_HANGUP}};
    struct spec_step *step = to;
    const char *name = NULL;
    int err = act(r, v, step, ACT_SIGNAL);
    if (!err)
        err = spec_key_text(r, v, &name);
    for (unsigned i = 0; !err && i < ARRAY_LEN(known); i++) {
        if (!strcmp(known[i].name, name))
            step->signal = known[i].signal;
    }
    return err || step->signal
               ? err
               : spec_fail(r, v, "a signal is one of interrupt, quit, terminate, hangup");
}

static int step_at(struct spec_reader *r, const struct toml *v, void *to)
{
    ((struct spec_step *)to)->has_at = true;
    return spec_key_time(r, v, &((struct spec_step *)to)->at_ns);
}

static const struct spec_key step_rows[] = {
    {"after", spec_key_bytes, offsetof(struct spec_step, after)},
    {"at", step_at, 0},
    {"delay", spec_key_time, offsetof(struct spec_step, delay_ns)},
    {"type", step_type, 0},
    {"keys", step_keys, 0},
    {"eof", step_eof, 0},
    {"signal", step_signal, 0},
    {"serial", step_serial, 0},
    {"frame", step_frame, 0},
    {"power-button", step_power, 0},
    {"stop", step_stop, 0},
};
static const struct spec_keys step_keys_ = KEYS("a step of input", step_rows);

int spec_key_steps(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec *spec = r->spec;
    (void)to;
    int err = spec_read_tables(r, v, &step_keys_, sizeof(struct spec_step), (void **)&spec->step,
                               &spec->steps);
    for (unsigned i = 0; !err && i < spec->steps; i++) {
        const struct spec_step *s = &spec->step[i];
        if (!s->after.data && !s->has_at && !s->delay_ns && !s->act)
            err = spec_fail(r, v, "step %u of input says nothing", i + 1);
        else if (s->after.data && !s->after.len)
            err = spec_fail(r, v, "step %u of input waits for an empty text", i + 1);
    }
    return err;
}

static int key_input(struct spec_reader *r, const struct toml *v, void *to)
{
    r->spec->has_input = true;
    return spec_key_bytes(r, v, to);
}

static int key_input_hex(struct spec_reader *r, const struct toml *v, void *to)
{
    r->spec->has_input = true;
    return spec_key_hex(r, v, to);
}

static int key_seed(struct spec_reader *r, const struct toml *v, void *to)
{
    r->spec->has_seed = true;
    return spec_key_count(r, v, to);
}

static int key_engine(struct spec_reader *r, const struct toml *v, void *to)
{
    const char *name = NULL;
    int err = spec_key_text(r, v, &name);
    if (!err && strcmp(name, "dbt") && strcmp(name, "interp") && strcmp(name, "lockstep"))
        err = spec_fail(r, v, "an engine is one of dbt, interp, lockstep, not \"%s\"", name);
    *(const char **)to = name;
    return err;
}

#define AT(member) offsetof(struct spec, member)
static const struct spec_key test_rows[] = {
    {"name", spec_key_text, AT(name)},
    {"about", spec_key_text, AT(about)},
    {"tags", spec_key_list, AT(tags)},
    {"xfail", spec_key_text, AT(xfail)},
    {"skip", spec_key_text, AT(skip)},
    {"needs", spec_key_list, AT(needs)},
    {"image", key_image, AT(image)},
    {"program", key_program, AT(image)},
    {"pc", spec_key_pc, 0},
    {"args", spec_key_list, AT(args)},
    {"env", key_env, AT(env)},
    {"cwd", spec_key_text, AT(cwd)},
    {"root", spec_key_path, AT(root)},
    {"files", key_files, 0},
    {"memory", spec_key_size, AT(memory_bytes)},
    {"engine", key_engine, AT(engine)},
    {"disks", key_disks, 0},
    {"stdin", key_input, AT(input)},
    {"stdin-hex", key_input_hex, AT(input)},
    {"terminal", spec_key_yes, AT(terminal)},
    {"input", spec_key_steps, 0},
    {"peers", spec_key_peers, 0},
    {"stop-when-done", spec_key_yes, AT(stops)},
    {"seed", key_seed, AT(seed)},
    {"real-time", spec_key_yes, AT(real_time)},
    {"timeout", spec_key_time, AT(timeout_ns)},
    {"max-instructions", spec_key_count, AT(max_instructions)},
    {"max-output", spec_key_size, AT(max_output)},
    {"expect", spec_key_expect, 0},
};
const struct spec_keys spec_test_keys = KEYS("a test", test_rows);
