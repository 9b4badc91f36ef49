/* SPDX-License-Identifier: MIT */
/*
 * The VM's promises as ABI.md has them: interrupts, faults, idling, virtual
 * instructions, and what a guest can do to the register page.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "denali/vm_private.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "testsuite/unit/vm_rig.h"

static const struct denali_manifest_device devices[] = {{DENALI_DEV_CONSOLE, 0, "console"},
                                                        {DENALI_DEV_KEYBOARD, 0, "keyboard"},
                                                        {DENALI_DEV_TIMER, 0, "timer"}};
enum { CONSOLE, KEYBOARD, TIMER, NONE };

#define HANDLER (RIG_CODE + 0x200) /* a jump to itself */
#define STACK 0x30000u

static struct rig rig;

static void setup(void)
{
    static const uint8_t handler[] = {0xeb, 0xfe};
    rig_start(&rig, devices, 3, NULL, 0);
    memcpy(rig_mem(&rig, HANDLER), handler, sizeof(handler));
}

static void teardown(void)
{
    rig_stop(&rig);
}

static struct cpu *cpu(void)
{
    return vm_cpu(rig.vm);
}

START_TEST(start_state)
{
    volatile struct denali_regs *r = rig_regs(&rig);
    ck_assert_uint_eq(cpu()->eip, RIG_CODE);
    ck_assert_uint_eq(r->magic, DENALI_ABI_MAGIC);
    ck_assert_uint_eq(r->version, DENALI_ABI_VERSION);
    ck_assert_uint_eq(r->mem_bytes, MIB);
    ck_assert_uint_eq(r->intr_enabled, 0);
    ck_assert_uint_eq(r->console_columns, 132);
    ck_assert_uint_eq(r->console_rows, 43);
    for (unsigned i = 0; i < sizeof(r->null_page); i++)
        ck_assert_uint_eq(r->null_page[i], 0);
    uint64_t wall = host_wall_ns();
    ck_assert_uint_lt(wall - r->wall_base_ns, 10000000000u);
}
END_TEST

START_TEST(terminate)
{
    rig_call(&rig, DENALI_FN_TERMINATE, 77, 0, 0);
    ck_assert_int_eq(vm_end(rig.vm)->reason, VM_END_EXIT);
    ck_assert_uint_eq(vm_end(rig.vm)->status, 77);
    ck_assert_int_eq(vm_run(rig.vm, 100), VM_ENDED);
}
END_TEST

static void take_interrupts(void)
{
    rig_regs(&rig)->upcall_entry = HANDLER;
    rig_regs(&rig)->upcall_stack = STACK;
    rig_regs(&rig)->intr_enabled = 1;
}

/* Several interrupts become one upcall, which saves everything and can be resumed from. */
START_TEST(batch)
{
    volatile struct denali_regs *r = rig_regs(&rig);
    take_interrupts();
    for (unsigned i = 0; i < 8; i++)
        cpu()->gpr[i] = 0x1000 + i;
    cpu()->eflags |= 0x400 | 1; /* DF, CF */
    uint32_t flags = cpu()->eflags, eip = cpu()->eip;
    vm_post(rig.vm, DENALI_IRQ_NIC);
    vm_post(rig.vm, DENALI_IRQ_DISK);
    vm_post(rig.vm, DENALI_IRQ_NIC);
    ck_assert_int_eq(vm_run(rig.vm, 0), VM_BUDGET);
    ck_assert_uint_eq(r->delivered, DENALI_IRQ_NIC | DENALI_IRQ_DISK);
    ck_assert_uint_eq(r->pending, 0);
    ck_assert_uint_eq(r->intr_enabled, 0);
    ck_assert_uint_eq(cpu()->eip, HANDLER);
    ck_assert_uint_eq(cpu()->gpr[ISA_ESP], STACK);
    ck_assert_uint_eq(cpu()->eflags & 0x400, 0);
    ck_assert_uint_eq(r->intr_context.eip, eip);
    ck_assert_uint_eq(r->intr_context.eflags, flags);
    ck_assert_uint_eq(r->intr_context.intr_enabled, 1);

    /* Further ones wait until RESUME enables them again, and come at once then. */
    vm_post(rig.vm, DENALI_IRQ_SIGNAL);
    vm_run(rig.vm, 0);
    ck_assert_uint_eq(cpu()->eip, HANDLER);
    ck_assert_uint_eq(r->pending, DENALI_IRQ_SIGNAL);
    rig_call(&rig, DENALI_FN_RESUME, offsetof(struct denali_regs, intr_context), 0, 0);
    ck_assert_uint_eq(cpu()->eip, HANDLER);
    ck_assert_uint_eq(r->delivered, DENALI_IRQ_SIGNAL);
    ck_assert_uint_eq(r->intr_context.eip, eip);
    rig_call(&rig, DENALI_FN_RESUME, offsetof(struct denali_regs, intr_context), 0, 0);
    ck_assert_uint_eq(cpu()->eip, eip);
    ck_assert_uint_eq(cpu()->eflags, flags);
    ck_assert_uint_eq(r->intr_enabled, 1);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(cpu()->gpr[i], 0x1000 + i);
}
END_TEST

