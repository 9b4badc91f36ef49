/* SPDX-License-Identifier: MIT */
/*
 * What happens beside registers and RAM while a PC is in lockstep: devices, the interrupt
 * controller's answer, lines. It happens once, while the interpreter runs, and is kept; whoever
 * runs the stretch after it must ask the same and gets the same. What a device writes to RAM on
 * being asked is kept with the answer and written again where the answer is given again.
 */
#ifndef DENALI_LOCKSTEP_DEVICES_H
#define DENALI_LOCKSTEP_DEVICES_H

#include "emu/cpu/cpu.h"

struct lockstep_cpu;

enum tap_mode {
    TAP_OUTSIDE, /* no engine runs: whoever asks or writes now is the machine */
    TAP_SELF,    /* lockstep itself */
    TAP_RECORD,  /* the interpreter, and it is meant */
    TAP_PROBE,   /* the interpreter, where it must not: it gets zeroes, and is run again */
    TAP_REPLAY,  /* the subject; or the interpreter once more */
};

/* Bytes that a device wrote while it answered. */
struct lockstep_effect {
    uint32_t access; /* which one it answered */
    uint32_t at;     /* of them, among all kept bytes */
    gpa_t gpa;
    uint64_t len;
};

struct lockstep_devices {
    struct lockstep_cpu *lc;
    enum tap_mode mode;
    unsigned depth; /* of devices that ask each other */
    struct bus_access *access;
    uint32_t count, room, next;
    struct lockstep_effect *effect;
    uint32_t effects, effect_room, next_effect;
    uint8_t *bytes;
    uint32_t used, byte_room;
    bool asked;       /* something was, since the stretch began */
    bool lost;        /* no memory for what was asked, or for an effect */
    bool differs;     /* asked otherwise than kept */
    bool map_changed; /* what lies where in physical memory */
    bool kicked;      /* a device wants the loop's attention */
    struct irq_pin pin, pin_before, *real_pin;
    struct cpu_hooks hooks;
    const struct cpu_hooks *real_hooks;
};

/* Stands in for the processor's pin and hooks, and listens at its bus and RAM. */
void lockstep_devices_attach(struct lockstep_devices *d, struct lockstep_cpu *lc);
void lockstep_devices_detach(struct lockstep_devices *d);
/* A new stretch: nothing is kept, lines are as they are now. */
void lockstep_devices_begin(struct lockstep_devices *d);
/* The same stretch from its start, to be asked as it was. */
void lockstep_devices_again(struct lockstep_devices *d);

#endif
