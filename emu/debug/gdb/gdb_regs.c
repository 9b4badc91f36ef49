/* SPDX-License-Identifier: MIT */
/*
 * Registers, as gdb numbers them: those of its own i386 description, in its
 * order, then what this machine has beyond them (virtual registers, or the PC's
 * system registers), in features of our own. `g` carries gdb's own; the others
 * are asked for one by one.
 *
 * In 16-bit code gdb's pc is the linear address of the instruction, so that its
 * breakpoints and its disassembly are where the processor is.
 */
#include "emu/debug/gdb/gdb_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum gdb_regnum {
    REG_EAX = 0,
    REG_EIP = 8,
    REG_EFLAGS = 9,
    REG_CS = 10,
    REG_ST0 = 16,
    REG_FCTRL = 24,
    REG_XMM0 = 32,
    REG_MXCSR = 40,
    REG_ORIG_EAX = 41, /* of Linux programs */
};
#define REG_MAX_BYTES 16u

/* Where an extra register lies. */
struct place {
    char name[48];
    void *at;
    uint8_t bytes;
    bool writable;
};

/* gdb's order of segments. */
static const uint8_t segments[] = {ISA_CS, ISA_SS, ISA_DS, ISA_ES, ISA_FS, ISA_GS};

static unsigned standard_count(const struct target *target)
{
    return gdb_is_linux(target) ? REG_ORIG_EAX + 1 : REG_ORIG_EAX;
}

static bool is_16_bit(struct target *target)
{
    const struct cpu *cpu = target_cpu(target);
    return !cpu->flat && !cpu->code32;
}

/* Extra registers. */

#define SYSTEM(member) STATE_U(struct cpu, sys.member)
static const struct state_field system_fields[] = {
    SYSTEM(cr0),      SYSTEM(cr2),       SYSTEM(cr3),          SYSTEM(cr4),
    SYSTEM(dr[0]),    SYSTEM(dr[1]),     SYSTEM(dr[2]),        SYSTEM(dr[3]),
    SYSTEM(dr[6]),    SYSTEM(dr[7]),     SYSTEM(gdt.base),     SYSTEM(gdt.limit),
    SYSTEM(idt.base), SYSTEM(idt.limit), SYSTEM(ldt.selector), SYSTEM(tr.selector),
    SYSTEM(efer),
};
#define SEG_BASE(field, which)                                                                     \
    {                                                                                              \
        field, offsetof(struct cpu, seg[which].base), 4, 1, STATE_UINT, 0                          \
    }
static const struct state_field segment_fields[] = {
    SEG_BASE("cs_base", ISA_CS), SEG_BASE("ss_base", ISA_SS), SEG_BASE("ds_base", ISA_DS),
    SEG_BASE("es_base", ISA_ES), SEG_BASE("fs_base", ISA_FS), SEG_BASE("gs_base", ISA_GS),
    STATE_U(struct cpu, cpl),
};

/* A field's name as one of gdb's: letters, digits, underlines. */
static void make_name(char *out, size_t room, const char *prefix, const char *name)
{
    size_t len = (size_t)snprintf(out, room, "%s%s", prefix, name);
    size_t kept = 0;
    for (size_t i = 0; i < len && i + 1 < room && out[i]; i++) {
        char c = out[i];
        if (c == ']')
            continue;
        if (c == '[' && isdigit((unsigned char)out[i + 1]))
            continue; /* dr[7]: dr7 */
        out[kept++] = isalnum((unsigned char)c) ? c : '_';
    }
    out[kept] = 0;
}

static bool take_field(const struct state_field *f, void *object, const char *prefix, bool writable,
                       struct place *out)
{
    bool fits = f->kind == STATE_UINT && f->count == 1;
    const char *name = strncmp(f->name, "sys.", 4) ? f->name : f->name + 4;
    make_name(out->name, sizeof(out->name), prefix, name);
    out->at = (uint8_t *)object + f->offset;
    out->bytes = (uint8_t)f->size;
    out->writable = writable;
    return fits;
}

/* The n-th field of a list that can be a register. */
static bool nth_field(const struct state_field *field, unsigned fields, void *object,
                      const char *prefix, bool writable, unsigned *n, struct place *out)
{
    for (unsigned i = 0; i < fields; i++)
        if (take_field(&field[i], object, prefix, writable, out) && !(*n)--)
            return true;
    return false;
}

static bool system_register(struct target *target, unsigned *n, struct place *out)
{
    struct cpu *cpu = target_cpu(target);
    return !cpu->flat &&
           (nth_field(system_fields, ARRAY_LEN(system_fields), cpu, "", false, n, out) ||
            nth_field(segment_fields, ARRAY_LEN(segment_fields), cpu, "", false, n, out));
}