START_TEST(no_upcall_without_entry)
{
    volatile struct denali_regs *r = rig_regs(&rig);
    r->intr_enabled = 1;
    vm_post(rig.vm, DENALI_IRQ_NIC);
    vm_run(rig.vm, 0);
    ck_assert_uint_eq(cpu()->eip, RIG_CODE);
    ck_assert_uint_eq(r->pending, DENALI_IRQ_NIC);
}
END_TEST

/* A guest enables interrupts by a write, which nobody sees, and then polls. */
START_TEST(poll_delivers)
{
    volatile struct denali_regs *r = rig_regs(&rig);
    static const uint8_t code[] = {0xc7, 0x05, 0x88, 0, 0, 0, 1, 0, 0, 0, /* [intr_enabled] = 1 */
                                   0x0f, 0xb9, 0xc4};                     /* poll */
    memcpy(rig_mem(&rig, 0x40000), code, sizeof(code));
    cpu()->eip = 0x40000;
    r->upcall_entry = HANDLER;
    vm_post(rig.vm, DENALI_IRQ_NIC);
    vm_run(rig.vm, 2);
    ck_assert_uint_eq(cpu()->eip, HANDLER);
    ck_assert_uint_eq(r->intr_context.eip, 0x4000d);
}
END_TEST

/* Pending but masked: idle does not sleep. Delivered: it neither. Nothing: it does. */
START_TEST(idle)
{
    volatile struct denali_regs *r = rig_regs(&rig);
    uint32_t after;
    vm_post(rig.vm, DENALI_IRQ_NIC);
    rig_at_call(&rig, DENALI_FN_IDLE);
    after = cpu()->eip + 3;
    cpu()->gpr[ISA_EAX] = cpu()->gpr[ISA_EDX] = UINT32_MAX;
    ck_assert_int_eq(vm_run(rig.vm, 1), VM_BUDGET);
    ck_assert_uint_eq(cpu()->eip, after);

    r->pending = 0;
    rig_at_call(&rig, DENALI_FN_IDLE);
    ck_assert_int_eq(vm_run(rig.vm, 1), VM_IDLE);
    ck_assert_uint_eq(vm_wait_ns(rig.vm), HOST_FOREVER);
    ck_assert_int_eq(vm_run(rig.vm, 1), VM_IDLE);
    vm_post(rig.vm, DENALI_IRQ_KEYBOARD);
    ck_assert_int_eq(vm_run(rig.vm, 0), VM_BUDGET);
    ck_assert_uint_eq(cpu()->eip, after);

    r->pending = 0;
    cpu()->gpr[ISA_EAX] = 50000000;
    cpu()->gpr[ISA_EDX] = 0;
    rig_at_call(&rig, DENALI_FN_IDLE);
    ck_assert_int_eq(vm_run(rig.vm, 1), VM_IDLE);
    ck_assert_uint_le(vm_wait_ns(rig.vm), 50000000);
    ck_assert_uint_gt(vm_wait_ns(rig.vm), 10000000);
    while (vm_run(rig.vm, 0) == VM_IDLE)
        ;
    ck_assert_uint_ge(vm_now_ns(rig.vm), 50000000);
}
END_TEST

