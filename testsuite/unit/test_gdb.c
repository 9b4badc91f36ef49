/* SPDX-License-Identifier: MIT */
/*
 * gdb's protocol without gdb: packets in, packets out, over a socket pair, for
 * two targets. Then garbage: packets with everything wrong that can be, from
 * seeds; nothing may crash, and a well-formed question is answered afterwards.
 */
#include "testsuite/unit/dbt_rig.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emu/base/host_thread.h"
#include "emu/debug/gdb/gdb.h"

#define FUZZ_SEEDS 40
#define FUZZ_PACKETS 400

struct machine {
    struct target target;
    struct rig rig;
    unsigned killed;
};

static struct machine machine[2];
static struct loop *loop;
static struct gdb *gdb;
static int client;
static char reply[200000];

/* clang-format off */
/* Counts in 0x80000; after 5 rounds it exits. */
GUEST(count,
    "xor %eax, %eax\n 1: inc %eax\n mov %eax, 0x80000\n movl $7, 0x80100\n cmp $5, %eax\n jne 1b\n" GUEST_END
    "2: jmp 2b\n");
/* clang-format on */
#define AT_INC (DBT_CODE + 2)
#define AT_SPIN (DBT_CODE + (uint32_t)(guest_count_end - guest_count) - 2)

static struct machine *of(struct target *target)
{
    return CONTAINER_OF(target, struct machine, target);
}

static struct cpu *get_cpu(struct target *target)
{
    return of(target)->rig.cpu;
}

static int do_read(struct target *target, enum target_space space, uint64_t addr, void *out,
                   uint64_t len)
{
    (void)space;
    return ram_read(of(target)->rig.ram, addr, out, len);
}

static int do_write(struct target *target, enum target_space space, uint64_t addr, const void *in,
                    uint64_t len)
{
    (void)space;
    return ram_write(of(target)->rig.ram, addr, in, len);
}

static uint64_t get_memory(struct target *target)
{
    return ram_size(of(target)->rig.ram);
}

static enum target_slice run_slice(struct target *target, uint64_t budget, struct target_wait *wait,
                                   struct target_stop *stop)
{
    struct cpu *cpu = get_cpu(target);
    enum engine_exit exit = engine_run(cpu, budget < 100000 ? budget : 100000);
    wait->count = 0;
    wait->ns = HOST_FOREVER;
    stop->eip = cpu->eip;
    switch (exit) {
    case ENGINE_EXIT_BREAKPOINT:
        stop->kind = TARGET_STOP_BREAKPOINT;
        return TARGET_STOPPED;
    case ENGINE_EXIT_WATCHPOINT:
        stop->kind = TARGET_STOP_WATCHPOINT;
        stop->hit = cpu->debug->now.hit;
        return TARGET_STOPPED;
    case ENGINE_EXIT_HYPERCALL:
        stop->kind = TARGET_STOP_EXITED;
        stop->status = 42;
        return TARGET_ENDED;
    case ENGINE_EXIT_FAULT:
        stop->kind = TARGET_STOP_FAULT;
        stop->fault = cpu->fault;
        return TARGET_STOPPED;
    default:
        return TARGET_RAN;
    }
}

static void ready(struct target *target, const struct target_wait *wait, uint64_t slept_ns)
{
    (void)target, (void)wait, (void)slept_ns;
}

static void do_stop(struct target *target)
{
    engine_stop(get_cpu(target));
}

static void do_kill(struct target *target)
{
    of(target)->killed++;
}

static bool describe(struct target *target, unsigned n, struct target_state *out)
{
    static const struct state_field fields[] = {{"word", 0x60, 4, 1, STATE_UINT, 0}};
    static const struct state_list list = {"regs", 1, 1, fields};
    *out = (struct target_state){
        .name = "regs", .list = &list, .object = ram_base(of(target)->rig.ram), .writable = true};
    return n == 0;
}

static const struct target_ops ops = {
    .cpu = get_cpu,
    .read = do_read,
    .write = do_write,
    .memory = get_memory,
    .run_slice = run_slice,
    .ready = ready,
    .stop = do_stop,
    .kill = do_kill,
    .describe = describe,
};

static int command(void *opaque, struct target *target, const char *line, FILE *out,
                   struct why *why)
{
    (void)opaque, (void)target, (void)why;
    for (int i = 0; i < 20000; i++)
        fprintf(out, "%s ", line);
    return 0;
}

static void make_machine(struct machine *m, const char *name)
{
    const struct engine_options counting = {.count = true};
    memset(m, 0, sizeof(*m));
    rig_create(&m->rig, ENGINE_DBT, &counting);
    RIG_LOAD(&m->rig, count);
    m->target.ops = &ops;
    m->target.name = name;
    m->target.files = 1;
    m->target.file[0].path = "/proc/self/exe";
    m->target.stop.kind = TARGET_STOP_START;
    ck_assert_int_eq(loop_add_target(loop, &m->target), 0);
}

