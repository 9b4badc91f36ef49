/* SPDX-License-Identifier: MIT */
/* Binding of a manifest's names to what the host gives, and the device table that the guest sees.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/net_backends.h"
#include "testsuite/unit/vm_rig.h"

static const uint8_t code[] = {0x0f, 0xb9, 0xc1}; /* terminate */
static struct engine *engine;
static struct disk *disk;
static struct net_backend *net;
static struct why why;

static void setup(void)
{
    char path[64], block[10000] = {1};
    ck_assert_int_eq(interp_create(&engine), 0);
    rig_file(block, sizeof(block), path);
    ck_assert_int_eq(disk_open(path, true, &disk, &why), 0);
    unlink(path);
    struct net_error error;
    ck_assert_int_eq(net_none_create(&net, &error), 0);
}

static void teardown(void)
{
    disk_close(disk);
    net->ops->destroy(net);
    engine->ops->destroy(engine);
}

/* Tries to make a VM; its registers are copied to `regs` if it works. */
static int bind(const struct denali_manifest_device *wishes, unsigned count,
                const struct vm_resource *resource, unsigned resources, struct denali_regs *regs)
{
    struct rig_elf elf;
    struct vm *vm;
    rig_elf_make(&elf, code, sizeof(code), wishes, count);
    struct image *image = rig_image(&elf);
    struct vm_config config = {
        .image = image, .engine = engine, .resource = resource, .resources = resources};
    int err = vm_create(&config, &vm, &why);
    if (!err) {
        memcpy(regs, ram_base(vm_ram(vm)), sizeof(*regs));
        vm_destroy(vm);
    }
    image_close(image);
    return err;
}

static struct vm_resource disk_resource(const char *name)
{
    return (struct vm_resource){.kind = DENALI_DEV_DISK, .name = name, .disk = disk};
}

START_TEST(table)
{
    const struct denali_manifest_device wishes[] = {{DENALI_DEV_TIMER, 0, "clock"},
                                                    {DENALI_DEV_DISK, 0, "data"},
                                                    {DENALI_DEV_NIC, 0, "eth"},
                                                    {DENALI_DEV_CONSOLE, 0, "screen"}};
    const struct vm_resource res[] = {
        {.kind = DENALI_DEV_NIC, .net = net, .mac = {2, 1, 2, 3, 4, 5}}, disk_resource("data")};
    struct denali_regs regs;
    ck_assert_int_eq(bind(wishes, 4, res, 2, &regs), 0);
    ck_assert_uint_eq(regs.device_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_str_eq(regs.device[i].name, wishes[i].name);
        ck_assert_uint_eq(regs.device[i].kind, wishes[i].kind);
        ck_assert_uint_eq(regs.device[i].port, DENALI_PORT_BASE + i * DENALI_PORT_STRIDE);
    }
    ck_assert_uint_eq(regs.device[1].blocks, 3);
    ck_assert_uint_eq(regs.device[1].bytes, 10000);
    ck_assert_uint_eq(regs.device[1].flags, DENALI_DEVF_READONLY);
    ck_assert_int_eq(memcmp(regs.device[2].mac, res[0].mac, 6), 0);
    ck_assert_uint_eq(regs.device[2].mtu, 1500);
    ck_assert_uint_eq(regs.device[4].kind, DENALI_DEV_NONE);
}
END_TEST

START_TEST(missing)
{
    struct denali_regs regs;
    const struct denali_manifest_device needs[] = {{DENALI_DEV_DISK, 0, "data"}};
    const struct denali_manifest_device nic[] = {{DENALI_DEV_NIC, 0, "eth"}};
    const struct vm_resource other = disk_resource("other");
    ck_assert_int_eq(bind(needs, 1, NULL, 0, &regs), -ENOEXEC);
    ck_assert_ptr_nonnull(strstr(why.text, "--disk data=FILE"));
    ck_assert_int_eq(bind(needs, 1, &other, 1, &regs), -ENOEXEC);
    ck_assert_int_eq(bind(nic, 1, NULL, 0, &regs), -ENOEXEC);
    ck_assert_ptr_nonnull(strstr(why.text, "--net"));
}
END_TEST

START_TEST(optional)
{
    struct denali_regs regs;
    const struct denali_manifest_device wishes[] = {{DENALI_DEV_DISK, DENALI_WANT_OPTIONAL, "data"},
                                                    {77, DENALI_WANT_OPTIONAL, "future"},
                                                    {DENALI_DEV_TIMER, 0, "timer"}};
    ck_assert_int_eq(bind(wishes, 3, NULL, 0, &regs), 0);
    ck_assert_uint_eq(regs.device_count, 1);
    ck_assert_uint_eq(regs.device[0].kind, DENALI_DEV_TIMER);
    const struct vm_resource data = disk_resource("data");
    ck_assert_int_eq(bind(wishes, 3, &data, 1, &regs), 0);
    ck_assert_uint_eq(regs.device_count, 2);
}
END_TEST

START_TEST(unknown_kind)
{
    struct denali_regs regs;
    const struct denali_manifest_device wishes[] = {{77, 0, "future"}};
    ck_assert_int_eq(bind(wishes, 1, NULL, 0, &regs), -ENOEXEC);
    ck_assert_ptr_nonnull(strstr(why.text, "kind 77"));
}
END_TEST