START_TEST(idle_zero)
{
    cpu()->gpr[ISA_EAX] = cpu()->gpr[ISA_EDX] = 0;
    rig_at_call(&rig, DENALI_FN_IDLE);
    ck_assert_int_eq(vm_run(rig.vm, 1), VM_BUDGET);
}
END_TEST

START_TEST(fault_delivered)
{
    volatile struct denali_regs *r = rig_regs(&rig);
    r->fault_entry = HANDLER;
    r->fault_stack = STACK;
    r->intr_enabled = 1;
    cpu()->eip = 0x5000; /* never accessible */
    vm_run(rig.vm, 1);
    ck_assert_uint_eq(cpu()->eip, HANDLER);
    ck_assert_uint_eq(cpu()->gpr[ISA_ESP], STACK);
    ck_assert_uint_eq(r->fault_vector, CPU_PF);
    ck_assert_uint_eq(r->fault_address, 0x5000);
    ck_assert_uint_eq(r->fault_context.eip, 0x5000);
    ck_assert_uint_eq(r->fault_context.intr_enabled, 1);
    ck_assert_uint_eq(r->fault_active, 1);
    ck_assert_uint_eq(r->intr_enabled, 0);
    cpu()->eip = 0x6000; /* in the handler: the end */
    ck_assert_int_eq(vm_run(rig.vm, 1), VM_ENDED);
    ck_assert_int_eq(vm_end(rig.vm)->reason, VM_END_FAULT);
    ck_assert(vm_end(rig.vm)->fault_in_handler);
    ck_assert_uint_eq(vm_end(rig.vm)->guest_eip, 0x5000);
    ck_assert_uint_eq(cpu()->eip, 0x6000);
}
END_TEST

static char *report(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    vm_report(rig.vm, f);
    fclose(f);
    return text;
}

START_TEST(fault_reported)
{
    cpu()->gpr[ISA_EBP] = 0xfffffffc; /* no frame there */
    cpu()->gpr[ISA_EDX] = 0x9999;
    rig_at_out(&rig);
    uint32_t eip = cpu()->eip;
    ck_assert_int_eq(vm_run(rig.vm, 1), VM_ENDED);
    ck_assert_uint_eq(vm_end(rig.vm)->fault.vector, CPU_GP);
    ck_assert_uint_eq(cpu()->eip, eip); /* at the instruction, not after it */
    char *text = report();
    ck_assert_ptr_nonnull(strstr(text, "general protection"));
    ck_assert_ptr_nonnull(strstr(text, "out dx, eax"));
    ck_assert_ptr_nonnull(strstr(text, "edx 00009999"));
    free(text);
}
END_TEST

/* A chain of frames that runs in a circle, or out of memory, ends the backtrace. */
START_TEST(hostile_frames)
{
    for (unsigned i = 0; i < 3; i++) {
        uint32_t frames[] = {0x40000, MIB - 4, 0x40000};
        uint32_t loop[2] = {0x40000, 0x41414141};
        memcpy(rig_mem(&rig, 0x40000), loop, sizeof(loop));
        cpu()->gpr[ISA_EBP] = frames[i];
        cpu()->eip = 0xfffffff0;
        vm_run(rig.vm, 1);
        char *text = report();
        ck_assert_uint_lt(strlen(text), 4000);
        free(text);
        teardown();
        setup();
    }
}
END_TEST

START_TEST(reserved_functions)
{
    for (unsigned fn = DENALI_FN_MMU; fn < 64; fn++) {
        rig_at_call(&rig, fn);
        uint32_t eip = cpu()->eip;
        ck_assert_int_eq(vm_run(rig.vm, 1), VM_ENDED);
        ck_assert_uint_eq(vm_end(rig.vm)->fault.vector, CPU_UD);
        ck_assert_uint_eq(cpu()->eip, eip);
        teardown();
        setup();
    }
}
END_TEST

