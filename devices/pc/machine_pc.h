/* SPDX-License-Identifier: MIT */
/*
 * The PC: its devices wired to a processor, and the loop that runs it.
 *
 * One thread makes, runs and destroys a machine. A second one, of the machine's own,
 * only stops the processor when an event is due.
 */
#ifndef DENALI_PC_MACHINE_H
#define DENALI_PC_MACHINE_H

#include "devices/medium.h"
#include "devices/net.h"
#include "devices/pc/board.h"
#include "devices/serial.h"

struct pc;
struct cpu;
struct engine;
struct kernel_config;
struct vga;
struct i8042;

enum { PC_SERIALS = 4, PC_PARALLELS = 3, PC_DRIVES = 4 };

struct pc_config {
    uint64_t ram_bytes; /* whole pages; 1 MiB to PC_MAX_RAM */
    const char *cpu;    /* model */
    struct engine *engine;
    bool isa;           /* the smallest machine: a PIC, a PIT and a 16550 */
    bool deterministic; /* time counts instructions */
    bool exit_port;     /* and what else test suites expect: test_device.h */
    struct gate *gate;  /* NULL, or of a deterministic machine: what comes from outside passes it;
                           the host ends were given it, too */
    /* Files' contents; used while the machine is made. */
    const uint8_t *bios, *vga_rom;
    uint32_t bios_len, vga_rom_len;
    const uint8_t *cmos;                /* 256 bytes, or NULL */
    const struct kernel_config *kernel; /* outlives the machine */
    bool kernel_by_firmware;            /* which starts it; else none runs */
    const char *boot;                   /* letters of drives in turn: a, c, d, n; "" none said */
    bool boot_menu;
    /* Host ends; they outlive the machine. */
    struct serial_backend *serial[PC_SERIALS], *debugcon;
    struct pc_parallel {
        struct serial_backend *paper; /* NULL: none */
        uint16_t port;                /* 378h, 278h or 3BCh */
    } parallel[PC_PARALLELS];
    struct medium *drive[PC_DRIVES], *floppy[2];
    bool is_cdrom[PC_DRIVES];
    struct medium *virtio_disk;
    struct serial_backend *virtio_console;
    struct net_backend *net; /* NULL: no card */
    const char *nic;         /* "virtio", "ne2k" */
    uint8_t mac[6];
};

#define PC_MAX_RAM (3 * GIB)

MUST_CHECK int pc_create(const struct pc_config *config, struct pc **out, struct why *why);
/* NULL is harmless. */
void pc_destroy(struct pc *pc);

enum pc_state {
    PC_RUNNING,
    PC_RESET, /* it was reset and runs on: tells who wants to know */
    PC_OFF,
    PC_EXIT,     /* by the exit port: pc_exit_status */
    PC_SHUTDOWN, /* a triple fault */
    PC_DIVERGED, /* lockstep: the engines differ */
    PC_REJECTED, /* the verifier refused a translation */
    PC_BREAKPOINT,
    PC_WATCHPOINT,
    PC_REPLAYED, /* the recording has ended, or the guest does otherwise (gate->lost) */
};

/* Runs for at most `max_ns` (of the host's time, or of a deterministic machine's), asleep while the
 * guest waits. */
enum pc_state pc_run_for(struct pc *pc, uint64_t max_ns);
/* Runs at most so many instructions, or sleeps for a moment while the guest waits. */
enum pc_state pc_run_count(struct pc *pc, uint64_t instructions);

/*
 * Who looks on: before each instruction, when something is about to go through the interrupt
 * table, after each access to a port; each may be NULL. Outside of a run; NULL: nobody. With `step`
 * the machine is slow, and fastest with the interpreter.
 */
struct event;
struct pc_onlooker {
    void *opaque;
    void (*step)(void *opaque);
    void (*event)(void *opaque, const struct event *event);
    void (*port)(void *opaque, const struct bus_access *access);
};
void pc_set_onlooker(struct pc *pc, const struct pc_onlooker *onlooker);

uint32_t pc_exit_status(const struct pc *pc);
uint64_t pc_now_ns(const struct pc *pc);
/* The last POST code. */
uint32_t pc_post_code(const struct pc *pc);
/* Waits for ever: HLT with interrupts off. */
bool pc_is_dead(const struct pc *pc);
/*
 * The whole state of a machine that stands, moved to a file or a hash, or from a file: `move` takes
 * from `data` or fills it, and returns 0 or a negative errno. Loading wants a machine that was made
 * with the same options; -EINVAL and `why`: it was not, and nothing is changed. After any other
 * error of a load the machine is of no use. What lies on disks is not part of it.
 */
struct pc_stream {
    int (*move)(void *opaque, void *data, size_t len);
    void *opaque;
};
MUST_CHECK int pc_save(struct pc *pc, const struct pc_stream *to, struct why *why);
MUST_CHECK int pc_load(struct pc *pc, const struct pc_stream *from, struct why *why);
/* To look at a saved state: its processor (declared fields, in a zeroed struct cpu) and its RAM,
 * as much as this machine has, zeroed. The machine itself is not changed. */
MUST_CHECK int pc_look(struct pc *pc, const struct pc_stream *from, struct cpu *cpu, uint8_t *ram,
                       struct why *why);
/* As it was made. */
const struct pc_config *pc_config_of(const struct pc *pc);
struct cpu *pc_processor(const struct pc *pc);
struct board *pc_board(struct pc *pc);
struct bus *pc_bus(const struct pc *pc);
struct vga *pc_vga(const struct pc *pc);     /* NULL: none */
struct i8042 *pc_i8042(const struct pc *pc); /* NULL: none */
void pc_cmos(const struct pc *pc, uint8_t out[256]);
/* Recording: an arrival that is no device's, a check or the end. */
void pc_gate_note(struct pc *pc, unsigned kind, uint64_t sum);
/* The power button. */
void pc_press_power(struct pc *pc);
void pc_reset(struct pc *pc);

#endif