START_TEST(unused_disk)
{
    struct denali_regs regs;
    const struct denali_manifest_device wishes[] = {{DENALI_DEV_TIMER, 0, "timer"}};
    const struct vm_resource extra = disk_resource("extra");
    ck_assert_int_eq(bind(wishes, 1, &extra, 1, &regs), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why.text, "\"extra\""));
}
END_TEST

START_TEST(wildcard)
{
    struct denali_regs regs;
    const struct denali_manifest_device wishes[] = {
        {DENALI_DEV_DISK, DENALI_WANT_OPTIONAL, DENALI_NAME_ANY}, {DENALI_DEV_DISK, 0, "b"}};
    const struct vm_resource res[] = {disk_resource("a"), disk_resource("b"), disk_resource("c")};
    ck_assert_int_eq(bind(wishes, 2, res, 3, &regs), 0);
    ck_assert_uint_eq(regs.device_count, 3);
    ck_assert_str_eq(regs.device[0].name, "b");
    ck_assert_str_eq(regs.device[1].name, "a");
    ck_assert_str_eq(regs.device[2].name, "c");
}
END_TEST

START_TEST(too_many)
{
    struct denali_manifest_device wishes[DENALI_MAX_DEVICES];
    struct denali_regs regs;
    const struct vm_resource res[] = {disk_resource("a")};
    for (unsigned i = 0; i < DENALI_MAX_DEVICES; i++)
        wishes[i] = (struct denali_manifest_device){DENALI_DEV_TIMER, 0, {'t', (char)('a' + i)}};
    ck_assert_int_eq(bind(wishes, DENALI_MAX_DEVICES, NULL, 0, &regs), 0);
    ck_assert_uint_eq(regs.device_count, DENALI_MAX_DEVICES);
    wishes[3] = (struct denali_manifest_device){DENALI_DEV_DISK, DENALI_WANT_OPTIONAL, "*"};
    ck_assert_int_eq(bind(wishes, DENALI_MAX_DEVICES, res, 1, &regs), 0);
    ck_assert_uint_eq(regs.device_count, DENALI_MAX_DEVICES);
}
END_TEST

START_TEST(memory)
{
    struct rig_elf elf;
    struct vm *vm;
    rig_elf_make(&elf, code, sizeof(code), NULL, 0);
    struct image *image = rig_image(&elf);
    struct vm_config config = {.image = image, .engine = engine, .mem_bytes = 64 * KIB};
    ck_assert_int_eq(vm_create(&config, &vm, &why), -EINVAL);
    config.mem_bytes = 5 * GIB;
    ck_assert_int_eq(vm_create(&config, &vm, &why), -EINVAL);
    config.mem_bytes = VM_MAX_MEMORY;
    ck_assert_int_eq(vm_create(&config, &vm, &why), 0);
    vm_destroy(vm);
    config.mem_bytes = 200001;
    ck_assert_int_eq(vm_create(&config, &vm, &why), 0);
    ck_assert_uint_eq(ram_size(vm_ram(vm)), 200704);
    vm_destroy(vm);
    image_close(image);
}
END_TEST

START_TEST(arguments)
{
    struct rig_elf elf;
    struct vm *vm;
    const char *const args[] = {"prog", "", "a b", NULL}, *const env[] = {"X=1", NULL};
    rig_elf_make(&elf, code, sizeof(code), NULL, 0);
    struct image *image = rig_image(&elf);
    struct vm_config config = {.image = image, .engine = engine, .args = args, .env = env};
    ck_assert_int_eq(vm_create(&config, &vm, &why), 0);
    const uint8_t *mem = ram_base(vm_ram(vm));
    const struct denali_regs *regs = (const void *)mem;
    ck_assert_uint_eq(regs->args_count, 3);
    ck_assert_uint_eq(regs->args_len, 10);
    ck_assert_int_eq(memcmp(mem + regs->args_addr, "prog\0\0a b", 10), 0);
    ck_assert_uint_eq(regs->env_count, 1);
    ck_assert_str_eq((const char *)mem + regs->env_addr, "X=1");
    ck_assert_uint_le(vm_cpu(vm)->gpr[ISA_ESP], regs->args_addr);
    ck_assert_uint_eq(vm_cpu(vm)->gpr[ISA_ESP] % 16, 0);
    vm_destroy(vm);
    char *huge = malloc(3 * MIB);
    memset(huge, 'x', 3 * MIB);
    huge[3 * MIB - 1] = 0;
    const char *const many[] = {huge, NULL};
    config.args = many;
    ck_assert_int_eq(vm_create(&config, &vm, &why), -E2BIG);
    huge[MIB] = 0; /* fits the limit, but not this VM */
    ck_assert_int_eq(vm_create(&config, &vm, &why), -EINVAL);
    free(huge);
    image_close(image);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("manifest");
    TCase *t = tcase_create("manifest");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, table);
    tcase_add_test(t, missing);
    tcase_add_test(t, optional);
    tcase_add_test(t, unknown_kind);
    tcase_add_test(t, unused_disk);
    tcase_add_test(t, wildcard);
    tcase_add_test(t, too_many);
    tcase_add_test(t, memory);
    tcase_add_test(t, arguments);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
