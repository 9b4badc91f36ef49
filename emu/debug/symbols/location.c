/* SPDX-License-Identifier: MIT */
/*
 * The machine of DWARF expressions (DWARF 5, section 2.5), as far as compilers
 * write them for i386. Numbers are 32 bits wide but for typed operations, which
 * are not done: such a variable counts as lost. A hostile expression runs out of
 * steps or stack and is lost, too.
 */
#include "emu/debug/symbols/location.h"

#include <string.h>

#if HAVE_LIBDW

#define STACK 64u
#define MAX_STEPS 10000u

struct run {
    struct location_context *context;
    const Dwarf_Op *ops;
    size_t count, at;
    uint32_t stack[STACK];
    unsigned depth;
    bool failed;
    struct location *out;
    uint64_t piece;
    bool done;
};

static void push(struct run *r, uint32_t value)
{
    if (r->depth < STACK)
        r->stack[r->depth++] = value;
    else
        r->failed = true;
}

static uint32_t pop(struct run *r)
{
    if (r->depth)
        return r->stack[--r->depth];
    r->failed = true;
    return 0;
}

static uint32_t peek(struct run *r, uint64_t below)
{
    if (below < r->depth)
        return r->stack[r->depth - 1 - below];
    r->failed = true;
    return 0;
}

static uint32_t reg(struct run *r, uint64_t n)
{
    const struct frame *f = r->context->frame;
    if (n < 8 && f->known >> n & 1)
        return f->gpr[n];
    if (n == 8)
        return f->eip;
    r->failed = true;
    return 0;
}

static uint32_t load(struct run *r, uint32_t address, uint64_t size)
{
    struct target *t = r->context->source->target;
    uint32_t value = 0;
    if (size > 4 || t->ops->read(t, TARGET_LINEAR, address, &value, size))
        r->failed = true;
    return value;
}

static void set(struct run *r, enum location_kind kind, uint64_t number)
{
    *r->out = (struct location){.kind = kind, .number = number};
}

/* Another expression's address: of the frame base. */
static uint32_t frame_base(struct run *r)
{
    struct location_context inner = *r->context;
    struct location base;
    Dwarf_Attribute attr;
    Dwarf_Op *ops;
    size_t count, at = 0;
    uint64_t piece;
    if (!inner.function || !inner.depth ||
        !dwarf_attr_integrate(inner.function, DW_AT_frame_base, &attr) ||
        dwarf_getlocation_addr(&attr, inner.frame->where - inner.module->bias, &ops, &count, 1) !=
            1) {
        r->failed = true;
        return 0;
    }
    inner.depth--;
    inner.function = NULL;
    if (!location_evaluate(&inner, ops, count, &at, &base, &piece)) {
        r->failed = true;
        return 0;
    }
    return base.kind == LOCATION_REGISTER ? reg(r, base.number) : (uint32_t)base.number;
}

static void binary(struct run *r, unsigned atom)
{
    uint32_t b = pop(r), a = pop(r);
    int32_t sa = (int32_t)a, sb = (int32_t)b;
    switch (atom) {
    case DW_OP_and:
        return push(r, a & b);
    case DW_OP_or:
        return push(r, a | b);
    case DW_OP_xor:
        return push(r, a ^ b);
    case DW_OP_plus:
        return push(r, a + b);
    case DW_OP_minus:
        return push(r, a - b);
    case DW_OP_mul:
        return push(r, a * b);
    case DW_OP_div:
        return push(r, sb == 0 ? 0 : sb == -1 ? 0 - a : (uint32_t)(sa / sb));
    case DW_OP_mod:
        return push(r, b ? a % b : 0);
    case DW_OP_shl:
        return push(r, b < 32 ? a << b : 0);
    case DW_OP_shr:
        return push(r, b < 32 ? a >> b : 0);
    case DW_OP_shra:
        return push(r, (uint32_t)(sa >> (b < 32 ? b : 31)));
    case DW_OP_eq:
        return push(r, a == b);
    case DW_OP_ne:
        return push(r, a != b);
    case DW_OP_lt:
        return push(r, sa < sb);
    case DW_OP_le:
        return push(r, sa <= sb);
    case DW_OP_gt:
        return push(r, sa > sb);
    default:
        return push(r, sa >= sb);
    }
}

static void jump(struct run *r, const Dwarf_Op *op)
{
    uint64_t to = op->offset + 3 + (uint64_t)(int64_t)(int16_t)op->number;
    for (size_t i = 0; i < r->count; i++) {
        if (r->ops[i].offset == to) {
            r->at = i;
            return;
        }
    }
    r->at = r->count;
}

