/* SPDX-License-Identifier: MIT */
/*
 * The lockstep engine: interpreter and another engine (the subject) run the
 * same stretch of instructions on one memory, and must agree.
 *
 * A stretch: the interpreter runs first and its writes are logged; they are
 * undone; the subject runs the same number of instructions; then registers,
 * flags, x87 and SSE state, the written pages and the way it ended are
 * compared. The subject's state is the one that lives on, so both begin every
 * stretch from one state. What happens outside (hypercalls, ports, faults)
 * happens once, after both have come to it.
 *
 * Stretches are long, for speed and so that the subject's jumps from block to
 * block are tried too. After a difference the stretch is run again block by
 * block, to find the one that differs. The processor is left before it.
 *
 * A PC's devices are asked once, too, and more can happen there: lockstep_pc.c.
 *
 * Flags that the manual leaves undefined are not compared, and a stretch ends
 * before an instruction that reads one.
 */
#include "dbt/lockstep/lockstep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRETCH_INSTRUCTIONS 4000

struct lockstep {
    struct engine engine;
    struct engine *subject;
};

static struct lockstep *from_engine(struct engine *engine)
{
    return CONTAINER_OF(engine, struct lockstep, engine);
}

static uint64_t original_tsc(const struct lockstep_tsc *tsc)
{
    if (tsc->virtual_tsc && tsc->read)
        return tsc->read(tsc->opaque);
    return interp_host_tsc();
}

/* Both engines read the same times: the first reader's are kept. */
static uint64_t shared_tsc(void *opaque)
{
    struct lockstep_tsc *tsc = opaque;
    if (tsc->next < tsc->count)
        return tsc->value[tsc->next++];
    uint64_t now = original_tsc(tsc);
    if (tsc->count == tsc->room) {
        uint32_t room = tsc->room ? tsc->room * 2 : 64;
        uint64_t *value = realloc(tsc->value, room * sizeof(*value));
        if (!value)
            return now; /* the subject will read a later time, and the difference be reported */
        tsc->value = value;
        tsc->room = room;
    }
    tsc->value[tsc->count++] = now;
    tsc->next = tsc->count;
    return now;
}

static void hook_tsc(struct lockstep_cpu *lc)
{
    struct cpu *cpu = lc->cpu;
    lc->tsc.read = cpu->read_tsc;
    lc->tsc.opaque = cpu->read_tsc_opaque;
    lc->tsc.virtual_tsc = cpu->virtual_tsc;
    cpu->read_tsc = shared_tsc;
    cpu->read_tsc_opaque = &lc->tsc;
    cpu->virtual_tsc = 1;
}

static void unhook_tsc(struct lockstep_cpu *lc)
{
    struct cpu *cpu = lc->cpu;
    cpu->read_tsc = lc->tsc.read;
    cpu->read_tsc_opaque = lc->tsc.opaque;
    cpu->virtual_tsc = lc->tsc.virtual_tsc;
}

bool lockstep_note_step(struct lockstep_stretch *s, enum cpu_status status, enum engine_exit exit,
                        const struct isa_flags *flags)
{
    if (status != CPU_FAULT) {
        s->undefined = (s->undefined & ~(uint32_t)flags->kills) | flags->undef;
        s->count++;
    }
    if (exit != ENGINE_EXITS)
        s->reference_exit = exit;
    return exit == ENGINE_EXITS;
}

/* The instructions of a block, `limit` at most. False: the stretch ends here. */
static bool reference_block(struct cpu *cpu, struct lockstep_stretch *s, const struct interp_op *op,
                            uint64_t limit)
{
    bool go_on = true;
    interp_block_enter(cpu);
    for (uint64_t i = 0; i < limit && go_on && !cpu->code_written; i++, op++) {
        uint32_t eip = cpu->eip;
        if (op->flags.reads & s->undefined) {
            go_on = false;
            break;
        }
        s->trace[s->traced++ % LOCKSTEP_TRACE] = eip;
        enum cpu_status status = interp_run_op(cpu, op);
        go_on = lockstep_note_step(s, status, interp_after(cpu, &op->insn, eip, status, false),
                                   &op->flags);
    }
    interp_block_leave(cpu);
    return go_on;
}

