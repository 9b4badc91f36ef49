/* SPDX-License-Identifier: MIT */
/*
 * Capstone, opened only when a report needs it. The virtual instructions are
 * UD1 to it; their names are put instead.
 */
#include "denali/disasm.h"

#include "config.h"
#include "denali/abi.h"

#include <stdio.h>

#if HAVE_CAPSTONE
#include <capstone/capstone.h>

static bool virtual_text(const uint8_t *bytes, size_t len, char *text, size_t room)
{
    static const char *const names[] = {"idle", "terminate", "resume",  "trapret",
                                        "poll", "unknown",   "protect", "discard"};
    if (len < 3 || bytes[0] != 0x0f || bytes[1] != 0xb9 || bytes[2] < 0xc0)
        return false;
    unsigned fn = bytes[2] & 0x3f;
    if (fn < ARRAY_LEN(names))
        snprintf(text, room, "denali %s", names[fn]);
    else
        snprintf(text, room, "denali function %u (reserved)", fn);
    return true;
}

bool disasm_text(unsigned bits, const uint8_t *bytes, size_t len, uint32_t address, char *text,
                 size_t room)
{
    csh handle;
    cs_insn *insn;
    if (virtual_text(bytes, len, text, room))
        return true;
    if (cs_open(CS_ARCH_X86, bits == 16 ? CS_MODE_16 : CS_MODE_32, &handle) != CS_ERR_OK)
        return false;
    size_t n = cs_disasm(handle, bytes, len, address, 1, &insn);
    if (n) {
        snprintf(text, room, "%s%s%s", insn->mnemonic, insn->op_str[0] ? " " : "", insn->op_str);
        cs_free(insn, n);
    }
    cs_close(&handle);
    return n != 0;
}

#else

bool disasm_text(unsigned bits, const uint8_t *bytes, size_t len, uint32_t address, char *text,
                 size_t room)
{
    (void)bits, (void)bytes, (void)len, (void)address, (void)text, (void)room;
    return false;
}

#endif
