/* SPDX-License-Identifier: MIT */
/*
 * The Denali virtual architecture, version 1: what a guest sees. Used by
 * guests (32-bit) and by the kernel (64-bit); all fields are fixed-width and
 * little-endian. denali/ABI.md is the manual; the two together define it.
 */
#ifndef DENALI_ABI_H
#define DENALI_ABI_H

#include <stddef.h>
#include <stdint.h>

#define DENALI_ABI_VERSION 1u
#define DENALI_ABI_MAGIC 0x696c6e44u /* "Dnli" */

/*
 * Physical space:  0x0      page of virtual registers
 *                  0x1000   never accessible
 *                  0x10000  RAM, to mem_bytes
 *
 * An image may ask for another page below 0x10000 (struct denali_place), so that
 * page 0 is never accessible and a NULL pointer faults.
 */
#define DENALI_REGS_ADDR 0x0u
#define DENALI_RAM_START 0x10000u

/*
 * Virtual instructions: UD1 (0F B9 /r) with a register operand; the low six
 * bits of the modrm byte are the function. Encoded as 0F B9 C0+fn.
 */
enum denali_fn {
    DENALI_FN_IDLE = 0,      /* EDX:EAX = ns at most (all ones: no bound); returns at once if an
                                interrupt is pending */
    DENALI_FN_TERMINATE = 1, /* EAX = exit status */
    DENALI_FN_RESUME = 2,    /* EAX = address of struct denali_context; does not return */
    DENALI_FN_TRAPRET = 3,   /* return from a trap (INT n): see trap_eip, trap_enabled */
    DENALI_FN_POLL = 4,      /* deliver what is pending now, if enabled */
    DENALI_FN_UNKNOWN =
        5, /* EAX = number, EBX = address of a name (NUL-ended): "the guest was asked for
              something it does not have"; counted by the host for --stats */
    DENALI_FN_PROTECT =
        6, /* EAX = address, ECX = bytes (both multiples of 4096), EDX = rights (0 none, 1 read, 3
              read and write) -> EAX 0 or enum denali_error. RAM begins readable and writable */
    DENALI_FN_DISCARD = 7, /* EAX = address, ECX = bytes (multiples of 4096): contents become zero,
                              the host may take the memory back -> EAX 0 or enum denali_error */
    DENALI_FN_MMU = 8,     /* 8..15 reserved: virtual MMU; fault 6 (#UD) today */
    DENALI_FN_RESERVED = 16, /* from here on: fault 6 (#UD) */
};

/* Interrupt bits. A bit means "something happened since"; it has no count. */
enum denali_irq {
    DENALI_IRQ_TIMER = 1u << 0,
    DENALI_IRQ_KEYBOARD = 1u << 1, /* input is waiting, or its end was reached */
    DENALI_IRQ_CONSOLE = 1u << 2,  /* the console's size changed, or it takes output again */
    DENALI_IRQ_NIC = 1u << 3,      /* a frame is waiting, or a full queue takes frames again */
    DENALI_IRQ_DISK = 1u << 4,     /* a request has ended */
    DENALI_IRQ_SIGNAL = 1u << 5,   /* the user asked: see `signals` */
    DENALI_IRQ_IDENTITY = 1u << 6, /* this VM is a clone: `identity`, `random`, the wall clock and
                                      the NICs' addresses are new */
};

/* Bits of denali_regs.signals. */
enum denali_signal {
    DENALI_SIGNAL_INTERRUPT = 1u << 0, /* Ctrl-C, SIGINT */
    DENALI_SIGNAL_QUIT = 1u << 1,      /* Ctrl-\ , SIGQUIT */
    DENALI_SIGNAL_TERMINATE = 1u << 2, /* SIGTERM */
    DENALI_SIGNAL_HANGUP = 1u << 3,    /* SIGHUP */
};

/* Registers at a point of execution. */
struct denali_context {
    uint32_t eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t intr_enabled;
    uint32_t reserved;
};