/* An instruction that is in no block: it crosses a page, or cannot be decoded; or it traps. */
static bool reference_single(struct cpu *cpu, struct lockstep_stretch *s)
{
    struct isa_insn insn;
    struct isa_flags flags = {0};
    uint32_t eip = cpu->eip;
    bool traps = interp_traps(cpu);
    enum cpu_status status = interp_fetch(cpu, &insn);
    if (status == CPU_OK) {
        flags = isa_flags(&insn);
        if (flags.reads & s->undefined)
            return false;
        s->trace[s->traced++ % LOCKSTEP_TRACE] = eip;
        status = interp_execute(cpu, &insn);
    }
    return lockstep_note_step(s, status, interp_after(cpu, &insn, eip, status, traps), &flags);
}

static bool reference_some(struct lockstep_cpu *lc, uint64_t limit)
{
    struct cpu *cpu = lc->cpu;
    if (cpu->debug && cpu_debug_stops_here(cpu)) {
        lc->stretch.reference_exit = ENGINE_EXIT_BREAKPOINT;
        return false;
    }
    if (interp_traps(cpu))
        return reference_single(cpu, &lc->stretch);
    const struct interp_block *block = interp_cache_find(lc->cache, cpu);
    if (!block->ops)
        return reference_single(cpu, &lc->stretch);
    uint64_t ops = limit < block->ops ? limit : block->ops;
    return reference_block(cpu, &lc->stretch, interp_cache_ops(lc->cache, block), ops);
}

/* False: the subject is not to try it. */
MUST_CHECK static bool run_reference(struct lockstep_cpu *lc, uint64_t limit, bool one_block)
{
    struct lockstep_stretch *s = &lc->stretch;
    if (lc->pc) {
        bool to_be_tried = lockstep_pc_reference(lc, limit);
        s->reference = *lc->cpu;
        return to_be_tried && !lc->log.lost;
    }
    lc->cpu->write_log = &lc->log.log;
    while (s->count < limit && reference_some(lc, limit - s->count) && !one_block)
        ;
    lc->cpu->write_log = NULL;
    s->reference = *lc->cpu;
    return !lc->log.lost; /* else too much was written to be undone */
}

/*
 * An exit or a fault lies at the end of the subject's stretch: it is given one
 * instruction more, so that it comes to it. A stop in the middle is noted, and
 * the stretch completed.
 */
static void run_subject(struct lockstep *ls, struct lockstep_cpu *lc)
{
    struct cpu *cpu = lc->cpu;
    struct lockstep_stretch *s = &lc->stretch;
    uint64_t end = cpu->icount + s->count + (s->reference_exit != ENGINE_EXIT_BUDGET);
    void *own_state = cpu->engine_state;
    cpu->engine = ls->subject;
    cpu->engine_state = lc->subject_state;
    do {
        s->subject_exit = engine_run(cpu, end - cpu->icount);
        lc->stopped |= s->subject_exit == ENGINE_EXIT_STOP;
    } while (s->subject_exit == ENGINE_EXIT_STOP && cpu->icount < end);
    if (s->subject_exit == ENGINE_EXIT_STOP)
        s->subject_exit = ENGINE_EXIT_BUDGET;
    cpu->engine = &ls->engine;
    cpu->engine_state = own_state;
    s->subject = *cpu;
}

static bool same_fault(const struct cpu_fault *a, const struct cpu_fault *b)
{
    return a->vector == b->vector && a->has_error == b->has_error && a->error == b->error &&
           a->address == b->address;
}

static bool same_exit(const struct cpu_exit *a, const struct cpu_exit *b, enum engine_exit reason)
{
    if (reason == ENGINE_EXIT_HYPERCALL)
        return a->hypercall == b->hypercall && a->length == b->length;
    if (reason == ENGINE_EXIT_PORT)
        return a->port == b->port && a->port_size == b->port_size &&
               a->port_write == b->port_write && a->length == b->length;
    return true;
}

static bool same_hit(const struct lockstep_cpu *lc)
{
    const struct cpu_watch_hit *a = &lc->stretch.debug_reference.hit, *b = &lc->cpu->debug->now.hit;
    return a->eip == b->eip && a->linear == b->linear && a->len == b->len &&
           a->access == b->access && !memcmp(a->before, b->before, sizeof(a->before)) &&
           !memcmp(a->after, b->after, sizeof(a->after));
}

