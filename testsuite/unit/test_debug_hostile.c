/* SPDX-License-Identifier: MIT */
/*
 * Symbols and DWARF of files that lie: bytes of a real file are damaged, and every question is
 * asked of it. Nothing may crash or go on without end; answers may be anything. Each damaged file
 * is read in a child process, so that one that crashes is named.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/debug/expr.h"
#include "emu/debug/symbols/symbols.h"

#define ROUNDS 150
#define SECONDS 10

static struct cpu *cpu;

static struct cpu *get_cpu(struct target *target)
{
    (void)target;
    return cpu;
}

/* Memory that is everywhere, and holds its addresses. */
static int get_memory(struct target *target, enum target_space space, uint64_t addr, void *out,
                      uint64_t len)
{
    (void)target, (void)space;
    for (uint64_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)((addr + i) >> (8 * ((addr + i) % 4)));
    return 0;
}

static const struct target_ops ops = {.cpu = get_cpu, .read = get_memory};

static uint8_t *read_file(const char *name, size_t *len)
{
    char path[512];
    const char *build = getenv("BUILD");
    snprintf(path, sizeof(path), "%s/guests/%s", build ? build : ".", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    *len = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*len + 1);
    if (fread(bytes, 1, *len, file) != *len)
        *len = 0;
    fclose(file);
    return bytes;
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static bool count_name(void *opaque, const char *name, const struct value *value)
{
    FILE *sink = opaque;
    static struct target target = {.ops = &ops};
    fprintf(sink, "%s ", name);
    value_print(&target, NULL, value, 0, sink);
    return true;
}

static bool count_file(void *opaque, const char *file)
{
    fputs(file, opaque);
    return true;
}

static void ask_of(struct symbols *symbols, uint32_t at, FILE *sink)
{
    struct target target = {.ops = &ops};
    struct frame_source source = {&target, symbols};
    struct frame frame, up;
    struct symbols_line line;
    uint32_t places[16];
    char text[SYMBOLS_TEXT];
    cpu->eip = at;
    cpu->gpr[ISA_ESP] = 0x1ff00;
    cpu->gpr[ISA_EBP] = 0x1ff40;
    fputs(symbols_text(symbols, at, text), sink);
    symbols_after_prologue(symbols, at);
    if (symbols_line_at(symbols, at, &line)) {
        int number = line.line;
        fputs(line.file, sink);
        symbols_line_addresses(symbols, line.file, &number, places, 16);
    }
    frame_first(&source, &frame);
    for (unsigned n = 0; n < 50; n++) {
        frame_each_variable(&source, &frame, true, count_name, sink);
        frame_each_variable(&source, &frame, false, count_name, sink);
        if (!frame_next(&source, &frame, &up))
            break;
        frame = up;
    }
}

static void ask_expressions(struct symbols *symbols, FILE *sink)
{
    static const char *const texts[] = {
        "accounts",     "accounts[1].memo",    "*accounts[0].name", "bookings",
        "&accounts[3]", "(struct account *)4", "sizeof accounts",   "guest_main + 1"};
    struct target target = {.ops = &ops};
    struct expr_context context = {.source = {&target, symbols}};
    frame_first(&context.source, &context.frame);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct value v;
        struct why why;
        if (!expr_evaluate(&context, texts[i], NULL, &v, &why))
            value_print(&target, symbols, &v, 0, sink);
    }
}

static void ask_all(uint8_t *bytes, size_t len)
{
    struct symbols *symbols;
    struct why why;
    FILE *sink = fopen("/dev/null", "w");
    if (!sink || symbols_create(&symbols))
        exit(1);
    if (symbols_add_bytes(symbols, "damaged", bytes, len, 0, &why))
        exit(0);
    for (uint32_t at = 0x20000; at < 0x20400; at += 7)
        ask_of(symbols, at, sink);
    symbols_each_file(symbols, count_file, sink);
    ask_expressions(symbols, sink);
    symbols_destroy(symbols);
    fclose(sink);
}

/* Mostly where the tables are: the second half of the file. */
static void damage(uint8_t *bytes, size_t len, uint32_t seed)
{
    uint32_t state = seed, count = 1 + next(&state) % 40;
    size_t from = next(&state) % 4 ? len / 3 : 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t at = from + next(&state) % (len - from);
        static const uint8_t nasty[] = {0, 1, 0x7f, 0x80, 0xff};
        bytes[at] = next(&state) % 2 ? nasty[next(&state) % 5] : (uint8_t)next(&state);
    }
}

static int run_child(const uint8_t *original, size_t len, uint32_t seed)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        uint8_t *bytes = malloc(len + 1);
        memcpy(bytes, original, len);
        alarm(SECONDS);
        damage(bytes, len, seed);
        ask_all(bytes, seed % 10 ? len : len - next(&seed) % len);
        exit(0);
    }
    ck_assert_int_gt(pid, 0);
    waitpid(pid, &status, 0);
    return status;
}

static void fuzz(const char *name, uint32_t first)
{
    size_t len;
    uint8_t *original = read_file(name, &len);
    const char *rounds = getenv("ROUNDS");
    uint32_t count = rounds ? (uint32_t)atoi(rounds) : ROUNDS;
    if (!original)
        return;
    for (uint32_t seed = first; seed < first + count; seed++) {
        int status = run_child(original, len, seed);
        ck_assert_msg(status == 0, "%s damaged with seed %u: status 0x%x", name, seed, status);
    }
    free(original);
}

START_TEST(damaged_files_do_not_crash)
{
    fuzz("accounts", 1);
}
END_TEST

START_TEST(a_whole_file_is_understood)
{
    size_t len;
    uint8_t *bytes = read_file("accounts", &len);
    struct symbols *symbols;
    struct symbols_symbol symbol;
    struct why why;
    if (!bytes)
        return;
    ck_assert_int_eq(symbols_create(&symbols), 0);
    ck_assert_int_eq(symbols_add_bytes(symbols, "accounts", bytes, len, 0x1000, &why), 0);
    ck_assert(symbols_find(symbols, "guest_main", 0, &symbol));
    ck_assert(symbol.function);
    uint32_t at = symbol.address + 3;
    ck_assert(symbols_at(symbols, at, &symbol));
    ck_assert_str_eq(symbol.name, "guest_main");
    symbols_destroy(symbols);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("debug_hostile");
    TCase *tcase = tcase_create("all");
    cpu = calloc(1, sizeof(*cpu));
    tcase_set_timeout(tcase, 110);
    tcase_add_test(tcase, a_whole_file_is_understood);
    tcase_add_test(tcase, damaged_files_do_not_crash);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    free(cpu);
    return failed != 0;
}
