/* SPDX-License-Identifier: MIT */
/* Questions: what we can do, which threads there are, documents that are read in pieces. */
#include "emu/debug/gdb/gdb_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool begins(const char *packet, const char *with)
{
    return !strncmp(packet, with, strlen(with));
}

static bool can_go_back(struct gdb *gdb)
{
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++)
        if (target_goes_back(loop_target(gdb->loop, n)))
            return true;
    return false;
}

static void handle_supported(struct gdb *gdb, const char *packet)
{
    gdb->multiprocess = strstr(packet, "multiprocess+") != NULL;
    gdb->swbreak = strstr(packet, "swbreak+") != NULL;
    gdb->hwbreak = strstr(packet, "hwbreak+") != NULL;
    gdb_put_format(gdb, "PacketSize=%x;QStartNoAckMode+;multiprocess+;swbreak+;hwbreak+;",
                   GDB_PACKET_MAX);
    gdb_put(gdb, "vContSupported+;qXfer:features:read+;qXfer:threads:read+;qXfer:exec-file:read+;"
                 "qXfer:memory-map:read+;qXfer:osdata:read+;qXfer:auxv:read+;"
                 "qXfer:siginfo:read+;QCatchSyscalls+;QPassSignals+");
    if (can_go_back(gdb))
        gdb_put(gdb, ";ReverseStep+;ReverseContinue+");
}

static void handle_no_ack(struct gdb *gdb, const char *packet)
{
    (void)packet;
    gdb->no_ack = true;
    gdb_put(gdb, "OK");
}

/* There is all-stop only: asked for that, we agree; the other is refused. */
static void handle_non_stop(struct gdb *gdb, const char *packet)
{
    if (!strcmp(packet, "QNonStop:0"))
        gdb_put(gdb, "OK");
    else
        gdb_put_error(gdb, -ENOTSUP);
}

static void handle_current(struct gdb *gdb, const char *packet)
{
    (void)packet;
    struct target *target = gdb->general.target;
    gdb_put(gdb, "QC");
    gdb_put_thread(gdb, target,
                   gdb->general.tid ? gdb->general.tid : gdb_running_thread(gdb, target));
}

/* The n-th thread-id of a target; false: it has no more. */
static bool nth_thread(struct gdb *gdb, struct target *target, unsigned n, uint32_t *tid)
{
    const struct target_thread *t = gdb->multiprocess ? gdb_thread(gdb, target, n) : NULL;
    *tid = t ? t->number : gdb_running_thread(gdb, target);
    return t || (!n && !target->ended);
}

static void handle_threads(struct gdb *gdb, const char *packet)
{
    bool any = false;
    uint32_t tid;
    (void)packet;
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++) {
        struct target *target = loop_target(gdb->loop, n);
        for (unsigned i = 0; !target->ended && nth_thread(gdb, target, i, &tid); i++) {
            gdb_put(gdb, any ? "," : "m");
            gdb_put_thread(gdb, target, tid);
            any = true;
        }
    }
    if (!any)
        gdb_put(gdb, "l");
}

static void handle_more_threads(struct gdb *gdb, const char *packet)
{
    (void)packet;
    gdb_put(gdb, "l");
}

static void handle_thread_info(struct gdb *gdb, const char *packet)
{
    const char *at = packet + strlen("qThreadExtraInfo,");
    struct gdb_thread_id id;
    if (!gdb_take_thread(gdb, &at, &id) || !id.target) {
        gdb_put_error(gdb, -ESRCH);
        return;
    }
    const struct target_thread *t = id.tid ? gdb_find_thread(gdb, id.target, id.tid) : NULL;
    const char *text = t ? t->name : id.target->name;
    gdb_put_hex(gdb, text, strlen(text));
}

static void handle_attached(struct gdb *gdb, const char *packet)
{
    (void)packet;
    gdb_put(gdb, "1"); /* a gdb that ends leaves the machine running */
}

static void handle_offsets(struct gdb *gdb, const char *packet)
{
    (void)packet;
    uint32_t offset = gdb->general.target->files ? gdb->general.target->file[0].offset : 0;
    gdb_put_format(gdb, "Text=%x;Data=%x;Bss=%x", offset, offset, offset);
}

static void handle_ok(struct gdb *gdb, const char *packet)
{
    (void)packet;
    gdb_put(gdb, "OK");
}

/* CRC-32 as `compare-sections` has it: most significant bit first, no inversion. */
static uint32_t crc(uint32_t sum, const uint8_t *bytes, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        sum ^= (uint32_t)bytes[i] << 24;
        for (int bit = 0; bit < 8; bit++)
            sum = sum << 1 ^ (sum >> 31 ? 0x04c11db7u : 0);
    }
    return sum;
}

