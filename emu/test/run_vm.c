/* SPDX-License-Identifier: MIT */
/*
 * A guest of the Denali machine under test: made, run, looked at, unmade. Its time counts
 * instructions, its seed is fixed, its environment is the specification's and nothing of the
 * host's, so the same test does the same everywhere.
 */
#include "emu/test/keys.h"
#include "emu/test/run_native.h"
#include "emu/test/run_private.h"

#include "denali/outside.h"
#include "emu/base/host.h"
#include "emu/machine/ram.h"
#include "guests/ilwaco/boot_params.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void run_tell_end(struct outcome *out, enum outcome_end end, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    out->end = end;
    buffer_clear(&out->end_text);
    if (len >= 0) {
        buffer_add(&out->end_text, text, (size_t)len);
        free(text);
    }
}

/* ---- from the specification to the options of a run ---- */

static int set_env(struct run *run)
{
    const struct spec *spec = run->spec;
    struct run_options *o = &run->options;
    o->env = calloc(spec->env.count + 2, sizeof(*o->env));
    if (!o->env)
        return -ENOMEM;
    if (spec->kind == SPEC_LINUX && test_net_is_wanted(spec))
        o->env[o->envs++] = ILWACO_PARAM_NET TEST_NET_PARAM;
    if (spec->kind == SPEC_LINUX)
        o->env[o->envs++] = spec->terminal ? "TERM=vt100" : "TERM=dumb";
    for (unsigned i = 0; i < spec->env.count; i++)
        o->env[o->envs++] = spec->env.item[i].data;
    return 0;
}

static int set_options(struct run *run)
{
    const struct spec *spec = run->spec;
    struct run_options *o = &run->options;
    o->image = run->wish->image ? run->wish->image : spec->image;
    o->root = spec->root;
    o->cwd = spec->cwd;
    o->memory = spec->memory_bytes;
    o->net = "none";
    run->argv = calloc(spec->args.count + 1, sizeof(*run->argv));
    if (!run->argv || set_env(run))
        return why_fail(&run->why, -ENOMEM, "no memory");
    for (unsigned i = 0; i < spec->args.count; i++)
        run->argv[i] = (char *)spec->args.item[i].data;
    o->args = run->argv;
    return 0;
}

/* A file of the host is known to the guest by its own name, wherever it lies here. */
static int name_program(struct run *run)
{
    char **first = &run->boot.args[0];
    char *slash = strrchr(*first, '/');
    bool inside = run->boot.linux_program && !run->boot.program;
    char *name = slash && !inside ? strdup(slash + 1) : NULL;
    if (!slash || inside)
        return 0;
    if (!name)
        return why_fail(&run->why, -ENOMEM, "no memory");
    free(*first);
    *first = name;
    return 0;
}

/* ---- what the script does ---- */

/* What a terminal's driver does to a key. False: it is no input. */
static bool through_terminal(struct run *run, char *key)
{
    struct test_console *c = &run->console;
    if (*key == '\r' && (c->mode & CONSOLE_CR_IN))
        *key = '\n';
    if (*key == 3 && (c->mode & CONSOLE_SIGNALS) && run->vm) {
        vm_post_signal(run->vm, DENALI_SIGNAL_INTERRUPT);
        return false;
    }
    if (*key != 4 || !(c->mode & CONSOLE_LINES))
        return true;
    c->ended = true;
    return false;
}

static void type(struct run *run, const char *data, size_t len)
{
    for (size_t i = 0; run->console.is_tty && i < len; i++) {
        char key = data[i];
        if (through_terminal(run, &key))
            buffer_add(&run->console.input, &key, 1);
    }
    if (!run->console.is_tty)
        buffer_add(&run->console.input, data, len);
    if (run->vm)
        vm_post(run->vm, DENALI_IRQ_KEYBOARD);
}

static bool act(void *opaque, const struct spec_step *step)
{
    struct run *run = opaque;
    if (step->act == ACT_TYPE)
        type(run, step->data.data, step->data.len);
    for (unsigned i = 0; step->act == ACT_KEYS && i < step->keys.count; i++) {
        char bytes[16];
        size_t n = keys_bytes(step->keys.item[i].data, bytes);
        type(run, bytes, n);
    }
    if (step->act == ACT_FRAME && run->net)
        test_net_inject(run->net, step->data.data, step->data.len);
    if (step->act == ACT_EOF) {
        run->console.ended = true;
        type(run, "", 0);
    }
    run->stopped = run->stopped || step->act == ACT_STOP;
    if (step->act == ACT_SIGNAL)
        vm_post_signal(run->vm, step->signal);
    return true;
}

