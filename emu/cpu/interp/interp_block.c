/* SPDX-License-Identifier: MIT */
/*
 * Finding, comparing and decoding blocks. The cache is a direct-mapped table of
 * blocks over an arena of instructions; a full arena is emptied as a whole.
 */
#include "emu/cpu/interp/interp_block.h"

#include "emu/cpu/debug.h"
#include "emu/cpu/interp/interp_pc.h"
#include "emu/cpu/model.h"

#include <errno.h>
#include <stdlib.h>

#define CACHE_BLOCKS 8192u
#define CACHE_OPS 32768u

struct interp_cache {
    uint32_t used;       /* of ops */
    uint32_t generation; /* of the debugger's breakpoints, which divide blocks */
    struct interp_block block[CACHE_BLOCKS];
    struct interp_op op[CACHE_OPS];
};

int interp_cache_create(struct interp_cache **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

void interp_cache_destroy(struct interp_cache *cache)
{
    free(cache);
}

const struct interp_op *interp_cache_ops(const struct interp_cache *cache,
                                         const struct interp_block *block)
{
    return &cache->op[block->first];
}

enum cpu_status interp_op_ended(struct cpu *cpu, const struct interp_op *op, uint32_t start,
                                enum cpu_status status)
{
    if (status == CPU_FAULT && !cpu->pc.committed)
        cpu->eip = start;
    else if (status == CPU_EXIT)
        cpu->exit.length = op->insn.len;
    return status;
}

/* The memory operand in a form without branches: absent registers are masked away. */
static void prepare_address(struct interp_op *op)
{
    const struct isa_insn *insn = &op->insn;
    op->disp = insn->disp;
    op->base = insn->base & 7;
    op->base_mask = insn->base == ISA_NOREG ? 0 : UINT32_MAX;
    op->index = insn->index & 7;
    op->index_mask = insn->index == ISA_NOREG ? 0 : UINT32_MAX;
    op->shift = (uint8_t)__builtin_ctz(insn->scale);
}

void interp_prepare(const struct cpu *cpu, struct interp_op *op)
{
    const struct isa_insn *insn = &op->insn;
    op->fn = cpu->flat ? interp_choose_flat(insn) : interp_choose_pc(insn);
    op->imm = insn->imm;
    op->dst = (uint8_t)interp_operand_reg(insn, 0);
    op->src = (uint8_t)interp_operand_reg(insn, insn->row->op[1].method == ISA_M_NONE ? 0 : 1);
    op->flags = isa_flags(insn);
    prepare_address(op);
}

/* The block's bytes, padded with zeros to a multiple of 8, against memory. */
static bool same_code(const struct interp_block *block, const uint8_t *memory)
{
    uint32_t at = 0;
    for (; at + 8 <= block->bytes; at += 8) {
        if (memcmp(block->code + at, memory + at, 8))
            return false;
    }
    for (; at < block->bytes; at++) {
        if (block->code[at] != memory[at])
            return false;
    }
    return true;
}

#define BLOCK_ENDS (ISA_T_JUMP | ISA_T_BRANCH | ISA_T_CALL | ISA_T_RET | ISA_T_END)

/* A PC's repeated string instruction may pause: EIP stays on it, and nothing may follow. */
static bool may_pause(const struct cpu *cpu, const struct isa_insn *insn)
{
    return !cpu->flat && (insn->seen & (ISA_SEEN_F2 | ISA_SEEN_F3)) &&
           (insn->row->attr & (ISA_T_REP | ISA_T_REPCC));
}

/* Decodes from `memory`, of which `room` bytes may be read. */
static void decode_block(struct interp_cache *cache, struct interp_block *block, struct cpu *cpu,
                         const uint8_t *memory, uint32_t room)
{
    if (room > INTERP_BLOCK_BYTES)
        room = INTERP_BLOCK_BYTES;
    bool ended = false;
    while (!ended && block->ops < INTERP_BLOCK_OPS) {
        struct interp_op *op = &cache->op[block->first + block->ops];
        const uint8_t *at = memory + block->bytes;
        if (isa_decode(at, room - block->bytes, cpu->code32, &op->insn) != ISA_OK ||
            !cpu_model_knows(cpu, &op->insn))
            break;
        interp_prepare(cpu, op);
        block->ops++;
        block->bytes += op->insn.len;
        ended = (op->insn.row->attr & BLOCK_ENDS) || may_pause(cpu, &op->insn);
        if (cpu->debug)
            ended |= cpu_debug_divides(cpu->debug, block->linear + block->bytes);
    }
    memcpy(block->code, memory, block->bytes);
    cache->used += block->ops;
}

static void empty(struct interp_cache *cache)
{
    memset(cache->block, 0, sizeof(cache->block));
    cache->used = 0;
}

/* The code at CS:EIP and how much of it may be read; NULL: none, or not in one go. */
static const uint8_t *code_at(struct cpu *cpu, uint32_t linear, uint32_t *room)
{
    if (!cpu->flat) {
        const uint8_t *code = interp_pc_code(cpu, room);
        cpu->pc.found_frame = (uintptr_t)code >> PAGE_BITS;
        return code;
    }
    *room = PAGE_SIZE - (linear & PAGE_MASK);
    return cpu_page_raw(cpu, linear, 1, RAM_DENIED_READ);
}

const struct interp_block *interp_cache_find(struct interp_cache *cache, struct cpu *cpu)
{
    uint32_t linear = cpu_seg_base(cpu, ISA_CS) + cpu->eip, room = 0;
    struct interp_block *block = &cache->block[(linear ^ linear >> 13) % CACHE_BLOCKS];
    const uint8_t *memory = code_at(cpu, linear, &room);
    if (cpu->debug && cache->generation != cpu->debug->generation) {
        empty(cache);
        cache->generation = cpu->debug->generation;
    }
    bool same = block->linear == linear && block->code32 == cpu->code32 && block->ops;
    if (same && memory && block->bytes <= room && same_code(block, memory))
        return block;
    if (cache->used + INTERP_BLOCK_OPS > CACHE_OPS)
        empty(cache);
    *block = (struct interp_block){.linear = linear, .code32 = cpu->code32, .first = cache->used};
    if (memory)
        decode_block(cache, block, cpu, memory, room);
    return block;
}
