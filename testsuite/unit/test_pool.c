/* SPDX-License-Identifier: MIT */
/*
 * Many VMs on few windows: nobody loses a frame, a timer or a byte of memory by
 * being parked, and a VM that never stops does not keep the others waiting.
 *
 * The guest answers every frame: it adds the frame's byte 14 to a sum and sends
 * the sum back; byte 15 set means: from now on, compute for ever between frames.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "denali/pool/pool.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "testsuite/unit/vm_rig.h"

static const struct denali_manifest_device devices[] = {{DENALI_DEV_NIC, 0, "net"}};

#define CODE 0x40000u
#define BUFFER 0x50000u
#define SUM 0x60000u
#define PORT (DENALI_PORT_BASE + DENALI_PORT_RECEIVE)

static const uint8_t code[] = {
    /* 00 */ 0xbf, 0,    0,    5,    0,          /* wait: mov edi, BUFFER */
    /* 05 */ 0xb9, 0xea, 5,    0,    0,          /* mov ecx, 1514 */
    /* 0a */ 0xba, 0,    1,    0,    0,          /* mov edx, PORT */
    /* 0f */ 0xed,                               /* in eax, dx */
    /* 10 */ 0x85, 0xc0,                         /* test eax, eax */
    /* 12 */ 0x75, 0x18,                         /* jnz got (2c) */
    /* 14 */ 0x80, 0x3d, 0x0f, 0,    5,    0, 0, /* cmp byte [BUFFER+15], 0 */
    /* 1b */ 0x75, 0xe3,                         /* jnz wait: spin */
    /* 1d */ 0x83, 0x25, 0x8c, 0,    0,    0, 0, /* and dword [pending], 0 */
    /* 24 */ 0x83, 0xc8, 0xff,                   /* or eax, -1 */
    /* 27 */ 0x99,                               /* cdq: for ever */
    /* 28 */ 0x0f, 0xb9, 0xc0,                   /* idle */
    /* 2b */ 0x90,                               /* nop */
    /* 2c */ 0x85, 0xc0,                         /* got: test eax, eax (after idle: eax = -1) */
    /* 2e */ 0x78, 0xd0,                         /* js wait */
    /* 30 */ 0x0f, 0xb6, 0x05, 0x0e, 0,    5, 0, /* movzx eax, byte [BUFFER+14] */
    /* 37 */ 0x01, 0x05, 0,    0,    6,    0,    /* add [SUM], eax */
    /* 3d */ 0xa1, 0,    0,    6,    0,          /* mov eax, [SUM] */
    /* 42 */ 0xa3, 0x10, 0,    5,    0,          /* mov [BUFFER+16], eax */
    /* 47 */ 0xa1, 6,    0,    5,    0,          /* swap the addresses: dst = src */
    /* 4c */ 0xa3, 0,    0,    5,    0,          /**/
    /* 51 */ 0x66, 0xa1, 10,   0,    5,    0,    /**/
    /* 57 */ 0x66, 0xa3, 4,    0,    5,    0,    /**/
    /* 5d */ 0x90, 0x90, 0x90, 0x90, 0x90,       /* nop */
    /* 62 */ 0xa1, 0x18, 4,    0,    0,          /* src = the device table's MAC */
    /* 67 */ 0xa3, 6,    0,    5,    0,          /**/
    /* 6c */ 0x66, 0xa1, 0x1c, 4,    0,    0,    /**/
    /* 72 */ 0x66, 0xa3, 10,   0,    5,    0,    /**/
    /* 78 */ 0xb8, 0,    0,    5,    0,          /* mov eax, BUFFER */
    /* 7d */ 0xb9, 60,   0,    0,    0,          /* mov ecx, 60 */
    /* 82 */ 0xba, 0,    1,    0,    0,          /* mov edx, PORT */
    /* 87 */ 0xef,                               /* out dx, eax */
    /* 88 */ 0xe9, 0x73, 0xff, 0xff, 0xff,       /* jmp wait */
};

#define VMS 40

static struct rig rig;
static struct snapshot *snapshot;
static struct lan *lan;
static struct lan_port probe;
static struct pool *pool;
static struct pool_origin *origin;
static struct pool_vm *vms[VMS];

static void quiet(struct lan_port *port)
{
    (void)port;
}

static int no_frame(struct net_backend *net, void *frame, size_t room)
{
    (void)net, (void)frame, (void)room;
    return -11; /* EAGAIN */
}

static int no_send(struct net_backend *net, const void *frame, size_t len)
{
    (void)net, (void)frame, (void)len;
    return 0;
}

static int no_fd(const struct net_backend *net)
{
    (void)net;
    return -1;
}

static const struct net_backend_ops nowhere_ops = {
    .name = "nowhere", .send = no_send, .receive = no_frame, .fd = no_fd};
static struct net_backend nowhere = {&nowhere_ops};