/* What differs, in words; NULL if nothing does. */
static const char *find_difference(struct lockstep_cpu *lc)
{
    struct lockstep_stretch *s = &lc->stretch;
    if (s->reference_exit != s->subject_exit)
        return "the way it ended";
    uint32_t eflags = s->subject.eflags;
    s->subject.eflags = (eflags & ~s->undefined) | (s->reference.eflags & s->undefined);
    const struct state_field *field = state_compare(&cpu_state_list, &s->reference, &s->subject);
    s->subject.eflags = eflags;
    if (field)
        return field->name;
    field = lc->pc ? state_compare(&cpu_pc_state_list, &s->reference, &s->subject) : NULL;
    if (field)
        return field->name;
    if (s->reference_exit == ENGINE_EXIT_FAULT &&
        !same_fault(&s->reference.fault, &s->subject.fault))
        return "the fault";
    if (!same_exit(&s->reference.exit, &s->subject.exit, s->reference_exit))
        return "the exit";
    if (s->reference_exit == ENGINE_EXIT_WATCHPOINT && !same_hit(lc))
        return "the watchpoint";
    s->memory_at = lockstep_log_compare(&lc->log);
    return s->memory_at == UINT64_MAX ? NULL : "memory";
}

static void note_memory(struct lockstep_cpu *lc)
{
    struct lockstep_stretch *s = &lc->stretch;
    const struct lockstep_mirror *m = &lc->mirror;
    if (m->found) {
        s->memory_at = m->at;
        s->memory_reference = m->was;
        s->memory_subject = m->is;
        s->stray_since = m->checked_at;
        return;
    }
    if (s->memory_at == UINT64_MAX)
        return;
    const struct lockstep_page *page = &lc->log.page[lc->log.index[s->memory_at >> PAGE_BITS] - 1];
    s->memory_reference = page->reference[s->memory_at & PAGE_MASK];
    s->memory_subject = ram_base(lc->cpu->ram)[s->memory_at];
}

/* A copy of what the debugger knows now, and back. */
static void keep_debug(const struct lockstep_cpu *lc, struct cpu_debug_now *to)
{
    if (lc->cpu->debug)
        *to = lc->cpu->debug->now;
}

static void restore_debug(struct lockstep_cpu *lc)
{
    if (lc->cpu->debug)
        lc->cpu->debug->now = lc->stretch.debug_before;
}

static void restore_state(struct lockstep_cpu *lc)
{
    state_copy(&cpu_state_list, lc->cpu, &lc->stretch.before);
    if (lc->pc)
        lockstep_pc_restore(lc);
}

static void try_subject(struct lockstep *ls, struct lockstep_cpu *lc)
{
    struct lockstep_stretch *s = &lc->stretch;
    if (lc->pc)
        lockstep_pc_before_subject(lc);
    run_subject(ls, lc);
    if (lc->pc)
        s->differs = lockstep_pc_after_subject(lc);
    if (!s->differs)
        s->differs = find_difference(lc);
}

/* Ends a stretch: was all as it should be? */
static bool accept(struct lockstep_cpu *lc)
{
    struct lockstep_stretch *s = &lc->stretch;
    if (lc->log.lost)
        lockstep_mirror_expect(&lc->mirror, 0, ram_size(lc->cpu->ram));
    if (!s->differs && lc->mirror.found)
        s->differs = "memory that it had no reason to write";
    if (s->differs)
        note_memory(lc);
    else
        lockstep_log_accept(&lc->log);
    return !s->differs;
}

/* Runs one stretch of at most `limit` instructions by both; false on a difference. */
static bool run_stretch(struct lockstep *ls, struct lockstep_cpu *lc, uint64_t limit,
                        bool one_block)
{
    struct cpu *cpu = lc->cpu;
    struct lockstep_stretch *s = &lc->stretch;
    memset(&cpu->fault, 0, sizeof(cpu->fault));
    memset(&cpu->exit, 0, sizeof(cpu->exit));
    s->before = *cpu;
    keep_debug(lc, &s->debug_before);
    s->count = s->traced = s->undefined = 0;
    s->stray_since = UINT64_MAX;
    s->memory_at = UINT64_MAX;
    s->reference_exit = ENGINE_EXIT_BUDGET;
    lockstep_log_begin(&lc->log);
    uint32_t first_tsc = lc->tsc.next;
    bool to_be_tried = run_reference(lc, limit, one_block);
    keep_debug(lc, &s->debug_reference);
    s->differs = NULL;
    if (to_be_tried) {
        lockstep_log_undo(&lc->log);
        restore_state(lc);
        cpu->fault = s->before.fault;
        cpu->exit = s->before.exit;
        lc->tsc.next = first_tsc;
        restore_debug(lc);
        try_subject(ls, lc);
    }
    return accept(lc);
}

static void back_to_start(struct lockstep_cpu *lc)
{
    lockstep_log_restore(&lc->log);
    restore_debug(lc);
    restore_state(lc);
}