START_TEST(ports_that_are_not)
{
    static const uint16_t ports[] = {0, 0xff, 0x101, 0x107, 0x108 + 2, 0x118, 0x120, 0xffff};
    for (unsigned i = 0; i < ARRAY_LEN(ports); i++) {
        cpu()->gpr[ISA_EDX] = ports[i];
        rig_at_out(&rig);
        ck_assert_int_eq(vm_run(rig.vm, 1), VM_ENDED);
        ck_assert_uint_eq(vm_end(rig.vm)->fault.vector, CPU_GP);
        teardown();
        setup();
    }
}
END_TEST

START_TEST(protect)
{
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, 0x40000, 0x2000, 1), 0);
    ck_assert_uint_eq(ram_access(vm_ram(rig.vm), 0x41000), HOST_R);
    ck_assert_int_eq(rig_out(&rig, CONSOLE, DENALI_PORT_WRITE, 0x41000, 100, 1), 100);
    ck_assert_int_eq(rig_in(&rig, KEYBOARD, DENALI_PORT_READ, 0x41000, 100), DENALI_FAULT);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, 0x40000, 0x2000, 0), 0);
    ck_assert_int_eq(rig_out(&rig, CONSOLE, DENALI_PORT_WRITE, 0x3fffe, 3, 1), DENALI_FAULT);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, 0x40000, 0x2000, 3), 0);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, 0x40000, 0x1000, 2), DENALI_INVAL);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, 0x40000, 0x1000, 4), DENALI_INVAL);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, 0x40001, 0x1000, 3), DENALI_RANGE);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, 0, 0x1000, 1), DENALI_FAULT);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, 0x8000, 0x1000, 3), DENALI_FAULT);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, MIB - 0x1000, 0x2000, 3), DENALI_FAULT);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, 0xfffff000, 0x2000, 3), DENALI_FAULT);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, 0x20000, 0xfffff000, 3), DENALI_FAULT);
}
END_TEST

/* A guest cannot use up the host's mappings; what it gives back it can use again. */
START_TEST(protect_checkerboard)
{
    struct rig big = {.translated = false};
    struct vm_config config = {.mem_bytes = 64 * MIB};
    rig_start_config(&big, &config, devices, 3);
    unsigned done = 0;
    uint32_t gpa = 0x100000;
    while (gpa < 64 * MIB && rig_call(&big, DENALI_FN_PROTECT, gpa, 0x1000, 1) == 0) {
        gpa += 0x2000;
        done++;
    }
    ck_assert_uint_gt(done, 1000);
    ck_assert_uint_lt(done, 4096);
    ck_assert_int_eq(rig_call(&big, DENALI_FN_PROTECT, gpa, 0x1000, 1), DENALI_AGAIN);
    ck_assert_int_eq(rig_call(&big, DENALI_FN_PROTECT, 0x100000, 32 * MIB, 3), 0);
    ck_assert_int_eq(rig_call(&big, DENALI_FN_PROTECT, gpa, 0x1000, 1), 0);
    rig_stop(&big);
}
END_TEST

START_TEST(discard)
{
    memset(rig_mem(&rig, 0x40000), 0xaa, 0x3000);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_PROTECT, 0x41000, 0x1000, 1), 0);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_DISCARD, 0x40000, 0x2000, 0), 0);
    const uint8_t *mem = rig_mem(&rig, 0x40000);
    ck_assert_uint_eq(mem[0] | mem[0x1fff], 0);
    ck_assert_uint_eq(mem[0x2000], 0xaa);
    ck_assert_uint_eq(ram_access(vm_ram(rig.vm), 0x41000), HOST_R);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_DISCARD, 0, 0x1000, 0), DENALI_FAULT);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_DISCARD, 0x40000, 0x10, 0), DENALI_RANGE);
    ck_assert_int_eq(rig_call(&rig, DENALI_FN_DISCARD, 0x40000, 0, 0), 0);
}
END_TEST

