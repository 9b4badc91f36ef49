/* SPDX-License-Identifier: MIT */
/* Sessions: what is selected, and how expressions and conditions see it. */
#include "emu/debug/session.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_OF_LIST 10

static bool find_variable(void *opaque, const char *name, struct value *out);
static bool set_variable(void *opaque, const char *name, const struct value *value);

static struct target *find_target(void *opaque, unsigned id)
{
    struct session *s = opaque;
    return loop_find(s->loop, id);
}

/* Expressions for a target other than the selected one: in its innermost frame. */
static int context_of(struct session *s, struct target *target, struct expr_context *out,
                      struct why *why)
{
    struct session_vm *vm = session_vm(s, target);
    if (!vm)
        return why_fail(why, -ENOMEM, "no memory");
    *out = (struct expr_context){.source = {target, vm->symbols},
                                 .variable = find_variable,
                                 .set_variable = set_variable,
                                 .opaque = s};
    frame_first(&out->source, &out->frame);
    const struct target_stop *stop = &target->stop;
    if ((stop->kind == TARGET_STOP_HYPERCALL || stop->kind == TARGET_STOP_PORT) &&
        stop->eip == out->frame.eip)
        frame_set_inside(&out->source, &out->frame);
    return 0;
}

static int condition_holds(void *opaque, struct target *target, const char *text, struct why *why)
{
    struct expr_context context;
    int64_t n;
    int err = context_of(opaque, target, &context, why);
    if (!err)
        err = expr_number(&context, text, NULL, &n, why);
    return err ? err : n != 0;
}

int session_create(struct loop *loop, struct session **out)
{
    struct session *s = calloc(1, sizeof(*s));
    if (!s || breakpoints_create(condition_holds, find_target, s, &s->breakpoints)) {
        free(s);
        return -ENOMEM;
    }
    s->loop = loop;
    s->settings = (struct session_settings){
        .listsize = SIZE_OF_LIST, .history = 1000, .basename = true, .source = true, .intel = true};
    s->examine_format = 'x';
    s->examine_size = 4;
    loop_set_filter(loop, breakpoints_filter, s->breakpoints);
    *out = s;
    return 0;
}

void session_destroy(struct session *s)
{
    if (!s)
        return;
    loop_set_filter(s->loop, NULL, NULL);
    breakpoints_destroy(s->breakpoints);
    while (s->vms) {
        struct session_vm *vm = s->vms;
        s->vms = vm->next;
        symbols_destroy(vm->symbols);
        free(vm);
    }
    free(s);
}

/* A file without symbols, or that is gone, costs only its names. */
static void read_files(struct session_vm *vm)
{
    for (unsigned i = 0; i < vm->target->files; i++) {
        const struct target_file *f = &vm->target->file[i];
        struct why why;
        if (f->path &&
            symbols_add_copy(vm->symbols, f->path, target_file_place(f), f->offset, &why))
            fprintf(stderr, "denali: %s\n", why.text);
    }
}

struct session_vm *session_vm(struct session *s, struct target *target)
{
    struct session_vm *vm = s->vms;
    while (vm && vm->target != target)
        vm = vm->next;
    if (vm)
        return vm;
    vm = calloc(1, sizeof(*vm));
    if (!vm || symbols_create(&vm->symbols)) {
        free(vm);
        return NULL;
    }
    vm->target = target;
    vm->next = s->vms;
    s->vms = vm;
    read_files(vm);
    return vm;
}

struct symbols *session_symbols(struct session *s)
{
    struct session_vm *vm = s->target ? session_vm(s, s->target) : NULL;
    return vm ? vm->symbols : NULL;
}

void session_select(struct session *s, struct target *target)
{
    s->target = target;
    s->frame = 0;
    s->thread = 0;
    s->list_line = 0;
    s->next_examine = s->next_disassemble = 0;
}

/* A thread that does not run has its registers in the guest's memory. */
static bool thread_frame(struct session *s, struct expr_context *c)
{
    struct target_thread t;
    if (!s->thread)
        return false;
    for (unsigned n = 0; session_thread(s, n, &t); n++) {
        if (t.number == s->thread && !t.running) {
            frame_of(&c->source, t.gpr, t.eip, &c->frame);
            return true;
        }
    }
    return false;
}

int session_context(struct session *s, struct expr_context *out, struct why *why)
{
    struct frame next;
    if (!s->target)
        return why_fail(why, -ENOENT, "there is no VM");
    int err = context_of(s, s->target, out, why);
    if (err)
        return err;
    thread_frame(s, out);
    for (unsigned n = s->frame; n; n--) {
        if (!frame_outer(&out->source, &out->frame, &next))
            return why_fail(why, -ENOENT, "there is no frame %u any more; \"backtrace\" lists them",
                            s->frame);
        out->frame = next;
    }
    return 0;
}

int session_number(struct session *s, const char *text, const char **end, const char *what,
                   int64_t low, int64_t high, int64_t *out, struct why *why)
{
    struct expr_context context;
    int err = session_context(s, &context, why);
    if (!err)
        err = expr_number(&context, text, end, out, why);
    if (!err && (*out < low || *out > high))
        err = why_fail(why, -ERANGE, "%s is a number from %lld to %lld, not %lld", what,
                       (long long)low, (long long)high, (long long)*out);
    return err;
}

int session_address(struct session *s, const char *text, const char **end, uint32_t *out,
                    struct why *why)
{
    struct expr_context context;
    int64_t n;
    int err = session_context(s, &context, why);
    if (!err)
        err = expr_number(&context, text, end, &n, why);
    if (!err && (n < INT32_MIN || n > (int64_t)UINT32_MAX))
        err = why_fail(why, -ERANGE, "0x%llx is no address: it has more than 32 bits",
                       (unsigned long long)n);
    if (!err)
        *out = (uint32_t)n;
    return err;
}

const char *session_file(const struct session *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    return s->settings.basename && slash ? slash + 1 : path;
}

/* $, $$, $3: the history. */
static bool history_value(const struct session *s, const char *name, struct value *out)
{
    unsigned back = 0, n = 0;
    while (name[back] == '$')
        back++;
    if (!name[back])
        n = s->values > back ? s->values - back : 0;
    else if (!back && isdigit((unsigned char)*name))
        n = (unsigned)strtoul(name, NULL, 10);
    if (!n || n > s->values || s->values - n >= SESSION_VALUES)
        return false;
    *out = s->value[(n - 1) % SESSION_VALUES];
    return true;
}

static bool find_variable(void *opaque, const char *name, struct value *out)
{
    const struct session *s = opaque;
    for (unsigned i = 0; i < s->names; i++) {
        if (!strcmp(s->name[i].name, name)) {
            *out = s->name[i].value;
            return true;
        }
    }
    return history_value(s, name, out);
}

static bool set_variable(void *opaque, const char *name, const struct value *value)
{
    struct session *s = opaque;
    unsigned i = 0;
    while (i < s->names && strcmp(s->name[i].name, name))
        i++;
    if (i == SESSION_NAMES || strlen(name) >= sizeof(s->name[i].name) || value->place == VALUE_LOST)
        return false;
    if (i == s->names)
        snprintf(s->name[s->names++].name, sizeof(s->name[i].name), "%s", name);
    s->name[i].value = *value;
    if (value->place == VALUE_REGISTER)
        s->name[i].value.place = VALUE_BYTES;
    return true;
}
