/* SPDX-License-Identifier: MIT */
/*
 * Expands isa.def three times: into the rows, and into the two constant tables
 * that find a row from an opcode. The index relies on C's rule that of several
 * initializers of one element the last counts; isa.def keeps the rows of one
 * opcode together, so that the rest of them is found by walking back.
 */
#include "emu/isa/table.h"

/* The words of isa.def's columns. */
enum { MAP_1B = ISA_MAP_1B, MAP_0F = ISA_MAP_0F };
enum { EXT__ = -1, EXT_0, EXT_1, EXT_2, EXT_3, EXT_4, EXT_5, EXT_6, EXT_7 };
enum { ACCESS_NONE = 0, ACCESS_r = 1, ACCESS_w = 2, ACCESS_rw = 3 };
enum {
    FLAGS__ = 0,
    FLAGS_A = ISA_F_A,
    FLAGS_C = ISA_F_C,
    FLAGS_D = ISA_F_D,
    FLAGS_I = ISA_F_I,
    FLAGS_O = ISA_F_O,
    FLAGS_P = ISA_F_P,
    FLAGS_Z = ISA_F_Z,
    FLAGS_CA = ISA_F_C | ISA_F_A,
    FLAGS_CO = ISA_F_C | ISA_F_O,
    FLAGS_CZ = ISA_F_C | ISA_F_Z,
    FLAGS_CAO = FLAGS_CA | ISA_F_O,
    FLAGS_PZS = ISA_F_P | ISA_F_Z | ISA_F_S,
    FLAGS_PZSO = FLAGS_PZS | ISA_F_O,
    FLAGS_PAZS = FLAGS_PZS | ISA_F_A,
    FLAGS_PAZSO = FLAGS_PAZS | ISA_F_O,
    FLAGS_PASO = ISA_F_P | ISA_F_A | ISA_F_S | ISA_F_O,
    FLAGS_CPASO = FLAGS_PASO | ISA_F_C,
    FLAGS_CPZSO = FLAGS_PZSO | ISA_F_C,
    FLAGS_CPAZS = FLAGS_PAZS | ISA_F_C,
    FLAGS_CPAZSO = FLAGS_PAZSO | ISA_F_C,
    FLAGS_ALL = FLAGS_CPAZSO | ISA_F_T | ISA_F_I | ISA_F_D,
};
enum {
    JUMP = ISA_T_JUMP,
    BRANCH = ISA_T_BRANCH,
    CALL = ISA_T_CALL,
    RET = ISA_T_RET,
    END = ISA_T_END,
    LOCKABLE = ISA_T_LOCKABLE,
    REP = ISA_T_REP,
    REPCC = ISA_T_REPCC,
    STACK = ISA_T_STACK,
    PRIV = ISA_T_PRIV,
    IO = ISA_T_IO,
    AMBIGUOUS = ISA_T_AMBIGUOUS,
    VIRTUAL = ISA_T_VIRTUAL,
    FPU = ISA_T_FPU,
    MMX = ISA_T_MMX,
    SSE = ISA_T_SSE,
    ALIGN16 = ISA_T_ALIGN16,
    CC = ISA_T_CC,
    NOMEM = ISA_T_NOMEM,
    DEF64 = ISA_T_DEF64,
    UNDEF = ISA_T_UNDEF,
    FLOW16 = ISA_T_FLOW16,
    SERIAL = ISA_T_SERIAL,
};

/* An operand tuple (method, width, access[, register]). */
#define NO (NONE, NONE, NONE)
#define FIRST(a, ...) ISA_A_BITS(a)
#define ISA_A_BITS(a) ACCESS_##a
#define SECOND(a, b, ...) ISA_##b
#define OPERAND(m, w, ...)                                                                         \
    {                                                                                              \
        ISA_M_##m, ISA_W_##w, SECOND(__VA_ARGS__, EAX, ), FIRST(__VA_ARGS__, )                     \
    }

/* Attributes that follow from a method and a width. */
#define IN_MODRM(m)                                                                                \
    ((m) == ISA_M_C || (m) == ISA_M_D || (m) == ISA_M_E || (m) == ISA_M_G || (m) == ISA_M_M ||     \
     (m) == ISA_M_N || (m) == ISA_M_P || (m) == ISA_M_Q || (m) == ISA_M_R || (m) == ISA_M_S ||     \
     (m) == ISA_M_U || (m) == ISA_M_V || (m) == ISA_M_W || (m) == ISA_M_STI)
