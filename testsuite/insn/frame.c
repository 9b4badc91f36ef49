/* SPDX-License-Identifier: MIT */
/*
 * See frame.h. A translator may delay or merge moves of ESP, and drop the
 * flags of those that nobody looks at; so a frame mixes such moves with
 * accesses relative to ESP, readers of flags, calls and skipped operations.
 * No operation leaves a flag undefined, and EBP stays the frame's.
 */
#include "testsuite/insn/frame.h"

#include <string.h>

#include "emu/isa/isa.h"

/* Appends one instruction and what it does to the flags. */
static void put(struct unit *u, const uint8_t *bytes, unsigned n)
{
    struct isa_insn insn;
    if (u->len + n > UNIT_BYTES - 8 || isa_decode(bytes, n, true, &insn) != ISA_OK)
        return;
    struct isa_flags f = isa_flags(&insn);
    u->reads |= f.reads & (uint16_t)~u->kills;
    u->kills |= f.kills;
    memcpy(u->bytes + u->len, bytes, n);
    u->len += (uint8_t)n;
}

#define PUT(u, ...) put(u, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Not ESP, not EBP. */
static unsigned any_register(struct rng *r)
{
    static const uint8_t registers[] = {0, 1, 2, 3, 6, 7};
    return registers[rng_below(r, sizeof(registers))];
}

static uint8_t any_offset(struct rng *r)
{
    return (uint8_t)((rng_below(r, 32) - 12) * 4 + (rng_chance(r, 10) ? rng_below(r, 4) : 0));
}

/* modrm of [esp + disp8] with this reg; 0x24 and the displacement follow. */
static uint8_t esp_modrm(unsigned reg)
{
    return (uint8_t)(0x44 | reg << 3);
}

static void put_esp_access(struct unit *u, struct rng *r)
{
    static const uint8_t opcodes[] = {0x89, 0x8B, 0x03, 0x01, 0x87, 0x39, 0x85, 0x13, 0x19, 0x8D};
    PUT(u, opcodes[rng_below(r, sizeof(opcodes))], esp_modrm(any_register(r)), 0x24, any_offset(r));
}

static void put_esp_move(struct unit *u, struct rng *r)
{
    uint8_t amount = (uint8_t)(4 * rng_below(r, 12));
    switch (rng_below(r, 8)) {
    case 0:
    case 1:
        PUT(u, 0x83, 0xEC, amount); /* sub esp, n */
        break;
    case 2:
    case 3:
        PUT(u, 0x83, 0xC4, amount); /* add esp, n */
        break;
    case 4:
        PUT(u, 0x81, 0xEC, amount, rng_next(r) & 1, 0, 0);
        break;
    case 5:
        PUT(u, 0x81, 0xC4, amount, rng_next(r) & 1, 0, 0);
        break;
    case 6:
        PUT(u, 0x8D, esp_modrm(4), 0x24, any_offset(r)); /* lea esp, [esp + n] */
        break;
    default:
        PUT(u, rng_chance(r, 50) ? 0x44 : 0x4C); /* inc, dec esp */
        break;
    }
}

static void put_push_pop(struct unit *u, struct rng *r)
{
    switch (rng_below(r, 10)) {
    case 0:
    case 1:
        PUT(u, (uint8_t)(0x50 + any_register(r)));
        break;
    case 2:
    case 3:
        PUT(u, (uint8_t)(0x58 + any_register(r)));
        break;
    case 4:
        PUT(u, 0x6A, rng_next(r) & 0xFF);
        break;
    case 5:
        PUT(u, 0xFF, esp_modrm(6), 0x24, any_offset(r)); /* push [esp + n] */
        break;
    case 6:
        PUT(u, 0x8F, esp_modrm(0), 0x24, any_offset(r)); /* pop [esp + n] */
        break;
    case 7:
        PUT(u, 0x54); /* push esp */
        if (rng_chance(r, 50))
            PUT(u, 0x5C); /* pop esp */
        break;
    case 8:
        PUT(u, 0x66, (uint8_t)((rng_chance(r, 50) ? 0x50 : 0x58) + any_register(r)));
        break;
    default:
        PUT(u, 0xE8, 0, 0, 0, 0); /* call the next instruction */
        break;
    }
}

static void put_flag_reader(struct unit *u, struct rng *r)
{
    uint8_t cc = (uint8_t)rng_below(r, 16), reg = (uint8_t)rng_below(r, 4);
    switch (rng_below(r, 5)) {
    case 0:
        PUT(u, 0x0F, 0x90 + cc, 0xC0 + reg); /* setcc */
        break;
    case 1:
        PUT(u, 0x0F, 0x40 + cc, (uint8_t)(0xC0 + reg * 8 + any_register(r))); /* cmovcc */
        break;
    case 2:
        PUT(u, 0x83, 0xD0 + reg, rng_next(r) & 0xFF); /* adc reg, n */
        break;
    case 3:
        PUT(u, 0x9C); /* pushf */
        break;
    default:
        PUT(u, 0x9F); /* lahf */
        break;
    }
}

static void put_operation(struct unit *u, struct rng *r);

/* Jcc over the next operation: its ESP move happens or not. The flags of the skipped one are
 * no longer certain, so it counts for reads alone. */
static void put_skip(struct unit *u, struct rng *r)
{
    struct unit skipped = {.len = 0};
    put_operation(&skipped, r);
    if (u->len + skipped.len > UNIT_BYTES - 16)
        return;
    PUT(u, 0x70 + (rng_next(r) & 15), skipped.len);
    u->reads |= skipped.reads & (uint16_t)~u->kills;
    memcpy(u->bytes + u->len, skipped.bytes, skipped.len);
    u->len += skipped.len;
}

static void put_operation(struct unit *u, struct rng *r)
{
    unsigned kind = rng_below(r, 100);
    if (kind < 30)
        put_esp_move(u, r);
    else if (kind < 55)
        put_push_pop(u, r);
    else if (kind < 78)
        put_esp_access(u, r);
    else if (kind < 90)
        put_flag_reader(u, r);
    else if (kind < 95 && u->len)
        put_skip(u, r);
    else
        PUT(u, 0x0F, 0x10, esp_modrm(rng_below(r, 8)), 0x24, any_offset(r)); /* movups */
}

void frame_make(struct unit *u, struct rng *r, uint32_t esp)
{
    bool framed = rng_chance(r, 40);
    *u = (struct unit){.len = 0};
    PUT(u, 0xBC, (uint8_t)esp, (uint8_t)(esp >> 8), (uint8_t)(esp >> 16), (uint8_t)(esp >> 24));
    if (framed) {
        PUT(u, 0x55);       /* push ebp */
        PUT(u, 0x89, 0xE5); /* mov ebp, esp */
    }
    for (unsigned n = 3 + rng_below(r, 14); n > 0; n--)
        put_operation(u, r);
    if (framed)
        PUT(u, 0xC9); /* leave */
}