/* Somebody wants the processor while a large range is at work: the guest sees how far it is. */
START_TEST(discard_stops_in_the_middle)
{
    struct rig big = {.translated = false};
    struct vm_config config = {.mem_bytes = 16 * MIB};
    rig_start_config(&big, &config, devices, 3);
    struct cpu *cpu = vm_cpu(big.vm);
    memset(rig_mem(&big, MIB), 0xaa, 8 * MIB);
    rig_at_call(&big, DENALI_FN_DISCARD);
    uint32_t eip = cpu->eip, stops = 0, left = 8 * MIB;
    cpu->gpr[ISA_EAX] = MIB;
    cpu->gpr[ISA_ECX] = left;
    cpu->exit = (struct cpu_exit){.hypercall = DENALI_FN_DISCARD, .length = 3, .trap = 1};
    do {
        ck_assert_uint_eq(cpu->gpr[ISA_EAX] + cpu->gpr[ISA_ECX], 9 * MIB);
        ck_assert_uint_eq(cpu->eip, eip);
        ck_assert_uint_le(cpu->gpr[ISA_ECX], left);
        left = cpu->gpr[ISA_ECX] - 4096;
        cpu->eip = eip + 3;
        cpu->stop_request = 1;
        vm_hypercall(big.vm);
        stops++;
    } while (cpu->eip == eip);
    ck_assert_uint_gt(stops, 4);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 0);
    for (uint32_t at = MIB; at < 9 * MIB; at += 4096)
        ck_assert_uint_eq(*(uint8_t *)rig_mem(&big, at), 0);
    rig_stop(&big);
}
END_TEST

START_TEST(unknown_is_counted)
{
    char *text = NULL;
    size_t len;
    strcpy(rig_mem(&rig, 0x40000), "bad\"name\n");
    cpu()->gpr[ISA_EBX] = 0x40000;
    for (unsigned i = 0; i < 3; i++)
        rig_call(&rig, DENALI_FN_UNKNOWN, 321, 0, 0);
    cpu()->gpr[ISA_EBX] = MIB - 1; /* a name at the end of memory */
    *(char *)rig_mem(&rig, MIB - 1) = 'x';
    for (unsigned i = 0; i < 200; i++)
        rig_call(&rig, DENALI_FN_UNKNOWN, 1000 + i, 0, 0);
    FILE *f = open_memstream(&text, &len);
    vm_print_stats(rig.vm, f, true);
    fclose(f);
    ck_assert_ptr_nonnull(strstr(text, "{\"number\":321,\"name\":\"bad?name?\",\"count\":3}"));
    ck_assert_ptr_nonnull(strstr(text, "\"name\":\"x\""));
    free(text);
}
END_TEST

START_TEST(timer)
{
    volatile struct denali_regs *r = rig_regs(&rig);
    rig_out(&rig, TIMER, 0, 0xffffffff, 0xffffffff, 0);
    vm_run(rig.vm, 0);
    ck_assert_uint_eq(r->pending, 0);
    rig_out(&rig, TIMER, 0, 1, 0, 0); /* long ago */
    vm_run(rig.vm, 0);
    ck_assert_uint_eq(r->pending, DENALI_IRQ_TIMER);
    r->pending = 0;
    uint64_t when = vm_now_ns(rig.vm) + 20000000;
    rig_out(&rig, TIMER, 0, (uint32_t)when, (uint32_t)(when >> 32), 0);
    vm_run(rig.vm, 0);
    ck_assert_uint_eq(r->pending, 0);
    rig_call(&rig, DENALI_FN_IDLE, UINT32_MAX, 0, UINT32_MAX);
    ck_assert_uint_le(vm_wait_ns(rig.vm), 20000000);
    while (vm_run(rig.vm, 0) == VM_IDLE)
        ;
    ck_assert_uint_eq(r->pending, DENALI_IRQ_TIMER);
    ck_assert_uint_ge(vm_now_ns(rig.vm), when);
}
END_TEST

