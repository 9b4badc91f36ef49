/* SPDX-License-Identifier: MIT */
/*
 * Snapshots: a run that is saved in the middle and goes on elsewhere ends as one
 * that was never interrupted; a spoiled file is refused; clones share nothing
 * that they write.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "denali/record/rewind.h"
#include "emu/base/host.h"
#include "testsuite/unit/vm_rig.h"

static const struct denali_manifest_device devices[] = {{DENALI_DEV_CONSOLE, 0, "console"},
                                                        {DENALI_DEV_KEYBOARD, 0, "keyboard"},
                                                        {DENALI_DEV_TIMER, 0, "timer"}};
enum { CONSOLE, KEYBOARD, TIMER };

/* Scatters a random sequence over four pages, and counts on the x87 meanwhile. */
#define CODE 0x40000u
static const uint8_t code[] = {
    0xd9, 0xe8,                         /* fld1 */
    0xd9, 0xe8,                         /* fld1 */
    0x69, 0xc0, 0x6d, 0x4e, 0xc6, 0x41, /* imul eax, eax, 0x41c64e6d */
    0x05, 0x39, 0x30, 0,    0,          /* add eax, 12345 */
    0x89, 0xc7,                         /* mov edi, eax */
    0x81, 0xe7, 0xfc, 0x3f, 0,    0,    /* and edi, 0x3ffc */
    0x01, 0x87, 0,    0,    0x05, 0,    /* add [0x50000 + edi], eax */
    0xdc, 0xc1,                         /* fadd st(1), st */
    0xeb, 0xe3,                         /* jmp imul */
};

static struct rig rig;
static char path[80];

static void start(bool translated)
{
    struct vm_config config = {.deterministic = true};
    rig.translated = translated;
    rig_start_config(&rig, &config, devices, 3);
    memcpy(rig_mem(&rig, CODE), code, sizeof(code));
    vm_cpu(rig.vm)->eip = CODE;
    snprintf(path, sizeof(path), "%s/denali-snapshot-%d",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (int)getpid());
}

static struct snapshot *save_and_open(void)
{
    struct why why = {""};
    struct snapshot *s = NULL;
    int err = snapshot_save(rig.vm, path, &why);
    ck_assert_msg(err == 0, "%s", why.text);
    err = snapshot_open(path, &s, &why);
    ck_assert_msg(err == 0, "%s", why.text);
    return s;
}

static struct vm *restore(const struct snapshot *s)
{
    struct why why = {""};
    struct vm *vm = NULL;
    struct vm_config config = {
        .snapshot = s, .engine = rig.engine, .console = &rig.console.base, .deterministic = true};
    int err = vm_create(&config, &vm, &why);
    ck_assert_msg(err == 0, "%s", why.text);
    return vm;
}

/* Registers and everything declared, and RAM but the registers page, whose clock is set anew. */
static void same(struct vm *a, struct vm *b)
{
    size_t size = vm_state_size(a);
    uint8_t *sa = malloc(size), *sb = malloc(size);
    ck_assert_uint_eq(size, vm_state_size(b));
    ck_assert_int_eq(vm_state_save(a, sa), 0);
    ck_assert_int_eq(vm_state_save(b, sb), 0);
    ck_assert_mem_eq(sa, sb, size);
    ck_assert_uint_eq(ram_size(vm_ram(a)), ram_size(vm_ram(b)));
    ck_assert_int_eq(memcmp(ram_base(vm_ram(a)) + DENALI_RAM_START,
                            ram_base(vm_ram(b)) + DENALI_RAM_START,
                            ram_size(vm_ram(a)) - DENALI_RAM_START),
                     0);
    free(sa);
    free(sb);
}

