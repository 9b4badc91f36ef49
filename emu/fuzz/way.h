/* SPDX-License-Identifier: MIT */
/*
 * The way by which an input gets into a guest that is fuzzed: typed at the
 * console, written into memory, as packets, or as what is on a disk. One object
 * for each; the guest (guest.h) calls it in this order:
 *
 *     plug    before the VM is made: what it is to be connected to
 *     wants   while the VM runs to its start: does it wait for input now?
 *     settle  when it stands at the start, before the snapshot of it is taken
 *     put     after each time that it was put back there
 *     more    whenever it waits: there may be more of the same input
 */
#ifndef DENALI_FUZZ_WAY_H
#define DENALI_FUZZ_WAY_H

#include "emu/fuzz/console.h"
#include "denali/vm.h"

#define FUZZ_INPUT_MAX (1u << 20) /* bytes; as AFL++ has it */

struct fuzz_way;

struct fuzz_way_ops {
    const char *name;
    /* NULL, or: adds to the resources, of which there is room for one more. */
    int (*plug)(struct fuzz_way *way, struct vm_resource *list, unsigned *count, struct why *why);
    /* NULL: it has to be told where to start. */
    bool (*wants)(struct fuzz_way *way, struct vm *vm, enum vm_slice slice);
    /* 1: it has done something and the VM is to run on until it wants input again. */
    int (*settle)(struct fuzz_way *way, struct vm *vm, struct why *why);
    int (*put)(struct fuzz_way *way, struct vm *vm, const uint8_t *input, size_t len);
    bool (*more)(struct fuzz_way *way, struct vm *vm); /* NULL: never */
    void (*destroy)(struct fuzz_way *way);
};

/* Ways are structs that begin with this. */
struct fuzz_way {
    const struct fuzz_way_ops *ops;
    struct fuzz_console console; /* of the guest; only one way has input for it */
};

/* A place in the guest: an address, a register, or a function's argument on the stack. */
enum fuzz_place_kind { FUZZ_NOWHERE, FUZZ_ADDRESS, FUZZ_REGISTER, FUZZ_ARGUMENT };
struct fuzz_place {
    enum fuzz_place_kind kind;
    uint32_t value; /* linear address, ISA_EAX..., or argument from 1 */
};

MUST_CHECK int fuzz_console_way(struct fuzz_way **out);
/* Bytes at `buffer` (of a register or argument: where it points), at most `max` (0: as many as
 * `length` says at the start, or a page), and their number in `length`. */
MUST_CHECK int fuzz_memory_way(struct fuzz_place buffer, struct fuzz_place length, uint32_t max,
                               struct fuzz_way **out);
enum fuzz_packet { FUZZ_FRAMES, FUZZ_UDP, FUZZ_TCP };
#define FUZZ_GUEST_IP 0x0a00020fu /* 10.0.2.15/24, and the peer at .2 */
/* Ethernet frames, each behind its length in two bytes, low byte first; or what a peer sends to a
 * port: a datagram, or a connection's bytes and its end. */
MUST_CHECK int fuzz_packet_way(enum fuzz_packet kind, uint16_t port, struct fuzz_way **out);
/* The contents of the disk of that name, of so many bytes. */
MUST_CHECK int fuzz_disk_way(const char *name, uint64_t bytes, struct fuzz_way **out);

#endif