#define IN_TAIL(m) ((m) == ISA_M_A || (m) == ISA_M_I || (m) == ISA_M_J || (m) == ISA_M_O)
#define IS_GENERAL(m)                                                                              \
    ((m) == ISA_M_E || (m) == ISA_M_G || (m) == ISA_M_Z || (m) == ISA_M_R || (m) == ISA_M_REG)
#define DERIVED(m, w, ...)                                                                         \
    ((IN_MODRM(ISA_M_##m) ? (unsigned)ISA_T_MODRM : 0u) |                                          \
     (IN_TAIL(ISA_M_##m) ? (unsigned)ISA_T_IMM : 0u) |                                             \
     (IS_GENERAL(ISA_M_##m) && ISA_W_##w == ISA_W_b ? (unsigned)ISA_T_BYTEREG : 0u))
#define IS_Z(m, ...) (ISA_M_##m == ISA_M_Z)

enum { ROWS_BASE = __COUNTER__ + 1 };

const struct isa_row isa_rows[] = {
#define ROW(sem, name, map, prefix, opcode, ext, mod, rm, a, b, c, reads, kills, may, undef, attr) \
    {name,                                                                                         \
     __COUNTER__ - ROWS_BASE,                                                                      \
     ISA_SEM_##sem,                                                                                \
     MAP_##map,                                                                                    \
     opcode,                                                                                       \
     ISA_P_##prefix,                                                                               \
     EXT_##ext,                                                                                    \
     ISA_MOD_##mod,                                                                                \
     EXT_##rm,                                                                                     \
     {OPERAND a, OPERAND b, OPERAND c},                                                            \
     FLAGS_##reads,                                                                                \
     FLAGS_##kills,                                                                                \
     FLAGS_##may,                                                                                  \
     FLAGS_##undef,                                                                                \
     (attr) | DERIVED a | DERIVED b | DERIVED c | (EXT_##ext >= 0 ? (unsigned)ISA_T_MODRM : 0u)},
#include "emu/isa/isa.def"
#undef ROW
};

const unsigned isa_row_count = ARRAY_LEN(isa_rows);

/* One element is meant to be initialized again by a later row. */
#pragma GCC diagnostic ignored "-Woverride-init"

/* The opcodes of a row, and its columns of the index. */
#define LAST_OPCODE(opcode, a, attr) ((opcode) + (((attr)&CC) ? 15 : IS_Z a ? 7 : 0))
#define MOD_LOW(mod) (ISA_MOD_##mod == ISA_MOD_REG)
#define MOD_HIGH(mod) (ISA_MOD_##mod != ISA_MOD_MEM)
#define REG_LOW(ext) (EXT_##ext < 0 ? 0 : EXT_##ext)
#define REG_HIGH(ext) (EXT_##ext < 0 ? 7 : EXT_##ext)

const uint8_t isa_shape[ISA_INDEX_MAPS][256] = {
#define ROW(sem, name, map, prefix, opcode, ext, mod, rm, a, b, c, reads, kills, may, undef, attr) \
    [MAP_##map][(opcode)... LAST_OPCODE(opcode, a, attr)] =                                        \
        ((DERIVED a | DERIVED b) & ISA_T_MODRM) || EXT_##ext >= 0 ? ISA_SHAPE_MODRM                \
                                                                  : ISA_SHAPE_PLAIN,
#include "emu/isa/isa.def"
#undef ROW
};

enum { INDEX_BASE = __COUNTER__ };

const uint16_t isa_index[ISA_INDEX_MAPS][256][2][8] = {
#define ROW(sem, name, map, prefix, opcode, ext, mod, rm, a, b, c, reads, kills, may, undef, attr) \
    [MAP_##map][(opcode)... LAST_OPCODE(opcode, a, attr)][MOD_LOW(mod)... MOD_HIGH(mod)]           \
               [REG_LOW(ext)... REG_HIGH(ext)] = __COUNTER__ - INDEX_BASE,
#include "emu/isa/isa.def"
#undef ROW
};
