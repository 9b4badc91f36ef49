/* SPDX-License-Identifier: MIT */
#include "testsuite/unit/random_guest.h"

#include <stdlib.h>
#include <string.h>

#define CODE RANDOM_CODE
#define CODE_BYTES 0x3000u
#define ON_FAULT 0x60000u
#define ON_INTERRUPT 0x60100u

const struct denali_manifest_device random_guest_devices[3] = {{DENALI_DEV_CONSOLE, 0, "console"},
                                                               {DENALI_DEV_KEYBOARD, 0, "keyboard"},
                                                               {DENALI_DEV_TIMER, 0, "timer"}};

/* Starts of instructions: what follows is random. */
static const uint8_t starts[][3] = {
    {0xe8},
    {0xeb},
    {0x74},
    {0x0f, 0x84},
    {0xc3},
    {0x50},
    {0x5b},
    {0x89},
    {0x8b},
    {0x01},
    {0xf3, 0xa4},
    {0xf3, 0xab},
    {0xcd, 0x80},
    {0x0f, 0xb9, 0xc2},
    {0x0f, 0xb9, 0xc3},
    {0xed},
    {0xef},
    {0xe2},
    {0xff},
    {0x64, 0x8b},
    {0xd9},
    {0xdd},
    {0x0f, 0x28},
    {0x66, 0x0f},
    {0xa5},
    {0xaa},
    {0xc8},
    {0xc9},
    {0x60},
    {0x61},
    {0x9d},
    {0x9c},
    {0x0f, 0xb9},
    {0xf0, 0x01},
    {0x0f, 0xae},
};

uint32_t random_word(void)
{
    return (uint32_t)rand() << 16 ^ (uint32_t)rand();
}

static void write_code(struct rig *rig)
{
    uint8_t *code = rig_mem(rig, CODE);
    for (unsigned i = 0; i < CODE_BYTES; i++)
        code[i] = (uint8_t)rand();
    for (unsigned i = 0; i + 3 < CODE_BYTES; i += 1 + (unsigned)rand() % 6) {
        const uint8_t *start = starts[(unsigned)rand() % ARRAY_LEN(starts)];
        for (unsigned n = 0; n < 3 && (n == 0 || start[n]); n++)
            code[i + n] = start[n];
    }
}

/* Clears fault_active, steps over a byte, resumes; and for interrupts, only resumes. */
static void write_handlers(struct rig *rig)
{
    static const uint8_t on_fault[] = {0xc7, 0x05, 0xa8, 0,    0,    0,    0,    0,
                                       0,    0,    0xff, 0x05, 0x30, 0x01, 0,    0,
                                       0xb8, 0x30, 0x01, 0,    0,    0x0f, 0xb9, 0xc2};
    static const uint8_t on_interrupt[] = {0xb8, 0, 0x01, 0, 0, 0x0f, 0xb9, 0xc2};
    volatile struct denali_regs *r = rig_regs(rig);
    memcpy(rig_mem(rig, ON_FAULT), on_fault, sizeof(on_fault));
    memcpy(rig_mem(rig, ON_INTERRUPT), on_interrupt, sizeof(on_interrupt));
    r->fault_entry = rand() % 8 ? ON_FAULT : CODE + random_word() % CODE_BYTES;
    r->fault_stack = rand() % 4 ? 0x68000 : 0;
    r->upcall_entry = rand() % 4 ? ON_INTERRUPT : CODE + random_word() % CODE_BYTES;
    r->upcall_stack = rand() % 4 ? 0x69000 : 0;
    r->intr_enabled = 1;
    r->trap_entry = rand() % 2 ? CODE + random_word() % CODE_BYTES : 0;
    r->gs_base = rand() % 4 ? 0 : random_word();
}

static void set_registers(struct rig *rig)
{
    struct cpu *cpu = vm_cpu(rig->vm);
    for (unsigned g = 0; g < 8; g++)
        cpu->gpr[g] = rand() % 3 ? CODE + random_word() % 0x4000 : random_word();
    cpu->gpr[ISA_EDX] = DENALI_PORT_BASE + random_word() % 24;
    cpu->eip = CODE;
}

void random_guest_write(struct rig *rig)
{
    write_code(rig);
    write_handlers(rig);
    set_registers(rig);
}