enum denali_device_kind {
    DENALI_DEV_NONE = 0,
    DENALI_DEV_CONSOLE = 1,
    DENALI_DEV_KEYBOARD = 2,
    DENALI_DEV_TIMER = 3,
    DENALI_DEV_NIC = 4,
    DENALI_DEV_DISK = 5,
};

enum denali_device_flags {
    DENALI_DEVF_TTY = 1u << 0,      /* console, keyboard: a person's terminal */
    DENALI_DEVF_READONLY = 1u << 1, /* disk */
};

#define DENALI_IDENTITY_MAX 128 /* bytes of all strings, their NULs included */
#define DENALI_NAME_LEN 16      /* with the NUL */
#define DENALI_MAX_DEVICES 16

struct denali_device {
    char name[DENALI_NAME_LEN]; /* the manifest's name */
    uint16_t kind;              /* enum denali_device_kind */
    uint16_t port;              /* base port */
    uint32_t flags;
    uint8_t mac[6];  /* NIC */
    uint16_t mtu;    /* NIC: bytes of a frame's payload */
    uint64_t blocks; /* disk: size in blocks */
    uint64_t bytes;  /* disk: size in bytes as its file has them (the last block is zero-padded) */
    uint8_t reserved[16];
};

/* Page of virtual registers, at DENALI_REGS_ADDR. K: kernel writes, G: guest writes. */
struct denali_regs {
    /* 0x000 */ uint8_t
        null_page[64]; /* zero; nothing is here, so that small accesses through NULL meet nothing */
    /* 0x040 K */ uint32_t magic;
    /* 0x044 K */ uint32_t version;
    /* 0x048 K */ uint64_t cpu_hz;       /* rate of RDTSC */
    /* 0x050 K */ uint64_t mem_bytes;    /* end of RAM */
    /* 0x058 K */ uint64_t wall_base_ns; /* Unix time at time 0 */

    /* Time. seq is odd while it changes: now = time_ns + ((rdtsc - time_tsc) * tsc_mul >> 32),
     * tsc_mul 0: time_ns alone */
    /* 0x060 K */ uint32_t time_seq;
    /* 0x064 K */ uint32_t tsc_mul;
    /* 0x068 K */ uint64_t time_ns; /* ns since the VM started, at the last entry */
    /* 0x070 K */ uint64_t time_tsc;
    /* 0x078 K */ uint64_t random[2]; /* seed for the guest's generator */

    /* Interrupts. */
    /* 0x088 G */ uint32_t intr_enabled;
    /* 0x08c KG */ uint32_t pending;     /* bits arrived, not delivered */
    /* 0x090 G */ uint32_t upcall_entry; /* 0: interrupts are never delivered, only pending */
    /* 0x094 G */ uint32_t upcall_stack; /* ESP at delivery; 0: stay on the current stack */
    /* 0x098 K */ uint32_t delivered;    /* the batch that the upcall delivers */
    /* 0x09c K */ uint32_t signals;      /* enum denali_signal, cleared by the guest */

    /* Faults: reach the guest when fault_entry is set and fault_active is 0. */
    /* 0x0a0 G */ uint32_t fault_entry;
    /* 0x0a4 G */ uint32_t fault_stack;
    /* 0x0a8 KG */ uint32_t
        fault_active; /* set at delivery, cleared by the guest; a fault meanwhile ends the VM */
    /* 0x0ac K */ uint32_t fault_vector;
    /* 0x0b0 K */ uint32_t fault_error;
    /* 0x0b4 K */ uint32_t fault_address;

    /* Traps: INT n inside the VM, no exit to the kernel. */
    /* 0x0b8 G */ uint32_t trap_entry;
    /* 0x0bc KG */ uint32_t trap_eip;
    /* 0x0c0 K */ uint32_t trap_number;
    /* 0x0c4 KG */ uint32_t trap_enabled; /* intr_enabled before the trap */

    /* Thread pointers: what FS: and GS: add. */
    /* 0x0c8 G */ uint32_t fs_base;
    /* 0x0cc G */ uint32_t gs_base;

