/* SPDX-License-Identifier: MIT */
/*
 * Task switches (SDM volume 3, 7.3). Two halves: what can still fail in the old
 * task (both task states are looked at, and only then written), and what fails
 * in the new one, whose registers are all there by then.
 */
#include <string.h>

#include "emu/cpu/pc/event.h"
#include "emu/cpu/pc/mmu.h"
#include "emu/cpu/pc/stack.h"

/* Where things lie in the two forms of a task state segment. */
struct layout {
    unsigned bytes; /* of a register */
    uint16_t limit; /* at least */
    uint16_t eip;   /* then EFLAGS, the general registers */
    uint16_t seg;   /* ES CS SS DS (FS GS), each in `bytes` */
    uint16_t segs;
    uint16_t ldt;
    uint16_t end; /* of what a switch writes */
};

static const struct layout layout16 = {2, 43, 14, 34, 4, 42, 42};
static const struct layout layout32 = {4, 103, 32, 72, 6, 96, 96};
#define TSS_LINK 0
#define TSS32_CR3 28
#define TSS32_TRAP 100

static const struct layout *layout_of(unsigned type)
{
    return type & 8 ? &layout32 : &layout16;
}

/* What a task state holds of the processor. */
struct task {
    uint32_t eip, eflags, gpr[8], cr3;
    uint32_t seg[6], ldt;
    bool trap;
};

static const uint8_t seg_order[6] = {ISA_ES, ISA_CS, ISA_SS, ISA_DS, ISA_FS, ISA_GS};

static uint32_t word_at(const uint8_t *image, uint32_t at, unsigned bytes)
{
    return cpu_load(image + at, bytes);
}

static void parse(const struct layout *l, const uint8_t *image, struct task *task)
{
    memset(task, 0, sizeof(*task));
    task->eip = word_at(image, l->eip, l->bytes);
    task->eflags = word_at(image, l->eip + l->bytes, l->bytes);
    for (unsigned i = 0; i < 8; i++) {
        uint32_t upper = l->bytes == 2 ? 0xffff0000u : 0;
        task->gpr[i] = upper | word_at(image, l->eip + (2 + i) * l->bytes, l->bytes);
    }
    for (unsigned i = 0; i < l->segs; i++)
        task->seg[seg_order[i]] = word_at(image, l->seg + i * l->bytes, 2);
    task->ldt = word_at(image, l->ldt, 2);
    if (l == &layout32) {
        task->cr3 = word_at(image, TSS32_CR3, 4);
        task->trap = image[TSS32_TRAP] & 1;
    }
}

/* The old task, from its EIP on; the static fields before it are the guest's own. */
MUST_CHECK static enum cpu_status save_old(struct cpu *cpu, uint32_t eflags)
{
    const struct layout *l = layout_of(cpu->sys.tr.attr & SEG_TYPE);
    uint32_t base = cpu->sys.tr.base;
    uint8_t image[104];
    enum cpu_status status =
        cpu_linear_read(cpu, base + l->eip, false, image + l->eip, l->end - l->eip);
    if (status)
        return status;
    cpu_store(image + l->eip, l->bytes, cpu->eip);
    cpu_store(image + l->eip + l->bytes, l->bytes, eflags);
    for (unsigned i = 0; i < 8; i++)
        cpu_store(image + l->eip + (2 + i) * l->bytes, l->bytes, cpu->gpr[i]);
    for (unsigned i = 0; i < l->segs; i++)
        cpu_store(image + l->seg + i * l->bytes, 2, cpu->seg[seg_order[i]].selector);
    return cpu_linear_write(cpu, base + l->eip, false, image + l->eip, l->end - l->eip);
}

enum cpu_status task_find(struct cpu *cpu, uint32_t selector, uint32_t ext, struct desc *out)
{
    uint32_t error = desc_error(selector) | ext;
    if (selector & 4)
        return cpu_raise_error(cpu, CPU_GP, error);
    enum cpu_status status = desc_read(cpu, selector, CPU_GP, error, out);
    if (status)
        return status;
    unsigned type = desc_system_type(out);
    if (desc_is_null(selector) || (type != SYS_TSS16 && type != SYS_TSS32))
        return cpu_raise_error(cpu, CPU_GP, error);
    return desc_present(out) ? CPU_OK : cpu_raise_error(cpu, CPU_NP, error);
}

/* A switch on its way. */
struct task_way {
    uint32_t selector, ext, eflags;
    struct desc *tss;
    struct desc old; /* the old one's descriptor, when its busy bit is to be cleared */
    enum task_cause cause;
    const struct layout *from, *to;
    struct task task;
};

