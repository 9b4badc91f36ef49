/* SPDX-License-Identifier: MIT */
/*
 * The instruction as data. `isa.def` is the only place where an opcode byte is
 * written; this header gives the shape of a row and of a decoded instruction.
 * Pure: no state, no allocation, no dependence on a processor's contents.
 *
 * Source of the encodings: Intel SDM volume 2, appendix A (opcode maps) and
 * appendix B. Operand letters are the manual's.
 */
#ifndef DENALI_ISA_H
#define DENALI_ISA_H

#include "emu/base/base.h"

#define ISA_MAX_LENGTH 15u

/* Addressing methods: the manual's letters (SDM volume 2, A.2.1), and fixed operands. */
enum isa_method {
    ISA_M_NONE,
    ISA_M_A,    /* far pointer in the instruction */
    ISA_M_C,    /* modrm.reg: control register */
    ISA_M_D,    /* modrm.reg: debug register */
    ISA_M_E,    /* modrm.rm: general register or memory */
    ISA_M_F,    /* flags */
    ISA_M_G,    /* modrm.reg: general register */
    ISA_M_I,    /* immediate */
    ISA_M_J,    /* relative branch target */
    ISA_M_M,    /* modrm.rm: memory only */
    ISA_M_N,    /* modrm.rm: MMX register only */
    ISA_M_O,    /* absolute offset in the instruction (moffs) */
    ISA_M_P,    /* modrm.reg: MMX register */
    ISA_M_Q,    /* modrm.rm: MMX register or memory */
    ISA_M_R,    /* modrm.rm: general register only */
    ISA_M_S,    /* modrm.reg: segment register */
    ISA_M_U,    /* modrm.rm: XMM register only */
    ISA_M_V,    /* modrm.reg: XMM register */
    ISA_M_W,    /* modrm.rm: XMM register or memory */
    ISA_M_X,    /* memory at DS:eSI (segment may be overridden) */
    ISA_M_Y,    /* memory at ES:eDI */
    ISA_M_Z,    /* low three bits of the opcode: general register */
    ISA_M_REG,  /* fixed general register, number in `fixed` */
    ISA_M_SREG, /* fixed segment register, number in `fixed` */
    ISA_M_ONE,  /* the constant 1 (shift by one) */
    ISA_M_ST,   /* x87 ST(fixed) */
    ISA_M_STI,  /* x87 ST(modrm.rm) */
    ISA_M_METHODS
};

/* Operand widths: the manual's letters (A.2.2). */
enum isa_width {
    ISA_W_NONE,
    ISA_W_b,  /* byte */
    ISA_W_w,  /* word */
    ISA_W_d,  /* doubleword */
    ISA_W_q,  /* quadword */
    ISA_W_dq, /* 16 bytes */
    ISA_W_v,  /* word or doubleword, by operand size */
    ISA_W_z,  /* the same (word or doubleword immediate) */
    ISA_W_p,  /* far pointer: 16:16 or 16:32, by operand size */
    ISA_W_a,  /* pair of v, for BOUND */
    ISA_W_s,  /* 6-byte pseudo-descriptor */
    ISA_W_t,  /* 10-byte extended real or BCD */
    ISA_W_e,  /* x87 environment, 14 or 28 bytes by operand size */
    ISA_W_f,  /* x87 state, 94 or 108 bytes by operand size */
    ISA_W_x,  /* 512-byte FXSAVE area */
    ISA_W_bs, /* byte, sign-extended to the operand size (immediates) */
    ISA_W_0,  /* address only, nothing is accessed (LEA, INVLPG, prefetches) */
    ISA_W_WIDTHS
};

enum isa_access { ISA_A_READ = 1, ISA_A_WRITE = 2 };

struct isa_operand_spec {
    uint8_t method; /* enum isa_method */
    uint8_t width;  /* enum isa_width */
    uint8_t fixed;  /* register number of ISA_M_REG, ISA_M_SREG, ISA_M_ST */
    uint8_t access; /* enum isa_access bits */
};

