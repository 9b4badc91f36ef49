/* SPDX-License-Identifier: MIT */
/*
 * Capstone's text, with the names of what a branch or an address leads to. The
 * virtual instructions are UD1 to Capstone; the rows of the instruction table
 * know them.
 */
#include "emu/debug/disassemble.h"

#include "dbt/text.h"
#include "emu/debug/names.h"
#include "emu/isa/isa.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static unsigned read_code(struct target *t, uint32_t address, uint8_t bytes[ISA_MAX_LENGTH])
{
    unsigned n = 0;
    while (n < ISA_MAX_LENGTH && !t->ops->read(t, TARGET_LINEAR, address + n, bytes + n, 1))
        n++;
    return n;
}

/* ISA's reading of it, for what Capstone does not know. */
static unsigned own_text(const struct cpu *cpu, const uint8_t *bytes, unsigned have,
                         char text[DISASSEMBLE_TEXT])
{
    struct isa_insn insn;
    if (isa_decode(bytes, have, cpu->code32, &insn) != ISA_OK)
        return 0;
    const char *call = names_of(NAMES_HYPERCALL, (unsigned)insn.reg << 3 | insn.rm);
    if (cpu->flat && insn.row->attr & ISA_T_VIRTUAL && insn.mod == 3 && call)
        snprintf(text, DISASSEMBLE_TEXT, "denali %s", call);
    else
        snprintf(text, DISASSEMBLE_TEXT, "%s", insn.row->mnemonic);
    return insn.len;
}

static bool is_virtual(const struct cpu *cpu, const uint8_t *bytes, unsigned have)
{
    struct isa_insn insn;
    return cpu->flat && isa_decode(bytes, have, true, &insn) == ISA_OK &&
           insn.row->attr & ISA_T_VIRTUAL && insn.mod == 3;
}

/* A number in the text that is an address with a name gets it behind. */
static void append_symbol(struct session *s, char text[DISASSEMBLE_TEXT])
{
    char *at = strstr(text, "0x"), name[SYMBOLS_TEXT];
    size_t len = strlen(text);
    if (!at)
        return;
    uint32_t n = (uint32_t)strtoul(at, NULL, 16);
    if (n < 0x1000 || (at > text && at[-1] == '-') || !session_symbols(s))
        return;
    symbols_text(session_symbols(s), n, name);
    snprintf(text + len, DISASSEMBLE_TEXT - len, "%s", name);
}

unsigned disassemble_text(struct session *s, uint32_t address, char text[DISASSEMBLE_TEXT])
{
    const struct cpu *cpu = target_cpu(s->target);
    uint8_t bytes[ISA_MAX_LENGTH];
    unsigned have = read_code(s->target, address, bytes), len;
    if (!have) {
        snprintf(text, DISASSEMBLE_TEXT, "(no memory)");
        return 0;
    }
    if (is_virtual(cpu, bytes, have))
        return own_text(cpu, bytes, have, text);
    len = (unsigned)text_instruction(cpu->code32 ? 32 : 16, bytes, have, address, text,
                                     DISASSEMBLE_TEXT);
    if (!len)
        len = own_text(cpu, bytes, have, text);
    else
        append_symbol(s, text);
    if (!len)
        snprintf(text, DISASSEMBLE_TEXT, "(bad)");
    for (size_t end = strlen(text); end && text[end - 1] == ' ';)
        text[--end] = 0;
    return len;
}

unsigned disassemble_one(struct session *s, uint32_t address, const char *marker,
                         struct command_out *out)
{
    char text[DISASSEMBLE_TEXT], name[SYMBOLS_TEXT] = "";
    unsigned len = disassemble_text(s, address, text);
    if (session_symbols(s))
        symbols_text(session_symbols(s), address, name);
    out_text(out, "%s0x%08x%s:\t%s\n", marker, address, name, text);
    out_object(out, NULL);
    out_number(out, "address", address);
    out_number(out, "length", len);
    out_string(out, "text", "%s", text);
    out_close(out);
    return len ? len : 1;
}