static void stack_operation(struct run *r, const Dwarf_Op *op)
{
    uint32_t a, b, c;
    switch (op->atom) {
    case DW_OP_dup:
        return push(r, peek(r, 0));
    case DW_OP_over:
        return push(r, peek(r, 1));
    case DW_OP_pick:
        return push(r, peek(r, op->number));
    case DW_OP_drop:
        pop(r);
        return;
    case DW_OP_swap:
        b = pop(r), a = pop(r);
        push(r, b);
        return push(r, a);
    case DW_OP_rot:
        c = pop(r), b = pop(r), a = pop(r);
        push(r, c);
        push(r, a);
        return push(r, b);
    case DW_OP_abs:
        a = pop(r);
        return push(r, (int32_t)a < 0 ? 0 - a : a);
    case DW_OP_neg:
        return push(r, 0 - pop(r));
    case DW_OP_not:
        return push(r, ~pop(r));
    default:
        r->failed = true;
    }
}

/* What ends the expression: it is not memory after all. */
static void place(struct run *r, const Dwarf_Op *op)
{
    switch (op->atom) {
    case DW_OP_regx:
        set(r, LOCATION_REGISTER, op->number);
        break;
    case DW_OP_stack_value:
        set(r, LOCATION_VALUE, pop(r));
        break;
    default: /* DW_OP_reg0... */
        set(r, LOCATION_REGISTER, op->atom - DW_OP_reg0);
    }
    r->done = true;
}

static void implicit(struct run *r, const Dwarf_Op *op)
{
    struct location_context *c = r->context;
    Dwarf_Attribute attr;
    Dwarf_Block block;
    memset(&attr, 0, sizeof(attr));
    attr.cu = c->function ? c->function->cu : NULL;
    if (!attr.cu || dwarf_getlocation_implicit_value(&attr, op, &block) ||
        block.length > VALUE_ROOM) {
        r->failed = true;
        return;
    }
    *r->out = (struct location){LOCATION_BYTES, block.length, block.data};
    r->done = true;
}

static void memory_operation(struct run *r, const Dwarf_Op *op)
{
    const struct frame *f = r->context->frame;
    switch (op->atom) {
    case DW_OP_addr:
        return push(r, (uint32_t)op->number + r->context->module->bias);
    case DW_OP_fbreg:
        return push(r, frame_base(r) + (uint32_t)op->number);
    case DW_OP_bregx:
        return push(r, reg(r, op->number) + (uint32_t)op->number2);
    case DW_OP_call_frame_cfa:
        r->failed |= !f->has_cfa;
        return push(r, f->cfa);
    case DW_OP_deref:
        return push(r, load(r, pop(r), 4));
    case DW_OP_deref_size:
        return push(r, load(r, pop(r), op->number));
    case DW_OP_plus_uconst:
        return push(r, pop(r) + (uint32_t)op->number);
    case DW_OP_implicit_value:
        return implicit(r, op);
    default:
        stack_operation(r, op);
    }
}

static void step(struct run *r, const Dwarf_Op *op)
{
    unsigned atom = op->atom;
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
        push(r, atom - DW_OP_lit0);
    else if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
        push(r, reg(r, atom - DW_OP_breg0) + (uint32_t)op->number);
    else if ((atom >= DW_OP_reg0 && atom <= DW_OP_reg31) || atom == DW_OP_regx ||
             atom == DW_OP_stack_value)
        place(r, op);
    else if (atom >= DW_OP_const1u && atom <= DW_OP_consts)
        push(r, (uint32_t)op->number);
    else if (atom == DW_OP_skip)
        jump(r, op);
    else if (atom == DW_OP_bra) {
        if (pop(r))
            jump(r, op);
    } else if (atom == DW_OP_eq || (atom >= DW_OP_ge && atom <= DW_OP_ne) || atom == DW_OP_and ||
               (atom >= DW_OP_div && atom <= DW_OP_mul) || atom == DW_OP_or || atom == DW_OP_plus ||
               (atom >= DW_OP_shl && atom <= DW_OP_xor))
        binary(r, atom);
    else if (atom != DW_OP_nop)
        memory_operation(r, op);
}

static void take_piece(struct run *r, const Dwarf_Op *op, bool empty)
{
    r->piece = op->number;
    if (!r->done) {
        if (empty)
            set(r, LOCATION_LOST, 0);
        else
            set(r, LOCATION_MEMORY, pop(r));
    }
    r->at++;
}

bool location_evaluate(struct location_context *context, const Dwarf_Op *ops, size_t count,
                       size_t *at, struct location *out, uint64_t *piece)
{
    struct run r = {.context = context, .ops = ops, .count = count, .at = *at, .out = out};
    size_t first = *at;
    for (unsigned steps = 0; r.at < count && !r.failed; steps++) {
        const Dwarf_Op *op = &ops[r.at];
        if (op->atom == DW_OP_piece) {
            take_piece(&r, op, r.at == first);
            break;
        }
        if (r.done || steps == MAX_STEPS) {
            r.failed = true;
            break;
        }
        r.at++;
        step(&r, op);
    }
    if (!r.failed && !r.piece && !r.done)
        set(&r, LOCATION_MEMORY, pop(&r));
    *at = r.at;
    *piece = r.piece;
    return !r.failed;
}

#endif
