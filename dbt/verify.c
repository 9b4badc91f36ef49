/* SPDX-License-Identifier: MIT */
/*
 * One pass over a block, first byte to last. Jumps inside a block lead forward
 * only (or to its start), so the state at a join is known when the pass gets
 * there: it is what all ways in have in common. Every byte belongs to one
 * instruction, and a jump that leads into the middle of one is refused.
 */
#include "dbt/verify_private.h"

#include "config.h"

#include <errno.h>
#include <stdlib.h>

#if HAVE_ZYDIS

#include <dlfcn.h>
#include <string.h>

#include "dbt/image.h"

#define MAX_JOINS (2 * BLOCK_MAX_EXITS + 4 * BLOCK_MAX_INSNS)

typedef ZyanStatus (*decode_fn)(const ZydisDecoder *, const void *, ZyanUSize,
                                ZydisDecodedInstruction *, ZydisDecodedOperand *);
typedef ZyanStatus (*init_fn)(ZydisDecoder *, ZydisMachineMode, ZydisStackWidth);

struct join {
    uint32_t at;
    struct verify_state state;
};

struct verifier {
    void *library;
    decode_fn decode;
    ZydisDecoder decoder;
    unsigned joins;
    struct join join[MAX_JOINS];
};

static const char *const no_jump = "a jump leads neither into the block nor to a stub";

static struct verify_state state_at_start(void)
{
    struct verify_state state = {.reachable = true};
    for (unsigned i = 0; i < 8; i++)
        state.reg[i] = VERIFY_NARROW;
    return state;
}

static void meet(struct verify_state *into, const struct verify_state *other)
{
    if (!into->reachable) {
        *into = *other;
        return;
    }
    for (unsigned i = 0; i < VERIFY_TRACKED; i++)
        if (into->reg[i] != other->reg[i])
            into->reg[i] = VERIFY_UNKNOWN;
    into->touched &= other->touched;
    if (into->counted > other->counted)
        into->counted = other->counted;
}

static void arrive(struct verifier *v, uint32_t at, struct verify_state *state)
{
    for (unsigned i = 0; i < v->joins; i++)
        if (v->join[i].at == at) {
            meet(state, &v->join[i].state);
            v->join[i--] = v->join[--v->joins];
        }
}

/* What every block may rely on at its start must hold where this one is left. */
static const char *check_leaving(const struct verify_state *state)
{
    for (unsigned i = 0; i < 8; i++)
        if (i != 4 && state->reg[i] != VERIFY_NARROW)
            return "a guest register is left wider than 32 bits";
    return NULL;
}

static bool holds(const struct verify_piece *piece, uint32_t at)
{
    return at - piece->at < piece->len;
}

static const char *jump_outside(const struct verify_code *code, uint32_t target,
                                const struct verify_state *state)
{
    const struct stubs *s = code->stubs;
    if (target != s->miss && target != s->chain && target != s->exact && target != s->leave &&
        target != code->body.at)
        return no_jump;
    return check_leaving(state);
}

/* `next`: the instruction after the jump. Only places that are still to come may be joined. */
static const char *jump_direct(struct verifier *v, const struct verify_code *code, uint32_t next,
                               int64_t displacement, const struct verify_state *state)
{
    int64_t to = (int64_t)next + displacement;
    uint32_t target = (uint32_t)to;
    if (to < 0 || to > UINT32_MAX)
        return no_jump;
    bool in_body = holds(&code->body, next - 1);
    bool forward = target >= next && holds(in_body ? &code->body : &code->exits, target);
    if (!forward && !(in_body && holds(&code->exits, target)))
        return jump_outside(code, target, state);
    if (v->joins == MAX_JOINS)
        return "too many jumps";
    v->join[v->joins++] = (struct join){.at = target, .state = *state};
    return NULL;
}

static const char *jump_indirect(const struct verify_insn *insn, const struct verify_state *state)
{
    const ZydisDecodedOperand *to = &insn->op[0];
    if (to->type != ZYDIS_OPERAND_TYPE_MEMORY || insn->d.address_width != 64 ||
        !verify_is_table_entry(&to->mem, state))
        return "an indirect jump that is not through the dispatch table";
    return check_leaving(state);
}

