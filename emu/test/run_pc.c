/* SPDX-License-Identifier: MIT */
/*
 * A PC under test. It runs in short turns of its own time; between them its serial line, debug
 * console and screen are looked at, and the script does what is due. A deterministic machine's
 * turns end at the same instructions always, so what the script does comes at the same places.
 */
#include "emu/test/keys.h"
#include "emu/test/match.h"
#include "emu/test/run_pc_private.h"

#include "dbt/dbt.h"
#include "devices/pc/i8042.h"
#include "devices/pc/vga.h"
#include "emu/base/host.h"
#include "emu/cli/pc/pc_screen.h"
#include "emu/cli/pc/pc_snapshot.h"
#include "emu/cpu/pc/mmu.h"
#include "emu/machine/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_NS 2000000u
#define SCREEN_TURNS 16u /* the screen is read once in so many */
#define LEFT_SHIFT 0x2au
#define KEY_NS 30000000u /* from key to key, of the machine's time */

/* ---- making ---- */

static void set_options(struct run *run)
{
    struct run_pc *p = run->pc;
    const struct spec_pc *s = &run->spec->pc;
    struct pc_options *o = &p->options;
    snprintf(p->memory, sizeof(p->memory), "%lluK",
             (unsigned long long)(run->spec->memory_bytes / KIB));
    *o = (struct pc_options){.memory = p->memory,
                             .machine = s->machine,
                             .cpu = s->cpu,
                             .bios = s->bios,
                             .vgabios = s->vgabios,
                             .kernel = run->wish->image ? run->wish->image : s->kernel,
                             .initrd = s->initrd,
                             .append = s->append,
                             .cdrom = s->cdrom,
                             .boot = s->boot,
                             .nic = s->nic,
                             .fd = {s->fd[0], s->fd[1]},
                             .hd = {s->hd[0], s->hd[1], s->hd[2], s->hd[3]},
                             .serials = 1,
                             .serial = {"null"},
                             .exit_port = s->exit_port,
                             .deterministic = !run->wish->real_time && !run->spec->real_time,
                             .ram_bytes = run->spec->memory_bytes};
}

/* ---- the network ---- */

static uint64_t net_now_ns(void *opaque)
{
    const struct run *run = opaque;
    return run->pc->pc ? pc_now_ns(run->pc->pc) : 0;
}

/* The card finds it by the descriptor. */
static void frames_arrived(void *opaque)
{
    (void)opaque;
}

static int open_net(struct run *run)
{
    const struct test_net_config config = {.spec = run->spec,
                                           .seed = run->wish->seed,
                                           .now_ns = net_now_ns,
                                           .arrived = frames_arrived,
                                           .pollable = true,
                                           .opaque = run};
    if (!test_net_is_wanted(run->spec))
        return 0;
    int err = test_net_create(&config, &run->net);
    if (err)
        return why_fail(&run->why, err, "no network: %s", strerror(-err));
    run->pc->resources.config.net = test_net_backend(run->net);
    return 0;
}

static int open_line(struct run *run, struct run_pc_line *line, const char *name, int in,
                     struct buffer *text, struct serial_backend **place)
{
    line->text = text;
    line->fd = host_memobj_create(name, 0);
    int err = line->fd < 0 ? line->fd : serial_open_fds(in, line->fd, &line->serial);
    if (err)
        return why_fail(&run->why, err, "no memory for the %s", name);
    if (*place)
        serial_close(*place);
    *place = line->serial;
    return 0;
}

static int create_engine(const char *name, struct engine **out)
{
    const struct engine_options e = {.count = true};
    if (!strcmp(name, "interp"))
        return interp_create(out);
    return strcmp(name, "dbt") ? lockstep_create(&e, out) : dbt_create(&e, out);
}

static int make_with(struct run *run, const char *engine)
{
    struct run_pc *p = run->pc;
    int err = create_engine(engine, &p->engine);
    p->engine_name = engine;
    if (err)
        return why_fail(&run->why, err, "the engine %s cannot be had on this host", engine);
    p->resources.config.engine = p->engine;
    err = pc_create(&p->resources.config, &p->pc, &run->why);
    if (err) {
        p->engine->ops->destroy(p->engine);
        p->engine = NULL;
    }
    return err;
}