/* _i: 0 interpreter, 1 translator. */
START_TEST(goes_on_as_if_nothing_had_been)
{
    static const uint64_t at[] = {0, 1, 2, 7, 1000, 100003};
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        start(_i);
        ck_assert_int_eq(vm_run(rig.vm, at[i]), VM_BUDGET);
        struct snapshot *s = save_and_open();
        struct vm *copy = restore(s);
        same(rig.vm, copy);
        ck_assert_int_eq(vm_run(rig.vm, 54321), VM_BUDGET);
        ck_assert_int_eq(vm_run(copy, 54321), VM_BUDGET);
        same(rig.vm, copy);
        ck_assert_uint_eq(vm_cpu(copy)->icount, at[i] + 54321);
        vm_destroy(copy);
        snapshot_close(s);
        rig_stop(&rig);
        unlink(path);
    }
}
END_TEST

/* A snapshot of a snapshot's VM holds what neither changed. */
START_TEST(second_generation)
{
    start(_i);
    vm_run(rig.vm, 500);
    struct snapshot *first = save_and_open();
    struct vm *straight = rig.vm;
    rig.vm = restore(first);
    vm_run(rig.vm, 100);
    struct snapshot *second = save_and_open();
    struct vm *copy = restore(second);
    vm_run(copy, 1000);
    vm_run(straight, 1100);
    same(copy, straight);
    vm_destroy(copy);
    vm_destroy(rig.vm);
    rig.vm = straight;
    snapshot_close(first);
    snapshot_close(second);
    rig_stop(&rig);
    unlink(path);
}
END_TEST

START_TEST(clones_are_apart)
{
    start(_i);
    vm_run(rig.vm, 1000);
    struct snapshot *s = save_and_open();
    struct vm *a = restore(s), *b = restore(s), *c = restore(s);
    vm_run(a, 5000);
    same(b, c);
    vm_run(rig.vm, 5000);
    same(a, rig.vm);
    /* One writes its own code; the others' stays. */
    ck_assert_int_eq(ram_write(vm_ram(b), CODE + 10, "\x05\x01\0\0\0", 5), 0);
    vm_run(b, 5000);
    vm_run(c, 5000);
    same(a, c);
    ck_assert_uint_ne(vm_cpu(b)->gpr[ISA_EAX], vm_cpu(c)->gpr[ISA_EAX]);
    vm_destroy(a);
    vm_destroy(b);
    vm_destroy(c);
    snapshot_close(s);
    rig_stop(&rig);
    unlink(path);
}
END_TEST

/* Whatever a run did to pages, rights and its own code, the next one finds nothing of it. */
START_TEST(goes_back_again_and_again)
{
    struct why why = {""};
    struct rewind *rewind;
    start(_i);
    vm_run(rig.vm, 3000);
    rig_call(&rig, DENALI_FN_PROTECT, 0x52000, 0x1000, 1);
    vm_cpu(rig.vm)->eip = CODE + 4;
    struct snapshot *s = save_and_open();
    struct vm_config config = {
        .snapshot = s, .engine = rig.engine, .console = &rig.console.base, .deterministic = true};
    ck_assert_int_eq(rewind_create(&config, &rewind, &why), 0);
    struct vm *vm = rewind_vm(rewind);
    struct ram *ram = vm_ram(vm);
    for (unsigned round = 0; round < 20; round++) {
        struct vm *fresh = restore(s);
        ck_assert_int_eq(rewind_go(rewind), 0);
        same(vm, fresh);
        ck_assert_uint_eq(ram_access(ram, 0x52000), HOST_R);
        ck_assert_uint_eq(ram_access(ram, 0x53000), HOST_R | HOST_W);
        vm_run(vm, 7 + round * round * 11);
        vm_run(fresh, 7 + round * round * 11);
        same(vm, fresh);
        vm_destroy(fresh);
        if (round % 4 == 1) {
            ck_assert_int_eq(ram_write(ram, CODE + 10, "\x05\x01\0\0\0", 5), 0);
            vm_run(vm, 2);
        }
        if (round % 4 == 2) {
            ck_assert_int_eq(ram_set_access(ram, 0x51000, 0x3000, HOST_NONE), 0);
            vm_run(vm, 1000);
        }
        if (round % 4 == 3)
            ck_assert_int_eq(ram_discard(ram, 0x50000, 0x4000), 0);
    }
    ck_assert_uint_gt(rewind_pages(rewind), 3);
    rewind_destroy(rewind);
    snapshot_close(s);
    rig_stop(&rig);
    unlink(path);
}
END_TEST

