/* SPDX-License-Identifier: MIT */
/*
 * The little library of the small guests: from denali/ABI.md and denali/abi.h
 * alone. A guest declares its manifest with GUEST_MANIFEST, defines
 * guest_main, and is linked with guests/lib/guest.ld.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "denali/abi.h"

/* The page of virtual registers; its address comes from the linker script. */
extern volatile struct denali_regs guest_regs;
extern char __stack_bottom[], __stack_top[], __heap[];

/*
 * The image's wishes: `mem` bytes of RAM and devices as {kind, flags, "name"}.
 * An ELF note: its name is 7 bytes with the NUL, padded to 8.
 */
#define GUEST_MANIFEST(mem, ...) GUEST_MANIFEST_VERSION(DENALI_ABI_VERSION, mem, __VA_ARGS__)
#define GUEST_MANIFEST_VERSION(version_, mem, ...)                                                 \
    static const struct {                                                                          \
        uint32_t namesz, descsz, type;                                                             \
        char name[8];                                                                              \
        struct denali_manifest manifest;                                                           \
        struct denali_manifest_device device[GUEST_DEVICES(__VA_ARGS__)];                          \
    } guest_note __attribute__((section(".note.denali"), used, aligned(4))) = {                    \
        sizeof(DENALI_NOTE_NAME),                                                                  \
        sizeof(struct denali_manifest) + sizeof((struct denali_manifest_device[]){__VA_ARGS__}),   \
        DENALI_NOTE_MANIFEST,                                                                      \
        DENALI_NOTE_NAME,                                                                          \
        {version_, GUEST_DEVICES(__VA_ARGS__), mem, {}},                                           \
        {__VA_ARGS__}}
#define GUEST_DEVICES(...)                                                                         \
    (sizeof((struct denali_manifest_device[]){__VA_ARGS__}) / sizeof(struct denali_manifest_device))

/* The guest: returns its exit status. */
int guest_main(void);

/* Virtual instructions. UD1's register operands spell the function number. */
void guest_idle(uint64_t ns_at_most);
void guest_poll(void);
_Noreturn void guest_terminate(unsigned status);

/* The device of that kind and name, or of that kind where name is NULL; NULL if there is none. */
const volatile struct denali_device *guest_device(enum denali_device_kind kind, const char *name);
/* The same, and the guest ends with a message if there is none. */
const volatile struct denali_device *guest_need(enum denali_device_kind kind, const char *name);

/* Raw port instructions: result as abi.h has it. */
int32_t guest_out(unsigned port, uint32_t eax, uint32_t ecx, uint32_t ebx);
int32_t guest_in(unsigned port, void *edi, uint32_t ecx);

/* Console output; whole or not at all. Returns the bytes written or enum denali_error. */
int32_t guest_write(unsigned stream, const void *buf, uint32_t len);
/* %s %c %d %u %x %p %lld %llu %llx %%, with a width and a zero; at most 1 KiB. */
void guest_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Bytes; 0: nothing now; DENALI_EOF. */
int32_t guest_read(void *buf, uint32_t room);
/* Waits for input: bytes or DENALI_EOF. Needs interrupts on, or nothing else that ends an idle. */
int32_t guest_read_wait(void *buf, uint32_t room);

/* The promise under test: a condition that does not hold ends the guest with status 1. */
#define GUEST_CHECK(cond) ((cond) ? (void)0 : guest_fail(__FILE__, __LINE__, #cond))
/* The same for numbers, and tells both. */
#define GUEST_CHECK_EQ(a, b)                                                                       \
    guest_check_eq(__FILE__, __LINE__, #a " == " #b, (uint64_t)(a), (uint64_t)(b))
_Noreturn void guest_fail(const char *file, int line, const char *what);
void guest_check_eq(const char *file, int line, const char *what, uint64_t a, uint64_t b);

/*
 * Interrupts. The handler gets the batch; it runs on a stack of its own with
 * interrupts off and must leave x87 and SSE alone.
 */
typedef void (*guest_interrupt_fn)(uint32_t batch);
void guest_interrupts_on(guest_interrupt_fn handler);
void guest_interrupts_off(void);

/* Faults: the handler may change the context it is given; returning resumes there. */
typedef void (*guest_fault_fn)(struct denali_context *context, uint32_t vector, uint32_t error,
                               uint32_t address);
void guest_faults_to(guest_fault_fn handler);

/* Nanoseconds since the VM started, without a trap. */
uint64_t guest_time_ns(void);
/* Arms the timer at an absolute time; UINT64_MAX disarms. */
void guest_timer(uint64_t when_ns);
static inline uint64_t guest_rdtsc(void)
{
    return __builtin_ia32_rdtsc();
}

/* Disk: fills in a request of one block. */
void guest_disk_request(struct denali_disk_request *request, enum denali_disk_op op, uint64_t block,
                        void *buffer);
/* Submits one request and idles until it has ended; its status. */
int32_t guest_disk_wait(const volatile struct denali_device *disk,
                        struct denali_disk_request *request);

/* What a compiler may call in freestanding code, and a little more. */
void *memcpy(void *dst, const void *src, size_t len);
void *memmove(void *dst, const void *src, size_t len);
void *memset(void *dst, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

#endif