/* Status flags, at their EFLAGS positions. */
enum isa_flag {
    ISA_F_C = 1u << 0,
    ISA_F_P = 1u << 2,
    ISA_F_A = 1u << 4,
    ISA_F_Z = 1u << 6,
    ISA_F_S = 1u << 7,
    ISA_F_T = 1u << 8,
    ISA_F_I = 1u << 9,
    ISA_F_D = 1u << 10,
    ISA_F_O = 1u << 11,
};

/* Opcode maps. */
enum isa_map { ISA_MAP_1B, ISA_MAP_0F, ISA_MAP_0F38, ISA_MAP_0F3A, ISA_MAP_MAPS };

/* Mandatory prefix of a row. ISA_P_ANY: prefixes do not select; they modify. */
enum isa_prefix { ISA_P_ANY, ISA_P_NP, ISA_P_66, ISA_P_F3, ISA_P_F2 };

enum isa_mod { ISA_MOD_ANY, ISA_MOD_MEM, ISA_MOD_REG };

/*
 * Attributes of a row. The groups say what readers other than the interpreter
 * must know: where a block ends, what may fault, what is not plain user code.
 */
enum isa_attr {
    ISA_T_MODRM = 1u << 0,    /* has a modrm byte */
    ISA_T_JUMP = 1u << 1,     /* unconditional control transfer: ends a block */
    ISA_T_BRANCH = 1u << 2,   /* conditional control transfer: ends a block */
    ISA_T_CALL = 1u << 3,     /* pushes a return address */
    ISA_T_RET = 1u << 4,      /* takes its target from the stack */
    ISA_T_END = 1u << 5,      /* ends a block for any other reason (INT, IRET, POPF, MOV CR, ...) */
    ISA_T_LOCKABLE = 1u << 6, /* LOCK allowed when the destination is memory */
    ISA_T_REP = 1u << 7,      /* REP repeats (string instructions) */
    ISA_T_REPCC = 1u << 8,    /* REPE/REPNE distinguish (CMPS, SCAS) */
    ISA_T_STACK = 1u << 9,    /* implicit access through SS:eSP */
    ISA_T_PRIV = 1u << 10,    /* privileged: #GP outside ring 0 */
    ISA_T_IO = 1u << 11,      /* port access */
    ISA_T_AMBIGUOUS = 1u << 12, /* behaves differently in user and kernel mode [P 1.1] */
    ISA_T_VIRTUAL = 1u << 13,   /* a Denali virtual instruction when the mode has them, else #UD */
    ISA_T_FPU = 1u << 14,       /* x87: device-not-available and pending-exception checks */
    ISA_T_MMX = 1u << 15,
    ISA_T_SSE = 1u << 16,     /* any SSE level */
    ISA_T_ALIGN16 = 1u << 17, /* its 16-byte memory operand must be aligned, else #GP */
    ISA_T_CC = 1u << 18,      /* low four opcode bits are a condition */
    ISA_T_BYTEREG = 1u << 19, /* has a byte register operand (AH..BH have no REX form) */
    ISA_T_NOMEM = 1u << 20,   /* the memory operand is not accessed (LEA, prefetch, NOP) */
    ISA_T_DEF64 = 1u << 21,   /* the opcode means something else, or nothing, in 64-bit mode */
    ISA_T_UNDEF = 1u << 22,   /* defined to be undefined for ever (UD0, UD1, UD2) */
    ISA_T_FLOW16 = 1u << 23,  /* with 16-bit operand size, EIP is truncated to 16 bits */
    ISA_T_SERIAL = 1u << 24,  /* serializing or reads the outside (CPUID, RDTSC, ...) */
    ISA_T_IMM = 1u << 25,     /* has an immediate, a branch displacement or a moffs */
};

/* Semantics: what the instruction does, once for all its encodings. */
enum isa_sem {
#define SEM(name) ISA_SEM_##name,
#include "emu/isa/sem.def"
#undef SEM
    ISA_SEMS
};

