/* SPDX-License-Identifier: MIT */
/*
 * Memory that is a device's: each access is made once and in order, however the engine comes to
 * make it (the translator first by a fault, then by a call; dbt/paged/paged_device.c), and whatever
 * the same instruction reaches in between.
 */
#include "testsuite/unit/pc_rig.h"

#define DEVICE 0x800000u /* above RAM */
#define DEVICE_BYTES 0x1000u

struct device {
    uint32_t writes, reads;
    uint32_t next; /* the value that the next write must have */
    bool disordered;
};

static uint32_t device_read(void *opaque, uint32_t offset, unsigned size)
{
    struct device *d = opaque;
    (void)size;
    d->reads++;
    return d->reads + offset;
}

static void device_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct device *d = opaque;
    (void)offset, (void)size;
    d->disordered |= value != d->next;
    d->next = value - 1;
    d->writes++;
}

static const struct bus_ops device_ops = {device_read, device_write, 1 | 2 | 4};

static void map_device(struct device *d)
{
    struct bus_region_config config = {.name = "counter",
                                       .space = BUS_MEMORY,
                                       .len = DEVICE_BYTES,
                                       .ops = &device_ops,
                                       .opaque = d,
                                       .priority = BUS_NORMAL};
    struct bus_region *region;
    ck_assert_int_eq(bus_region_create(pc_rig.bus, &config, &region), 0);
    bus_region_map(region, DEVICE);
}

/* One store, to the device 40 times, to memory 100 times, and to the device 40 times again. */
START_TEST(a_store_that_serves_a_device_and_memory)
{
    struct device device = {.next = 40};
    map_device(&device);
    PUT("\xbf\x00\x00\x80\x00\xb9\x28\x00\x00\x00\xe8\x24\x00\x00\x00" /* edi, ecx; call fill */
        "\xbf\x00\x00\x02\x00\xb9\x64\x00\x00\x00\xe8\x15\x00\x00\x00" /* the same, memory */
        "\xbf\x00\x00\x80\x00\xb9\x28\x00\x00\x00\xe8\x06\x00\x00\x00" /* the device */
        "\xcd\x80\x90\x90\x90\x90"                                     /* int 0x80 */
        "\x89\x0c\x8f\x49\x75\xfa\xc3"); /* fill: mov [edi+ecx*4], ecx; dec ecx; jnz; ret */
    pc_cpu->gpr[ISA_EBX] = 0;
    ck_assert_uint_eq(pc_run(), VEC_OK);
    ck_assert_uint_eq(device.writes, 80);
    for (uint32_t i = 1; i <= 100; i++)
        ck_assert_uint_eq(pc_peek32(DATA + i * 4), i);
}
END_TEST

START_TEST(stores_reach_a_device_in_their_order)
{
    struct device device = {.next = 100};
    map_device(&device);
    PUT("\xbf\x00\x00\x80\x00\xb9\x64\x00\x00\x00\x89\x0c\x8f\x49\x75\xfa");
    pc_want_ok();
    ck_assert_uint_eq(device.writes, 100);
    ck_assert(!device.disordered);
}
END_TEST

/* A read-modify-write reads and writes once each, flags as of the value read. */
START_TEST(an_add_to_a_device)
{
    struct device device = {0};
    map_device(&device);
    PUT("\xbf\x00\x00\x80\x00\xb9\x32\x00\x00\x00\x31\xdb" /* edi, ecx = 50, ebx = 0 */
        "\xff\x07\x13\x1f"                                 /* inc dword [edi]; adc ebx, [edi] */
        "\x49\x75\xf9");                                   /* dec ecx; jnz */
    pc_want_ok();
    ck_assert_uint_eq(device.writes, 50);
    ck_assert_uint_eq(device.reads, 100);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EBX], 50 * 51);
}
END_TEST

static const TTest *const *const tests[] = {
    &a_store_that_serves_a_device_and_memory,
    &stores_reach_a_device_in_their_order,
    &an_add_to_a_device,
};

int main(void)
{
    return pc_rig_main("pc_device", tests, ARRAY_LEN(tests), NULL, 0);
}