MUST_CHECK static enum cpu_status look_at_both(struct cpu *cpu, struct task_way *w)
{
    uint32_t error = desc_error(w->selector) | w->ext, base = desc_base(w->tss);
    const struct cpu_seg *tr = &cpu->sys.tr;
    uint8_t image[104];
    if (desc_limit(w->tss) < w->to->limit || tr->limit < w->from->limit)
        return cpu_raise_error(cpu, CPU_TS, error);
    uint32_t dynamic = w->from->end - w->from->eip;
    enum cpu_status status =
        cpu_linear_check(cpu, tr->base + w->from->eip, false, MMU_WRITE, dynamic);
    bool nests = w->cause == TASK_CALL || w->cause == TASK_EVENT;
    if (status == CPU_OK && nests)
        status = cpu_linear_check(cpu, base + TSS_LINK, false, MMU_WRITE, 2);
    if (status == CPU_OK)
        status = cpu_linear_read(cpu, base, false, image, w->to->limit + 1u);
    if (status == CPU_OK && !nests)
        status = desc_read(cpu, tr->selector, CPU_TS, desc_error(tr->selector) | w->ext, &w->old);
    if (status == CPU_OK)
        parse(w->to, image, &w->task);
    return status;
}

/* Busy bits, the old state, the back link. Its pages have been looked at. */
MUST_CHECK static enum cpu_status write_both(struct cpu *cpu, struct task_way *w)
{
    bool nests = w->cause == TASK_CALL || w->cause == TASK_EVENT;
    enum cpu_status status = CPU_OK;
    if (!nests)
        status = desc_set_type(cpu, &w->old, 0, SYS_BUSY);
    if (w->cause == TASK_RETURN)
        w->eflags &= ~(uint32_t)EFLAGS_NT;
    if (status == CPU_OK)
        status = save_old(cpu, w->eflags);
    if (status == CPU_OK && nests) {
        uint16_t link = cpu->sys.tr.selector;
        status = cpu_linear_write(cpu, desc_base(w->tss) + TSS_LINK, false, &link, 2);
        w->task.eflags |= EFLAGS_NT;
    }
    if (status == CPU_OK && w->cause != TASK_RETURN)
        status = desc_set_type(cpu, w->tss, SYS_BUSY, 0);
    return status;
}

static void load_cr3(struct cpu *cpu, uint32_t cr3)
{
    bool pae = cpu->sys.cr4 & CR4_PAE;
    uint32_t old = cpu->sys.cr3;
    cpu->sys.cr3 = cr3;
    if (pae && !mmu_load_pdptes(cpu, cr3))
        memset(cpu->sys.pdpte, 0, sizeof(cpu->sys.pdpte));
    mmu_reload(cpu, old);
}

/* Everything that cannot fail. Segment registers hold their selectors, and nothing may use them. */
static void load_registers(struct cpu *cpu, const struct task_way *w)
{
    const struct task *task = &w->task;
    cpu->sys.tr = desc_segment(w->selector, w->tss);
    cpu->sys.tr.attr |= SYS_BUSY;
    if (w->to == &layout32 && (cpu->sys.cr0 & CR0_PG))
        load_cr3(cpu, task->cr3);
    cpu->sys.cr0 |= CR0_TS;
    cpu->sys.dr[7] &= ~0x155u;
    memcpy(cpu->gpr, task->gpr, sizeof(cpu->gpr));
    cpu->eip = task->eip;
    for (unsigned i = 0; i < 6; i++)
        seg_load_null(cpu, i, task->seg[i]);
    cpu->sys.ldt = (struct cpu_seg){.selector = (uint16_t)task->ldt};
    cpu->pc.single_step = 0;
    cpu->pc.loaded_flags = 1;
    cpu->pc.committed = 1;
    if (task->trap)
        cpu->pc.pending_debug |= DR6_BT;
    pc_set_eflags(cpu, task->eflags, UINT32_MAX);
    pc_set_cpl(cpu, pc_v86(cpu) ? 3 : task->seg[ISA_CS] & 3);
}

MUST_CHECK static enum cpu_status load_ldt(struct cpu *cpu, uint32_t selector, uint32_t ext)
{
    uint32_t error = desc_error(selector) | ext;
    struct desc d;
    if (desc_is_null(selector))
        return CPU_OK;
    if (selector & 4)
        return cpu_raise_error(cpu, CPU_TS, error);
    enum cpu_status status = desc_read(cpu, selector, CPU_TS, error, &d);
    if (status)
        return status;
    if (desc_system_type(&d) != SYS_LDT || !desc_present(&d))
        return cpu_raise_error(cpu, CPU_TS, error);
    cpu->sys.ldt = desc_segment(selector, &d);
    return CPU_OK;
}

static bool level_fits(const struct desc *code, uint32_t selector)
{
    unsigned dpl = desc_dpl(code), rpl = selector & 3;
    return desc_is_conforming(code) ? dpl <= rpl : dpl == rpl;
}