/* Rights, discards, and the way back to the source. */
START_TEST(rights_and_discard)
{
    start(_i);
    vm_run(rig.vm, 3000);
    rig_call(&rig, DENALI_FN_PROTECT, 0x52000, 0x1000, 1);
    rig_call(&rig, DENALI_FN_PROTECT, 0x53000, 0x1000, 0);
    struct snapshot *s = save_and_open();
    struct vm *copy = restore(s);
    struct ram *ram = vm_ram(copy);
    ck_assert_uint_eq(ram_access(ram, 0x51000), HOST_R | HOST_W);
    ck_assert_uint_eq(ram_access(ram, 0x52000), HOST_R);
    ck_assert_uint_eq(ram_access(ram, 0x53000), HOST_NONE);
    ck_assert_uint_eq(ram_access(ram, PAGE_SIZE), HOST_NONE);
    ck_assert_int_eq(ram_discard(ram, 0x51000, 0x3000), 0);
    ck_assert_int_eq(ram_set_access(ram, 0x53000, 0x1000, HOST_R), 0);
    for (uint32_t at = 0x51000; at < 0x54000; at++)
        ck_assert_uint_eq(ram_base(ram)[at], 0);
    uint8_t bits[32] = {0};
    ck_assert_int_eq(ram_find_changed(ram, bits), 0);
    ck_assert_uint_eq(bits[0x51 / 8] & 0xe, 0xe); /* pages 51, 52, 53 */
    ck_assert_uint_eq(bits[0x50 / 8] & 1, 0);

    ck_assert_int_eq(ram_reset(ram, bits, _i ? 8 : 0), 0);
    ck_assert_int_eq(ram_set_access(ram, 0, ram_size(ram), HOST_R | HOST_W), 0);
    ck_assert_int_eq(ram_reset_rights(ram), 0);
    struct ram_rights left;
    ck_assert(!ram_changed_rights(ram, 0, &left));
    ck_assert_int_eq(snapshot_load_state(s, copy, VM_TIME_SAVED), 0);
    vm_run(copy, 300);
    vm_run(rig.vm, 300);
    ck_assert_int_eq(memcmp(ram_base(ram) + 0x50000, ram_base(vm_ram(rig.vm)) + 0x50000, 0x3000),
                     0);
    vm_destroy(copy);
    snapshot_close(s);
    rig_stop(&rig);
    unlink(path);
}
END_TEST

/* An armed timer fires at its time, also when that lies behind the snapshot. */
START_TEST(timers)
{
    start(_i);
    vm_run(rig.vm, 10);
    rig_out(&rig, TIMER, DENALI_PORT_TIMER, 1000, 0, 0);
    vm_cpu(rig.vm)->eip = CODE;
    struct snapshot *s = save_and_open();
    struct vm *copy = restore(s);
    vm_run(copy, 2000);
    const volatile struct denali_regs *r = (const void *)ram_base(vm_ram(copy));
    ck_assert_uint_eq(r->pending & DENALI_IRQ_TIMER, DENALI_IRQ_TIMER);
    ck_assert_uint_eq(rig_regs(&rig)->pending & DENALI_IRQ_TIMER, 0);
    vm_destroy(copy);
    snapshot_close(s);
    rig_stop(&rig);
    unlink(path);
}
END_TEST

