/* SPDX-License-Identifier: MIT */
/*
 * Why a guest died, for the person who wrote it: the reason in words, the
 * registers, the instruction, and who called whom. Everything shown comes from
 * a guest that has gone wrong, so memory is read with care and loops end.
 */
#include "denali/disasm.h"
#include "denali/vm_private.h"

#include "emu/base/host.h"

#include <stdio.h>
#include <string.h>

#define MAX_FRAMES 32u

/* " <name+0x1c>" or nothing. */
static void print_symbol(FILE *out, struct vm *vm, uint32_t address)
{
    uint32_t offset;
    const char *name = vm->image ? image_symbol(vm->image, address, &offset) : NULL;
    if (!name)
        return;
    fputs(" <", out);
    for (unsigned i = 0; i < 80 && name[i]; i++)
        fputc(name[i] > ' ' && name[i] <= '~' ? name[i] : '?', out);
    fprintf(out, "+0x%x>", offset);
}

static const char *place(const struct vm *vm, uint32_t address)
{
    if (address - vm->regs_addr < PAGE_SIZE)
        return "the page of virtual registers";
    if (address < DENALI_RAM_START)
        return "never accessible (a wild null pointer, or a stack that overflowed?)";
    if (address >= vm->mem_bytes)
        return "beyond the end of RAM";
    return "RAM, protected by the guest";
}

static void print_page_fault(FILE *out, const struct vm *vm, const struct cpu_fault *f)
{
    const char *what = "read";
    if (f->error & CPU_PF_WRITE)
        what = "write";
    else if ((f->error & CPU_PF_FETCH) || f->address == vm->cpu->eip)
        what = "jump";
    fprintf(out, ": %s at 0x%08x: %s", what, f->address, place(vm, f->address));
}

static void print_reason(FILE *out, const struct vm *vm)
{
    const struct vm_end *end = &vm->end;
    fprintf(out, "denali: the guest died of a fault: %s (vector %u",
            cpu_vector_name(end->fault.vector), end->fault.vector);
    if (end->fault.has_error)
        fprintf(out, ", error 0x%x", end->fault.error);
    fputc(')', out);
    if (end->fault.vector == CPU_PF)
        print_page_fault(out, vm, &end->fault);
    fputc('\n', out);
    if (end->fault_in_handler)
        fprintf(out, "  while its own handler was working on: %s (vector %u) at eip 0x%08x\n",
                cpu_vector_name(end->guest_vector), end->guest_vector, end->guest_eip);
}

/* Up to `room` bytes of code; fewer at the end of what can be read. */
static size_t read_code(const struct vm *vm, uint32_t eip, uint8_t *bytes, size_t room)
{
    size_t n = 0;
    for (; n < room; n++) {
        const uint8_t *at = ram_span(vm->ram, (uint64_t)eip + n, 1);
        if (!at)
            break;
        bytes[n] = *at;
    }
    return n;
}

static void print_instruction(FILE *out, struct vm *vm)
{
    uint8_t bytes[15];
    char text[192];
    uint32_t eip = vm->cpu->eip;
    size_t n = read_code(vm, eip, bytes, sizeof(bytes));
    fprintf(out, "  eip 0x%08x", eip);
    print_symbol(out, vm, eip);
    if (n == 0) {
        fputs(": there is no code\n", out);
        return;
    }
    if (disasm_text(32, bytes, n, eip, text, sizeof(text)))
        fprintf(out, ": %s", text);
    fputs("  [", out);
    for (size_t i = 0; i < n && i < 8; i++)
        fprintf(out, "%s%02x", i ? " " : "", bytes[i]);
    fputs(n > 8 ? " ...]\n" : "]\n", out);
}

static void print_registers(FILE *out, const struct cpu *cpu)
{
    const uint32_t *r = cpu->gpr;
    fprintf(out, "  eax %08x  ebx %08x  ecx %08x  edx %08x  eflags %08x\n", r[ISA_EAX], r[ISA_EBX],
            r[ISA_ECX], r[ISA_EDX], cpu->eflags);
    fprintf(out, "  esi %08x  edi %08x  ebp %08x  esp %08x\n", r[ISA_ESI], r[ISA_EDI], r[ISA_EBP],
            r[ISA_ESP]);
}

static void print_frame(FILE *out, struct vm *vm, unsigned n, uint32_t address)
{
    fprintf(out, "  #%-2u 0x%08x", n, address);
    print_symbol(out, vm, address);
    fputc('\n', out);
}

/* Frame pointers lead up the stack; one that does not ends the walk. */
static void print_backtrace(FILE *out, struct vm *vm)
{
    uint32_t frame[2], ebp = vm->cpu->gpr[ISA_EBP], below = 0;
    print_frame(out, vm, 0, vm->cpu->eip);
    for (unsigned n = 1; n < MAX_FRAMES; n++) {
        if (ebp % 4 || ebp <= below || !vm_in_ram(vm, ebp, sizeof(frame)) ||
            ram_read(vm->ram, ebp, frame, sizeof(frame)) || !frame[1])
            return;
        print_frame(out, vm, n, frame[1]);
        below = ebp;
        ebp = frame[0];
    }
}

void vm_report(struct vm *vm, void *file)
{
    FILE *out = file;
    print_reason(out, vm);
    print_instruction(out, vm);
    print_registers(out, vm->cpu);
    print_backtrace(out, vm);
    fflush(out);
}