    /* 0x0d0 K */ uint32_t args_addr, args_len, args_count; /* NUL-ended strings */
    /* 0x0dc K */ uint32_t env_addr, env_len, env_count;
    /* 0x0e8 K */ uint32_t console_columns, console_rows;
    /* 0x0f0 K */ uint32_t device_count;
    /* 0x0f4 */ uint32_t reserved0[3];

    /* 0x100 K */ struct denali_context intr_context;  /* saved at an upcall */
    /* 0x130 K */ struct denali_context fault_context; /* saved at a fault */
    /* 0x160 K */ uint32_t identity_count;             /* clonings that lie behind this VM */
    /* 0x164 K */ uint32_t identity_len;
    /* 0x168 K */ char identity[DENALI_IDENTITY_MAX]; /* NUL-ended strings for the guest, as its
                                                         environment */
    /* 0x1e8 */ uint8_t reserved1[0x400 - 0x1e8];
    /* 0x400 K */ struct denali_device device[DENALI_MAX_DEVICES];
    /* 0x800 */ uint8_t reserved2[0x800]; /* virtual MMU's registers will be here */
};

/*
 * Ports. Registers are as named; EAX gives the result: >= 0, or a negative
 * enum denali_error. Byte and word forms of IN and OUT, unknown ports and
 * devices of another kind fault with #GP.
 */
enum denali_port {
    DENALI_PORT_WRITE = 0, /* console OUT: EAX = buffer, ECX = bytes, EBX = stream (1 output, 2
                              errors) -> ECX bytes written, whole */
    DENALI_PORT_READ =
        0, /* keyboard IN: EDI = buffer, ECX = room -> bytes; 0: nothing now; DENALI_EOF */
    DENALI_PORT_MODE = 1,  /* keyboard OUT: EAX = enum denali_tty bits -> 0, or DENALI_INVAL: not a
                              terminal, or unknown bits */
    DENALI_PORT_TIMER = 0, /* timer OUT: EDX is the port, ECX:EAX = absolute ns; all ones disarms */
    DENALI_PORT_SEND = 0, /* NIC OUT: EAX = frame, ECX = bytes (14..1514) -> 0, or DENALI_AGAIN when
                             the queue is full */
    DENALI_PORT_RECEIVE = 0, /* NIC IN: EDI = buffer, ECX = room -> bytes of the frame; 0: none. A
                                frame longer than the room is cut */
    DENALI_PORT_SUBMIT = 0,  /* disk OUT: EAX = array of struct denali_disk_request, ECX = number ->
                                number accepted */
    DENALI_PORT_STRIDE = 8,  /* ports of one device */
    DENALI_PORT_BASE =
        0x100, /* device i: DENALI_PORT_BASE + i * DENALI_PORT_STRIDE, also in its table entry */
};

enum denali_error {
    DENALI_EOF = -1,   /* the input has ended; nobody reads the output any more */
    DENALI_AGAIN = -2, /* no room now; an interrupt tells when */
    DENALI_FAULT = -3, /* an address outside RAM */
    DENALI_RANGE = -4, /* beyond the end, too long, too short, unaligned */
    DENALI_RO = -5,    /* read-only */
    DENALI_IO = -6,    /* the host failed */
    DENALI_INVAL = -7, /* no such operation */
    DENALI_FULL = -8,  /* the host has no room for it */
};

/*
 * How the terminal behaves (DENALI_PORT_MODE); a guest starts with DENALI_TTY_START. The terminal's
 * own line editing is the host's, so a guest needs none.
 */
