/* SPDX-License-Identifier: MIT */
/*
 * usage: show BYTE... (hexadecimal). Prints what each reader makes of the
 * instructions: the row of the table, the scan's word on flags that live, and the host code
 * of their block with the guest address that each piece belongs to.
 */
#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/image.h"
#include "dbt/translate.h"
#include "emu/cpu/interp/interp.h"
#include "emu/isa/isa.h"

#define CODE 0x20000u
#define CODE_MAX 64u

static const struct cpu_flat flat = {
    .fs_base = 0x40,
    .gs_base = 0x44,
    .trap_entry = 0x48,
    .trap_eip = 0x4c,
    .trap_number = 0x50,
    .trap_enabled = 0x54,
    .intr_enabled = 0x58,
    .pending = 0x5c,
    .trapret_code = 3,
    .resume_code = 2,
};

static void print_text(csh text, const uint8_t *code, size_t len, uint64_t address)
{
    cs_insn *insn;
    size_t count = cs_disasm(text, code, len, address, 0, &insn);
    for (size_t i = 0; i < count; i++) {
        printf("  %08llx  ", (unsigned long long)insn[i].address);
        for (unsigned b = 0; b < insn[i].size; b++)
            printf("%02x", insn[i].bytes[b]);
        printf("%*s%s %s\n", 2 * (12 - (int)insn[i].size), " ", insn[i].mnemonic, insn[i].op_str);
    }
    if (count)
        cs_free(insn, count);
}

static void print_flags(const char *name, unsigned flags)
{
    static const struct {
        unsigned bit;
        char letter;
    } names[] = {{ISA_F_C, 'C'}, {ISA_F_P, 'P'}, {ISA_F_A, 'A'}, {ISA_F_Z, 'Z'},
                 {ISA_F_S, 'S'}, {ISA_F_O, 'O'}, {ISA_F_D, 'D'}, {ISA_F_I, 'I'}};
    printf("%s ", name);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (flags & names[i].bit)
            putchar(names[i].letter);
    printf(flags ? "  " : "-  ");
}

static void print_operand(const struct isa_insn *insn, unsigned n)
{
    static const char methods[] = "-ACDEFGIJMNOPQRSUVWXYZrs1tT";
    const struct isa_operand_spec *op = &insn->row->op[n];
    if (op->method == ISA_M_NONE)
        return;
    printf("  operand %u  method %c  %u bytes%s%s\n", n + 1, methods[op->method],
           isa_operand_bytes(insn, n), op->access & ISA_A_READ ? "  read" : "",
           op->access & ISA_A_WRITE ? "  written" : "");
}

static void print_row(const struct isa_insn *insn)
{
    const struct isa_row *row = insn->row;
    printf("row %u: %s, map %u, opcode %02x, attributes %08x%s\n", row->id, row->mnemonic, row->map,
           row->opcode, row->attr,
           interp_table[row->sem] ? "" : " (the interpreter has no function)");
    for (unsigned n = 0; n < ARRAY_LEN(row->op); n++)
        print_operand(insn, n);
    printf("  flags  ");
    print_flags("reads", row->reads);
    print_flags("kills", row->kills);
    print_flags("may", row->may);
    print_flags("undef", row->undef);
    putchar('\n');
}

/* Decodes all of `code`; false if some of it is no instruction. */
static bool show_rows(const uint8_t *code, size_t len)
{
    for (size_t at = 0; at < len;) {
        struct isa_insn insn;
        enum isa_status status = isa_decode(code + at, len - at, true, &insn);
        if (status != ISA_OK) {
            printf("%s\n", status == ISA_MORE ? "the bytes end within an instruction"
                                              : "no instruction: #UD");
            return false;
        }
        print_row(&insn);
        at += insn.len;
    }
    return true;
}

static void show_scan(const struct image *image, const struct ram *ram)
{
    struct scan scan;
    scan_run(&scan, image, ram, CODE, BLOCK_MAX_INSNS, false);
    printf("scan: %u instructions\n", scan.count);
    for (unsigned i = 0; i < scan.count; i++)
        printf("  %08x  flags after it %s\n", scan.at[i].eip,
               scan.at[i].flags_seen ? "are seen" : "are dead");
}

static void show_block(csh text, const struct image *image, const struct block *block)
{
    const uint8_t *host = image->cache.rw + block->host;
    printf("block: %u host bytes, %u exits\n", block->host_len, block->exits);
    for (unsigned i = 0; i < block->sides; i++) {
        uint32_t from = block->side[i].host;
        uint32_t to = i + 1 < block->sides ? block->side[i + 1].host : block->host_len;
        if (from == to)
            continue;
        printf(" %08x, esp = rsp%+d\n", block->side[i].eip, block->side[i].delta);
        print_text(text, host + from, to - from, block->host + from);
    }
}

static int show_translation(csh text, const uint8_t *code, size_t len)
{
    struct ram *ram;
    struct image *image;
    bool again;
    if (ram_create(MIB, &ram) || ram_write(ram, CODE, code, len))
        return 1;
    struct cpu *cpu = cpu_init_flat(ram, &flat);
    if (image_create(0, cpu, CACHE_MIN_BYTES, &image)) {
        printf("no translator on this host\n");
        ram_destroy(ram);
        return 1;
    }
    show_scan(image, ram);
    struct block *block = translate_block(image, ram, CODE, 0, &again);
    if (block)
        show_block(text, image, block);
    else
        printf("block: none, the interpreter runs it\n");
    image_destroy(image);
    ram_destroy(ram);
    return 0;
}

int main(int argc, char **argv)
{
    uint8_t code[CODE_MAX + 1];
    size_t len = 0;
    csh text32, text64;
    for (int i = 1; i < argc && len < CODE_MAX; i++)
        code[len++] = (uint8_t)strtoul(argv[i], NULL, 16);
    if (!len || cs_open(CS_ARCH_X86, CS_MODE_32, &text32) ||
        cs_open(CS_ARCH_X86, CS_MODE_64, &text64)) {
        fprintf(stderr, "usage: show BYTE...\n");
        return 2;
    }
    printf("guest code:\n");
    print_text(text32, code, len, CODE);
    if (!show_rows(code, len))
        return 1;
    code[len++] = 0xc3; /* RET ends the block */
    return show_translation(text64, code, len);
}