static bool virtual_register(struct target *target, unsigned *n, struct place *out)
{
    struct target_state state;
    for (unsigned group = 0; target->ops->describe(target, group, &state); group++)
        if (state.writable &&
            nth_field(state.list->field, state.list->fields, state.object, "vr_", true, n, out))
            return true;
    return false;
}

static bool extra_register(struct target *target, unsigned n, struct place *out)
{
    struct cpu *cpu = target_cpu(target);
    if (!n--) {
        *out = (struct place){.name = "icount", .at = &cpu->icount, .bytes = 8};
        return true;
    }
    return system_register(target, &n, out) || virtual_register(target, &n, out);
}

/* x87: gdb has the full tag word; the processor's image an abridged one. */

static unsigned classify(const uint8_t *st)
{
    unsigned exponent = (st[8] | st[9] << 8) & 0x7fff;
    uint64_t mantissa;
    memcpy(&mantissa, st, 8);
    if (!exponent)
        return mantissa ? 2 : 1;
    return exponent == 0x7fff || !(mantissa >> 63) ? 2 : 0;
}

static uint32_t full_tag(const struct cpu_fpu *fpu)
{
    uint32_t tag = 0;
    unsigned top = fpu->status >> 11 & 7;
    for (unsigned i = 0; i < 8; i++) {
        bool used = fpu->tag >> i & 1;
        tag |= (used ? classify(fpu->st[(i - top) & 7]) : 3u) << (2 * i);
    }
    return tag;
}

static uint8_t abridged_tag(uint32_t full)
{
    uint8_t tag = 0;
    for (unsigned i = 0; i < 8; i++)
        tag |= (uint8_t)(((full >> (2 * i) & 3) != 3) << i);
    return tag;
}

static uint32_t read_fpu(const struct cpu_fpu *fpu, unsigned n)
{
    const uint32_t value[8] = {fpu->control, fpu->status, full_tag(fpu), fpu->cs,
                               fpu->ip,      fpu->ds,     fpu->dp,       fpu->opcode};
    return value[n];
}

static void write_fpu(struct cpu_fpu *fpu, unsigned n, uint32_t value)
{
    uint16_t *const half[8] = {[0] = &fpu->control,
                               [1] = &fpu->status,
                               [3] = &fpu->cs,
                               [5] = &fpu->ds,
                               [7] = &fpu->opcode};
    if (n == 2)
        fpu->tag = abridged_tag(value);
    else if (n == 4)
        fpu->ip = value;
    else if (n == 6)
        fpu->dp = value;
    else
        *half[n] = (uint16_t)value;
}

/* One of gdb's own registers as bytes, little-endian; its size. */
static unsigned read_standard(struct gdb *gdb, const struct cpu *cpu, unsigned n, uint8_t *out)
{
    struct target *target = gdb->general.target;
    uint32_t word = UINT32_MAX, shown; /* orig_eax: in no system call */
    bool calls = cpu == target_cpu(target) && gdb_shows_syscall(gdb, target, &shown);
    if (n >= REG_ST0 && n < REG_FCTRL) {
        memcpy(out, cpu->fpu.st[n - REG_ST0], 10);
        return 10;
    }
    if (n >= REG_XMM0 && n < REG_MXCSR) {
        memcpy(out, cpu->fpu.xmm[n - REG_XMM0], 16);
        return 16;
    }
    if (n < REG_EIP)
        word = cpu->gpr[n];
    else if (calls && n == REG_EIP)
        word = shown;
    else if (calls && n == REG_ORIG_EAX)
        word = cpu->gpr[ISA_EAX];
    else if (n == REG_EIP)
        word = is_16_bit(target) ? target_eip(target) : cpu->eip;
    else if (n == REG_EFLAGS)
        word = cpu->eflags;
    else if (n < REG_ST0)
        word = cpu->seg[segments[n - REG_CS]].selector;
    else if (n < REG_XMM0)
        word = read_fpu(&cpu->fpu, n - REG_FCTRL);
    else if (n == REG_MXCSR)
        word = cpu->fpu.mxcsr;
    memcpy(out, &word, 4);
    return 4;
}

static unsigned standard_bytes(unsigned n)
{
    if (n >= REG_ST0 && n < REG_FCTRL)
        return 10;
    return n >= REG_XMM0 && n < REG_MXCSR ? 16 : 4;
}

/* Of the flags those that a user program has; a flat machine's others are fixed. */
#define EFLAGS_USER 0x240dd5u
/* Reserved bits of MXCSR would fault where the host loads it. */
#define MXCSR_BITS 0xffffu

static void write_eflags(struct cpu *cpu, uint32_t word)
{
    uint32_t may = cpu->flat ? EFLAGS_USER : 0x3f7fd5u;
    cpu->eflags = (cpu->eflags & ~may) | (word & may);
}