START_TEST(console_output)
{
    strcpy(rig_mem(&rig, 0x40000), "hello");
    ck_assert_int_eq(rig_out(&rig, CONSOLE, 0, 0x40000, 5, 1), 5);
    ck_assert_int_eq(memcmp(rig.console.out, "hello", 5), 0);
    ck_assert_int_eq(rig_out(&rig, CONSOLE, 0, 0x40000, 5, 3), DENALI_INVAL);
    ck_assert_int_eq(rig_out(&rig, CONSOLE, 0, 0x40000, 0, 1), 0);
    ck_assert_int_eq(rig_out(&rig, CONSOLE, 0, MIB - 4, 5, 1), DENALI_FAULT);
    ck_assert_int_eq(rig_out(&rig, CONSOLE, 0, MIB - 4, 4, 1), 4);
    ck_assert_int_eq(rig_out(&rig, CONSOLE, 0, 0x40000, 0xffffffff, 1), DENALI_FAULT);
    ck_assert_int_eq(rig_out(&rig, CONSOLE, 0, 0xfffffff0, 0x20, 1), DENALI_FAULT);
    ck_assert_int_eq(rig_out(&rig, CONSOLE, 0, 0, 16, 1), DENALI_FAULT);
    rig.console.error = -ENOSPC;
    ck_assert_int_eq(rig_out(&rig, CONSOLE, 0, 0x40000, 5, 1), DENALI_FULL);
    rig.console.error = -EPIPE;
    ck_assert_int_eq(rig_out(&rig, CONSOLE, 0, 0x40000, 5, 1), DENALI_EOF);
}
END_TEST

/* A reader that takes little at a time: the write is whole, and nothing is kept in between. */
START_TEST(console_blocked)
{
    for (unsigned i = 0; i < 1000; i++)
        ((uint8_t *)rig_mem(&rig, 0x40000))[i] = (uint8_t)i;
    rig.console.room = 10;
    cpu()->gpr[ISA_EAX] = 0x40000;
    cpu()->gpr[ISA_ECX] = 1000;
    cpu()->gpr[ISA_EBX] = 1;
    cpu()->gpr[ISA_EDX] = DENALI_PORT_BASE;
    rig_at_out(&rig);
    take_interrupts();
    vm_post(rig.vm, DENALI_IRQ_NIC);
    rig_regs(&rig)->intr_enabled = 0;
    ck_assert_int_eq(vm_run(rig.vm, 1), VM_BLOCKED);
    rig_regs(&rig)->intr_enabled = 1; /* an interrupt now has to wait for the instruction */
    ck_assert_int_eq(vm_run(rig.vm, 1), VM_BLOCKED);
    ck_assert_uint_eq(rig.console.total, 10);
    rig.console.room = 5000;
    ck_assert_int_eq(vm_run(rig.vm, 0), VM_BUDGET);
    ck_assert_uint_eq(rig.console.total, 1000);
    ck_assert_uint_eq(rig_regs(&rig)->intr_context.eax, 1000);
    ck_assert_int_eq(memcmp(rig.console.out, rig_mem(&rig, 0x40000), 1000), 0);
    ck_assert_uint_eq(cpu()->eip, HANDLER);
}
END_TEST

START_TEST(keyboard)
{
    ck_assert_int_eq(rig_in(&rig, KEYBOARD, 0, 0x40000, 100), 0);
    rig.console.in = "abcdef";
    rig.console.in_len = 6;
    ck_assert_int_eq(rig_in(&rig, KEYBOARD, 0, 0x40000, 4), 4);
    ck_assert_int_eq(memcmp(rig_mem(&rig, 0x40000), "abcd", 4), 0);
    ck_assert_int_eq(rig_in(&rig, KEYBOARD, 0, 0x40000, 0), 0);
    ck_assert_int_eq(rig_in(&rig, KEYBOARD, 0, MIB - 1, 2), DENALI_FAULT);
    ck_assert_int_eq(rig_in(&rig, KEYBOARD, 0, 0, 2), DENALI_FAULT);
    ck_assert_int_eq(rig_in(&rig, KEYBOARD, 0, MIB - 2, 2), 2);
    ck_assert_int_eq(rig_in(&rig, KEYBOARD, 0, 0x40000, 100), DENALI_EOF);
    ck_assert_int_eq(rig_in(&rig, KEYBOARD, 0, 0x40000, 100), DENALI_EOF);
    ck_assert_int_eq(rig_out(&rig, KEYBOARD, DENALI_PORT_MODE, DENALI_TTY_ECHO, 0, 0), 0);
    ck_assert_uint_eq(rig.console.mode, CONSOLE_ECHO);
    ck_assert_int_eq(rig_out(&rig, KEYBOARD, DENALI_PORT_MODE, 0x1000, 0, 0), DENALI_INVAL);
}
END_TEST

