/* SPDX-License-Identifier: MIT */
/*
 * Symbols, source lines, types and variables of an ELF file with DWARF that lies: every question
 * is asked of it, and answered in bounded time.
 * fuzz: max_len=16384
 */
#include "emu/cpu/cpu.h"
#include "emu/debug/expr.h"
#include "emu/debug/symbols/symbols.h"
#include "emu/debug/value.h"
#include "testsuite/fuzz/fuzz.h"
#include "testsuite/fuzz/machine.h"

#include <stdlib.h>

struct world {
    struct fuzz_machine machine;
    struct symbols *symbols;
    FILE *sink;
};

static bool show_variable(void *opaque, const char *name, const struct value *value)
{
    struct world *w = opaque;
    fprintf(w->sink, "%s ", name);
    value_print(&w->machine.target, w->symbols, value, 0, w->sink);
    return true;
}

static bool show_file(void *opaque, const char *file)
{
    fputs(file, ((struct world *)opaque)->sink);
    return true;
}

static bool show_symbol(void *opaque, const struct symbols_symbol *symbol)
{
    fputs(symbol->name, ((struct world *)opaque)->sink);
    return true;
}

static void ask_at(struct world *w, uint32_t at)
{
    struct frame_source source = {&w->machine.target, w->symbols};
    struct frame frame, up;
    struct symbols_line line;
    uint32_t places[16];
    char text[SYMBOLS_TEXT];
    w->machine.cpu->eip = at;
    w->machine.cpu->gpr[ISA_ESP] = 0x5ff00;
    w->machine.cpu->gpr[ISA_EBP] = 0x5ff40;
    fputs(symbols_text(w->symbols, at, text), w->sink);
    symbols_after_prologue(w->symbols, at);
    if (symbols_line_at(w->symbols, at, &line)) {
        int number = line.line;
        fputs(line.file, w->sink);
        symbols_line_addresses(w->symbols, line.file, &number, places, 16);
    }
    frame_first(&source, &frame);
    for (unsigned n = 0; n < 8; n++) {
        frame_each_variable(&source, &frame, true, show_variable, w);
        frame_each_variable(&source, &frame, false, show_variable, w);
        if (!frame_next(&source, &frame, &up))
            break;
        frame = up;
    }
}

static void ask_expressions(struct world *w)
{
    static const char *const texts[] = {"list",         "*list",     "list->next->name",
                                        "table[1].x",   "&table[3]", "(struct node *)0x20000",
                                        "sizeof *list", "post + 1",  "list->d * 2",
                                        "pair"};
    struct expr_context context = {.source = {&w->machine.target, w->symbols}};
    struct value v;
    struct why why;
    frame_first(&context.source, &context.frame);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!expr_evaluate(&context, texts[i], NULL, &v, &why))
            value_print(&w->machine.target, w->symbols, &v, 0, w->sink);
}

static void ask(struct world *w)
{
    uint32_t low = 0, high = 0;
    struct symbols_symbol symbol;
    for (unsigned n = 0; n < 4 && symbols_code_range(w->symbols, n, &low, &high); n++)
        for (unsigned i = 0; i < 24; i++)
            ask_at(w, low + (high - low) / 24 * i);
    if (symbols_find(w->symbols, "post", 0, &symbol))
        for (unsigned i = 0; i < 24; i++)
            ask_at(w, symbol.address + 3 * i);
    symbols_each_file(w->symbols, show_file, w);
    symbols_each(w->symbols, "", show_symbol, w);
    ask_expressions(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static FILE *sink;
    struct world w;
    struct loop *loop;
    struct why why = {""};
    if (!sink)
        sink = fopen("/dev/null", "w");
    w.sink = sink;
    FUZZ_REQUIRE(w.sink && loop_create(&loop) == 0 && symbols_create(&w.symbols) == 0);
    fuzz_machine_make(&w.machine, loop, "one");
    fuzz_machine_load(&w.machine, data, len);
    if (symbols_add_bytes(w.symbols, "fuzz.elf", fuzz_exact(data, len), len, 0, &why))
        FUZZ_REQUIRE(why.text[0]);
    else
        ask(&w);
    symbols_destroy(w.symbols);
    loop_destroy(loop);
    fuzz_machine_end(&w.machine);
    return 0;
}
