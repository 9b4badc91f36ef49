/* SPDX-License-Identifier: MIT */
/* The PC's insides, for machine_pc*.c alone. */
#ifndef DENALI_PC_MACHINE_PRIVATE_H
#define DENALI_PC_MACHINE_PRIVATE_H

#include "devices/pc/apic.h"
#include "devices/pc/chipset.h"
#include "devices/pc/debug_ports.h"
#include "devices/pc/fw_cfg.h"
#include "devices/pc/machine_pc.h"
#include "devices/pc/pc_alarm.h"
#include "devices/pc/pic.h"
#include "devices/pc/pit.h"
#include "devices/pc/rtc.h"
#include "emu/cpu/engine.h"

struct pc {
    struct pc_config c;
    struct ram *ram;
    struct bus *bus;
    struct clock *clock;
    struct board board;
    struct cpu *cpu;
    struct cpu_hooks hooks;
    struct pc_onlooker onlooker;
    bool attached;
    struct irq_pin pin;
    struct pic *pic;
    struct pit *pit;
    struct rtc *rtc;
    struct lapic *lapic;   /* NULL: the processor has none */
    struct ioapic *ioapic; /* likewise */
    struct pci *pci;       /* NULL: the smallest machine */
    struct host_bridge *bridge;
    struct pm *pm;
    struct fw_cfg *fw_cfg;
    struct vga *vga;
    struct i8042 *i8042;
    struct debug_ports *debug_ports;
    struct pc_alarm *alarm;       /* NULL: deterministic */
    uint64_t counted;             /* instructions that the clock has seen */
    bool running;                 /* inside the engine */
    struct pc_tsc {               /* where time follows the host's clock */
        uint64_t began_ns, began; /* a moment by the host's clock and by its TSC */
        uint64_t lag_ns, lag;     /* what the clock lags behind, and that much of the TSC */
        uint64_t told;            /* to the guest, at last: it never goes back */
        uint64_t bound;           /* the host's TSC from which on the clock must be asked */
    } tsc;
};

extern const uint8_t pc_pirq_irq[4];

/* machine_pc_wiring.c */
int pc_make_devices(struct pc *pc, struct why *why);
/* A line of ISA interrupt n: to the PIC and the I/O APIC. */
struct irq_line pc_isa_line(struct pc *pc, unsigned n);

/* machine_pc_time.c: time follows the host's, but waits for events that are overdue, and the TSC
 * with it. */
void pc_time_follow_host(struct pc *pc);
/* The processor is about to run. */
void pc_time_begin(struct pc *pc);

/*
 * machine_pc_gate.c: recording and replaying. What a person did and checks are played between
 * steps, a device's readiness where the machine would have looked.
 */
void pc_gate_open(struct pc *pc);
void pc_gate_ready(struct pc *pc, struct board_device *dev);
enum pc_state pc_gate_play_person(struct pc *pc);
void pc_gate_play_devices(struct pc *pc);
bool pc_gate_replays(const struct pc *pc);
/* So many instructions, or until that time while the guest sleeps, until the next arrival. */
uint64_t pc_gate_budget(struct pc *pc, uint64_t budget);
uint64_t pc_gate_wake_ns(struct pc *pc, uint64_t end_ns);

/* machine_pc_boot.c: what firmware would do, and the kernel. */
int pc_boot_kernel(struct pc *pc, struct why *why);
int pc_add_firmware_files(struct pc *pc);

#endif
