/* SPDX-License-Identifier: MIT */
/*
 * What the attacks share. Each is a function that is called again and again, with
 * the number of the round; attacks.def names them. It may do what it likes; where the
 * architecture (denali/ABI.md) says what must come of it, it checks that.
 */
#ifndef HOSTILE_ATTACK_H
#define HOSTILE_ATTACK_H

#include "guests/lib/guest.h"

#define ATTACK(name, flags, line) void attack_##name(uint32_t round);
#include "testsuite/hostile/attacks.def"
#undef ATTACK

struct registers {
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi, eflags;
};

/* Whatever happens inside comes back: 0, or 1 + the fault's vector; then `fault` tells more. */
uint32_t try_function(void (*fn)(uint32_t), uint32_t argument);
uint32_t try_registers(const struct registers *in, uint32_t eip);
extern struct registers try_out; /* after try_registers, if it came back by INT */
#define FAULTS(vector) (1u + (vector))
enum { FAULT_DIVIDE = 0, FAULT_DEBUG, FAULT_UD = 6, FAULT_GP = 13, FAULT_PAGE = 14 };

struct fault_seen {
    uint32_t vector, error, address;
    struct denali_context context;
};
extern struct fault_seen fault;

/* The same for code that may not come back by itself, or spoil where faults go. */
void try_soon(const struct registers *in, uint32_t eip);

/* Executes these bytes, followed by INT, at the scratch page; 0, or 1 + the fault's vector. */
uint32_t try_bytes(const uint8_t *code, uint32_t len, const struct registers *in);
#define TRY(in, ...)                                                                               \
    try_bytes((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), in)
/* Registers that point into the middle of free memory, with a stack. */
struct registers harmless(void);

/* Free memory: from `heap` to `heap_end`, whole pages; the first is the scratch page. */
#define MEMORY (24u << 20)
extern uint8_t *heap, *heap_end, *scratch;

uint32_t draw(void); /* a number like any other */
static inline uint32_t draw_below(uint32_t n)
{
    return draw() % n;
}

/* The neighbour that is the victim, and this VM, on the LAN. */
struct target {
    uint8_t mac[6], own_mac[6];
    uint32_t ip, own_ip; /* host byte order */
};
extern struct target target;

extern const volatile struct denali_device *nic, *disk, *console, *keyboard, *timer;
static inline int32_t nic_send(const void *frame, uint32_t len)
{
    return guest_out(nic->port + DENALI_PORT_SEND, (uint32_t)frame, len, 0);
}
static inline int32_t nic_receive(void *frame, uint32_t room)
{
    return guest_in(nic->port + DENALI_PORT_RECEIVE, frame, room);
}
static inline int32_t disk_submit(const void *requests, uint32_t count)
{
    return guest_out(disk->port + DENALI_PORT_SUBMIT, (uint32_t)requests, count, 0);
}

/* Virtual instructions with any registers. */
int32_t virtual_protect(uint32_t address, uint32_t bytes, uint32_t rights);
int32_t virtual_discard(uint32_t address, uint32_t bytes);

#endif