struct isa_row {
    const char *mnemonic; /* Intel syntax, lower case */
    uint16_t id;          /* its place in isa_rows */
    uint16_t sem;         /* enum isa_sem */
    uint8_t map;          /* enum isa_map */
    uint8_t opcode;
    uint8_t prefix;                    /* enum isa_prefix */
    int8_t ext;                        /* modrm.reg that selects the row, or -1 */
    uint8_t mod;                       /* enum isa_mod */
    int8_t rm;                         /* modrm.rm that selects the row, or -1 */
    struct isa_operand_spec op[3];     /* destination first, as in the manual */
    uint16_t reads, kills, may, undef; /* enum isa_flag bits; see isa.def's head */
    uint32_t attr;                     /* enum isa_attr bits */
};

extern const struct isa_row isa_rows[];
extern const unsigned isa_row_count;

/* Prefixes seen. */
enum isa_seen {
    ISA_SEEN_66 = 1u << 0,
    ISA_SEEN_67 = 1u << 1,
    ISA_SEEN_LOCK = 1u << 2,
    ISA_SEEN_F3 = 1u << 3, /* the last of F2/F3 wins */
    ISA_SEEN_F2 = 1u << 4,
};

enum isa_seg { ISA_ES, ISA_CS, ISA_SS, ISA_DS, ISA_FS, ISA_GS, ISA_SEG_NONE = 7 };
enum isa_reg {
    ISA_EAX,
    ISA_ECX,
    ISA_EDX,
    ISA_EBX,
    ISA_ESP,
    ISA_EBP,
    ISA_ESI,
    ISA_EDI,
    ISA_NOREG = 8
};

/* A decoded instruction: every reader's input. Plain data, may be copied. */
struct isa_insn {
    const struct isa_row *row;
    uint8_t bytes[16];    /* the instruction, `len` of them */
    uint8_t len;          /* 1..15 */
    uint8_t seen;         /* enum isa_seen */
    uint8_t opsize;       /* effective operand size in bytes, 2 or 4 */
    uint8_t adsize;       /* effective address size in bytes, 2 or 4 */
    uint8_t segover;      /* enum isa_seg of an override, or ISA_SEG_NONE */
    uint8_t seg;          /* effective segment of the memory operand (modrm, moffs, X) */
    uint8_t opcode_at;    /* index in bytes[] of the last opcode byte */
    uint8_t modrm_at;     /* index in bytes[] of modrm, 0 if there is none */
    uint8_t opcode;       /* last opcode byte */
    uint8_t mod, reg, rm; /* of modrm */
    bool has_mem;         /* modrm or moffs names memory */
    /* The memory operand: base + index * scale + disp, modulo 2^(8*adsize). */
    uint8_t base, index;       /* enum isa_reg; ISA_NOREG where absent */
    uint8_t scale;             /* 1, 2, 4, 8 */
    uint8_t disp_at, disp_len; /* in bytes[]; length 0, 1, 2, 4 */
    uint32_t disp;             /* sign-extended */
    uint8_t imm_at, imm_len;   /* first immediate, in bytes[] */
    uint32_t imm;              /* sign-extended where the row says so; branch displacement for J */
    uint16_t imm2;             /* selector of a far pointer, second immediate of ENTER */
    uint8_t cc;                /* condition, for ISA_T_CC */
};

enum isa_status {
    ISA_OK = 0,
    ISA_MORE,     /* the buffer ends before the instruction: give more bytes */
    ISA_INVALID,  /* no such instruction: #UD; insn->len bytes were looked at */
    ISA_TOO_LONG, /* more than 15 bytes: #GP */
};

/*
 * Decodes one instruction from `buf`. `code32`: default operand and address
 * size are 32 bits (the D bit of CS). LOCK where it is not allowed is
 * ISA_INVALID. `*out` is written in full on ISA_OK only.
 */
MUST_CHECK enum isa_status isa_decode(const uint8_t *buf, size_t len, bool code32,
                                      struct isa_insn *out);

/* The flag sets of one decoded instruction. */
struct isa_flags {
    uint16_t reads, kills, may, undef;
};

/*
 * As the row's sets but sharper where the instruction says more: the condition of
 * JCC, SETCC, CMOVCC; the count of a shift by an immediate; no REP prefix.
 */
struct isa_flags isa_flags(const struct isa_insn *insn);

/* Width in bytes of operand `n` under the instruction's sizes; 0 if it has none. */
unsigned isa_operand_bytes(const struct isa_insn *insn, unsigned n);

#endif
