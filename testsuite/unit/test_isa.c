/* SPDX-License-Identifier: MIT */
/*
 * The table and the decoder against Capstone: every row through every modrm
 * and SIB form, under every prefix, in 16- and 32-bit code; truncation at every
 * length; random bytes. Whether the processor itself executes what the decoder
 * accepts, and nothing else, is tested in testsuite/insn.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/isa/isa.h"
#include "testsuite/unit/isa_oracle.h"

static struct oracle *oracle;

static void open_oracle(void)
{
    oracle = oracle_create();
    ck_assert_ptr_nonnull(oracle);
}

static void close_oracle(void)
{
    oracle_destroy(oracle);
}

static const char *hex(const uint8_t *bytes, size_t n)
{
    static char text[64];
    for (size_t i = 0; i < n && i < 20; i++)
        snprintf(text + 3 * i, 4, "%02x ", bytes[i]);
    return text;
}

/* As ck_assert_msg, without its bookkeeping at every call: for millions of checks. */
#define REQUIRE(cond, ...)                                                                         \
    do {                                                                                           \
        if (!(cond))                                                                               \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

static unsigned row_span(const struct isa_row *row)
{
    return row->attr & ISA_T_CC ? 16 : row->op[0].method == ISA_M_Z ? 8 : 1;
}

/* The rows themselves. */

START_TEST(rows_have_their_place_as_id)
{
    for (unsigned i = 0; i < isa_row_count; i++)
        ck_assert_uint_eq(isa_rows[i].id, i);
}
END_TEST

START_TEST(rows_of_one_opcode_are_neighbours)
{
    bool closed[2][256] = {{false}};
    for (unsigned i = 1; i < isa_row_count; i++) {
        const struct isa_row *last = &isa_rows[i - 1], *row = &isa_rows[i];
        bool same = row->map == last->map && (row->opcode & ~(row_span(last) - 1)) == last->opcode;
        if (!same)
            for (unsigned k = 0; k < row_span(last); k++)
                closed[last->map][last->opcode + k] = true;
        ck_assert_msg(!closed[row->map][row->opcode] || same, "row %u (%s) is apart", i,
                      row->mnemonic);
    }
}
END_TEST

START_TEST(flag_sets_do_not_contradict)
{
    for (unsigned i = 0; i < isa_row_count; i++) {
        const struct isa_row *row = &isa_rows[i];
        ck_assert_msg(!(row->kills & (row->may | row->undef)), "row %u (%s)", i, row->mnemonic);
    }
}
END_TEST

START_TEST(every_semantic_has_a_row)
{
    bool seen[ISA_SEMS] = {false};
    for (unsigned i = 0; i < isa_row_count; i++)
        seen[isa_rows[i].sem] = true;
    for (unsigned s = 0; s < ISA_SEMS; s++)
        ck_assert_msg(seen[s], "semantic %u has no row", s);
}
END_TEST

/* The walk. */

enum { TAIL = 12 };

static unsigned decoded, compared;

/* Decodes buf, which was built for `row`, and holds it against Capstone. */
static void check_one(const struct isa_row *row, const uint8_t *buf, size_t len, bool code32)
{
    struct isa_insn insn;
    enum isa_status status = isa_decode(buf, len, code32, &insn);
    decoded++;
    if (status != ISA_OK || insn.row != row)
        return; /* another row, a LOCK that is not allowed, a register that does not exist */
    const char *why = oracle_compare(oracle, &insn, code32);
    compared++;
    REQUIRE(!why, "row %u (%s), %s-bit, %s: %s", row->id, row->mnemonic, code32 ? "32" : "16",
            hex(buf, insn.len), why);
    REQUIRE(isa_decode(buf, insn.len, code32, &insn) == ISA_OK, "exact buffer: %s",
            hex(buf, insn.len));
    for (unsigned n = 0; n < insn.len; n++) {
        struct isa_insn cut;
        REQUIRE(isa_decode(buf, n, code32, &cut) == ISA_MORE, "cut at %u: %s", n,
                hex(buf, insn.len));
    }
}

static void fill_tail(uint8_t *p)
{
    for (unsigned i = 0; i < TAIL; i++)
        p[i] = (uint8_t)(0x81 + i * 0x11);
}

static void check_modrm_forms(const struct isa_row *row, uint8_t *buf, size_t n, bool code32,
                              bool all_sibs)
{
    for (unsigned modrm = 0; modrm < 256; modrm++) {
        if (row->ext >= 0 && (int)((modrm >> 3) & 7) != row->ext)
            continue;
        buf[n] = (uint8_t)modrm;
        fill_tail(buf + n + 1);
        check_one(row, buf, n + 1 + TAIL, code32);
        for (unsigned sib = 0; all_sibs && (modrm & 7) == 4 && sib < 256; sib++) {
            buf[n + 1] = (uint8_t)sib;
            check_one(row, buf, n + 1 + TAIL, code32);
        }
    }
}

/* One row under one string of prefixes. */
static void check_row(const struct isa_row *row, const char *prefixes, bool code32, bool all_sibs)
{
    static const uint8_t mandatory[] = {0, 0, 0x66, 0xF3, 0xF2};
    uint8_t buf[40];
    size_t n = strlen(prefixes);
    memcpy(buf, prefixes, n);
    if (mandatory[row->prefix])
        buf[n++] = mandatory[row->prefix];
    if (row->map == ISA_MAP_0F)
        buf[n++] = 0x0F;
    for (unsigned k = 0; k < row_span(row); k++) {
        buf[n] = (uint8_t)(row->opcode + k);
        fill_tail(buf + n + 1);
        if (row->attr & ISA_T_MODRM)
            check_modrm_forms(row, buf, n + 1, code32, all_sibs);
        else
            check_one(row, buf, n + 1 + TAIL, code32);
    }
}

static const char *const prefix_strings[] = {
    "",     "\x66",     "\x67",         "\x66\x67", "\x26",     "\x2E",
    "\x36", "\x3E",     "\x64",         "\x65",     "\xF2",     "\xF3",
    "\xF0", "\xF0\x66", "\xF3\x66\x67", "\x64\x66", "\x66\xF3", "\x65\xF0\x67",
};

START_TEST(walk_against_capstone)
{
    const char *prefixes = prefix_strings[_i];
    decoded = compared = 0;
    for (unsigned r = 0; r < isa_row_count; r++)
        for (int code32 = 0; code32 < 2; code32++)
            check_row(&isa_rows[r], prefixes, code32, _i == 0);
    ck_assert_uint_gt(compared, decoded / 20);
}
END_TEST

START_TEST(every_row_is_reached)
{
    static bool reached[2048];
    ck_assert_uint_lt(isa_row_count, ARRAY_LEN(reached));
    for (unsigned i = 0; i < 4 * 65536; i++) {
        static const char *const p[] = {"", "\x66", "\xF3", "\xF2"};
        for (int map = 0; map < 2; map++) {
            uint8_t buf[20] = {0};
            size_t n = strlen(p[i & 3]);
            memcpy(buf, p[i & 3], n);
            if (map)
                buf[n++] = 0x0F;
            buf[n++] = (uint8_t)(i >> 2);
            buf[n++] = (uint8_t)(i >> 10);
            struct isa_insn insn;
            if (isa_decode(buf, sizeof(buf), true, &insn) == ISA_OK)
                reached[insn.row->id] = true;
        }
    }
    for (unsigned r = 0; r < isa_row_count; r++)
        ck_assert_msg(reached[r], "row %u (%s) is never decoded", r, isa_rows[r].mnemonic);
}
END_TEST

/* Rules. */

static enum isa_status decode_text(const char *bytes, size_t n, struct isa_insn *out)
{
    return isa_decode((const uint8_t *)bytes, n, true, out);
}

#define DECODE(bytes, insn) decode_text(bytes, sizeof(bytes) - 1, insn)

START_TEST(lock_only_where_it_is_allowed)
{
    struct isa_insn i;
    ck_assert_int_eq(DECODE("\xF0\x01\x18", &i), ISA_OK);          /* add [eax], ebx */
    ck_assert_int_eq(DECODE("\xF0\x01\xD8", &i), ISA_INVALID);     /* add eax, ebx */
    ck_assert_int_eq(DECODE("\xF0\x03\x18", &i), ISA_INVALID);     /* add ebx, [eax] */
    ck_assert_int_eq(DECODE("\xF0\x39\x18", &i), ISA_INVALID);     /* cmp */
    ck_assert_int_eq(DECODE("\xF0\x89\x18", &i), ISA_INVALID);     /* mov */
    ck_assert_int_eq(DECODE("\xF0\x0F\xA3\x18", &i), ISA_INVALID); /* bt */
    ck_assert_int_eq(DECODE("\xF0\x0F\xC7\x08", &i), ISA_OK);      /* cmpxchg8b */
    ck_assert_int_eq(DECODE("\xF0\xF7\x18", &i), ISA_OK);          /* neg */
    ck_assert_int_eq(DECODE("\xF0\xF7\x20", &i), ISA_INVALID);     /* mul */
    ck_assert_int_eq(DECODE("\xF0\x90", &i), ISA_INVALID);         /* nop */
}
END_TEST

START_TEST(at_most_15_bytes)
{
    struct isa_insn i;
    uint8_t buf[32];
    memset(buf, 0x66, sizeof(buf));
    buf[14] = 0x90;
    ck_assert_int_eq(isa_decode(buf, sizeof(buf), true, &i), ISA_OK);
    ck_assert_uint_eq(i.len, 15);
    buf[14] = 0x66;
    buf[15] = 0x90;
    ck_assert_int_eq(isa_decode(buf, sizeof(buf), true, &i), ISA_TOO_LONG);
    ck_assert_int_eq(isa_decode(buf, 15, true, &i), ISA_TOO_LONG);
    ck_assert_int_eq(isa_decode(buf, 14, true, &i), ISA_MORE);
    memset(buf, 0x26, sizeof(buf)); /* mov eax, imm32 with 11 prefixes has 16 bytes, with 10, 15 */
    buf[11] = 0xB8;
    ck_assert_int_eq(isa_decode(buf, sizeof(buf), true, &i), ISA_TOO_LONG);
    buf[10] = 0xB8;
    ck_assert_int_eq(isa_decode(buf, sizeof(buf), true, &i), ISA_OK);
}
END_TEST

START_TEST(last_of_repeated_prefixes_wins)
{
    struct isa_insn i;
    ck_assert_int_eq(DECODE("\x64\x65\x8B\x00", &i), ISA_OK);
    ck_assert_uint_eq(i.seg, ISA_GS);
    ck_assert_int_eq(DECODE("\xF3\xF2\x0F\x58\xC1", &i), ISA_OK);
    ck_assert_uint_eq(i.row->sem, ISA_SEM_ADDSD);
    ck_assert_int_eq(DECODE("\xF2\xF3\x0F\x58\xC1", &i), ISA_OK);
    ck_assert_uint_eq(i.row->sem, ISA_SEM_ADDSS);
    ck_assert_int_eq(DECODE("\x66\xF3\x0F\x58\xC1", &i), ISA_OK);
    ck_assert_uint_eq(i.row->sem, ISA_SEM_ADDSS);
}
END_TEST

START_TEST(default_segments)
{
    struct isa_insn i;
    ck_assert_int_eq(DECODE("\x8B\x45\x00", &i), ISA_OK); /* [ebp] */
    ck_assert_uint_eq(i.seg, ISA_SS);
    ck_assert_int_eq(DECODE("\x8B\x04\x24", &i), ISA_OK); /* [esp] */
    ck_assert_uint_eq(i.seg, ISA_SS);
    ck_assert_int_eq(DECODE("\x8B\x04\x28", &i), ISA_OK); /* [eax+ebp] */
    ck_assert_uint_eq(i.seg, ISA_DS);
    ck_assert_int_eq(DECODE("\x8B\x04\x2D\0\0\0\0", &i), ISA_OK); /* [ebp*1+0] */
    ck_assert_uint_eq(i.seg, ISA_DS);
    ck_assert_int_eq(DECODE("\x67\x8B\x02", &i), ISA_OK); /* [bp+si] */
    ck_assert_uint_eq(i.seg, ISA_SS);
    ck_assert_int_eq(DECODE("\x3E\x8B\x45\x00", &i), ISA_OK); /* ds:[ebp] */
    ck_assert_uint_eq(i.seg, ISA_DS);
}
END_TEST

START_TEST(flags_of_one_instruction)
{
    struct isa_insn i;
    ck_assert_int_eq(DECODE("\x74\x00", &i), ISA_OK); /* je */
    ck_assert_uint_eq(isa_flags(&i).reads, ISA_F_Z);
    ck_assert_int_eq(DECODE("\xC1\xE0\x00", &i), ISA_OK); /* shl eax, 0 */
    ck_assert_uint_eq(isa_flags(&i).kills | isa_flags(&i).undef | isa_flags(&i).may, 0);
    ck_assert_int_eq(DECODE("\xC1\xE0\x01", &i), ISA_OK); /* shl eax, 1 */
    ck_assert_uint_eq(isa_flags(&i).kills, ISA_F_C | ISA_F_P | ISA_F_Z | ISA_F_S | ISA_F_O);
    ck_assert_uint_eq(isa_flags(&i).undef, ISA_F_A);
    ck_assert_int_eq(DECODE("\xC1\xE0\x21", &i), ISA_OK); /* shl eax, 33: the same */
    ck_assert_uint_eq(isa_flags(&i).kills, ISA_F_C | ISA_F_P | ISA_F_Z | ISA_F_S | ISA_F_O);
    ck_assert_int_eq(DECODE("\xC1\xE0\x04", &i), ISA_OK); /* shl eax, 4 */
    ck_assert_uint_eq(isa_flags(&i).undef, ISA_F_A | ISA_F_O);
    ck_assert_int_eq(DECODE("\xC0\xD0\x09", &i), ISA_OK); /* rcl al, 9: a full turn */
    ck_assert_uint_eq(isa_flags(&i).kills, 0);
    ck_assert_int_eq(DECODE("\xA6", &i), ISA_OK); /* cmpsb */
    ck_assert_uint_ne(isa_flags(&i).kills, 0);
    ck_assert_int_eq(DECODE("\xF3\xA6", &i), ISA_OK); /* repe cmpsb */
    ck_assert_uint_eq(isa_flags(&i).kills, 0);
}
END_TEST

/* Random bytes. */

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Half the buffers have an 0F opcode, half begin with prefixes: what is rare is made likely. */
static unsigned random_buffer(uint64_t *state, uint8_t buf[16])
{
    static const uint8_t prefixes[8] = {0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x2E, 0x64, 0x66};
    for (int i = 0; i < 16; i += 8) {
        uint64_t r = random_next(state);
        memcpy(buf + i, &r, 8);
    }
    uint64_t r = random_next(state);
    unsigned n = 0;
    for (; n < 3 && (r & 1); r >>= 4)
        buf[n++] = prefixes[(r >> 1) & 7];
    if (r & 2)
        buf[n] = 0x0F;
    return n;
}

static bool has_prefix(const uint8_t *buf)
{
    return strchr("\x66\x67\xF2\xF3\xF0\x26\x2E\x36\x3E\x64\x65", buf[0]) && buf[0];
}

/* What is accepted is what Capstone knows; what is refused came later. */
static void check_random(const uint8_t *buf, bool code32)
{
    struct isa_insn insn;
    enum isa_status status = isa_decode(buf, 16, code32, &insn);
    if (status == ISA_OK) {
        const char *why = oracle_compare(oracle, &insn, code32);
        REQUIRE(!why, "%s-bit, %s: %s", code32 ? "32" : "16", hex(buf, insn.len), why);
        return;
    }
    REQUIRE(status != ISA_MORE, "more than 16 bytes");
    REQUIRE(insn.len <= ISA_MAX_LENGTH, "length %u", insn.len);
    /* With prefixes Capstone accepts what no processor does: testsuite/insn asks the processor. */
    if (status == ISA_INVALID && !has_prefix(buf) && oracle_length(oracle, buf, 16, code32))
        REQUIRE(oracle_knows_as_later(oracle, buf, 16, code32), "%s-bit, refused: %s",
                code32 ? "32" : "16", hex(buf, 16));
}

START_TEST(random_bytes)
{
    uint64_t state = 0x9E3779B97F4A7C15u + (unsigned)_i;
    for (unsigned i = 0; i < 1000000; i++) {
        uint8_t buf[16];
        random_buffer(&state, buf);
        check_random(buf, (i & 3) != 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("isa");
    TCase *rows = tcase_create("rows");
    tcase_add_test(rows, rows_have_their_place_as_id);
    tcase_add_test(rows, rows_of_one_opcode_are_neighbours);
    tcase_add_test(rows, flag_sets_do_not_contradict);
    tcase_add_test(rows, every_semantic_has_a_row);
    tcase_add_test(rows, every_row_is_reached);
    tcase_add_test(rows, lock_only_where_it_is_allowed);
    tcase_add_test(rows, at_most_15_bytes);
    tcase_add_test(rows, last_of_repeated_prefixes_wins);
    tcase_add_test(rows, default_segments);
    tcase_add_test(rows, flags_of_one_instruction);
    suite_add_tcase(suite, rows);
    TCase *walk = tcase_create("capstone");
    tcase_set_timeout(walk, 120);
    tcase_add_checked_fixture(walk, open_oracle, close_oracle);
    tcase_add_loop_test(walk, walk_against_capstone, 0, ARRAY_LEN(prefix_strings));
    tcase_add_loop_test(walk, random_bytes, 0, 4);
    suite_add_tcase(suite, walk);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
