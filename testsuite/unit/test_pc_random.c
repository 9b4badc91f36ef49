/* SPDX-License-Identifier: MIT */
/*
 * Hostile guests: random descriptors, gates, page tables, control registers and
 * code. Nothing is expected of them but that the host lives and that run()
 * comes back; under the sanitizers that is a lot.
 */
#include "testsuite/unit/pc_rig.h"

#define MACHINES 60
#define SLICES 20

static uint64_t seed;

static uint32_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11);
}

static uint32_t below(uint32_t n)
{
    return draw() % n;
}

static uint8_t any_vector(void *opaque)
{
    (void)opaque;
    pc_rig.pin.intr = draw() & 1;
    return (uint8_t)draw();
}

static void scatter_memory(void)
{
    for (uint32_t at = 0; at < 0x80000; at += 4) {
        if (below(4) == 0)
            pc_poke32(at, draw());
    }
}

/* Most are present and small; all types and levels. */
static void scatter_descriptors(void)
{
    for (unsigned i = 0; i < 200; i++) {
        uint32_t selector = below(64) * 8, base = below(16) * 0x1000;
        unsigned attr = below(256) | (below(2) ? SEG_PRESENT : 0) | (draw() & 0xc000);
        pc_set_descriptor(GDT, selector, base, draw() & 0xfffff, attr);
    }
    for (unsigned v = 0; v < 256; v++) {
        static const uint8_t attrs[] = {0x8e, 0x8f, 0xee, 0xef, 0x86, 0x87, 0x85, 0xe5};
        uint32_t rpl = below(4) ? 0 : below(8);
        pc_set_gate(pc_gate_at(v), attrs[below(8)], below(64) * 8 + rpl, CODE + below(0x10000), 0);
    }
}

/* Frames anywhere, so that stacks come to lie over tables. */
static void scatter_pages(void)
{
    for (uint32_t page = 0; page < 1024; page++)
        pc_poke32(PAGE_TABLE + page * 4, below(1024) << 12 | (below(8) ? 7 : draw() & 0x1ff));
    pc_poke32(PAGE_DIRECTORY, PAGE_TABLE | 7);
    pc_poke32(PAGE_DIRECTORY + 4, 0x87);
}

static void scatter_system(void)
{
    struct cpu_sys *sys = &pc_cpu->sys;
    sys->cr0 = (draw() & 0xc0050033) | (below(8) ? CR0_PE : 0);
    if (!(sys->cr0 & CR0_PE))
        sys->cr0 &= ~(uint32_t)CR0_PG;
    sys->cr3 = PAGE_DIRECTORY;
    sys->cr4 = draw() & 0x79f;
    sys->gdt = (struct cpu_table){.base = GDT, .limit = 0x1ff};
    sys->idt = (struct cpu_table){.base = IDT, .limit = 0x7ff};
    sys->tr =
        (struct cpu_seg){(uint16_t)(below(64) * 8), below(2) ? 0x8b : 0x83, TSS, 0x67 + below(256)};
    sys->dr[0] = DATA + below(256);
    sys->dr[1] = STACK0 - below(256);
    sys->dr[2] = CODE + below(256);
    sys->dr[7] = below(4) ? DR7_FIXED : draw();
}

static void scatter_registers(void)
{
    bool protects = pc_cpu->sys.cr0 & CR0_PE;
    pc_cpu->eflags = EFLAGS_FIXED | (draw() & 0x57dd5);
    if (!protects)
        pc_cpu->eflags &= ~(uint32_t)EFLAGS_VM;
    bool v86 = pc_cpu->eflags & EFLAGS_VM;
    pc_cpu->cpl = v86 || (protects && below(2)) ? 3 : 0;
    for (unsigned i = 0; i < 6; i++) {
        uint32_t base = i == ISA_CS ? CODE : i == ISA_SS ? STACK0 : DATA;
        unsigned attr = (i == ISA_CS ? 0x9b : 0x93) | pc_cpu->cpl << 5 | (below(2) ? 0xc000 : 0);
        pc_cpu->seg[i] =
            (struct cpu_seg){(uint16_t)(below(64) * 8 | pc_cpu->cpl), (uint16_t)attr,
                             below(4) ? 0 : base, below(4) ? UINT32_MAX : below(0x10000)};
    }
    for (unsigned i = 0; i < 8; i++)
        pc_cpu->gpr[i] = below(2) ? DATA + below(0x10000) : draw();
    pc_cpu->gpr[ISA_ESP] = (pc_cpu->seg[ISA_SS].base ? 0 : STACK0) - below(256);
    pc_cpu->eip = pc_cpu->seg[ISA_CS].base ? 0 : CODE;
}

START_TEST(random_machines)
{
    seed = 0x9e3779b97f4a7c15u + (uint64_t)_i;
    pc_rig.pin.ack = any_vector;
    for (unsigned i = 0; i < MACHINES; i++) {
        cpu_reset(pc_cpu);
        scatter_memory();
        scatter_descriptors();
        scatter_pages();
        scatter_system();
        scatter_registers();
        cpu_refresh(pc_cpu);
        for (unsigned slice = 0; slice < SLICES; slice++) {
            pc_rig.pin.intr = below(2);
            pc_rig.pin.nmi = below(8) == 0;
            uint64_t before = pc_cpu->icount;
            enum engine_exit exit = engine_run(pc_cpu, 50);
            ck_assert_uint_le(pc_cpu->icount - before, 50);
            ck_assert(exit == ENGINE_EXIT_BUDGET || exit == ENGINE_EXIT_HALT ||
                      exit == ENGINE_EXIT_SHUTDOWN);
        }
    }
}
END_TEST

/* A stack over its own page table, which a debug register keeps out of the TLB: the second push
 * of PUSHA finds its page gone. */
START_TEST(pusha_over_its_own_page_table)
{
    pc_enable_paging();
    pc_set_gate(pc_gate_at(CPU_PF), A_GATE | SYS_TASK_GATE, TSS2_SEL, 0, 0);
    pc_poke32(TSS2 + 28, PAGE_DIRECTORY);
    pc_poke32(TSS2 + 32, HANDLERS + CPU_PF * 16);
    pc_poke32(TSS2 + 36, 2);
    pc_poke32(TSS2 + 56, STACK0);
    pc_poke32(TSS2 + 76, CODE0);
    pc_poke32(TSS2 + 80, DATA0);
    uint32_t pte = pc_pte_at(PAGE_TABLE);
    pc_cpu->gpr[ISA_ESP] = pte + 4; /* EAX goes into the page table's own entry */
    pc_cpu->gpr[ISA_EAX] = 0;
    pc_cpu->sys.dr[0] = PAGE_TABLE + 0x800;
    pc_cpu->sys.dr[7] = DR7_FIXED | 1 | 0xd << 16;
    cpu_refresh(pc_cpu);
    PUT("\x60");
    ck_assert_uint_eq(pc_run(), CPU_PF);
    ck_assert_uint_eq(pc_peek32(TSS + 56), pte + 4); /* ESP as it was */
    ck_assert_uint_eq(pc_peek32(TSS + 32), CODE);
}
END_TEST

static const TTest *const *const tests[] = {&pusha_over_its_own_page_table};
static const struct pc_rig_loop loops[] = {{&random_machines, 4}};

int main(void)
{
    return pc_rig_main("pc_random", tests, ARRAY_LEN(tests), loops, ARRAY_LEN(loops));
}