START_TEST(signals)
{
    volatile struct denali_regs *r = rig_regs(&rig);
    ck_assert(!vm_hears_signals(rig.vm));
    take_interrupts();
    ck_assert(vm_hears_signals(rig.vm));
    vm_post_signal(rig.vm, DENALI_SIGNAL_QUIT);
    ck_assert(!vm_hears_signals(rig.vm));
    vm_run(rig.vm, 0);
    ck_assert_uint_eq(r->signals, DENALI_SIGNAL_QUIT);
    ck_assert_uint_eq(r->delivered, DENALI_IRQ_SIGNAL);
    ck_assert(!vm_hears_signals(rig.vm));
    r->signals = 0;
    ck_assert(vm_hears_signals(rig.vm));
}
END_TEST

static void *post_many(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 20000; i++)
        vm_post(rig.vm, DENALI_IRQ_NIC);
    vm_post_signal(rig.vm, DENALI_SIGNAL_INTERRUPT);
    return NULL;
}

/* A guest that idles between interrupts hears the last one, whenever it comes. */
START_TEST(no_lost_wakeup)
{
    volatile struct denali_regs *r = rig_regs(&rig);
    pthread_t poster;
    uint64_t end = host_monotonic_ns() + 20000000000u;
    ck_assert_int_eq(pthread_create(&poster, NULL, post_many, NULL), 0);
    while (!r->signals) {
        r->pending = 0;
        rig_call(&rig, DENALI_FN_IDLE, UINT32_MAX, 0, UINT32_MAX);
        while (!vm_has_news(rig.vm) && !r->pending && host_monotonic_ns() < end)
            ;
        vm_run(rig.vm, 0);
        ck_assert_uint_lt(host_monotonic_ns(), end);
    }
    pthread_join(poster, NULL);
}
END_TEST

/* The register page holds whatever a guest likes; every instruction of ours meets it. */
START_TEST(hostile_registers)
{
    srand(11 + (unsigned)_i);
    teardown();
    rig.translated = _i;
    setup();
    for (unsigned i = 0; i < (_i ? 5000u : 20000u); i++) {
        uint8_t *page = rig_mem(&rig, 0);
        for (unsigned n = 0; n < 4096; n += 4) {
            uint32_t word = rand() % 3 ? (uint32_t)rand() * 2u : (uint32_t)rand() % (2 * MIB);
            memcpy(page + n, &word, 4);
        }
        for (unsigned g = 0; g < 8; g++)
            cpu()->gpr[g] = rand() % 2 ? (uint32_t)rand() % (2 * MIB) : (uint32_t)rand() * 2u;
        cpu()->gpr[ISA_EDX] =
            rand() % 4 ? DENALI_PORT_BASE + (unsigned)rand() % 32 : cpu()->gpr[ISA_EDX];
        unsigned what = (unsigned)rand() % 12;
        if (what == 10)
            rig_at_out(&rig);
        else if (what == 11)
            rig_at_in(&rig);
        else
            rig_at_call(&rig, what);
        vm_post(rig.vm, (uint32_t)rand() & 0x3f);
        vm_run(rig.vm, 20);
        if (vm_end(rig.vm)->reason != VM_END_NONE || i % 64 == 63) {
            char *text = report();
            free(text);
            teardown();
            setup();
        }
    }
}
END_TEST

static enum vm_slice run_until(enum vm_slice stop)
{
    enum vm_slice slice;
    do
        slice = vm_run(rig.vm, 1000);
    while (slice != stop && slice != VM_ENDED && slice != VM_STOPPED);
    return slice;
}

static void *stop_soon(void *arg)
{
    struct pollfd none = {.fd = -1};
    (void)arg;
    host_poll(&none, 1, 20000000);
    vm_stop(rig.vm);
    return NULL;
}