enum denali_tty {
    DENALI_TTY_LINES = 1u << 0,   /* the host edits lines; input comes a line at a time */
    DENALI_TTY_ECHO = 1u << 1,    /* what is typed is shown */
    DENALI_TTY_SIGNALS = 1u << 2, /* Ctrl-C and Ctrl-\ are signals, not bytes */
    DENALI_TTY_CR_IN = 1u << 3,   /* Enter gives a line feed, not a carriage return */
    DENALI_TTY_NL_OUT = 1u << 4,  /* a line feed returns the carriage */
    DENALI_TTY_FLOW = 1u << 5,    /* Ctrl-S and Ctrl-Q stop and go on, not bytes */
    DENALI_TTY_START = 0x3f,
};

#define DENALI_BLOCK 4096u
#define DENALI_DISK_QUEUE 256u /* requests in flight */

enum denali_disk_op { DENALI_DISK_READ = 1, DENALI_DISK_WRITE = 2, DENALI_DISK_FLUSH = 3 };

/* One block. `status` must be DENALI_DISK_BUSY at submission; the kernel writes it last. */
struct denali_disk_request {
    uint32_t op;     /* enum denali_disk_op */
    uint32_t buffer; /* aligned to 4096 */
    uint64_t block;
    uint32_t bytes; /* 4096; 0 for a flush */
    int32_t status; /* DENALI_DISK_BUSY, then 0 or enum denali_error */
    uint32_t tag;   /* the guest's own */
    uint32_t reserved;
};
#define DENALI_DISK_BUSY 1

/* Where the register page lies, if not at DENALI_REGS_ADDR: an ELF note, name "Denali", type
 * DENALI_NOTE_PLACE. */
#define DENALI_NOTE_PLACE 2u

struct denali_place {
    uint32_t regs_addr; /* a multiple of 4096, below DENALI_RAM_START */
};

/* The manifest: an ELF note, name "Denali", type DENALI_NOTE_MANIFEST. */
#define DENALI_NOTE_NAME "Denali"
#define DENALI_NOTE_MANIFEST 1u

struct denali_manifest_device {
    uint16_t kind;
    uint16_t flags; /* DENALI_WANT_OPTIONAL */
    char name[DENALI_NAME_LEN];
};
#define DENALI_WANT_OPTIONAL 1u
/* An optional disk of this name stands for every further disk that the user gives, by its name. */
#define DENALI_NAME_ANY "*"

struct denali_manifest {
    uint32_t version;   /* DENALI_ABI_VERSION */
    uint32_t devices;   /* number of entries, at most DENALI_MAX_DEVICES */
    uint64_t mem_bytes; /* memory wish; -m overrides */
    struct denali_manifest_device device[];
};

#define DENALI_AT(type, member, off)                                                               \
    _Static_assert(offsetof(type, member) == (off), #type "." #member)
DENALI_AT(struct denali_regs, magic, 0x40);
DENALI_AT(struct denali_regs, time_seq, 0x60);
DENALI_AT(struct denali_regs, random, 0x78);
DENALI_AT(struct denali_regs, intr_enabled, 0x88);
DENALI_AT(struct denali_regs, pending, 0x8c);
DENALI_AT(struct denali_regs, fault_entry, 0xa0);
DENALI_AT(struct denali_regs, trap_entry, 0xb8);
DENALI_AT(struct denali_regs, fs_base, 0xc8);
DENALI_AT(struct denali_regs, args_addr, 0xd0);
DENALI_AT(struct denali_regs, device_count, 0xf0);
DENALI_AT(struct denali_regs, intr_context, 0x100);
DENALI_AT(struct denali_regs, fault_context, 0x130);
DENALI_AT(struct denali_regs, identity_count, 0x160);
DENALI_AT(struct denali_regs, device, 0x400);
DENALI_AT(struct denali_regs, reserved2, 0x800);
_Static_assert(sizeof(struct denali_context) == 48, "context");
_Static_assert(sizeof(struct denali_device) == 64, "device");
_Static_assert(sizeof(struct denali_disk_request) == 32, "disk request");
_Static_assert(sizeof(struct denali_regs) == 4096, "register page");
_Static_assert(sizeof(struct denali_manifest_device) == 20, "manifest device");
_Static_assert(sizeof(struct denali_manifest) == 16, "manifest");

#endif