/* The translator where it can run a PC, unless an engine was named. */
static int make_pc(struct run *run)
{
    const char *named = run->wish->engine ? run->wish->engine : run->spec->engine;
    if (named)
        return make_with(run, named);
    int err = make_with(run, "dbt");
    return err == -ENOTSUP ? make_with(run, "interp") : err;
}

static int build(struct run *run)
{
    struct run_pc *p = run->pc;
    set_options(run);
    if (pipe2(p->input, O_CLOEXEC | O_NONBLOCK))
        return why_fail(&run->why, -errno, "no pipe: %s", strerror(errno));
    int err = pc_options_check(&p->options, &run->why);
    if (!err)
        err = pc_resources_open(&p->options, &p->resources, &run->why);
    if (!err)
        err = open_net(run);
    if (!err)
        err = open_line(run, &p->com, "serial line", p->input[0], &run->out->serial,
                        &p->resources.config.serial[0]);
    if (!err)
        err = open_line(run, &p->debugcon, "debug console", -1, &run->out->out,
                        &p->resources.config.debugcon);
    return err ? err : make_pc(run);
}

static void unmake(struct run *run)
{
    struct run_pc *p = run->pc;
    pc_destroy(p->pc);
    p->pc = NULL; /* the network asks it for the time until it is gone itself */
    if (p->engine)
        p->engine->ops->destroy(p->engine);
    pc_resources_close(&p->resources);
    test_net_destroy(run->net);
    run->net = NULL;
    for (unsigned i = 0; i < 2; i++) {
        if (p->input[i] >= 0)
            close(p->input[i]);
    }
    if (p->com.fd >= 0)
        close(p->com.fd);
    if (p->debugcon.fd >= 0)
        close(p->debugcon.fd);
    free(p->screen);
}

/* ---- the script ---- */

/* A key goes down; release() lets it up. False: the keyboard has no room yet, or it is too early.
 */
static bool press(struct run_pc *p, unsigned key)
{
    struct i8042 *keyboard = pc_i8042(p->pc);
    if (!keyboard || !key)
        return true;
    if (p->held || pc_now_ns(p->pc) < p->next_key_ns)
        return false;
    if (key & I8042_SHIFT)
        i8042_key(keyboard, LEFT_SHIFT, true);
    if (!i8042_key(keyboard, key & ~I8042_SHIFT, true))
        return false;
    p->held = key;
    p->next_key_ns = pc_now_ns(p->pc) + KEY_NS;
    return true;
}

/* A guest that ends while the last key is down has got all of them: no step waits for this. */
static void release(struct run_pc *p)
{
    struct i8042 *keyboard = pc_i8042(p->pc);
    if (!p->held || pc_now_ns(p->pc) < p->next_key_ns ||
        !i8042_key(keyboard, p->held & ~I8042_SHIFT, false))
        return;
    if (p->held & I8042_SHIFT)
        i8042_key(keyboard, LEFT_SHIFT, false);
    p->held = 0;
    p->next_key_ns = pc_now_ns(p->pc) + KEY_NS;
}

static bool type(struct run_pc *p, const struct spec_bytes *text)
{
    if (p->typed < text->len && press(p, i8042_key_of((uint8_t)text->data[p->typed])))
        p->typed++;
    if (p->typed < text->len)
        return false;
    p->typed = 0;
    return true;
}

/* All keys of a chord go down in turn, then up. */
static void press_chord(struct run_pc *p, const char *name)
{
    unsigned code[KEYS_CHORD], n = keys_codes(name, code);
    struct i8042 *keyboard = pc_i8042(p->pc);
    for (unsigned i = 0; keyboard && i < n; i++)
        i8042_key(keyboard, code[i], true);
    for (unsigned i = n; keyboard && i--;)
        i8042_key(keyboard, code[i], false);
}

static bool press_keys(struct run_pc *p, const struct spec_list *keys)
{
    if (p->held || pc_now_ns(p->pc) < p->next_key_ns)
        return false;
    press_chord(p, keys->item[p->key].data);
    p->next_key_ns = pc_now_ns(p->pc) + KEY_NS;
    if (++p->key < keys->count)
        return false;
    p->key = 0;
    return true;
}