static void write_word(struct target *target, struct cpu *cpu, unsigned n, uint32_t word)
{
    if (n < REG_EIP)
        cpu->gpr[n] = word;
    else if (n == REG_EIP)
        cpu->eip = is_16_bit(target) ? word - cpu->seg[ISA_CS].base : word;
    else if (n == REG_EFLAGS)
        write_eflags(cpu, word);
    else if (n < REG_ST0 && cpu->flat)
        cpu->seg[segments[n - REG_CS]].selector = (uint16_t)word;
    else if (n >= REG_FCTRL && n < REG_XMM0)
        write_fpu(&cpu->fpu, n - REG_FCTRL, word);
    else if (n == REG_MXCSR)
        cpu->fpu.mxcsr = word & MXCSR_BITS;
}

static void write_standard(struct gdb *gdb, struct cpu *cpu, unsigned n, const uint8_t *bytes)
{
    struct target *target = gdb->general.target;
    bool live = cpu == target_cpu(target);
    uint32_t word;
    memcpy(&word, bytes, 4);
    if (n >= REG_ST0 && n < REG_FCTRL)
        memcpy(cpu->fpu.st[n - REG_ST0], bytes, 10);
    else if (n >= REG_XMM0 && n < REG_MXCSR)
        memcpy(cpu->fpu.xmm[n - REG_XMM0], bytes, 16);
    else
        write_word(target, cpu, n, n == REG_EIP && live ? gdb_meant_eip(gdb, target, word) : word);
}

/* Packets: of the general thread. */

static const struct cpu *view(struct gdb *gdb, struct cpu *room)
{
    return gdb_view(gdb, gdb->general.target, gdb->general.tid, room);
}

static bool is_saved(struct gdb *gdb)
{
    return gdb_saved_thread(gdb, gdb->general.target, gdb->general.tid) != NULL;
}

static void read_all(struct gdb *gdb, struct target *target)
{
    uint8_t bytes[REG_MAX_BYTES];
    struct cpu room;
    const struct cpu *cpu = view(gdb, &room);
    for (unsigned n = 0; n < standard_count(target); n++)
        gdb_put_hex(gdb, bytes, read_standard(gdb, cpu, n, bytes));
}

/* Registers from `first` on; what is shorter than all of them changes only what it holds. */
static int write_registers(struct gdb *gdb, unsigned first, unsigned count, const char *at)
{
    struct target *target = gdb->general.target;
    uint8_t bytes[REG_MAX_BYTES];
    struct cpu room;
    bool saved = is_saved(gdb);
    struct cpu *cpu = target_cpu(target);
    if (saved && view(gdb, &room) == &room)
        cpu = &room;
    for (unsigned n = first; n < first + count && *at; n++) {
        if (!gdb_take_bytes(&at, bytes, standard_bytes(n)))
            return -EINVAL;
        write_standard(gdb, cpu, n, bytes);
    }
    if (*at)
        return -EINVAL;
    return saved ? gdb_keep_view(gdb, target, gdb->general.tid, cpu) : 0;
}

static void put_result(struct gdb *gdb, int err)
{
    if (err)
        gdb_put_error(gdb, err);
    else
        gdb_put(gdb, "OK");
}

static void read_one(struct gdb *gdb, struct target *target, const char *at)
{
    uint8_t bytes[REG_MAX_BYTES];
    struct place place;
    struct cpu room;
    uint64_t n;
    if (!gdb_take_hex(&at, &n) || *at)
        gdb_put_error(gdb, -EINVAL);
    else if (n < standard_count(target))
        gdb_put_hex(gdb, bytes, read_standard(gdb, view(gdb, &room), (unsigned)n, bytes));
    else if (n < UINT32_MAX && extra_register(target, (unsigned)n - standard_count(target), &place))
        gdb_put_hex(gdb, place.at, place.bytes);
    else
        gdb_put_error(gdb, -EINVAL);
}

/* Those that follow from others stay as they are, and gdb is not told: after a function that it has
 * called it writes back every register that it knows. */
static bool write_extra(struct target *target, unsigned n, const char *at)
{
    uint8_t bytes[REG_MAX_BYTES];
    struct place place;
    bool good = extra_register(target, n, &place) && place.bytes <= 8 &&
                gdb_take_bytes(&at, bytes, place.bytes) && !*at;
    if (good && place.writable)
        memcpy(place.at, bytes, place.bytes);
    return good;
}

static void write_one(struct gdb *gdb, struct target *target, const char *at)
{
    uint64_t n;
    int err = -EINVAL;
    if (gdb_take_hex(&at, &n) && gdb_take_char(&at, '=') && n < UINT32_MAX) {
        unsigned extra = (unsigned)n - standard_count(target);
        if (n < standard_count(target))
            err = write_registers(gdb, (unsigned)n, 1, at);
        else
            err = write_extra(target, extra, at) ? 0 : -EINVAL;
    }
    put_result(gdb, err);
}

