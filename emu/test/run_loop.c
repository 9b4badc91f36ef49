/* SPDX-License-Identifier: MIT */
/*
 * The guest's world: it runs to the next moment at which something is to happen, which then
 * happens. A deterministic guest's idle time takes none of the host's. The host's clock is looked
 * at for the limit in seconds alone, between parts that are cut by instructions, so it changes
 * nothing else.
 */
#include "emu/test/run_private.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/cpu/debug.h"

#include <stdlib.h>
#include <string.h>

#define PART_INSTRUCTIONS 20000000u
#define NAP_NS 20000000u /* in real time */

static bool is_real_time(const struct run *run)
{
    return run->wish->real_time || run->spec->real_time;
}

static uint64_t now_ns(const struct run *run)
{
    return vm_now_ns(run->vm) - run->start_ns;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When something is to happen next, of the guest's time since its start. */
static uint64_t next_ns(const struct run *run)
{
    uint64_t next = script_next_ns(&run->script);
    uint64_t net = run->net ? test_net_next_ns(run->net) : UINT64_MAX;
    return net == UINT64_MAX ? next : least(next, net > run->start_ns ? net - run->start_ns : 0);
}

/* How many instructions may run before somebody has to look. */
static uint64_t budget(const struct run *run, uint64_t next)
{
    uint64_t now = now_ns(run), done = vm_cpu(run->vm)->icount;
    uint64_t left = run->spec->max_instructions > done ? run->spec->max_instructions - done : 0;
    uint64_t most = least(left, PART_INSTRUCTIONS);
    if (next == SCRIPT_NEVER || is_real_time(run))
        return most;
    return least(most, next > now ? next - now : 1);
}

static void hang(struct run *run)
{
    struct buffer b = {0};
    script_tell(&run->script, &b);
    if (!b.len && !run->console.ended)
        buffer_text(&b, "its input is open and nobody types any more (eof = true ends it)");
    run_tell_end(run->out, END_HANG, "it waits for ever%s%s", b.len ? ": " : "", buffer_string(&b));
    buffer_free(&b);
}

/* The guest has nothing to do. True: it never will. */
static bool idle(struct run *run, uint64_t next)
{
    uint64_t wait = vm_wait_ns(run->vm), now = now_ns(run);
    if (next != SCRIPT_NEVER)
        wait = least(wait, next > now ? next - now : 0);
    if (vm_has_news(run->vm))
        return false;
    if (wait == HOST_FOREVER && (!is_real_time(run) || script_is_done(&run->script)))
        return true;
    if (is_real_time(run)) {
        wait = least(wait, NAP_NS);
        (void)host_poll(NULL, 0, wait);
    }
    vm_slept(run->vm, wait);
    return false;
}

static void ended(struct run *run)
{
    const struct vm_end *end = vm_end(run->vm);
    struct outcome *out = run->out;
    FILE *file = NULL;
    switch (end->reason) {
    case VM_END_EXIT:
        out->status = end->status;
        run_tell_end(out, END_EXIT, "exit status %u", end->status);
        break;
    case VM_END_FAULT:
        run_tell_end(out, END_FAULT, "%s at 0x%08x", cpu_vector_name(end->fault.vector),
                     vm_cpu(run->vm)->eip);
        file = buffer_open(&out->report);
        if (file)
            vm_report(run->vm, file);
        break;
    case VM_END_DIVERGED:
    case VM_END_REJECTED:
        run_tell_end(out, END_ENGINE,
                     end->reason == VM_END_DIVERGED ? "the interpreter and the translator differ"
                                                    : "the verifier refused a translation");
        file = buffer_open(&out->report);
        if (file)
            run->engine->ops->report(run->engine, vm_cpu(run->vm), file);
        break;
    default:
        run_tell_end(out, END_HOST, "%s", end->why.text);
    }
    buffer_close(&out->report, file);
}

/* All that was to be done to the guest is done. */
static bool is_done(const struct run *run)
{
    return script_is_done(&run->script) && (!run->net || test_net_is_done(run->net));
}

/* Limits that hold whatever the guest does. True: one is reached. */
static bool over_limit(struct run *run)
{
    const struct spec *spec = run->spec;
    if (run->stopped || (spec->stops && is_done(run)))
        run_tell_end(run->out, END_STOPPED, "stopped by the script");
    else if (run->console.flooded)
        run_tell_end(run->out, END_OUTPUT, "more output than max-output (%llu bytes)",
                     (unsigned long long)spec->max_output);
    else if (vm_cpu(run->vm)->icount >= spec->max_instructions)
        run_tell_end(run->out, END_INSTRUCTIONS, "no end within max-instructions (%llu)",
                     (unsigned long long)spec->max_instructions);
    else if (host_monotonic_ns() - run->began_ns >= spec->timeout_ns)
        run_tell_end(run->out, END_SECONDS, "no end within the timeout (%.3g s)",
                     (double)spec->timeout_ns / 1e9);
    else
        return false;
    return true;
}

/* True: the test is over. */
static bool turn(struct run *run)
{
    script_run(&run->script, now_ns(run));
    if (run->net)
        test_net_run(run->net);
    uint64_t next = next_ns(run);
    vm_set_horizon(run->vm, next == SCRIPT_NEVER ? HOST_FOREVER : run->start_ns + next);
    switch (vm_run(run->vm, budget(run, next))) {
    case VM_ENDED:
        ended(run);
        return true;
    case VM_IDLE:
    case VM_BLOCKED:
        if (over_limit(run))
            return true;
        if (!idle(run, next))
            break;
        hang(run);
        return true;
    case VM_BREAKPOINT:
        run_arrived(run);
        break;
    default:
        break;
    }
    return over_limit(run);
}

void run_loop(struct run *run)
{
    while (!turn(run))
        ;
}