static const char *check_jump(struct verifier *v, const struct verify_code *code,
                              const struct verify_insn *insn, uint32_t next,
                              struct verify_state *state)
{
    const ZydisDecodedOperand *to = &insn->op[0];
    bool conditional = insn->d.meta.category == ZYDIS_CATEGORY_COND_BR;
    bool counts = insn->d.mnemonic == ZYDIS_MNEMONIC_LOOP ||
                  insn->d.mnemonic == ZYDIS_MNEMONIC_LOOPE ||
                  insn->d.mnemonic == ZYDIS_MNEMONIC_LOOPNE;
    const char *wrong;
    if (counts || insn->d.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ||
        insn->d.meta.isa_set == ZYDIS_ISA_SET_RTM)
        return no_jump;
    if (to->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && to->imm.is_relative)
        wrong = jump_direct(v, code, next, to->imm.value.s, state);
    else
        wrong = jump_indirect(insn, state);
    if (!conditional)
        *state = (struct verify_state){.reachable = false};
    return wrong;
}

static const char *check_insn(struct verifier *v, const struct verify_code *code, uint32_t at,
                              uint32_t end, uint32_t *len, struct verify_state *state)
{
    struct verify_insn insn;
    if (ZYAN_FAILED(v->decode(&v->decoder, code->cache + at, end - at, &insn.d, insn.op)))
        return "the bytes are no instruction";
    *len = insn.d.length;
    for (unsigned j = 0; j < v->joins; j++)
        if (v->join[j].at > at && v->join[j].at < at + *len)
            return "a jump leads into the middle of an instruction";
    ZydisInstructionCategory category = insn.d.meta.category;
    if (category == ZYDIS_CATEGORY_COND_BR || category == ZYDIS_CATEGORY_UNCOND_BR)
        return check_jump(v, code, &insn, at + *len, state);
    return verify_effects(&insn, state);
}

static const char *check_piece(struct verifier *v, const struct verify_code *code,
                               const struct verify_piece *piece, struct verify_state state,
                               uint32_t *at)
{
    uint32_t end = piece->at + piece->len, len = 0;
    for (*at = piece->at; *at < end; *at += len) {
        arrive(v, *at, &state);
        if (!state.reachable) /* nobody gets here; it is held to the rules all the same */
            state = state_at_start();
        const char *wrong = check_insn(v, code, *at, end, &len, &state);
        if (wrong)
            return wrong;
    }
    return state.reachable ? "the code runs on past its end" : NULL;
}

bool verify_block(struct verifier *v, const struct verify_code *code,
                  struct verify_finding *finding)
{
    const struct verify_state nowhere = {.reachable = false};
    v->joins = 0;
    finding->what = check_piece(v, code, &code->body, state_at_start(), &finding->at);
    if (!finding->what)
        finding->what = check_piece(v, code, &code->exits, nowhere, &finding->at);
    if (!finding->what && v->joins)
        finding->what = no_jump;
    return !finding->what;
}

/* The library is opened only where somebody asks for verification: start-up time counts. */
static int open_decoder(struct verifier *v)
{
    static const char *const names[] = {"libZydis.so.4.0", "libZydis.so"};
    for (size_t i = 0; i < ARRAY_LEN(names) && !v->library; i++)
        v->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!v->library)
        return -ENOPKG;
    void *init = dlsym(v->library, "ZydisDecoderInit");
    void *decode = dlsym(v->library, "ZydisDecoderDecodeFull");
    init_fn init_it;
    if (!init || !decode)
        return -ENOPKG;
    memcpy(&init_it, &init, sizeof(init_it));
    memcpy(&v->decode, &decode, sizeof(v->decode));
    ZyanStatus status = init_it(&v->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return ZYAN_SUCCESS(status) ? 0 : -ENOPKG;
}

int verifier_create(struct verifier **out)
{
    struct verifier *v = calloc(1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    int err = open_decoder(v);
    if (err) {
        verifier_destroy(v);
        return err;
    }
    *out = v;
    return 0;
}

void verifier_destroy(struct verifier *v)
{
    if (!v)
        return;
    if (v->library)
        dlclose(v->library);
    free(v);
}

#else

int verifier_create(struct verifier **out)
{
    (void)out;
    return -ENOPKG;
}

void verifier_destroy(struct verifier *verifier)
{
    (void)verifier;
}

bool verify_block(struct verifier *verifier, const struct verify_code *code,
                  struct verify_finding *finding)
{
    (void)verifier, (void)code, (void)finding;
    return false;
}

#endif