static void handle_crc(struct gdb *gdb, const char *packet)
{
    const char *at = packet + strlen("qCRC:");
    uint8_t bytes[PAGE_SIZE];
    uint32_t sum = UINT32_MAX;
    uint64_t addr, len;
    if (!gdb_take_hex(&at, &addr) || !gdb_take_char(&at, ',') || !gdb_take_hex(&at, &len) ||
        addr > UINT32_MAX || len > (uint64_t)UINT32_MAX + 1 - addr) {
        gdb_put_error(gdb, -EINVAL);
        return;
    }
    while (len) {
        uint32_t n = len < sizeof(bytes) ? (uint32_t)len : (uint32_t)sizeof(bytes);
        int err =
            gdb->general.target->ops->read(gdb->general.target, TARGET_LINEAR, addr, bytes, n);
        if (err) {
            gdb_put_error(gdb, err);
            return;
        }
        sum = crc(sum, bytes, n);
        addr += n;
        len -= n;
    }
    gdb_put_format(gdb, "C%x", sum);
}

/* monitor LINE */

static void put_output(struct gdb *gdb, const char *text, size_t len)
{
    size_t most = GDB_PACKET_MAX / 2 - 64;
    static const char cut[] = "\n(the rest is left out)\n";
    gdb_put_hex(gdb, text, len < most ? len : most);
    if (len > most)
        gdb_put_hex(gdb, cut, sizeof(cut) - 1);
    if (!len)
        gdb_put(gdb, "OK");
}

static void run_command(struct gdb *gdb, const char *line, FILE *out)
{
    struct why why = {""};
    if (!gdb->config.command) {
        fputs("there are no monitor commands here\n", out);
        return;
    }
    int err = gdb->config.command(gdb->config.command_opaque, gdb->general.target, line, out, &why);
    gdb_forget_threads(gdb);
    if (err)
        fprintf(out, "%s\n", why.text[0] ? why.text : strerror(-err));
}

static void handle_command(struct gdb *gdb, const char *packet)
{
    const char *at = packet + strlen("qRcmd,");
    char line[1024], *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out || !gdb_take_text(&at, line, sizeof(line)))
        gdb_put_error(gdb, out ? -EINVAL : -ENOMEM);
    else
        run_command(gdb, line, out);
    if (out)
        fclose(out);
    if (text && !gdb->reply.len)
        put_output(gdb, text, len);
    free(text);
}

/* Documents. */

static char *features(struct gdb *gdb, const char *annex)
{
    return strcmp(annex, "target.xml") ? NULL : gdb_describe_registers(gdb->general.target);
}

/* XML with what five characters mean there; others that it cannot hold become '?'. */
static void put_xml(FILE *out, const char *text)
{
    for (; *text; text++) {
        const char *entity = *text == '<'   ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '&' ? "&amp;"
                             : *text == '"' ? "&quot;"
                                            : NULL;
        if (entity)
            fputs(entity, out);
        else
            fputc((unsigned char)*text < ' ' ? '?' : *text, out);
    }
}

/* A thread by its kernel's name and state, or (NULL) the processor by its machine's. */
static void describe_thread(struct gdb *gdb, struct target *target, const struct target_thread *t,
                            FILE *out)
{
    uint32_t tid = t ? t->number : gdb_running_thread(gdb, target);
    if (gdb->multiprocess)
        fprintf(out, "<thread id=\"p%x.%x\" core=\"0\" name=\"", target->id, tid);
    else
        fprintf(out, "<thread id=\"%x\" core=\"0\" name=\"", target->id);
    put_xml(out, t ? t->name : target->name);
    fputs("\">", out);
    if (t)
        put_xml(out, t->running && !strcmp(t->state, "ready") ? "running" : t->state);
    fputs("</thread>\n", out);
}

static void write_threads(struct gdb *gdb, FILE *out)
{
    uint32_t tid;
    fputs("<?xml version=\"1.0\"?>\n<threads>\n", out);
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++) {
        struct target *target = loop_target(gdb->loop, n);
        for (unsigned i = 0; !target->ended && nth_thread(gdb, target, i, &tid); i++)
            describe_thread(gdb, target, gdb->multiprocess ? gdb_thread(gdb, target, i) : NULL,
                            out);
    }
    fputs("</threads>\n", out);
}

static void write_map(struct gdb *gdb, FILE *out)
{
    struct target *target = gdb->general.target;
    uint64_t bytes =
        target_cpu(target)->flat ? target->ops->memory(target) : (uint64_t)UINT32_MAX + 1;
    fprintf(out,
            "<?xml version=\"1.0\"?><!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory "
            "Map V1.0//EN\" \"http://sourceware.org/gdb/gdb-memory-map.dtd\">"
            "<memory-map><memory type=\"ram\" start=\"0x0\" length=\"0x%llx\"/></memory-map>",
            (unsigned long long)bytes);
}

