/* SPDX-License-Identifier: MIT */
/*
 * Each kind picks an instruction and damages what Capstone says lies there.
 * What it needs of encodings (prefixes, modrm, REX) is the host's, not the
 * guest's.
 */
#include "testsuite/mutants/mutate.h"

#include <string.h>

const char *const mutate_name[MUTATE_KINDS] = {
    "truncation", "displacement", "branch", "base", "syscall", "byte", "bit", "cut", "swap"};

/* One instruction under change. */
struct victim {
    uint8_t *at;
    size_t len, left; /* of it; to the end of the code */
    const cs_x86_encoding *where;
    struct rng *rng;
};

static uint32_t extreme(struct rng *rng)
{
    static const uint32_t far[] = {0x7fffffff, 0x80000000, 0x7fffff00, 0x200001,  0xffdfffff,
                                   0x00400000, 0xffc00000, 0xffc00040, 0x01000000};
    return rng_chance(rng, 30) ? rng_next(rng) : far[rng_below(rng, ARRAY_LEN(far))];
}

static bool put(uint8_t *at, uint32_t value, size_t bytes)
{
    if (bytes > 4)
        return false;
    memcpy(at, &value, bytes);
    return bytes != 0;
}

/* The address-size prefix becomes another that means nothing here; or REX.W appears. */
static bool drop_truncation(struct victim *v)
{
    for (size_t i = 0; i < v->len; i++) {
        if (v->at[i] == 0x67) {
            v->at[i] = rng_chance(v->rng, 50) ? 0x2e : 0x48;
            return true;
        }
        if ((v->at[i] & 0xf0) == 0x40) {
            v->at[i] ^= 8;
            return true;
        }
    }
    return false;
}

static bool widen(struct victim *v)
{
    if (!v->where->disp_offset || v->where->disp_offset + v->where->disp_size > v->len)
        return false;
    return put(v->at + v->where->disp_offset, extreme(v->rng), v->where->disp_size);
}

static bool retarget(struct victim *v)
{
    bool short_one = v->at[0] == 0xeb || (v->at[0] & 0xf0) == 0x70 || v->at[0] == 0xe3;
    bool long_one = v->at[0] == 0xe9 || (v->at[0] == 0x0f && (v->at[1] & 0xf0) == 0x80);
    if (!short_one && !long_one)
        return false;
    uint32_t to = rng_chance(v->rng, 60) ? rng_below(v->rng, 512) - 256 : rng_next(v->rng);
    return put(v->at + v->len - (short_one ? 1 : 4), to, short_one ? 1 : 4);
}

/* Bits of REX that name registers, the modrm's or the SIB's. */
static bool rebase(struct victim *v)
{
    size_t modrm = v->where->modrm_offset;
    if (!modrm || modrm + 1 >= v->len)
        return false;
    unsigned which = rng_below(v->rng, 3);
    if (which == 0 && (v->at[modrm - 2] & 0xf0) == 0x40)
        v->at[modrm - 2] ^= (uint8_t)(1 + rng_below(v->rng, 7));
    else if (which == 1)
        v->at[modrm] ^= (uint8_t)(1 + rng_below(v->rng, 7));
    else
        v->at[modrm + 1] ^= (uint8_t)(1 + rng_below(v->rng, 63));
    return true;
}

static bool reach_host(struct victim *v)
{
    static const struct {
        uint8_t len, bytes[4];
    } ways[] = {{2, {0x0f, 0x05}},
                {2, {0x0f, 0x34}},
                {2, {0xcd, 0x80}},
                {1, {0xcc}},
                {1, {0xf4}},
                {1, {0xc3}},
                {2, {0xff, 0xe0}},
                {2, {0xff, 0xd0}},
                {1, {0x50}},
                {1, {0x58}},
                {3, {0x0f, 0x01, 0xf9}},
                {4, {0xf3, 0x48, 0x0f, 0xae}},
                {2, {0x8e, 0xe8}},
                {3, {0x0f, 0x01, 0xd0}},
                {1, {0x9d}},
                {1, {0xe8}},
                {2, {0x0f, 0xa2}},
                {2, {0xe4, 0x80}}};
    unsigned i = rng_below(v->rng, ARRAY_LEN(ways));
    if (ways[i].len > v->left)
        return false;
    memcpy(v->at, ways[i].bytes, ways[i].len);
    return true;
}

static bool cut(struct victim *v)
{
    size_t at = rng_below(v->rng, (uint32_t)v->len);
    memmove(v->at + at, v->at + at + 1, v->left - at - 1);
    return true;
}

static bool swap(uint8_t *code, size_t len, const cs_insn *insn, size_t count, struct rng *rng)
{
    uint8_t copy[64];
    if (count < 2)
        return false;
    size_t i = rng_below(rng, (uint32_t)count - 1);
    size_t first = insn[i].size, second = insn[i + 1].size;
    uint8_t *at = code + (insn[i].address - insn[0].address);
    if ((size_t)(at - code) + first + second > len)
        return false;
    memcpy(copy, at, first);
    memmove(at, at + first, second);
    memcpy(at + second, copy, first);
    return true;
}

static bool apply(enum mutate_kind kind, struct victim *v)
{
    uint8_t *any = v->at + rng_below(v->rng, (uint32_t)v->len);
    switch (kind) {
    case MUTATE_TRUNCATION:
        return drop_truncation(v);
    case MUTATE_DISPLACEMENT:
        return widen(v);
    case MUTATE_BRANCH:
        return retarget(v);
    case MUTATE_BASE:
        return rebase(v);
    case MUTATE_SYSCALL:
        return reach_host(v);
    case MUTATE_CUT:
        return cut(v);
    case MUTATE_BIT:
        *any ^= (uint8_t)(1u << rng_below(v->rng, 8));
        return true;
    default:
        *any = (uint8_t)rng_next(v->rng);
        return true;
    }
}

bool mutate(enum mutate_kind kind, uint8_t *code, size_t len, const cs_insn *insn, size_t count,
            struct rng *rng)
{
    if (kind == MUTATE_SWAP)
        return swap(code, len, insn, count, rng);
    const cs_insn *it = &insn[rng_below(rng, (uint32_t)count)];
    size_t at = it->address - insn[0].address;
    struct victim v = {.at = code + at,
                       .len = it->size,
                       .left = len - at,
                       .where = &it->detail->x86.encoding,
                       .rng = rng};
    return at + it->size <= len && apply(kind, &v);
}
