/* SPDX-License-Identifier: MIT */
/* The machine under Ilwaco: the register page, virtual instructions and ports. */
#ifndef ILWACO_MACHINE_H
#define ILWACO_MACHINE_H

#include "denali/abi.h"

/* Not at address 0, as a program's NULL pointer shall fault (boot_place in boot.c, ilwaco.ld). */
extern volatile struct denali_regs machine_regs;

static inline int32_t machine_port_out(uint16_t port, uint32_t eax, uint32_t ecx, uint32_t ebx)
{
    uint32_t result = eax;
    __asm__ volatile("outl %%eax, %%dx"
                     : "+a"(result), "+c"(ecx)
                     : "d"((uint32_t)port), "b"(ebx)
                     : "memory");
    return (int32_t)result;
}

static inline int32_t machine_port_in(uint16_t port, void *buffer, uint32_t room)
{
    int32_t result;
    __asm__ volatile("inl %%dx, %%eax"
                     : "=a"(result), "+c"(room)
                     : "d"((uint32_t)port), "D"(buffer)
                     : "memory");
    return result;
}

/* Absolute ns since the VM started; all ones disarms. */
static inline void machine_timer(uint16_t port, uint64_t when_ns)
{
    uint32_t eax = (uint32_t)when_ns, ecx = (uint32_t)(when_ns >> 32);
    __asm__ volatile("outl %%eax, %%dx" : "+a"(eax), "+c"(ecx) : "d"((uint32_t)port) : "memory");
}

/* 0F B9 C0+fn. */
#define MACHINE_FN(fn) ".byte 0x0f, 0xb9, 0xc0 + " #fn

static inline void machine_idle(uint64_t ns)
{
    uint32_t eax = (uint32_t)ns, edx = (uint32_t)(ns >> 32);
    __asm__ volatile(MACHINE_FN(0) : "+a"(eax), "+d"(edx) : : "memory", "ecx");
}

static inline void __attribute__((noreturn)) machine_terminate(uint32_t status)
{
    for (;;)
        __asm__ volatile(MACHINE_FN(1) : : "a"(status) : "memory");
}

static inline void machine_unknown(uint32_t number, const char *name)
{
    __asm__ volatile(MACHINE_FN(5) : "+a"(number) : "b"(name) : "memory");
}

enum machine_rights { MACHINE_NONE = 0, MACHINE_READ = 1, MACHINE_READ_WRITE = 3 };

static inline int32_t machine_protect(uint32_t addr, uint32_t bytes, uint32_t rights)
{
    __asm__ volatile(MACHINE_FN(6) : "+a"(addr) : "c"(bytes), "d"(rights) : "memory");
    return (int32_t)addr;
}

static inline int32_t machine_discard(uint32_t addr, uint32_t bytes)
{
    __asm__ volatile(MACHINE_FN(7) : "+a"(addr) : "c"(bytes) : "memory");
    return (int32_t)addr;
}

static inline uint64_t machine_tsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

/* The table entry of a device, or NULL. */
const volatile struct denali_device *machine_device(enum denali_device_kind kind, const char *name);

#endif
