/* SPDX-License-Identifier: MIT */
/*
 * How a paged guest's code reaches memory, without touching a flag:
 *
 *   lea  r9d, [address]                     unless a register is the address
 *   pext r11d, r9d, r13d                    the offset in the page: does the access
 *   mov  r11d, [r14 + r11 + edge]           reach over its end? then this faults
 *   shrx r11d, r9d, r15d                    the page
 *   mov  r11, [r14 + r11*8 + table]         what to add; 0 where it is not known,
 *   op   gs:[r9 + r11]                      and then this faults
 *
 * gs is based at 4 GiB that nobody can access, so that an addend of 0 faults at
 * a place that tells the linear address. A segment that is not flat adds its
 * base, and one of 64 KiB in real mode looks at its end by the same trick. What
 * several accesses of a block may share is paged_keep.c's.
 */
#include "dbt/paged/paged_rewrite.h"

static const struct emit_op op_movzx_word = {.map = ISA_MAP_0F, .opcode = 0xb7};
static const struct emit_op op_movzx_byte = {.map = ISA_MAP_0F, .opcode = 0xb6};

/* VEX-coded instructions on 32-bit general registers: reg, vvvv, rm in the manual's places. */
static void emit_vex_sized(struct emit *e, unsigned map, unsigned pp, uint8_t opcode, unsigned reg,
                           unsigned vvvv, unsigned rm, bool wide)
{
    emit_u8(e, 0xc4);
    emit_u8(e, (uint8_t)((reg & 8 ? 0 : 0x80) | 0x40 | (rm & 8 ? 0 : 0x20) | map));
    emit_u8(e, (uint8_t)((wide ? 0x80 : 0) | (~vvvv & 15) << 3 | pp));
    emit_u8(e, opcode);
    emit_u8(e, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

static void emit_vex(struct emit *e, unsigned map, unsigned pp, uint8_t opcode, unsigned reg,
                     unsigned vvvv, unsigned rm)
{
    emit_vex_sized(e, map, pp, opcode, reg, vvvv, rm, false);
}

void paged_emit_shrx64(struct emit *e, unsigned dst, unsigned src, unsigned count)
{
    emit_vex_sized(e, 2, 3, 0xf7, dst, count, src, true);
}

static void emit_shrx(struct emit *e, unsigned dst, unsigned src, unsigned count)
{
    emit_vex(e, 2, 3, 0xf7, dst, count, src);
}

void paged_emit_pext(struct emit *e, unsigned dst, unsigned src, unsigned mask)
{
    emit_vex(e, 2, 2, 0xf5, dst, src, mask);
}

void paged_emit_sarx(struct emit *e, unsigned dst, unsigned src, unsigned count)
{
    emit_vex(e, 2, 2, 0xf7, dst, count, src);
}

void paged_emit_pdep(struct emit *e, unsigned dst, unsigned src, unsigned mask)
{
    emit_vex(e, 2, 3, 0xf5, dst, src, mask);
}

void paged_emit_rorx(struct emit *e, unsigned dst, unsigned src, unsigned count)
{
    emit_vex(e, 3, 3, 0xf0, dst, 0, src);
    emit_u8(e, (uint8_t)count);
}

static enum paged_class class_of(const struct paged_rewrite *r, unsigned seg)
{
    return seg >= ISA_FS ? PAGED_BIG : paged_class(&r->block->mode, seg);
}

/* CS can be read where its class says so, and written nowhere but in real mode: not here. */
bool paged_can_access(const struct paged_rewrite *r, const struct isa_insn *insn, bool write)
{
    enum paged_class class = class_of(r, insn->seg);
    if (write && insn->seg == ISA_CS)
        return false;
    return class == PAGED_FLAT || class == PAGED_BIG || (class == PAGED_REAL && insn->adsize == 2);
}

static bool has_stack32(const struct paged_rewrite *r)
{
    return r->block->mode.bits & PAGED_STACK32;
}

/* A 16-bit stack wraps within any of these; a 32-bit one would have to be held against 64 KiB. */
bool paged_can_stack(const struct paged_rewrite *r)
{
    enum paged_class class = paged_class(&r->block->mode, ISA_SS);
    return class == PAGED_FLAT || class == PAGED_BIG || (class == PAGED_REAL && !has_stack32(r));
}

bool paged_has_flat_stack(const struct paged_rewrite *r)
{
    return has_stack32(r) && paged_class(&r->block->mode, ISA_SS) == PAGED_FLAT;
}

void paged_address(struct paged_rewrite *r, const struct isa_insn *insn, unsigned reg)
{
    struct emit_mem mem = {
        .base = insn->base == ISA_NOREG ? EMIT_NOREG : insn->base,
        .index = insn->index == ISA_NOREG ? EMIT_NOREG : insn->index,
        .scale = insn->scale ? insn->scale : 1,
        .disp = (int32_t)insn->disp,
    };
    if (mem.base == EMIT_NOREG && mem.index == EMIT_NOREG)
        emit_mov_imm32(&r->emit, reg, insn->adsize == 2 ? insn->disp & 0xffff : insn->disp);
    else
        emit_lea32(&r->emit, reg, &mem);
    if (insn->adsize == 2)
        emit_op_reg(&r->emit, &op_movzx_word, reg, reg);
}

/* Loads what an access of `bytes` at base + index would touch last: it faults beyond the end. */
static void touch_end(struct paged_rewrite *r, unsigned index, int32_t disp, unsigned bytes)
{
    struct emit_mem at = emit_at_index(EMIT_R14, index, 1, disp);
    if (bytes < 4) {
        emit_op_mem(&r->emit, &op_movzx_word, EMIT_R11, &at);
        return;
    }
    at.disp += (int32_t)bytes - 4;
    emit_load32(&r->emit, EMIT_R11, &at);
}

void paged_touch_page_end(struct paged_rewrite *r, unsigned reg, unsigned bytes)
{
    if (bytes == 1)
        return;
    paged_emit_pext(&r->emit, EMIT_R11, reg, EMIT_R13);
    touch_end(r, EMIT_R11, PAGED_EDGE, bytes);
}

static int32_t table_disp(bool write)
{
    return write ? MMU_WRITE * PAGED_TABLE_BYTES : MMU_READ * PAGED_TABLE_BYTES;
}

void paged_page_access(struct paged_rewrite *r, unsigned reg, unsigned addend, bool write,
                       struct emit_mem *out)
{
    struct emit_mem entry = emit_at_index(EMIT_R14, addend, 8, table_disp(write));
    emit_shrx(&r->emit, addend, reg, EMIT_R15);
    emit_load64(&r->emit, addend, &entry);
    *out = emit_at_index(reg, addend, 1, 0);
    out->gs = true;
}

void paged_linear_access(struct paged_rewrite *r, unsigned reg, unsigned bytes, bool write,
                         struct emit_mem *out)
{
    paged_touch_page_end(r, reg, bytes);
    paged_page_access(r, reg, EMIT_R11, write, out);
}

/* A constant address: its page and whether it reaches over the end are known. */
static void access_constant(struct paged_rewrite *r, uint32_t linear, bool write,
                            struct emit_mem *out)
{
    struct emit *e = &r->emit;
    struct emit_mem entry =
        emit_at(EMIT_R14, (int32_t)((linear >> PAGE_BITS) * 8) + table_disp(write));
    emit_load64(e, EMIT_R11, &entry);
    if (linear <= INT32_MAX) {
        *out = emit_at(EMIT_R11, (int32_t)linear);
    } else {
        emit_mov_imm32(e, EMIT_R9, linear);
        *out = emit_at_index(EMIT_R9, EMIT_R11, 1, 0);
    }
    out->gs = true;
}

/* r9 becomes linear. */
static void add_base(struct paged_rewrite *r, unsigned seg)
{
    struct emit *e = &r->emit;
    struct emit_mem base = paged_at(offsetof(struct cpu, seg) + seg * sizeof(struct cpu_seg) +
                                    offsetof(struct cpu_seg, base));
    struct emit_mem ok = paged_slot_at(PAGED_SLOT_SEG_OK + seg);
    struct emit_mem sum = emit_at_index(EMIT_R9, EMIT_R11, 1, 0), byte = emit_at(EMIT_R11, 0);
    if (seg >= ISA_FS) {
        emit_load64(e, EMIT_R11, &ok);
        emit_op_mem(e, &op_movzx_byte, EMIT_R11, &byte);
    }
    emit_load32(e, EMIT_R11, &base);
    emit_lea32(e, EMIT_R9, &sum);
}

/* r9 is an offset in the segment. */
static void access_offset(struct paged_rewrite *r, unsigned seg, unsigned bytes, bool write,
                          struct emit_mem *out)
{
    enum paged_class class = class_of(r, seg);
    if (class == PAGED_REAL && bytes > 1)
        touch_end(r, EMIT_R9, PAGED_RAMP, bytes);
    if (class != PAGED_FLAT)
        add_base(r, seg);
    paged_linear_access(r, EMIT_R9, bytes, write, out);
}

void paged_access(struct paged_rewrite *r, const struct isa_insn *insn, unsigned bytes, bool write,
                  struct emit_mem *out)
{
    enum paged_class class = class_of(r, insn->seg);
    bool alone = insn->index == ISA_NOREG && !insn->disp && insn->adsize == 4;
    bool constant = insn->index == ISA_NOREG && insn->base == ISA_NOREG && insn->adsize == 4;
    if (class == PAGED_FLAT && insn->index == ISA_NOREG && insn->base != ISA_NOREG &&
        insn->adsize == 4 &&
        paged_keep_access(r, insn->base, (int32_t)insn->disp, bytes, write, out))
        return;
    if (class == PAGED_FLAT && constant && (insn->disp & PAGE_MASK) + bytes <= PAGE_SIZE) {
        access_constant(r, insn->disp, write, out);
        return;
    }
    if (class == PAGED_FLAT && alone && insn->base != ISA_NOREG) {
        paged_linear_access(r, insn->base, bytes, write, out);
        return;
    }
    paged_address(r, insn, EMIT_R9);
    access_offset(r, insn->seg, bytes, write, out);
}

void paged_flat_access(struct paged_rewrite *r, unsigned reg, int32_t disp, unsigned bytes,
                       bool write, struct emit_mem *out)
{
    struct emit_mem at = emit_at(reg, disp);
    if (paged_keep_access(r, reg, disp, bytes, write, out))
        return;
    if (disp)
        emit_lea32(&r->emit, EMIT_R9, &at);
    paged_linear_access(r, disp ? EMIT_R9 : reg, bytes, write, out);
}

void paged_stack_access(struct paged_rewrite *r, int32_t disp, unsigned bytes, bool write,
                        struct emit_mem *out)
{
    if (paged_has_flat_stack(r))
        paged_flat_access(r, EMIT_RSP, disp, bytes, write, out);
    else
        paged_segment_access(r, ISA_SS, EMIT_RSP, disp, !has_stack32(r), bytes, write, out);
}

void paged_segment_access(struct paged_rewrite *r, unsigned seg, unsigned reg, int32_t disp,
                          bool wraps16, unsigned bytes, bool write, struct emit_mem *out)
{
    struct emit_mem at = emit_at(reg, disp);
    if (disp || !wraps16)
        emit_lea32(&r->emit, EMIT_R9, &at);
    if (wraps16)
        emit_op_reg(&r->emit, &op_movzx_word, EMIT_R9, disp ? EMIT_R9 : reg);
    access_offset(r, seg, bytes, write, out);
}

void paged_step_register(struct paged_rewrite *r, unsigned reg, int32_t by, bool wraps16)
{
    static const struct emit_op op_mov_word = {.opcode = 0x8b, .legacy = 0x66};
    struct emit_mem at = emit_at(reg, by);
    emit_lea32(&r->emit, wraps16 ? EMIT_R11 : reg, &at);
    if (wraps16)
        emit_op_reg(&r->emit, &op_mov_word, reg, EMIT_R11);
}

void paged_stack_move(struct paged_rewrite *r, int32_t by)
{
    paged_step_register(r, EMIT_RSP, by, !has_stack32(r));
}