static bool send(struct run_pc *p, const struct spec_bytes *text)
{
    ssize_t n = write(p->input[1], text->data + p->typed, text->len - p->typed);
    p->typed += n > 0 ? (size_t)n : 0;
    if (p->typed < text->len)
        return false;
    p->typed = 0;
    return true;
}

static bool act(void *opaque, const struct spec_step *step)
{
    struct run_pc *p = ((struct run *)opaque)->pc;
    run_pc_keep(opaque);
    switch (step->act) {
    case ACT_TYPE:
        return type(p, &step->data);
    case ACT_KEYS:
        return press_keys(p, &step->keys);
    case ACT_SERIAL:
        return send(p, &step->data);
    case ACT_FRAME:
        test_net_inject(((struct run *)opaque)->net, step->data.data, step->data.len);
        return true;
    case ACT_POWER:
        pc_press_power(p->pc);
        return true;
    case ACT_STOP:
        p->stopped = true;
        return true;
    default:
        return true;
    }
}

/* ---- what the guest says ---- */

static void hear(struct run *run, struct run_pc_line *line)
{
    char part[4096];
    ssize_t n;
    while ((n = pread(line->fd, part, sizeof(part), (off_t)line->seen)) > 0) {
        line->seen += (size_t)n;
        if (line->text->len < run->spec->max_output)
            buffer_add(line->text, part, (size_t)n);
        script_listen(&run->script, part, (size_t)n);
        if (run->net)
            test_net_heard(run->net, part, (size_t)n);
    }
}

static void read_screen(struct run *run)
{
    const struct vga *vga = pc_vga(run->pc->pc);
    char *text = vga ? malloc(VGA_TEXT_MAX) : NULL;
    buffer_clear(&run->out->screen);
    if (text)
        buffer_add(&run->out->screen, text, vga_text(vga, text, VGA_TEXT_MAX));
    free(text);
}

/* A screen that changed is told as a whole. */
static void look_at_screen(struct run *run)
{
    struct run_pc *p = run->pc;
    if (script_is_done(&run->script) || p->turns++ % SCREEN_TURNS)
        return;
    read_screen(run);
    const char *now = buffer_string(&run->out->screen);
    if (p->screen && !strcmp(p->screen, now))
        return;
    free(p->screen);
    p->screen = strdup(now);
    script_listen(&run->script, now, strlen(now));
}

/* ---- running ---- */

static void report_cpu(struct run *run)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    const struct cpu *cpu = run->cpu;
    struct buffer *b = &run->out->report;
    for (unsigned i = 0; i < 8; i++)
        buffer_print(b, "%s %08x%s", names[i], cpu->gpr[i], i % 4 == 3 ? "\n" : "  ");
    buffer_print(b, "cs:eip %04x:%08x  eflags %08x  cr0 %08x  cr2 %08x  cr3 %08x  cr4 %08x\n",
                 cpu->seg[ISA_CS].selector, cpu->eip, cpu->eflags, cpu->sys.cr0, cpu->sys.cr2,
                 cpu->sys.cr3, cpu->sys.cr4);
}

/* All that was to be done to the guest is done. */
static bool is_done(const struct run *run)
{
    return (run->spec->steps || run->spec->peers) && script_is_done(&run->script) &&
           (!run->net || test_net_is_done(run->net));
}

static bool over(struct run *run)
{
    struct run_pc *p = run->pc;
    const struct spec *spec = run->spec;
    if (p->stopped || (spec->stops && is_done(run)))
        run_tell_end(run->out, END_STOPPED, "stopped by the script");
    else if (pc_is_dead(p->pc))
        run_tell_end(run->out, END_HANG, "it has halted for ever, with interrupts off");
    else if (run->out->serial.len >= spec->max_output || run->out->out.len >= spec->max_output)
        run_tell_end(run->out, END_OUTPUT, "more output than max-output");
    else if (run->cpu->icount >= spec->max_instructions)
        run_tell_end(run->out, END_INSTRUCTIONS, "no end within max-instructions");
    else if (host_monotonic_ns() - run->began_ns >= spec->timeout_ns)
        run_tell_end(run->out, END_SECONDS, "no end within the timeout (%.3g s)",
                     (double)spec->timeout_ns / 1e9);
    else
        return false;
    return true;
}