START_TEST(identity)
{
    struct vm_identity id = {.seed = {5, 6}, .text = "denali.hostname=a\0b=c", .text_len = 22};
    start(_i);
    struct snapshot *s = save_and_open();
    struct vm *copy = restore(s);
    ck_assert_int_eq(vm_identify(copy, &id), 0);
    vm_run(copy, 0);
    const volatile struct denali_regs *r = (const void *)ram_base(vm_ram(copy));
    ck_assert_uint_eq(r->pending & DENALI_IRQ_IDENTITY, DENALI_IRQ_IDENTITY);
    ck_assert_uint_eq(r->identity_count, 1);
    ck_assert_uint_eq(r->identity_len, 22);
    ck_assert_str_eq((const char *)r->identity + 18, "b=c");
    ck_assert_uint_eq(r->random[1], 6);
    id.text_len = DENALI_IDENTITY_MAX + 1;
    ck_assert_int_eq(vm_identify(copy, &id), -EINVAL);
    vm_destroy(copy);
    snapshot_close(s);
    rig_stop(&rig);
    unlink(path);
}
END_TEST

/* Spoiled files. */

static uint8_t *bytes;
static size_t length;

static void read_whole(void)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fstat(fileno(f), &st), 0);
    length = (size_t)st.st_size;
    bytes = malloc(length + 1);
    ck_assert_uint_eq(fread(bytes, 1, length, f), length);
    fclose(f);
}

static int open_bytes(size_t len, struct why *why)
{
    struct snapshot *s = NULL;
    FILE *f = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
    fclose(f);
    int err = snapshot_open(path, &s, why);
    snapshot_close(s);
    return err;
}

static void make_file(void)
{
    start(false);
    vm_run(rig.vm, 200);
    snapshot_close(save_and_open());
    rig_stop(&rig);
    read_whole();
}

START_TEST(every_truncation)
{
    struct why why = {""};
    make_file();
    for (size_t len = 0; len < length; len += len < 4096 || len > length - 64 ? 1 : 37)
        ck_assert_int_eq(open_bytes(len, &why), -EINVAL);
    ck_assert_int_eq(open_bytes(length + 1, &why), -EINVAL);
    ck_assert_int_eq(open_bytes(length, &why), 0);
    unlink(path);
    ck_assert_int_eq(snapshot_open(path, &(struct snapshot *){NULL}, &why), -ENOENT);
    free(bytes);
}
END_TEST

START_TEST(random_flips)
{
    struct why why = {""};
    uint32_t random = 1;
    make_file();
    for (unsigned i = 0; i < 3000; i++) {
        random = random * 1664525 + 1013904223;
        size_t at = (random >> 8) % (i % 2 ? 8192 : length);
        uint8_t old = bytes[at];
        bytes[at] ^= (uint8_t)(1u << (random & 7));
        ck_assert_int_eq(open_bytes(length, &why), -EINVAL);
        bytes[at] = old;
    }
    ck_assert_int_eq(open_bytes(length, &why), 0);
    unlink(path);
    free(bytes);
}
END_TEST

START_TEST(another_machine)
{
    struct why why = {""};
    struct vm *vm = NULL;
    start(false);
    struct snapshot *s = save_and_open();
    struct vm_config config = {.snapshot = s, .engine = rig.engine}; /* not deterministic */
    ck_assert_int_eq(vm_create(&config, &vm, &why), -EINVAL);
    snapshot_close(s);
    rig_stop(&rig);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tc = tcase_create("snapshot");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, goes_on_as_if_nothing_had_been, 0, 2);
    tcase_add_loop_test(tc, second_generation, 0, 2);
    tcase_add_loop_test(tc, clones_are_apart, 0, 2);
    tcase_add_loop_test(tc, rights_and_discard, 0, 2);
    tcase_add_loop_test(tc, goes_back_again_and_again, 0, 2);
    tcase_add_loop_test(tc, timers, 0, 2);
    tcase_add_loop_test(tc, identity, 0, 2);
    tcase_add_test(tc, every_truncation);
    tcase_add_test(tc, random_flips);
    tcase_add_test(tc, another_machine);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