static uint64_t net_now_ns(void *opaque)
{
    const struct run *run = opaque;
    return run->vm ? vm_now_ns(run->vm) : 0;
}

static void frames_arrived(void *opaque)
{
    const struct run *run = opaque;
    if (!run->vm)
        return;
    vm_post(run->vm, DENALI_IRQ_NIC);
    vm_yield(run->vm); /* the loop looks at what is next */
}

static void heard(void *opaque, const void *text, size_t len)
{
    struct run *run = opaque;
    if (!run->vm)
        return;
    script_heard(&run->script, text, len, vm_now_ns(run->vm) - run->start_ns);
    if (run->net)
        test_net_heard(run->net, text, len);
    vm_yield(run->vm); /* the loop looks at what is next */
}

static uint64_t icount(void *opaque)
{
    const struct run *run = opaque;
    return run->vm ? vm_cpu(run->vm)->icount : 0;
}

/* Whole from the start, or typed by the script; nothing at all has an end, too. */
static void set_console(struct run *run)
{
    const struct spec *spec = run->spec;
    struct test_console *c = &run->console;
    bool typed = false;
    for (unsigned i = 0; i < spec->steps; i++)
        typed = typed || spec->step[i].act == ACT_TYPE || spec->step[i].act == ACT_KEYS ||
                spec->step[i].act == ACT_EOF;
    test_console_init(c);
    c->out = &run->out->out;
    c->err = &run->out->err;
    c->all = &run->out->all;
    c->max_bytes = spec->max_output;
    c->is_tty = spec->terminal;
    c->ended = !typed;
    buffer_add(&c->input, spec->input.data, spec->input.len);
    c->icount = icount;
    c->opaque = run;
    if (spec->steps || spec->peers)
        c->heard = heard;
}

/* ---- making ---- */

static const struct image_wish *nic_wish(const struct run *run)
{
    const struct image_manifest *m = image_manifest(run->boot.image);
    for (unsigned i = 0; i < m->wishes; i++) {
        if (m->wish[i].kind == DENALI_DEV_NIC)
            return &m->wish[i];
    }
    return NULL;
}

static int open_net(struct run *run)
{
    const struct image_wish *wish = nic_wish(run);
    const struct test_net_config config = {.spec = run->spec,
                                           .seed = run->wish->seed,
                                           .now_ns = net_now_ns,
                                           .arrived = frames_arrived,
                                           .opaque = run};
    if (test_net_is_wanted(run->spec) && !wish)
        return why_fail(&run->why, -EINVAL,
                        "the image has no NIC: peers and frames are not for it");
    if (!wish || (wish->optional && !test_net_is_wanted(run->spec)))
        return 0;
    if (test_net_create(&config, &run->net))
        return why_fail(&run->why, -ENOMEM, "no memory");
    run->resource[run->resources++] =
        (struct vm_resource){.kind = DENALI_DEV_NIC,
                             .net = test_net_backend(run->net),
                             .mac = {0x02, 0x44, 0x6e, 0x6c, 0x69, 0x01}};
    return 0;
}

static int make_vm(struct run *run)
{
    bool real = run->wish->real_time || run->spec->real_time;
    struct vm_config config = {
        .image = run->boot.image,
        .engine = run->engine,
        .mem_bytes = run->spec->memory_bytes ? run->spec->memory_bytes : run->boot.mem_bytes,
        .args = (const char *const *)run->boot.args,
        .env = (const char *const *)run->boot.env,
        .console = &run->console.base,
        .resource = run->resource,
        .resources = run->resources,
        .scripted = !real,
        .counted = true,
        .tape = run->record ? record_tape(run->record) : NULL,
        .seed = {run->wish->seed, run->wish->seed * 0x9e3779b97f4a7c15u + 1},
    };
    return vm_create(&config, &run->vm, &run->why);
}

static void copy_path(char out[RECORD_PATH], const char *path)
{
    char *whole = path ? realpath(path, NULL) : NULL;
    if (whole && strlen(whole) < RECORD_PATH)
        strcpy(out, whole);
    free(whole);
}

