/* SPDX-License-Identifier: MIT */
/* Capstone, opened for each call: reports are rare, and a handle kept would be one more global. */
#include "dbt/text.h"

#include "config.h"

#if HAVE_CAPSTONE
#include <capstone/capstone.h>

size_t text_instruction(unsigned bits, const uint8_t *code, size_t len, uint64_t at, char *text,
                        size_t room)
{
    csh handle;
    cs_insn *insn;
    cs_mode mode = bits == 64 ? CS_MODE_64 : bits == 16 ? CS_MODE_16 : CS_MODE_32;
    if (cs_open(CS_ARCH_X86, mode, &handle) != CS_ERR_OK)
        return 0;
    size_t size = 0, count = cs_disasm(handle, code, len, at, 1, &insn);
    if (count) {
        size = insn->size;
        snprintf(text, room, "%s %s", insn->mnemonic, insn->op_str);
        cs_free(insn, count);
    }
    cs_close(&handle);
    return size;
}

#else

size_t text_instruction(unsigned bits, const uint8_t *code, size_t len, uint64_t at, char *text,
                        size_t room)
{
    (void)bits, (void)code, (void)len, (void)at, (void)text, (void)room;
    return 0;
}

#endif

void text_print(unsigned bits, const uint8_t *code, size_t len, uint64_t at, unsigned limit,
                const char *indent, FILE *out)
{
    char text[192];
    for (unsigned n = 0; len && (!limit || n < limit); n++) {
        size_t size = text_instruction(bits, code, len, at, text, sizeof(text));
        if (!size)
            return;
        fprintf(out, "%s%08llx  %s\n", indent, (unsigned long long)at, text);
        code += size;
        len -= size;
        at += size;
    }
}