START_TEST(stop_ends_a_loop)
{
    pthread_t stopper;
    static const uint8_t loop[] = {0xeb, 0xfe};
    memcpy(rig_mem(&rig, 0x40000), loop, 2);
    cpu()->eip = 0x40000;
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_soon, NULL), 0);
    ck_assert_int_eq(vm_run(rig.vm, ENGINE_UNLIMITED), VM_STOPPED);
    pthread_join(stopper, NULL);
    ck_assert_int_eq(run_until(VM_BUDGET), VM_BUDGET);
}
END_TEST

/* Two runs of a deterministic VM agree to the instruction, timers included. */
START_TEST(deterministic)
{
    uint64_t icount[2], now[2];
    /* loop: inc eax; cmp [pending], 0; je loop; terminate */
    static const uint8_t code[] = {0x40, 0x83, 0x3d, 0x8c, 0,    0,   0,
                                   0,    0x74, 0xf6, 0x0f, 0xb9, 0xc1};
    for (unsigned i = 0; i < 2; i++) {
        struct rig d = {.translated = false};
        struct vm_config config = {.deterministic = true};
        rig_start_config(&d, &config, devices + 2, 1);
        memcpy(rig_mem(&d, 0x40000), code, sizeof(code));
        rig_out(&d, 0, 0, 12345, 0, 0);
        vm_cpu(d.vm)->eip = 0x40000;
        ck_assert_int_eq(vm_run(d.vm, ENGINE_UNLIMITED), VM_ENDED);
        ck_assert_int_eq(vm_end(d.vm)->reason, VM_END_EXIT);
        icount[i] = vm_cpu(d.vm)->icount;
        now[i] = vm_now_ns(d.vm);
        rig_stop(&d);
    }
    ck_assert_uint_eq(icount[0], icount[1]);
    ck_assert_uint_eq(now[0], now[1]);
    ck_assert_uint_ge(now[0], 12345);
    ck_assert_uint_lt(now[0], 12345 + 10);
}
END_TEST

/* Idle time of a deterministic VM that waits for its clock alone passes at once. */
START_TEST(deterministic_idle)
{
    struct rig d = {.translated = false};
    struct vm_config config = {.deterministic = true};
    uint64_t start = host_monotonic_ns();
    rig_start_config(&d, &config, devices + 2, 1);
    rig_regs(&d)->pending = 0;
    rig_call(&d, DENALI_FN_IDLE, 0, 0, 1000); /* an hour and more */
    vm_run(d.vm, 0);
    ck_assert_uint_ge(vm_now_ns(d.vm), 1000ull << 32);
    ck_assert_uint_lt(host_monotonic_ns() - start, 5000000000u);
    rig_stop(&d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vm");
    TCase *t = tcase_create("vm");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, start_state);
    tcase_add_test(t, terminate);
    tcase_add_test(t, batch);
    tcase_add_test(t, no_upcall_without_entry);
    tcase_add_test(t, poll_delivers);
    tcase_add_test(t, idle);
    tcase_add_test(t, idle_zero);
    tcase_add_test(t, fault_delivered);
    tcase_add_test(t, fault_reported);
    tcase_add_test(t, hostile_frames);
    tcase_add_test(t, reserved_functions);
    tcase_add_test(t, ports_that_are_not);
    tcase_add_test(t, protect);
    tcase_add_test(t, protect_checkerboard);
    tcase_add_test(t, discard);
    tcase_add_test(t, discard_stops_in_the_middle);
    tcase_add_test(t, unknown_is_counted);
    tcase_add_test(t, timer);
    tcase_add_test(t, console_output);
    tcase_add_test(t, console_blocked);
    tcase_add_test(t, keyboard);
    tcase_add_test(t, signals);
    tcase_add_test(t, no_lost_wakeup);
    tcase_add_test(t, stop_ends_a_loop);
    tcase_add_test(t, deterministic);
    tcase_add_test(t, deterministic_idle);
    suite_add_tcase(s, t);
    TCase *alone = tcase_create("hostile");
    tcase_set_timeout(alone, 60);
    tcase_set_tags(alone, "one_thread");
    tcase_add_checked_fixture(alone, setup, teardown);
    tcase_add_loop_test(alone, hostile_registers, 0, 2);
    suite_add_tcase(s, alone);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
