/* SPDX-License-Identifier: MIT */
/*
 * One image for all attacks. Arguments: the attack's name, the victim's MAC, its
 * address (hexadecimal); the identity is this VM's address. Writes "round N" for the 1st, 2nd, 4th,
 * ... round that is done, so that it can be seen that the attack took place. Status 1: a check
 * failed, which the console tells.
 */
#include "testsuite/hostile/guest/attack.h"

GUEST_MANIFEST(MEMORY, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_NIC, 0, "nic"},
               {DENALI_DEV_TIMER, 0, "timer"}, {DENALI_DEV_DISK, 0, "disk"},
               {DENALI_DEV_KEYBOARD, DENALI_WANT_OPTIONAL, "keyboard"});

extern uint32_t try_esp;
extern char try_landed[], try_trapped[];

struct fault_seen fault;
struct target target;
uint8_t *heap, *heap_end, *scratch;
const volatile struct denali_device *nic, *disk, *console, *keyboard, *timer;
static uint32_t drawn;

static const struct attack {
    const char *name;
    void (*run)(uint32_t round);
} attacks[] = {
#define ATTACK(name, flags, line) {#name, attack_##name},
#include "testsuite/hostile/attacks.def"
#undef ATTACK
};

uint32_t draw(void)
{
    drawn ^= drawn << 13;
    drawn ^= drawn >> 17;
    return drawn ^= drawn << 5;
}

static void on_fault(struct denali_context *context, uint32_t vector, uint32_t error,
                     uint32_t address)
{
    fault = (struct fault_seen){vector, error, address, *context};
    context->eip = (uint32_t)try_landed;
    context->eflags = 2;
    context->eax = FAULTS(vector);
}

struct registers harmless(void)
{
    uint32_t middle = (uint32_t)heap + (1 << 20);
    return (struct registers){.ecx = 3,
                              .edx = middle,
                              .ebx = middle + 64,
                              .esp = middle + (64 << 10),
                              .ebp = middle + (64 << 10),
                              .esi = middle + (128 << 10),
                              .edi = middle + (192 << 10),
                              .eflags = 2};
}

uint32_t try_bytes(const uint8_t *code, uint32_t len, const struct registers *in)
{
    memcpy(scratch, code, len);
    scratch[len] = 0xcd;
    scratch[len + 1] = 0x77;
    return try_registers(in, (uint32_t)scratch);
}

/* The timer's upcall comes back, too. */
void try_soon(const struct registers *in, uint32_t eip)
{
    static uint8_t stack[256];
    uint32_t fault_entry = guest_regs.fault_entry, fault_stack = guest_regs.fault_stack;
    guest_regs.upcall_entry = (uint32_t)try_landed;
    guest_regs.upcall_stack = (uint32_t)(stack + sizeof(stack));
    guest_timer(guest_time_ns() + 1000000);
    guest_regs.intr_enabled = 1;
    try_registers(in, eip);
    guest_regs.intr_enabled = 0;
    guest_timer(UINT64_MAX);
    guest_regs.upcall_entry = 0;
    guest_regs.pending = 0;
    guest_regs.fault_entry = fault_entry;
    guest_regs.fault_stack = fault_stack;
    guest_regs.trap_entry = (uint32_t)try_trapped;
}

int32_t virtual_protect(uint32_t address, uint32_t bytes, uint32_t rights)
{
    __asm__ volatile("ud1 %%esi, %%eax" : "+a"(address) : "c"(bytes), "d"(rights) : "memory", "cc");
    return (int32_t)address;
}

int32_t virtual_discard(uint32_t address, uint32_t bytes)
{
    __asm__ volatile("ud1 %%edi, %%eax" : "+a"(address) : "c"(bytes) : "memory", "cc");
    return (int32_t)address;
}

static const char *argument(unsigned index)
{
    const char *s = (const char *)guest_regs.args_addr;
    GUEST_CHECK(index < guest_regs.args_count);
    while (index--)
        s += strlen(s) + 1;
    return s;
}

static uint64_t hexadecimal(const char *s)
{
    uint64_t n = 0;
    for (; *s; s++)
        n = n << 4 | (uint32_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
    return n;
}

static void look_around(void)
{
    uint64_t mac = hexadecimal(argument(2));
    nic = guest_need(DENALI_DEV_NIC, NULL);
    disk = guest_need(DENALI_DEV_DISK, NULL);
    console = guest_need(DENALI_DEV_CONSOLE, NULL);
    timer = guest_need(DENALI_DEV_TIMER, NULL);
    keyboard = guest_device(DENALI_DEV_KEYBOARD, NULL);
    for (unsigned i = 0; i < 6; i++) {
        target.mac[i] = (uint8_t)(mac >> (40 - 8 * i));
        target.own_mac[i] = nic->mac[i];
    }
    target.ip = (uint32_t)hexadecimal(argument(3));
    target.own_ip = (uint32_t)hexadecimal((const char *)(uint32_t)guest_regs.identity);
    heap = scratch = (uint8_t *)__heap;
    heap_end = (uint8_t *)(uint32_t)guest_regs.mem_bytes;
}

int guest_main(void)
{
    const char *name = argument(1);
    look_around();
    drawn = (uint32_t)guest_regs.random[0] | 1;
    guest_regs.trap_entry = (uint32_t)try_trapped;
    guest_faults_to(on_fault);
    for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        if (strcmp(attacks[i].name, name))
            continue;
        for (uint32_t round = 0;; round++) {
            attacks[i].run(round);
            if (!(round & (round + 1)))
                guest_print("round %u\n", round + 1);
        }
    }
    guest_print("no attack is called %s\n", name);
    return 1;
}
