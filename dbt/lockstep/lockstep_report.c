/* SPDX-License-Identifier: MIT */
/*
 * The report of a difference: where, in what, the declared state of both side
 * by side (what changed or differs; the rest is noise), and the guest code.
 */
#include "dbt/lockstep/lockstep.h"
#include "dbt/text.h"
#include "emu/cpu/pc/mmu.h"

#include <stdio.h>
#include <string.h>

static const char *exit_name(enum engine_exit exit)
{
    static const char *const names[ENGINE_EXITS] = {
        [ENGINE_EXIT_BUDGET] = "budget",         [ENGINE_EXIT_HALT] = "halt",
        [ENGINE_EXIT_HYPERCALL] = "hypercall",   [ENGINE_EXIT_PORT] = "port",
        [ENGINE_EXIT_FAULT] = "fault",           [ENGINE_EXIT_BREAKPOINT] = "breakpoint",
        [ENGINE_EXIT_WATCHPOINT] = "watchpoint", [ENGINE_EXIT_STOP] = "stop",
        [ENGINE_EXIT_DIVERGED] = "diverged",     [ENGINE_EXIT_REJECTED] = "rejected",
        [ENGINE_EXIT_SHUTDOWN] = "shutdown",
    };
    return exit < ENGINE_EXITS ? names[exit] : "unknown";
}

/* One element, most significant byte first for integers. */
static void print_element(FILE *out, const struct state_field *field, const uint8_t *at)
{
    for (unsigned i = 0; i < field->size; i++)
        fprintf(out, "%02x", field->kind == STATE_UINT ? at[field->size - 1 - i] : at[i]);
    fputs("  ", out);
}

static void print_field(FILE *out, const struct lockstep_stretch *s,
                        const struct state_field *field, unsigned i)
{
    size_t at = field->offset + (size_t)i * field->size;
    const uint8_t *before = (const uint8_t *)&s->before + at;
    const uint8_t *reference = (const uint8_t *)&s->reference + at;
    const uint8_t *subject = (const uint8_t *)&s->subject + at;
    bool differs = memcmp(reference, subject, field->size);
    if (!differs && !memcmp(before, reference, field->size))
        return;
    char name[64];
    snprintf(name, sizeof(name), field->count > 1 ? "%s[%u]" : "%s", field->name, i);
    fprintf(out, "%c %-12s ", differs ? '*' : ' ', name);
    print_element(out, field, before);
    print_element(out, field, reference);
    print_element(out, field, subject);
    fputc('\n', out);
}

static void print_fields(FILE *out, const struct lockstep_stretch *s, const struct state_list *list)
{
    for (unsigned f = 0; f < list->fields; f++) {
        const struct state_field *field = &list->field[f];
        for (unsigned i = 0; i < field->count; i++)
            print_field(out, s, field, i);
    }
}

static void print_states(FILE *out, const struct lockstep_stretch *s)
{
    fputs("state: before, interpreter, subject (what changed; * differs)\n", out);
    print_fields(out, s, &cpu_state_list);
    if (!s->before.flat)
        print_fields(out, s, &cpu_pc_state_list);
}

static size_t read_code(struct cpu *cpu, uint32_t eip, uint8_t bytes[ISA_MAX_LENGTH])
{
    size_t have = ISA_MAX_LENGTH;
    while (have && ram_read(cpu->ram, eip, bytes, have))
        have--;
    return have;
}

/* What is memory of it; no device is asked. */
static size_t read_paged_code(struct cpu *cpu, uint32_t linear, uint8_t bytes[ISA_MAX_LENGTH])
{
    size_t have = 0;
    struct bus_page page;
    gpa_t gpa;
    for (; have < ISA_MAX_LENGTH && mmu_peek(cpu, linear + (uint32_t)have, &gpa); have++) {
        bus_find_page(cpu->pc.bus, gpa, &page);
        if (!page.host)
            break;
        bytes[have] = page.host[gpa & PAGE_MASK];
    }
    return have;
}

static void print_instruction(FILE *out, struct cpu *cpu, uint32_t eip)
{
    uint8_t bytes[ISA_MAX_LENGTH];
    char text[192];
    size_t have = cpu->flat ? read_code(cpu, eip, bytes) : read_paged_code(cpu, eip, bytes);
    size_t size =
        text_instruction(cpu->code32 || cpu->flat ? 32 : 16, bytes, have, eip, text, sizeof(text));
    fprintf(out, "  %08x  ", eip);
    if (!size) {
        fputs("(no text)\n", out);
        return;
    }
    for (size_t i = 0; i < size; i++)
        fprintf(out, "%02x", bytes[i]);
    fprintf(out, "%*s%s\n", (int)(24 - 2 * size), "", text);
}

/* As memory has it at the start of the stretch: what the stretch itself patched shows unpatched. */
static void print_code(FILE *out, const struct lockstep_stretch *s, struct cpu *cpu)
{
    uint64_t first = s->traced > LOCKSTEP_TRACE ? s->traced - LOCKSTEP_TRACE : 0;
    fputs("guest code:\n", out);
    if (first)
        fprintf(out, "  (%llu instructions)\n", (unsigned long long)first);
    for (uint64_t i = first; i < s->traced; i++)
        print_instruction(out, cpu, s->trace[i % LOCKSTEP_TRACE]);
}

static void print_fault(FILE *out, const char *who, enum engine_exit exit, const struct cpu *cpu)
{
    fprintf(out, "%s: %s", who, exit_name(exit));
    if (exit == ENGINE_EXIT_FAULT)
        fprintf(out, " %s, error %x, address %08x", cpu_vector_name(cpu->fault.vector),
                cpu->fault.error, cpu->fault.address);
    if (exit == ENGINE_EXIT_HYPERCALL)
        fprintf(out, " %u", cpu->exit.hypercall);
    if (exit == ENGINE_EXIT_PORT)
        fprintf(out, " %x size %u write %u", cpu->exit.port, cpu->exit.port_size,
                cpu->exit.port_write);
    fputc('\n', out);
}

void lockstep_report(const struct lockstep_stretch *s, struct cpu *cpu, void *stream)
{
    FILE *out = stream;
    fprintf(out, "lockstep: the engines differ in %s, %llu instructions from eip %08x\n",
            s->differs, (unsigned long long)s->count, s->before.eip);
    print_fault(out, "interpreter", s->reference_exit, &s->reference);
    print_fault(out, "subject", s->subject_exit, &s->subject);
    if (s->memory_at != UINT64_MAX)
        fprintf(out, "memory at %08llx: interpreter %02x, subject %02x\n",
                (unsigned long long)s->memory_at, s->memory_reference, s->memory_subject);
    if (s->stray_since != UINT64_MAX) {
        fprintf(out,
                "written at some time between instruction %llu, when all memory was compared "
                "last, and instruction %llu\n",
                (unsigned long long)s->stray_since, (unsigned long long)cpu->icount);
        return;
    }
    print_states(out, s);
    print_code(out, s, cpu);
}
