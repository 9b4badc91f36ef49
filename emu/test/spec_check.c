/* SPDX-License-Identifier: MIT */
/* What a whole specification must be, beyond its single keys; and what it need not say. */
#include "emu/test/spec_private.h"

#include "denali/vm.h"

#include <string.h>
#include <unistd.h>

#define TIMEOUT_NS 60000000000u
#define MAX_INSTRUCTIONS 20000000000u
#define MAX_OUTPUT (4 * MIB)
#define LINUX_MEMORY (256 * MIB)
#define PC_MEMORY (64 * MIB)
#define STATUS_MAX 255u
#define PC_STATUS_MAX 511u /* 2 * value + 1 */

static const struct toml *place(const struct toml *test, const char *key)
{
    const struct toml *at = toml_get(test, key);
    return at ? at : test;
}

/* A limit of nothing is no limit that anybody can mean. */
static int check_limits(struct spec_reader *r, const struct toml *test)
{
    const struct spec *spec = r->spec;
    const struct {
        const char *key;
        uint64_t value;
    } limits[] = {{"timeout", spec->timeout_ns},
                  {"max-instructions", spec->max_instructions},
                  {"max-output", spec->max_output},
                  {"memory", spec->memory_bytes}};
    for (unsigned i = 0; i < ARRAY_LEN(limits); i++) {
        if (!limits[i].value && toml_get(test, limits[i].key))
            return spec_fail(r, place(test, limits[i].key), "%s is 0: nothing could run",
                             limits[i].key);
    }
    return 0;
}

static void set_defaults(struct spec *spec)
{
    if (!spec->timeout_ns)
        spec->timeout_ns = TIMEOUT_NS;
    if (!spec->max_instructions)
        spec->max_instructions = MAX_INSTRUCTIONS;
    if (!spec->memory_bytes && spec->kind != SPEC_DENALI)
        spec->memory_bytes = spec->kind == SPEC_LINUX ? LINUX_MEMORY : PC_MEMORY;
    if (!spec->max_output)
        spec->max_output = MAX_OUTPUT;
}

/* A program with a slash that is a file beside the specification, unless the root has it. */
static int find_program(struct spec_reader *r, const struct toml *test)
{
    struct spec *spec = r->spec;
    if (spec->kind != SPEC_LINUX ||
        (spec->root && (*spec->image == '/' || !strchr(spec->image, '/'))))
        return 0;
    return spec_key_path(r, toml_get(test, "program"), &spec->image);
}

static int check_kind(struct spec_reader *r, const struct toml *test)
{
    const struct spec *spec = r->spec;
    bool image = toml_get(test, "image"), program = toml_get(test, "program"),
         pc = toml_get(test, "pc");
    if (image + program + pc != 1)
        return spec_fail(r, test,
                         "a test has one of: image (a Denali image), program (a Linux i386 "
                         "program), pc");
    static const char *const linux_only[] = {"root", "cwd", "files", "stdin", "stdin-hex"};
    for (unsigned i = 0; i < ARRAY_LEN(linux_only); i++) {
        bool takes = program || (image && i >= 3);
        if (toml_get(test, linux_only[i]) && !takes)
            return spec_fail(r, place(test, linux_only[i]), "%s is for %s", linux_only[i],
                             i >= 3 ? "images and programs" : "programs");
    }
    if (pc && spec->terminal)
        return spec_fail(r, place(test, "terminal"), "terminal is for images and programs");
    if (toml_get(test, "stdin") && toml_get(test, "stdin-hex"))
        return spec_fail(r, place(test, "stdin-hex"), "either stdin or stdin-hex");
    if (spec->root && spec->guest_files)
        return spec_fail(r, place(test, "files"),
                         "files make a root of their own; put them into the "
                         "root, or leave root out");
    if (pc && (spec->disks || spec->args.count || spec->env.count))
        return spec_fail(r, test, "args, env and disks are not for a PC; see pc.hda and pc.append");
    return 0;
}

/* Each a path, as all others are. */
static int expand_needs(struct spec_reader *r, const struct toml *test)
{
    const struct toml *needs = toml_get(test, "needs");
    struct spec_list *list = &r->spec->needs;
    for (unsigned i = 0; i < list->count; i++) {
        const struct toml one = {.kind = TOML_STRING,
                                 .line = needs->line,
                                 .column = needs->column,
                                 .text = (char *)list->item[i].data,
                                 .len = list->item[i].len};
        const char *path = NULL;
        int err = spec_key_path(r, &one, &path);
        if (err)
            return err;
        list->item[i] = (struct spec_bytes){path, strlen(path)};
    }
    return 0;
}

static int check_steps(struct spec_reader *r, const struct toml *test)
{
    const struct spec *spec = r->spec;
    for (unsigned i = 0; i < spec->steps; i++) {
        const struct spec_step *s = &spec->step[i];
        bool pc_only = s->act == ACT_SERIAL || s->act == ACT_POWER;
        bool vm_only = s->act == ACT_SIGNAL || s->act == ACT_EOF;
        if ((pc_only && spec->kind != SPEC_PC) || (vm_only && spec->kind == SPEC_PC))
            return spec_fail(r, place(test, "input"), "step %u of input is not for this machine",
                             i + 1);
        if (spec->has_input && (s->act == ACT_TYPE || s->act == ACT_KEYS || s->act == ACT_EOF))
            return spec_fail(r, place(test, "stdin"),
                             "stdin is the whole input; steps cannot type more");
    }
    return 0;
}

static int check_expect(struct spec_reader *r, const struct toml *test)
{
    const struct spec *spec = r->spec;
    const struct spec_expect *e = &spec->expect;
    const struct toml *at = place(test, "expect");
    bool pc = spec->kind == SPEC_PC;
    if ((e->screen.given || e->screenshot || e->serial.given || e->debugcon.given) && !pc)
        return spec_fail(r, at, "screen, screenshot, serial and debugcon are a PC's");
    if ((e->out.given || e->err.given || e->console.given || e->known_calls) && pc)
        return spec_fail(r, at, "a PC has serial and screen; no stdout, stderr, console");
    if ((e->signal || e->known_calls) && spec->kind != SPEC_LINUX)
        return spec_fail(r, at, "signal and known-syscalls are for programs");
    if (e->status > (pc ? PC_STATUS_MAX : STATUS_MAX))
        return spec_fail(r, at, "an exit status is at most %u", pc ? PC_STATUS_MAX : STATUS_MAX);
    if ((e->any_fault && e->hang) || (e->signal && (e->any_fault || e->hang)))
        return spec_fail(r, at, "a guest ends in one way: status, signal, fault or hang");
    if (e->but.count && !e->known_calls)
        return spec_fail(r, at, "unknown-syscalls goes with known-syscalls = true");
    return 0;
}

int spec_check_test(struct spec_reader *r, const struct toml *test)
{
    struct spec *spec = r->spec;
    int err = check_limits(r, test);
    set_defaults(spec);
    if (!err)
        err = check_kind(r, test);
    if (!err)
        err = find_program(r, test);
    if (!err)
        err = expand_needs(r, test);
    if (!err)
        err = check_steps(r, test);
    if (!err)
        err = check_expect(r, test);
    if (!err && spec->stops && !spec->steps && !spec->peers)
        err = spec_fail(r, place(test, "stop-when-done"),
                        "stop-when-done without input and peers: nothing would be done");
    if (!err && spec->memory_bytes && spec->memory_bytes < VM_MIN_MEMORY)
        err = spec_fail(r, place(test, "memory"), "a machine has at least %llu KiB",
                        (unsigned long long)(VM_MIN_MEMORY / KIB));
    return err;
}