/* Back at its start, and what is kept of it. NULL: no memory. */
static struct lockstep_stretch *begin_again(struct lockstep_cpu *lc)
{
    struct lockstep_stretch *whole = malloc(sizeof(*whole));
    back_to_start(lc);
    if (lc->pc)
        lockstep_pc_repeat(lc);
    if (whole)
        *whole = lc->stretch;
    lc->tsc.next = 0;
    return whole;
}

/* A long stretch differed: again from its start, block by block. Keeps the long one if it agrees
 * now. */
static void narrow(struct lockstep *ls, struct lockstep_cpu *lc)
{
    if (lc->mirror.found) /* it happened before, and there is no way back there */
        return;
    uint64_t left = lc->stretch.count + (lc->stretch.reference_exit != ENGINE_EXIT_BUDGET);
    struct lockstep_stretch *whole = begin_again(lc);
    if (!whole)
        return;
    while (left && run_stretch(ls, lc, lc->pc ? 1 : left, true)) {
        if (lc->stretch.reference_exit != ENGINE_EXIT_BUDGET)
            break;
        left -= lc->stretch.count;
    }
    if (lc->stretch.differs)
        back_to_start(lc);
    else
        lc->stretch = *whole;
    free(whole);
}

/* A PC's stretch that differs in accessed and dirty bits alone agrees when both begin it with an
 * empty TLB? Then each was right, by what its own TLB held. */
static bool agrees_without_tlb(struct lockstep *ls, struct lockstep_cpu *lc)
{
    const struct lockstep_stretch *s = &lc->stretch;
    if (!lc->pc || lc->mirror.found || s->memory_at == UINT64_MAX ||
        !lockstep_log_differs_in_marks(&lc->log))
        return false;
    uint64_t count = s->count;
    enum engine_exit exit = s->reference_exit;
    struct lockstep_stretch *whole = begin_again(lc);
    if (!whole)
        return false;
    bool agrees =
        run_stretch(ls, lc, count, false) && s->count == count && s->reference_exit == exit;
    if (!agrees && !s->differs)
        lc->stretch = *whole;
    free(whole);
    return agrees;
}

/* A stop that came together with another exit waits for the next run. */
static bool take_stop(struct lockstep_cpu *lc)
{
    bool stopped = lc->stopped;
    lc->stopped = false;
    return stopped;
}

/* Looks at all memory now and then. */
static bool strays(struct lockstep_cpu *lc, bool end)
{
    lockstep_mirror_check(&lc->mirror, lc->cpu->icount, end);
    return lc->mirror.found && !accept(lc);
}

static enum engine_exit run_stretches(struct lockstep *ls, struct lockstep_cpu *lc, uint64_t budget)
{
    while (budget && !lc->stopped) {
        uint64_t limit = budget < STRETCH_INSTRUCTIONS ? budget : STRETCH_INSTRUCTIONS;
        lc->tsc.count = lc->tsc.next = 0;
        if (!run_stretch(ls, lc, limit, false) && !agrees_without_tlb(ls, lc)) {
            narrow(ls, lc);
            return ENGINE_EXIT_DIVERGED;
        }
        if (lc->stretch.reference_exit != ENGINE_EXIT_BUDGET)
            return lc->stretch.reference_exit;
        budget -= lc->stretch.count;
        if (strays(lc, false))
            return ENGINE_EXIT_DIVERGED;
    }
    if (strays(lc, true))
        return ENGINE_EXIT_DIVERGED;
    return take_stop(lc) ? ENGINE_EXIT_STOP : ENGINE_EXIT_BUDGET;
}

static enum engine_exit lockstep_run(struct engine *engine, struct cpu *cpu, uint64_t budget)
{
    struct lockstep_cpu *lc = cpu->engine_state;
    enum engine_exit exit;
    if (cpu->debug && cpu_debug_enter(cpu, &exit))
        return exit;
    hook_tsc(lc);
    if (lc->pc)
        lockstep_pc_enter(lc);
    exit = run_stretches(from_engine(engine), lc, budget);
    if (lc->pc)
        lockstep_pc_leave(lc);
    unhook_tsc(lc);
    return exit;
}

static void lockstep_cpu_free(struct lockstep_cpu *lc)
{
    lockstep_log_fini(&lc->log);
    interp_cache_destroy(lc->cache);
    free(lc->tsc.value);
    free(lc);
}