/* Comes before the stack's checks, which take the level for granted. */
MUST_CHECK static enum cpu_status check_level(struct cpu *cpu, uint32_t selector, uint32_t ext)
{
    struct desc d;
    bool found;
    enum cpu_status status = desc_find(cpu, selector, &d, &found);
    if (status || !found || desc_is_null(selector) || !desc_is_code(&d))
        return status;
    return level_fits(&d, selector) ? CPU_OK
                                    : cpu_raise_error(cpu, CPU_TS, desc_error(selector) | ext);
}

MUST_CHECK static enum cpu_status load_code(struct cpu *cpu, uint32_t selector, uint32_t ext)
{
    uint32_t error = desc_error(selector) | ext;
    struct desc d;
    if (desc_is_null(selector))
        return cpu_raise_error(cpu, CPU_TS, error);
    enum cpu_status status = desc_read(cpu, selector, CPU_TS, error, &d);
    if (status)
        return status;
    if (!desc_is_code(&d) || !level_fits(&d, selector))
        return cpu_raise_error(cpu, CPU_TS, error);
    if (!desc_present(&d))
        return cpu_raise_error(cpu, CPU_NP, error);
    return seg_enter_code(cpu, selector, &d, selector & 3);
}

MUST_CHECK static enum cpu_status load_data(struct cpu *cpu, unsigned seg, uint32_t selector,
                                            uint32_t ext)
{
    struct desc d;
    enum cpu_status status;
    if (seg != ISA_SS && desc_is_null(selector))
        return CPU_OK;
    if (seg == ISA_SS)
        status = seg_check_stack(cpu, selector, cpu->cpl, CPU_TS, ext, &d);
    else
        status = seg_check_data(cpu, selector, cpu->cpl, CPU_TS, &d);
    if (status == CPU_FAULT && seg != ISA_SS && cpu->fault.vector != CPU_PF)
        cpu->fault.error |= ext;
    if (status == CPU_OK)
        status = desc_set_type(cpu, &d, SEG_ACCESSED, 0);
    if (status == CPU_OK)
        cpu->seg[seg] = desc_segment(selector, &d);
    return status;
}

/* The stack comes before the code (SDM volume 3, table 8-1), so that what is wrong with others can
 * be told on it. */
MUST_CHECK static enum cpu_status load_segments(struct cpu *cpu, const struct task_way *w)
{
    static const uint8_t data[4] = {ISA_DS, ISA_ES, ISA_FS, ISA_GS};
    const struct task *task = &w->task;
    enum cpu_status status = load_ldt(cpu, task->ldt, w->ext);
    if (pc_v86(cpu)) {
        for (unsigned i = 0; i < 6; i++)
            seg_load_real(cpu, i, task->seg[i]);
        cpu->code32 = 0;
        return status;
    }
    if (status == CPU_OK)
        status = check_level(cpu, task->seg[ISA_CS], w->ext);
    if (status == CPU_OK)
        status = load_data(cpu, ISA_SS, task->seg[ISA_SS], w->ext);
    if (status == CPU_OK)
        status = load_code(cpu, task->seg[ISA_CS], w->ext);
    for (unsigned i = 0; i < ARRAY_LEN(data) && status == CPU_OK; i++)
        status = load_data(cpu, data[i], task->seg[data[i]], w->ext);
    return status;
}

MUST_CHECK static enum cpu_status push_error(struct cpu *cpu, const struct task_way *w,
                                             const struct task_error *error)
{
    if (!error || !error->present)
        return CPU_OK;
    struct stack stack = stack_present(cpu);
    stack.error = w->ext;
    enum cpu_status status = stack_push(cpu, &stack, error->code, w->to->bytes);
    if (status == CPU_OK)
        stack_commit(cpu, &stack);
    return status;
}

enum cpu_status task_switch(struct cpu *cpu, uint32_t selector, struct desc *tss,
                            enum task_cause cause, uint32_t eflags, const struct task_error *error)
{
    struct task_way w = {.selector = selector,
                         .ext = cause == TASK_EVENT,
                         .eflags = eflags,
                         .tss = tss,
                         .cause = cause,
                         .from = layout_of(cpu->sys.tr.attr & SEG_TYPE),
                         .to = layout_of(desc_system_type(tss))};
    enum cpu_status status = look_at_both(cpu, &w);
    if (status == CPU_OK)
        status = write_both(cpu, &w);
    if (status)
        return status;
    load_registers(cpu, &w);
    status = load_segments(cpu, &w);
    if (status == CPU_OK)
        status = push_error(cpu, &w, error);
    if (status == CPU_OK && cpu->eip > cpu->seg[ISA_CS].limit)
        status = cpu_raise_error(cpu, CPU_GP, w.ext);
    if (status == CPU_OK)
        cpu->pc.committed = 0;
    return status;
}
