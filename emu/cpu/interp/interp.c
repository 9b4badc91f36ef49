/* SPDX-License-Identifier: MIT */
/*
 * The interpreter's run loop, and the fetch of instructions. It is the slow,
 * simple engine that the fast one is held against: it runs anywhere, counts
 * exactly, and every fault leaves the state of before the instruction.
 */
#include "emu/cpu/interp/interp.h"

#include <errno.h>
#include <stdlib.h>

#include "emu/cpu/debug.h"
#include "emu/cpu/interp/interp_pc.h"

struct interp {
    struct engine engine;
    uint64_t exits;
};

/* Copies code bytes from `eip` up to the first that cannot be fetched; returns how many. */
static unsigned fetch_bytes(const struct cpu *cpu, uint32_t eip, uint8_t *out)
{
    uint32_t linear = cpu_seg_base(cpu, ISA_CS) + eip;
    unsigned have = 0;
    while (have < ISA_MAX_LENGTH) {
        uint32_t room = PAGE_SIZE - ((linear + have) & PAGE_MASK);
        uint32_t len = ISA_MAX_LENGTH - have < room ? ISA_MAX_LENGTH - have : room;
        const uint8_t *from = cpu_page_raw(cpu, linear + have, len, RAM_DENIED_READ);
        if (!from)
            break;
        memcpy(out + have, from, len);
        have += len;
    }
    return have;
}

enum cpu_status interp_fetch(struct cpu *cpu, struct isa_insn *out)
{
    if (!cpu->flat)
        return interp_pc_fetch(cpu, out);
    uint8_t bytes[ISA_MAX_LENGTH];
    unsigned have = fetch_bytes(cpu, cpu->eip, bytes);
    switch (isa_decode(bytes, have, cpu->code32, out)) {
    case ISA_OK:
        return CPU_OK;
    case ISA_INVALID:
        return cpu_raise(cpu, CPU_UD);
    case ISA_TOO_LONG:
        return cpu_raise_error(cpu, CPU_GP, 0);
    case ISA_MORE:
        break;
    }
    BUG_ON(have == ISA_MAX_LENGTH, "the decoder wants more than an instruction can have");
    return cpu_raise_page(cpu, cpu_seg_base(cpu, ISA_CS) + cpu->eip + have, CPU_PF_FETCH);
}

enum cpu_status interp_execute(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t start = cpu->eip;
    interp_fn fn = interp_function(cpu, insn);
    if (!fn)
        return cpu_raise(cpu, CPU_UD);
    bool asks = !cpu->flat && (insn->row->attr & ISA_T_PRIV);
    if (asks && interp_pc_check(cpu, insn))
        return CPU_FAULT;
    cpu->eip = start + insn->len;
    enum cpu_status status = fn(cpu, insn);
    if (status == CPU_FAULT && !cpu->pc.committed)
        cpu->eip = start;
    else if (status == CPU_EXIT)
        cpu->exit.length = insn->len;
    return status;
}

enum cpu_status interp_step(struct cpu *cpu)
{
    struct isa_insn insn;
    enum cpu_status status = interp_fetch(cpu, &insn);
    return status ? status : interp_execute(cpu, &insn);
}

/* Loading SS holds the trap off for one instruction, in which ESP may follow. */
static bool holds_off_trap(const struct isa_insn *insn)
{
    unsigned sem = insn->row->sem;
    return (sem == ISA_SEM_MOV_SREG && insn->reg == ISA_SS && insn->row->op[0].method == ISA_M_S) ||
           (sem == ISA_SEM_POP_SREG && interp_operand_reg(insn, 0) == ISA_SS);
}

enum engine_exit interp_after(struct cpu *cpu, const struct isa_insn *insn, uint32_t eip,
                              enum cpu_status status, bool traps)
{
    enum engine_exit exit = status == CPU_OK      ? ENGINE_EXITS
                            : status == CPU_FAULT ? ENGINE_EXIT_FAULT
                                                  : (enum engine_exit)cpu->exit.reason;
    cpu->icount += status != CPU_FAULT;
    if (traps && status == CPU_OK && !holds_off_trap(insn)) {
        cpu->fault = (struct cpu_fault){.vector = CPU_DB};
        exit = ENGINE_EXIT_FAULT;
    }
    if (status == CPU_EXIT)
        cpu->exit.trap = traps;
    return cpu_debug_after(cpu, eip, status, exit);
}

enum engine_exit interp_single(struct cpu *cpu)
{
    struct isa_insn insn;
    uint32_t eip = cpu->eip;
    bool traps = interp_traps(cpu);
    enum cpu_status status = interp_fetch(cpu, &insn);
    if (!status)
        status = interp_execute(cpu, &insn);
    return interp_after(cpu, &insn, eip, status, traps);
}