static void make_snapshot(void)
{
    const struct vm_resource nic = {.kind = DENALI_DEV_NIC, .net = &nowhere};
    struct vm_config config = {.resource = &nic, .resources = 1};
    struct why why = {""};
    char path[64];
    rig_file("", 0, path);
    rig.translated = true;
    rig_start_config(&rig, &config, devices, 1);
    memcpy(rig_mem(&rig, CODE), code, sizeof(code));
    vm_cpu(rig.vm)->eip = CODE;
    ck_assert_int_eq(vm_run(rig.vm, ENGINE_UNLIMITED), VM_IDLE);
    ck_assert_msg(!snapshot_save(rig.vm, path, &why), "%s", why.text);
    ck_assert_msg(!snapshot_open(path, &snapshot, &why), "%s", why.text);
    unlink(path);
}

static void start(uint32_t windows, unsigned workers)
{
    struct why why = {""};
    make_snapshot();
    ck_assert_int_eq(lan_create(&lan), 0);
    ck_assert_int_eq(lan_port_add(lan, &probe, 0, 0, quiet), 0);
    struct pool_config config = {
        .engine = rig.engine, .workers = workers, .memory_bytes = GIB, .max_windows = windows};
    ck_assert_int_eq(sched_round_robin(2000000, &config.sched), 0);
    ck_assert_msg(!pool_create(&config, &pool, &why), "%s", why.text);
    const struct pool_origin_config from = {.snapshot = snapshot};
    ck_assert_msg(!pool_origin_add(pool, &from, &origin, &why), "%s", why.text);
    for (uint32_t i = 0; i < VMS; i++) {
        const struct pool_vm_config vm = {.origin = origin, .id = i, .lan = lan};
        ck_assert_int_eq(pool_add(pool, &vm, &vms[i]), 0);
    }
}

static void stop(void)
{
    pool_destroy(pool);
    lan_port_remove(&probe);
    lan_destroy(lan);
    rig_stop(&rig); /* detaches; the snapshot's VMs are gone */
    snapshot_close(snapshot);
}

/* VM i has MAC number 1 + i: the probe's port was first. */
static void ask(uint32_t vm, uint8_t add, uint8_t spin)
{
    uint8_t frame[60] = {0x02, 0x44, 0, 0, 0, (uint8_t)(1 + vm)};
    lan_port_mac(&probe, frame + 6);
    frame[14] = add;
    frame[15] = spin;
    lan_send(&probe, frame, sizeof(frame));
}

/* The next answer: whose, and its sum. */
static uint32_t hear(uint32_t *vm)
{
    uint8_t frame[60];
    uint32_t sum;
    uint64_t end = host_monotonic_ns() + 10000000000u;
    while (!lan_receive(&probe, frame, sizeof(frame))) {
        ck_assert_uint_lt(host_monotonic_ns(), end);
        host_poll(NULL, 0, 100000);
    }
    *vm = (uint32_t)frame[11] - 1;
    memcpy(&sum, frame + 16, sizeof(sum));
    return sum;
}

START_TEST(all_answer_from_few_windows)
{
    struct pool_counters c;
    uint32_t sums[VMS] = {0}, vm;
    start(_i ? 3 : 1, 2);
    for (unsigned round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < VMS; i++)
            ask(i, (uint8_t)(i + round), 0);
        for (uint32_t i = 0; i < VMS; i++)
            sums[i] += (i + round) & 255;
        for (uint32_t i = 0; i < VMS; i++) {
            uint32_t sum = hear(&vm);
            ck_assert_uint_lt(vm, VMS);
            ck_assert_uint_eq(sum, sums[vm]);
        }
    }
    pool_count(pool, &c);
    ck_assert_uint_eq(c.ended + c.failed, 0);
    ck_assert_uint_ge(c.parks, 20 * (VMS - 3));
    ck_assert_uint_le(c.windows, 3);
    stop();
}
END_TEST

START_TEST(parked_ones_cost_little_and_come_back)
{
    struct pool_counters c;
    uint32_t vm;
    start(100, 2);
    for (uint32_t i = 0; i < VMS; i++)
        ask(i, 1, 0);
    for (uint32_t i = 0; i < VMS; i++)
        ck_assert_uint_eq(hear(&vm), 1);
    do {
        host_poll(NULL, 0, 1000000);
        pool_park_idle(pool);
        pool_count(pool, &c);
    } while (c.parked < VMS);
    ck_assert_uint_le(c.windows, 1);
    ck_assert_uint_lt(c.parked_bytes, VMS * 4096);
    for (uint32_t i = 0; i < VMS; i++)
        ask(i, 1, 0);
    for (uint32_t i = 0; i < VMS; i++)
        ck_assert_uint_eq(hear(&vm), 2);
    stop();
}
END_TEST

/* More VMs that never idle than workers and windows: each still gets its turns. */
START_TEST(spinners_do_not_starve_others)
{
    uint32_t vm;
    start(4, 2);
    for (uint32_t i = 0; i < 8; i++)
        ask(i, 1, 1);
    for (uint32_t i = 0; i < 8; i++)
        ck_assert_uint_eq(hear(&vm), 1);
    for (uint32_t i = 0; i < VMS; i++)
        ask(i, 5, i < 8);
    for (uint32_t i = 0; i < VMS; i++) {
        uint32_t sum = hear(&vm);
        ck_assert_uint_eq(sum, vm < 8 ? 6 : 5);
    }
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tc = tcase_create("pool");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, all_answer_from_few_windows, 0, 2);
    tcase_add_test(tc, parked_ones_cost_little_and_come_back);
    tcase_add_test(tc, spinners_do_not_starve_others);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