static int lockstep_attach(struct engine *engine, struct cpu *cpu, uint64_t image)
{
    struct lockstep *ls = from_engine(engine);
    struct lockstep_cpu *lc = calloc(1, sizeof(*lc));
    if (!lc)
        return -ENOMEM;
    lc->cpu = cpu;
    cpu->no_fpu_pointers = 1; /* a translator does not know them: nobody keeps them */
    int err = lockstep_log_init(&lc->log, cpu->ram, &lc->mirror);
    if (!err)
        err = interp_cache_create(&lc->cache);
    if (!err && !cpu->flat)
        err = lockstep_pc_attach(lc);
    hook_tsc(lc); /* the subject may decide now how it translates RDTSC */
    if (!err)
        err = ls->subject->ops->attach(ls->subject, cpu, image);
    unhook_tsc(lc);
    if (err) {
        if (lc->pc)
            lockstep_pc_detach(lc);
        lockstep_cpu_free(lc);
        return err;
    }
    lc->subject_state = cpu->engine_state;
    cpu->engine_state = lc;
    cpu->engine = engine;
    return 0;
}

static void lockstep_detach(struct engine *engine, struct cpu *cpu)
{
    struct lockstep *ls = from_engine(engine);
    struct lockstep_cpu *lc = cpu->engine_state;
    cpu->engine_state = lc->subject_state;
    cpu->engine = ls->subject;
    ls->subject->ops->detach(ls->subject, cpu);
    cpu->engine_state = NULL;
    cpu->engine = NULL;
    if (lc->pc)
        lockstep_pc_detach(lc);
    lockstep_cpu_free(lc);
}

/* The subject's own calls expect its state behind cpu->engine_state. */
static void lockstep_forget(struct engine *engine, struct cpu *cpu, gpa_t gpa, uint64_t len)
{
    struct lockstep *ls = from_engine(engine);
    struct lockstep_cpu *lc = cpu->engine_state;
    void *own_state = cpu->engine_state == lc->subject_state ? lc->subject_state : lc;
    if (lc->pc)
        lockstep_pc_forget(lc);
    cpu->engine_state = lc->subject_state;
    ls->subject->ops->forget(ls->subject, cpu, gpa, len);
    cpu->engine_state = own_state;
}

static void lockstep_debug(struct engine *engine, struct cpu *cpu, uint32_t linear, uint32_t len)
{
    struct lockstep *ls = from_engine(engine);
    struct lockstep_cpu *lc = cpu->engine_state;
    cpu->engine_state = lc->subject_state;
    ls->subject->ops->debug(ls->subject, cpu, linear, len);
    cpu->engine_state = lc;
}

/* The subject's next run ends with STOP, which is seen within a stretch. It is not told itself:
 * which of the two runs now, another thread cannot know. */
static void lockstep_stop(struct engine *engine, struct cpu *cpu)
{
    (void)engine;
    __atomic_store_n(&cpu->stop_request, 1, __ATOMIC_SEQ_CST);
}

static void lockstep_counters(const struct engine *engine, struct engine_counters *out)
{
    const struct lockstep *ls = CONTAINER_OF(engine, const struct lockstep, engine);
    ls->subject->ops->counters(ls->subject, out);
    out->counted = true; /* stretches are exact budgets */
}

static void lockstep_engine_report(struct engine *engine, struct cpu *cpu, void *out)
{
    struct lockstep *ls = from_engine(engine);
    struct lockstep_cpu *lc = cpu->engine_state;
    if (!lc->stretch.differs)
        return;
    lockstep_report(&lc->stretch, cpu, out);
    fputs("translation:\n", out);
    cpu->engine_state = lc->subject_state;
    ls->subject->ops->report(ls->subject, cpu, out);
    cpu->engine_state = lc;
}

static void lockstep_destroy(struct engine *engine)
{
    struct lockstep *ls = from_engine(engine);
    ls->subject->ops->destroy(ls->subject);
    free(ls);
}

static const struct engine_ops lockstep_ops = {
    .name = "lockstep",
    .attach = lockstep_attach,
    .detach = lockstep_detach,
    .run = lockstep_run,
    .forget = lockstep_forget,
    .debug = lockstep_debug,
    .stop = lockstep_stop,
    .counters = lockstep_counters,
    .report = lockstep_engine_report,
    .destroy = lockstep_destroy,
};

struct engine *lockstep_subject(struct engine *lockstep)
{
    return from_engine(lockstep)->subject;
}

int lockstep_create_pair(struct engine *subject, struct engine **out)
{
    struct lockstep *ls = calloc(1, sizeof(*ls));
    if (!ls) {
        subject->ops->destroy(subject);
        return -ENOMEM;
    }
    ls->engine.ops = &lockstep_ops;
    ls->subject = subject;
    *out = &ls->engine;
    return 0;
}