/* Runs at most `limit` instructions of a block. */
static enum engine_exit run_block(struct cpu *cpu, const struct interp_op *op, uint32_t limit)
{
    enum cpu_status status = CPU_OK;
    uint32_t i = 0, eip = cpu->eip;
    interp_block_enter(cpu);
    for (; i < limit && status == CPU_OK && !cpu->code_written; i++)
        status = interp_run_op(cpu, op + i);
    interp_block_leave(cpu);
    if (status == CPU_OK && !cpu->debug) {
        cpu->icount += i;
        return ENGINE_EXITS;
    }
    cpu->icount += i - 1;
    if (cpu->debug)
        for (uint32_t before = 0; before + 1 < i; before++)
            eip += op[before].insn.len;
    return interp_after(cpu, &op[i - 1].insn, eip, status, false);
}

/* A block, or one instruction that is in none (it crosses a page, or cannot be decoded; or it
 * traps). */
static enum engine_exit run_some(struct interp_cache *cache, struct cpu *cpu, uint64_t limit)
{
    if (interp_traps(cpu))
        return interp_single(cpu);
    const struct interp_block *block = interp_cache_find(cache, cpu);
    if (!block->ops)
        return interp_single(cpu);
    uint32_t ops = limit < block->ops ? (uint32_t)limit : block->ops;
    return run_block(cpu, interp_cache_ops(cache, block), ops);
}

static enum engine_exit run_loop(struct interp_cache *cache, struct cpu *cpu, uint64_t budget)
{
    uint64_t end = cpu->icount + budget < budget ? UINT64_MAX : cpu->icount + budget;
    enum engine_exit exit = ENGINE_EXITS;
    while (exit == ENGINE_EXITS && cpu->icount < end) {
        if (__atomic_load_n(&cpu->stop_request, __ATOMIC_ACQUIRE)) {
            __atomic_store_n(&cpu->stop_request, 0, __ATOMIC_RELAXED);
            return ENGINE_EXIT_STOP;
        }
        if (cpu->debug && cpu_debug_stops_here(cpu))
            return ENGINE_EXIT_BREAKPOINT;
        exit = run_some(cache, cpu, end - cpu->icount);
    }
    return exit == ENGINE_EXITS ? ENGINE_EXIT_BUDGET : exit;
}

static enum engine_exit interp_run(struct engine *engine, struct cpu *cpu, uint64_t budget)
{
    struct interp *interp = CONTAINER_OF(engine, struct interp, engine);
    enum engine_exit exit;
    __atomic_fetch_add(&interp->exits, 1, __ATOMIC_RELAXED);
    if (!cpu->flat)
        return interp_pc_run(cpu->engine_state, cpu, budget);
    if (cpu->debug && cpu_debug_enter(cpu, &exit))
        return exit;
    return run_loop(cpu->engine_state, cpu, budget);
}

static int interp_attach(struct engine *engine, struct cpu *cpu, uint64_t image)
{
    (void)image;
    struct interp_cache *cache;
    int err = interp_cache_create(&cache);
    if (err)
        return err;
    cpu->engine = engine;
    cpu->engine_state = cache;
    return 0;
}

static void interp_detach(struct engine *engine, struct cpu *cpu)
{
    (void)engine;
    interp_cache_destroy(cpu->engine_state);
    cpu->engine_state = NULL;
    cpu->engine = NULL;
}

static void interp_forget(struct engine *engine, struct cpu *cpu, gpa_t gpa, uint64_t len)
{
    (void)engine, (void)cpu, (void)gpa,
        (void)len; /* blocks are compared with memory when entered */
}

static void interp_debug(struct engine *engine, struct cpu *cpu, uint32_t linear, uint32_t len)
{
    (void)engine, (void)cpu, (void)linear, (void)len; /* the cache looks at cpu->debug by itself */
}

static void interp_stop(struct engine *engine, struct cpu *cpu)
{
    (void)engine;
    __atomic_store_n(&cpu->stop_request, 1, __ATOMIC_SEQ_CST);
}

static void interp_counters(const struct engine *engine, struct engine_counters *out)
{
    const struct interp *interp = CONTAINER_OF(engine, const struct interp, engine);
    *out = (struct engine_counters){.exits = interp->exits, .counted = true};
}

static void interp_report(struct engine *engine, struct cpu *cpu, void *out)
{
    (void)engine, (void)cpu, (void)out; /* never diverges */
}

static void interp_destroy(struct engine *engine)
{
    free(CONTAINER_OF(engine, struct interp, engine));
}

static const struct engine_ops interp_ops = {
    .name = "interp",
    .attach = interp_attach,
    .detach = interp_detach,
    .run = interp_run,
    .forget = interp_forget,
    .debug = interp_debug,
    .stop = interp_stop,
    .counters = interp_counters,
    .report = interp_report,
    .destroy = interp_destroy,
};

int interp_create(struct engine **out)
{
    struct interp *interp = calloc(1, sizeof(*interp));
    if (!interp)
        return -ENOMEM;
    interp->engine.ops = &interp_ops;
    *out = &interp->engine;
    return 0;
}