static int start_record(struct run *run)
{
    struct record_info *info = run->record ? calloc(1, sizeof(*info)) : NULL;
    if (!run->record)
        return 0;
    if (!info)
        return why_fail(&run->why, -ENOMEM, "no memory");
    copy_path(info->image, image_path(run->boot.image));
    if (run->boot.linux_program && run->files.count && !run->files.file[0].kernel)
        copy_path(info->program, run->files.file[0].path);
    int err = record_start(run->record, run->vm, info, &run->why);
    free(info);
    return err;
}

/* Coverage is the translator's. */
static int choose_engine(struct run *run)
{
    const char *name = run->wish->engine ? run->wish->engine : run->spec->engine;
    struct runner *runner = run->runner;
    if (!run->wish->cover || (name && strcmp(name, "dbt")))
        return runner_engine(runner, name, &run->engine, &run->why);
    if (!runner->cover && cover_create(&runner->cover))
        return why_fail(&run->why, -ENOMEM, "no memory");
    return cover_engine(runner->cover, &run->files, &run->engine, &run->why);
}

static int build(struct run *run)
{
    int err = set_options(run);
    if (!err)
        err = run_make_root(run);
    if (!err)
        err = boot_plan(&run->options, &run->boot, &run->why);
    if (!err)
        err = run_settle_root(run);
    if (!err)
        err = name_program(run);
    if (!err)
        err = run_open_disks(run);
    if (!err)
        err = open_net(run);
    if (!err)
        err = run_files_find(&run->options, &run->boot, &run->files, &run->why);
    if (!err)
        err = choose_engine(run);
    if (!err && run->wish->record)
        err = record_create(run->wish->record, &run->record, &run->why);
    if (err)
        return err;
    set_console(run);
    script_init(&run->script, run->spec, act, run);
    err = make_vm(run);
    return err ? err : start_record(run);
}

static void unmake(struct run *run)
{
    vm_destroy(run->vm);
    run->vm = NULL;
    test_net_destroy(run->net);
    record_destroy(run->record);
    symbols_destroy(run->symbols);
    run_files_free(&run->files);
    run_close_disks(run);
    run_drop_root(run);
    boot_fini(&run->boot);
    run_options_fini(&run->options);
    free(run->argv);
    script_free(&run->script);
    test_console_free(&run->console);
}

static bool read_ram(struct run *run, uint32_t address, void *out, size_t len)
{
    const void *at = ram_span(vm_ram(run->vm), address, len);
    if (at)
        memcpy(out, at, len);
    return at;
}

static void finish(struct run *run)
{
    struct outcome *out = run->out;
    struct why why;
    out->instructions = vm_cpu(run->vm)->icount;
    out->guest_ns = vm_now_ns(run->vm) - run->start_ns;
    if (vm_state_sum(run->vm, &out->sum))
        out->sum = 0;
    out->world = run_sum_disks(run) + (run->net ? test_net_sum(run->net) : 0);
    if (run->record && record_finish(run->record, run->vm, &why))
        buffer_print(&out->story, "%s\n", why.text);
}

static void run_vm(struct run *run)
{
    int err = build(run);
    if (err) {
        run_tell_end(run->out, END_NOT_RUN, "%s", run->why.text);
        return;
    }
    run->cpu = vm_cpu(run->vm);
    run->read = read_ram;
    outside_rebase(run->vm); /* in real time, the host's clock counts from here on */
    run->start_ns = vm_now_ns(run->vm);
    run_find_places(run);
    run_loop(run);
    finish(run);
    run_read_status(run);
    if (run->wish->check)
        run_check(run);
}

void run_test(struct runner *runner, const struct spec *spec, const struct run_wish *wish,
              struct outcome *out)
{
    if (wish->engine && !strcmp(wish->engine, "native")) {
        run_native(spec, wish, out);
        return;
    }
    struct run run = {.runner = runner, .spec = spec, .wish = wish, .out = out};
    uint64_t began = host_monotonic_ns();
    for (unsigned i = 0; i < RUN_DISKS; i++)
        run.memory_fd[i] = -1;
    run.began_ns = began;
    if (spec->kind == SPEC_PC)
        run_pc(&run);
    else
        run_vm(&run);
    unmake(&run);
    if (run.skipped) {
        buffer_text(&out->why, run.why.text);
        out->verdict = VERDICT_SKIPPED;
        return;
    }
    if (out->end == END_NOT_RUN || out->end == END_HOST)
        outcome_fail(out, "it could not be run: %s", buffer_string(&out->end_text));
    out->host_ns = host_monotonic_ns() - began;
    out->verdict = out->failed ? VERDICT_FAILED : VERDICT_PASSED;
}