static void write_processes(struct gdb *gdb, FILE *out)
{
    fputs("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"osdata.dtd\">"
          "<osdata type=\"processes\">",
          out);
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++) {
        const struct target *target = loop_target(gdb->loop, n);
        fprintf(out,
                "<item><column name=\"pid\">%u</column><column name=\"user\">vm</column>"
                "<column name=\"command\">",
                target->id);
        put_xml(out, target->name);
        fputs("</column><column name=\"cores\">0</column></item>", out);
    }
    fputs("</osdata>", out);
}

static char *document(struct gdb *gdb, void (*write)(struct gdb *gdb, FILE *out))
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    write(gdb, out);
    if (!fclose(out))
        return text;
    free(text);
    return NULL;
}

static char *threads(struct gdb *gdb, const char *annex)
{
    (void)annex;
    return document(gdb, write_threads);
}

static char *memory_map(struct gdb *gdb, const char *annex)
{
    (void)annex;
    return document(gdb, write_map);
}

static char *processes(struct gdb *gdb, const char *annex)
{
    return *annex && strcmp(annex, "processes") ? strdup("<osdata type=\"types\"></osdata>")
                                                : document(gdb, write_processes);
}

/* `annex`: a process in hex, or nothing: the present one. */
static char *exec_file(struct gdb *gdb, const char *annex)
{
    uint64_t id;
    struct target *target = gdb->general.target;
    if (gdb_take_hex(&annex, &id))
        target = id <= UINT32_MAX ? loop_find(gdb->loop, (unsigned)id) : NULL;
    return target && target->files ? strdup(target->file[0].path) : NULL;
}

/* qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH */
static void handle_transfer(struct gdb *gdb, const char *packet)
{
    static const struct {
        const char *name;
        char *(*make)(struct gdb *gdb, const char *annex); /* text, freed by the caller */
        void (*put)(struct gdb *gdb, uint64_t offset, uint64_t length); /* or bytes, at once */
    } objects[] = {
        {"features", features, NULL},          {"threads", threads, NULL},
        {"memory-map", memory_map, NULL},      {"osdata", processes, NULL},
        {"exec-file", exec_file, NULL},        {"auxv", NULL, gdb_handle_auxv},
        {"siginfo", NULL, gdb_handle_siginfo},
    };
    const char *object = packet + strlen("qXfer:");
    char annex[32];
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        size_t len = strlen(objects[i].name);
        if (strncmp(object, objects[i].name, len) || !begins(object + len, ":read:"))
            continue;
        const char *at = object + len + strlen(":read:"), *colon = strchr(at, ':');
        uint64_t offset = 0, length = 0;
        bool good = colon && (size_t)(colon - at) < sizeof(annex);
        if (good) {
            memcpy(annex, at, (size_t)(colon - at));
            annex[colon - at] = 0;
            at = colon + 1;
            good =
                gdb_take_hex(&at, &offset) && gdb_take_char(&at, ',') && gdb_take_hex(&at, &length);
        }
        if (good && objects[i].put) {
            objects[i].put(gdb, offset, length);
            return;
        }
        char *text = good ? objects[i].make(gdb, annex) : NULL;
        if (text)
            gdb_put_piece(gdb, text, strlen(text), offset, length);
        else
            gdb_put(gdb, "E00");
        free(text);
        return;
    }
}

void gdb_handle_query(struct gdb *gdb, const char *packet)
{
    static const struct {
        const char *name;
        bool whole; /* the packet is no longer than its name */
        void (*handle)(struct gdb *gdb, const char *packet);
    } rows[] = {
        {"qSupported", false, handle_supported},
        {"QStartNoAckMode", true, handle_no_ack},
        {"QNonStop:", false, handle_non_stop},
        {"QCatchSyscalls:", false, gdb_handle_syscalls},
        {"QPassSignals:", false, gdb_handle_pass_signals},
        {"qCRC:", false, handle_crc},
        {"qGetTLSAddr:", false, gdb_handle_tls},
        {"qC", true, handle_current},
        {"qfThreadInfo", true, handle_threads},
        {"qsThreadInfo", true, handle_more_threads},
        {"qThreadExtraInfo,", false, handle_thread_info},
        {"qAttached", false, handle_attached},
        {"qOffsets", true, handle_offsets},
        {"qSymbol:", false, handle_ok},
        {"qRcmd,", false, handle_command},
        {"qXfer:", false, handle_transfer},
        {"vAttach;", false, gdb_handle_attach},
        {"vKill;", false, gdb_handle_kill},
        {"vRun;", false, gdb_handle_vrun},
        {"vCtrlC", true, handle_ok},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool match = rows[i].whole ? !strcmp(packet, rows[i].name) : begins(packet, rows[i].name);
        if (match) {
            rows[i].handle(gdb, packet);
            return;
        }
    }
}
