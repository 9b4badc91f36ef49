/* SPDX-License-Identifier: MIT */
/* Bits of the system registers and of descriptors, by their names in SDM volume 3. */
#ifndef DENALI_SYSREGS_H
#define DENALI_SYSREGS_H

#include "emu/base/base.h"

enum cr0_bit {
    CR0_PE = 1u << 0,
    CR0_MP = 1u << 1,
    CR0_EM = 1u << 2,
    CR0_TS = 1u << 3,
    CR0_ET = 1u << 4,
    CR0_NE = 1u << 5,
    CR0_WP = 1u << 16,
    CR0_AM = 1u << 18,
    CR0_NW = 1u << 29,
    CR0_CD = 1u << 30,
    CR0_PG = 1u << 31,
};

enum cr4_bit {
    CR4_VME = 1u << 0,
    CR4_PVI = 1u << 1,
    CR4_TSD = 1u << 2,
    CR4_DE = 1u << 3,
    CR4_PSE = 1u << 4,
    CR4_PAE = 1u << 5,
    CR4_MCE = 1u << 6,
    CR4_PGE = 1u << 7,
    CR4_PCE = 1u << 8,
    CR4_OSFXSR = 1u << 9,
    CR4_OSXMMEXCPT = 1u << 10,
};

#define EFER_NXE (1u << 11)

/* EFLAGS beyond the status flags, TF, IF and DF. */
enum eflags_bit {
    EFLAGS_FIXED = 1u << 1,
    EFLAGS_IOPL = 3u << 12,
    EFLAGS_NT = 1u << 14,
    EFLAGS_RF = 1u << 16,
    EFLAGS_VM = 1u << 17,
    EFLAGS_AC = 1u << 18,
    EFLAGS_VIF = 1u << 19,
    EFLAGS_VIP = 1u << 20,
    EFLAGS_ID = 1u << 21,
};
#define EFLAGS_IOPL_SHIFT 12

/* Descriptor bits 40..55, as struct cpu_seg keeps them in `attr`. */
enum seg_attr {
    SEG_ACCESSED = 1u << 0,
    SEG_WRITABLE = 1u << 1,   /* data */
    SEG_READABLE = 1u << 1,   /* code */
    SEG_DOWN = 1u << 2,       /* data: expand-down */
    SEG_CONFORMING = 1u << 2, /* code */
    SEG_CODE = 1u << 3,
    SEG_TYPE = 15u,
    SEG_S = 1u << 4, /* code or data; clear: a system descriptor */
    SEG_DPL = 3u << 5,
    SEG_PRESENT = 1u << 7,
    SEG_AVL = 1u << 12,
    SEG_BIG = 1u << 14, /* D/B */
    SEG_GRANULAR = 1u << 15,
};
#define SEG_DPL_SHIFT 5

/* Types of system descriptors. Bit 3: the 386's form. */
enum sys_type {
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK_GATE = 5,
    SYS_INT16 = 6,
    SYS_TRAP16 = 7,
    SYS_TSS32 = 9,
    SYS_TSS32_BUSY = 11,
    SYS_CALL32 = 12,
    SYS_INT32 = 14,
    SYS_TRAP32 = 15,
};
#define SYS_BUSY 2u

enum dr6_bit { DR6_BD = 1u << 13, DR6_BS = 1u << 14, DR6_BT = 1u << 15 };
#define DR6_FIXED 0xffff0ff0u
#define DR7_FIXED 0x400u
#define DR7_GD (1u << 13)

/* Entries of the page tables. */
enum pte_bit {
    PTE_PRESENT = 1u << 0,
    PTE_WRITE = 1u << 1,
    PTE_USER = 1u << 2,
    PTE_ACCESSED = 1u << 5,
    PTE_DIRTY = 1u << 6,
    PTE_LARGE = 1u << 7,
    PTE_GLOBAL = 1u << 8,
};
#define PTE_NX ((uint64_t)1 << 63)

#endif