void gdb_handle_register(struct gdb *gdb, const char *packet)
{
    struct target *target = gdb->general.target;
    switch (*packet) {
    case 'g':
        read_all(gdb, target);
        break;
    case 'G':
        put_result(gdb, write_registers(gdb, 0, standard_count(target), packet + 1));
        break;
    case 'p':
        read_one(gdb, target, packet + 1);
        break;
    default:
        write_one(gdb, target, packet + 1);
    }
}

/* The description. */

static const char core_head[] =
    "<feature name=\"org.gnu.gdb.i386.core\">"
    "<flags id=\"i386_eflags\" size=\"4\">"
    "<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
    "<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
    "<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
    "<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
    "<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
    "<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
    "<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
    "<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/>"
    "<field name=\"ID\" start=\"21\" end=\"21\"/><field name=\"\" start=\"22\" "
    "end=\"31\"/></flags>";

static const char sse_types[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
    "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
    "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>"
    "<flags id=\"i386_mxcsr\" size=\"4\">"
    "<field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
    "<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/>"
    "<field name=\"UE\" start=\"4\" end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/>"
    "<field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
    "<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/>"
    "<field name=\"OM\" start=\"10\" end=\"10\"/><field name=\"UM\" start=\"11\" end=\"11\"/>"
    "<field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" end=\"15\"/>"
    "</flags>";

static void describe_reg(FILE *out, const char *name, unsigned bits, const char *type, unsigned n,
                         const char *more)
{
    fprintf(out, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"%s/>", name, bits, type,
            n, more);
}

static void describe_core(FILE *out)
{
    static const char *const word[] = {"eax", "ecx",    "edx", "ebx", "esp", "ebp", "esi", "edi",
                                       "eip", "eflags", "cs",  "ss",  "ds",  "es",  "fs",  "gs"};
    static const char *const fpu[] = {"fctrl", "fstat", "ftag",  "fiseg",
                                      "fioff", "foseg", "fooff", "fop"};
    fputs(core_head, out);
    for (unsigned n = 0; n < ARRAY_LEN(word); n++) {
        bool data = n == ISA_ESP || n == ISA_EBP;
        const char *type = data              ? "data_ptr"
                           : n == REG_EIP    ? "code_ptr"
                           : n == REG_EFLAGS ? "i386_eflags"
                                             : "int32";
        describe_reg(out, word[n], 32, type, n, "");
    }
    for (unsigned i = 0; i < 8; i++) {
        char name[8];
        snprintf(name, sizeof(name), "st%u", i);
        describe_reg(out, name, 80, "i387_ext", REG_ST0 + i, "");
    }
    for (unsigned i = 0; i < 8; i++)
        describe_reg(out, fpu[i], 32, "int", REG_FCTRL + i, " group=\"float\"");
    fputs("</feature>", out);
}

static void describe_sse(FILE *out)
{
    fprintf(out, "<feature name=\"org.gnu.gdb.i386.sse\">%s", sse_types);
    for (unsigned i = 0; i < 8; i++) {
        char name[8];
        snprintf(name, sizeof(name), "xmm%u", i);
        describe_reg(out, name, 128, "vec128", REG_XMM0 + i, "");
    }
    describe_reg(out, "mxcsr", 32, "i386_mxcsr", REG_MXCSR, " group=\"vector\"");
    fputs("</feature>", out);
}

static void describe_extra(FILE *out, struct target *target)
{
    struct place place;
    fputs("<feature name=\"org.denali.machine\">", out);
    for (unsigned n = 0; extra_register(target, n, &place); n++) {
        char type[16];
        snprintf(type, sizeof(type), "uint%u", place.bytes * 8u);
        describe_reg(out, place.name, place.bytes * 8u, type, standard_count(target) + n,
                     " group=\"system\" save-restore=\"no\"");
    }
    fputs("</feature>", out);
}

char *gdb_describe_registers(struct target *target)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    /* Most kernels are as Linux to gdb; its 16-bit code knows no system at all. */
    const char *osabi = gdb_is_linux(target) ? "<osabi>GNU/Linux</osabi>"
                        : is_16_bit(target)  ? "<osabi>none</osabi>"
                                             : "";
    fprintf(out,
            "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
            "<target version=\"1.0\"><architecture>%s</architecture>%s",
            is_16_bit(target) ? "i8086" : "i386", osabi);
    describe_core(out);
    describe_sse(out);
    if (gdb_is_linux(target)) {
        fputs("<feature name=\"org.gnu.gdb.i386.linux\">", out);
        describe_reg(out, "orig_eax", 32, "int", REG_ORIG_EAX, " group=\"system\"");
        fputs("</feature>", out);
    }
    describe_extra(out, target);
    fputs("</target>", out);
    if (fclose(out)) {
        free(text);
        return NULL;
    }
    return text;
}