static void setup(void)
{
    int pair[2];
    struct why why;
    const struct gdb_config config = {.command = command};
    ck_assert_int_eq(loop_create(&loop), 0);
    make_machine(&machine[0], "one");
    make_machine(&machine[1], "<two>");
    ck_assert_int_eq(gdb_create(loop, &config, &gdb, &why), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(gdb_adopt(gdb, pair[0]), 0);
    client = pair[1];
}

static void teardown(void)
{
    close(client);
    gdb_destroy(gdb);
    loop_destroy(loop);
    rig_destroy(&machine[0].rig);
    rig_destroy(&machine[1].rig);
}

/* Talking. */

static const char *get(void);

static void put_raw(const void *bytes, size_t len)
{
    const char *from = bytes;
    unsigned refused = 0;
    while (len) {
        ssize_t n = send(client, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN && ++refused % 100)
            loop_poll(loop, 0);
        else if (n < 0 && errno == EAGAIN) /* gdb takes nothing more before it is read */
            get();
        else if (n < 0)
            return;
        else
            from += n, len -= (size_t)n;
    }
    loop_poll(loop, 0);
}

static void put_packet(const char *body)
{
    uint8_t sum = 0;
    char tail[4];
    for (const char *at = body; *at; at++)
        sum = (uint8_t)(sum + (uint8_t)*at);
    snprintf(tail, sizeof(tail), "#%02x", sum);
    put_raw("$", 1);
    put_raw(body, strlen(body));
    put_raw(tail, 3);
}

/* Everything that has arrived, after the loop had time for it; without acknowledgments in front. */
static const char *get(void)
{
    size_t len = 0;
    for (int quiet = 0; quiet < 40 && len < sizeof(reply) - 1;) {
        loop_poll(loop, 0);
        ssize_t n = recv(client, reply + len, sizeof(reply) - 1 - len, MSG_DONTWAIT);
        quiet = n > 0 ? 0 : quiet + 1;
        len += n > 0 ? (size_t)n : 0;
    }
    reply[len] = 0;
    return reply + strspn(reply, "+");
}

static const char *ask(const char *body)
{
    put_packet(body);
    if (loop_is_running(loop))
        ck_assert_int_eq(loop_run_until_stop(loop), 0);
    return get();
}

/* The reply's body is exactly this. */
static void expect(const char *body, const char *want)
{
    const char *text = ask(body);
    size_t len = strlen(want);
    ck_assert_msg(*text == '$' && !strncmp(text + 1, want, len) && text[1 + len] == '#',
                  "%s: wanted %s, got %.300s", body, want, text);
}

static void expect_begin(const char *body, const char *want)
{
    const char *text = ask(body);
    ck_assert_msg(*text == '$' && !strncmp(text + 1, want, strlen(want)),
                  "%s: wanted %s..., got %.300s", body, want, text);
}

static void expect_part(const char *body, const char *want)
{
    const char *text = ask(body);
    ck_assert_msg(strstr(text, want) != NULL, "%s: wanted ...%s..., got %.2000s", body, want, text);
}

static void hello(void)
{
    expect_begin("qSupported:multiprocess+;swbreak+;hwbreak+", "PacketSize=10000;");
    put_packet("QStartNoAckMode");
    ck_assert_str_eq(get(), "$OK#9a");
}

START_TEST(greets)
{
    hello();
    expect("?", "T0504:00000c00;05:00000000;08:00000100;thread:p1.1;");
    expect("qfThreadInfo", "mp1.1,p2.2");
    expect("qsThreadInfo", "l");
    expect("qC", "QCp1.1");
    expect("qThreadExtraInfo,p2.2", "3c74776f3e");
    expect("vMustReplyEmpty", "");
    expect("QNonStop:0", "OK");
    expect("QNonStop:1", "E5f");
    expect("Tp2.2", "OK");
    expect("Tp3.3", "E03");
    expect_part("qXfer:threads:read::0,fff", "name=\"&lt;two&gt;\"");
    expect_part("qXfer:features:read:target.xml:0,ffff", "org.gnu.gdb.i386.core");
    expect("qXfer:features:read:other.xml:0,ffff", "E00");
    expect_begin("qXfer:exec-file:read:2:0,fff", "l/proc/self/exe");
    expect_part("qXfer:memory-map:read::0,fff", "length=\"0x200000\"");
}
END_TEST

START_TEST(reads_and_writes)
{
    hello();
    expect("m10000,3", "31c040");
    expect("M80200,4:01020304", "OK");
    expect("m80200,6", "010203040000");
    put_packet("X80200,3:}\x03}\x04}]");
    ck_assert_str_eq(get(), "$OK#9a");
    expect("m80200,3", "23247d");
    expect("m1fffff,10", "00"); /* up to the end of RAM */
    expect("m200000,10", "E0e");
    expect("mffffffffffffffff,10", "E0e");
    expect("M200000,1:00", "E0e");
    expect("m80200,0", "");
    expect("P0=78563412", "OK");
    expect("p0", "78563412");
    ck_assert_uint_eq(machine[0].rig.cpu->gpr[ISA_EAX], 0x12345678);
    expect("Hgp2.2", "OK");
    expect("p0", "00000000");
    expect("pffff", "E16");
    expect("p2a=", "E16");
    expect("P2a=05000000", "OK"); /* the target's own word */
    expect("p2a", "05000000");
    ck_assert_uint_eq(rig_peek(&machine[1].rig, 0x60), 5);
}
END_TEST

START_TEST(runs_and_stops)
{
    hello();
    expect("Z0,10002,1", "OK");
    expect_begin("vCont;c:p1.-1", "T05");
    expect_part("?", "swbreak:;");
    ck_assert_uint_eq(machine[0].rig.cpu->eip, AT_INC);
    ck_assert_uint_eq(machine[1].rig.cpu->eip, DBT_CODE);
    expect_begin("vCont;s:p1.1", "T05");
    ck_assert_uint_eq(machine[0].rig.cpu->eip, AT_INC + 1);
    expect_begin("vCont;r10003,10017:p1.1", "T05"); /* out of the range by jne: at inc again */
    ck_assert_uint_eq(machine[0].rig.cpu->eip, AT_INC);
    ck_assert_uint_eq(machine[0].rig.cpu->gpr[ISA_EAX], 1);
    expect("z0,10002,1", "OK");
    expect("Z2,80102,1", "OK");
    expect_part("vCont;c:p1.1", "watch:80102;");
    ck_assert_uint_eq(machine[0].rig.cpu->gpr[ISA_EAX], 2);
    expect("z2,80102,1", "OK");
    expect("Z7,0,1", "");
    expect("Z2,0,0", "E16");
    expect("vCont;c:p1.1", "W2a;process:1");
    expect("qfThreadInfo", "mp2.2");
    expect("vCont;c", "W2a;process:2");
    expect("qfThreadInfo", "l");
    expect("vCont;c", "E16");
}
END_TEST

static void interrupt_later(void *opaque)
{
    (void)opaque;
    usleep(20000);
    ck_assert_int_eq(send(client, "\x03", 1, MSG_NOSIGNAL), 1);
}

START_TEST(is_interrupted)
{
    struct host_thread thread;
    hello();
    machine[0].rig.cpu->eip = machine[1].rig.cpu->eip = AT_SPIN;
    ck_assert_int_eq(host_thread_start(&thread, "late", interrupt_later, NULL), 0);
    expect_begin("vCont;c", "T02");
    host_thread_join(&thread);
    ck_assert(!loop_is_running(loop));
    ck_assert_uint_eq(machine[1].rig.cpu->eip, AT_SPIN);
}
END_TEST

START_TEST(leaves_nothing_behind)
{
    hello();
    expect("Z0,10002,1", "OK");
    expect("Z2,80000,4", "OK");
    expect("D;1", "OK");
    expect("D;2", "OK");
    close(client);
    ck_assert_int_eq(loop_serve(loop), 0);
    ck_assert(machine[0].target.ended && machine[1].target.ended);
    ck_assert(!gdb_is_attached(gdb));
    client = -1;
}
END_TEST

/* Whose connection breaks has not let anything go. */
START_TEST(waits_for_the_next)
{
    int pair[2];
    hello();
    expect("Z0,10002,1", "OK");
    close(client);
    loop_poll(loop, 0);
    ck_assert(!gdb_is_attached(gdb));
    ck_assert(!loop_is_running(loop));
    ck_assert(!cpu_debug_has_break(machine[0].rig.cpu, 0x10002));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(gdb_adopt(gdb, pair[0]), 0);
    client = pair[1];
    hello();
}
END_TEST

START_TEST(kills)
{
    hello();
    expect("vKill;2", "OK");
    ck_assert_uint_eq(machine[1].killed, 1);
    expect("vKill;9", "E03");
    expect("Hgp2.2", "OK");
    expect("?", "X09;process:2");
}
END_TEST

START_TEST(long_answers_fit)
{
    hello();
    const char *text = ask("qRcmd,616263");
    size_t len = strcspn(text, "#");
    ck_assert_uint_le(len - 1, 0x10000);
    ck_assert_uint_gt(len, 0xff00);
    text = ask("m0,ffffff");
    ck_assert_uint_le(strcspn(text, "#") - 1, 0x10000);
}
END_TEST

START_TEST(serves_only_its_files)
{
    hello();
    expect("vFile:setfs:0", "F0");
    expect("vFile:open:2f6574632f706173737764,0,0", "F-1,2"); /* /etc/passwd */
    expect("vFile:open:2f70726f632f73656c662f657865,0,0", "F0");
    expect_begin("vFile:pread:0,4,0", "F4;\x7f"
                                      "ELF");
    expect_begin("vFile:fstat:0", "F40;");
    expect("vFile:pread:7,4,0", "F-1,9");
    expect("vFile:close:0", "F0");
    expect("vFile:close:0", "F-1,9");
}
END_TEST

/* Garbage. */

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

/* What packets are made of, right and wrong. */
static const char *const pieces[] = {
    "vCont",
    ";c",
    ";s",
    ";r",
    ";t",
    ":",
    "p1.1",
    "p-1.-1",
    "p0.0",
    "p2",
    "-1",
    ",",
    ";",
    "=",
    "m",
    "M",
    "X",
    "Z0,",
    "Z1,",
    "Z2,",
    "Z3,",
    "Z4,",
    "z2,",
    "g",
    "G",
    "p",
    "P",
    "H",
    "Hg",
    "Hc",
    "T",
    "D",
    "qXfer:",
    "features:read:target.xml:",
    "threads:read::",
    "memory-map:read::",
    "osdata:read:processes:",
    "exec-file:read:",
    "qRcmd,",
    "vFile:open:",
    "vFile:pread:",
    "vFile:fstat:",
    "vFile:close:",
    "vAttach;",
    "qCRC:",
    "qSupported:",
    "bs",
    "bc",
    "?",
    "!",
    "qThreadExtraInfo,",
    "QNonStop:",
    "10002",
    "80000",
    "ffffffff",
    "ffffffffffffffffffff",
    "0",
    "1",
    "7",
    "10000",
    "7f",
    "deadbeef",
    "zz",
    "}",
    "\x80",
    "C05",
    "S",
    "c",
    "s",
};

static size_t make_garbage(char *out, size_t room)
{
    size_t len = 0;
    for (uint32_t n = 1 + draw(8); n; n--) {
        const char *piece = pieces[draw(ARRAY_LEN(pieces))];
        size_t more = strlen(piece);
        if (draw(12) == 0) {
            for (uint32_t i = draw(200); i && len + 1 < room; i--)
                out[len++] = (char)draw(256);
        } else if (len + more < room) {
            memcpy(out + len, piece, more);
            len += more;
        }
    }
    return len;
}

static void put_garbage(void)
{
    char body[4096], tail[4];
    size_t len = make_garbage(body, sizeof(body));
    uint8_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + (uint8_t)body[i]);
    if (draw(20) == 0)
        sum ^= (uint8_t)(1 + draw(255));
    snprintf(tail, sizeof(tail), "#%02x", sum);
    if (draw(30))
        put_raw("$", 1);
    put_raw(body, len);
    if (draw(30))
        put_raw(tail, 3);
    if (draw(10) == 0)
        put_raw("\x03-+", 3);
}