static bool act_on(struct run *run)
{
    struct outcome *out = run->out;
    FILE *file;
    switch (run->pc->state) {
    case PC_OFF:
        run_tell_end(out, END_EXIT, "powered off");
        return true;
    case PC_EXIT:
        out->status = pc_exit_status(run->pc->pc);
        run_tell_end(out, END_EXIT, "exit status %llu", (unsigned long long)out->status);
        return true;
    case PC_SHUTDOWN:
        run_tell_end(out, END_FAULT, "triple fault (the last: %s)",
                     cpu_vector_name(run->cpu->fault.vector));
        return true;
    case PC_DIVERGED:
    case PC_REJECTED:
        run_tell_end(out, END_ENGINE, "the engine gave up");
        file = buffer_open(&out->report);
        if (file)
            run->pc->engine->ops->report(run->pc->engine, run->cpu, file);
        buffer_close(&out->report, file);
        return true;
    case PC_BREAKPOINT:
        run_arrived(run);
        return false;
    default:
        return over(run);
    }
}

/* When something is to happen next; SCRIPT_NEVER: not before the guest does something. */
static uint64_t next_ns(const struct run *run)
{
    uint64_t next = script_next_ns(&run->script);
    uint64_t net = run->net ? test_net_next_ns(run->net) : SCRIPT_NEVER;
    return net < next ? net : next;
}

/* A machine that goes on from a boot begins in the middle of this: behind what was heard. */
static void loop(struct run *run)
{
    struct run_pc *p = run->pc;
    for (;;) {
        release(p);
        script_run(&run->script, pc_now_ns(p->pc));
        if (run->net)
            test_net_run(run->net);
        if (act_on(run))
            return;
        uint64_t next = next_ns(run), now = pc_now_ns(p->pc);
        uint64_t turn =
            next != SCRIPT_NEVER && next > now && next - now < TURN_NS ? next - now : TURN_NS;
        p->state = pc_run_for(p->pc, turn);
        hear(run, &p->com);
        hear(run, &p->debugcon);
        look_at_screen(run);
    }
}

static bool read_linear(struct run *run, uint32_t address, void *out, size_t len)
{
    for (size_t done = 0; done < len; done++) {
        gpa_t gpa;
        if (!mmu_peek(run->cpu, address + (uint32_t)done, &gpa))
            return false;
        bus_read_bytes(pc_bus(run->pc->pc), gpa, (uint8_t *)out + done, 1);
    }
    return true;
}

/* The kernel's symbols, where it is an ELF file. */
static void add_kernel(struct run *run)
{
    const char *kernel = run->pc->options.kernel;
    if (kernel) {
        run->files.file[0] = (struct target_file){.path = strdup(kernel), .kernel = true};
        run->files.count = run->files.file[0].path != NULL;
    }
}

static void finish(struct run *run)
{
    struct outcome *out = run->out;
    out->instructions = run->cpu->icount;
    out->guest_ns = pc_now_ns(run->pc->pc);
    if (pc_state_hash(run->pc->pc, &out->sum, &run->why))
        outcome_fail(out, "the state at the end: %s", run->why.text);
    if (run->wish->record && pc_snapshot_save(run->pc->pc, run->wish->record, &run->why))
        unlink(run->wish->record); /* who wants it sees that it is not there */
    out->world = run_pc_sum_disks(run) + (run->net ? test_net_sum(run->net) : 0);
    read_screen(run);
    if (out->end != END_EXIT && out->end != END_STOPPED)
        report_cpu(run);
    if (run->wish->check)
        run_check_pc(run);
    run_check_picture(run, pc_vga(run->pc->pc));
}

void run_pc(struct run *run)
{
    struct run_pc pc = {.com = {.fd = -1}, .debugcon = {.fd = -1}, .input = {-1, -1}};
    run->pc = &pc;
    script_init(&run->script, run->spec, act, run);
    int err = build(run);
    run->skipped = err == -ENOTSUP && run->wish->engine;
    if (err) {
        run_tell_end(run->out, END_NOT_RUN, "%s", run->why.text);
    } else {
        run->cpu = pc_processor(pc.pc);
        run->read = read_linear;
        add_kernel(run);
        run_find_places(run);
        err = run_pc_resume(run);
        if (err)
            run_tell_end(run->out, END_HOST, "%s", run->why.text);
        else
            loop(run);
        finish(run);
    }
    unmake(run);
    run->pc = NULL;
}