/* Some garbage is valid, and lets the machines run; they do not run for long. */
static void settle(void)
{
    for (int i = 0; i < 50 && loop_is_running(loop); i++) {
        loop_interrupt(loop);
        ck_assert_int_eq(loop_run_until_stop(loop), 0);
    }
    get();
}

START_TEST(survives_garbage)
{
    state = (uint64_t)_i * 7919 + 1;
    hello();
    for (int i = 0; i < FUZZ_PACKETS && gdb_is_attached(gdb); i++) {
        put_garbage();
        settle();
    }
    put_raw("#00", 3); /* whatever it was in the middle of */
    put_raw("#00", 3);
    settle();
    expect("vMustReplyEmpty", "");
}
END_TEST

START_TEST(survives_a_flood)
{
    static char big[300000];
    memset(big, 'm', sizeof(big));
    hello();
    put_raw("$", 1);
    put_raw(big, sizeof(big));
    put_raw("#00", 3);
    get();
    expect("vMustReplyEmpty", "");
    for (int i = 0; i < 300; i++)
        put_packet("m0,8000"); /* nobody reads */
    while (strchr(get(), '$'))
        ;
    expect("vMustReplyEmpty", "");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("gdb");
    TCase *tc = tcase_create("packets");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, greets);
    tcase_add_test(tc, reads_and_writes);
    tcase_add_test(tc, runs_and_stops);
    tcase_add_test(tc, is_interrupted);
    tcase_add_test(tc, leaves_nothing_behind);
    tcase_add_test(tc, waits_for_the_next);
    tcase_add_test(tc, kills);
    tcase_add_test(tc, long_answers_fit);
    tcase_add_test(tc, serves_only_its_files);
    tcase_add_test(tc, survives_a_flood);
    tcase_add_loop_test(tc, survives_garbage, 0, FUZZ_SEEDS);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
