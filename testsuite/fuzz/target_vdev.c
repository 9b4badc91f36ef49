/* SPDX-License-Identifier: MIT */
/*
 * Every virtual device and every virtual instruction of a Denali VM, by a guest that does what
 * the input says: ports with any registers, writes to the register page and to memory anywhere,
 * rights of pages, frames that arrive, interrupts, signals. The VM goes on or ends with a report;
 * the hosts' ends see only what lies in the guest's memory and in the disk.
 * fuzz: max_len=2048
 */
#include "testsuite/fuzz/fuzz.h"
#include "testsuite/unit/vm_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES 7u
#define OPS 200u
#define BLOCKS 16u

static const struct denali_manifest_device devices[DEVICES] = {
    {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_KEYBOARD, 0, "keyboard"},
    {DENALI_DEV_TIMER, 0, "timer"},     {DENALI_DEV_NIC, 0, "net"},
    {DENALI_DEV_NIC, 0, "other"},       {DENALI_DEV_DISK, 0, "disk"},
    {DENALI_DEV_DISK, 0, "fixed"}};

/* A NIC's host end: frames that the input gave, and room that it takes away. */
struct wire {
    struct net_backend base;
    uint8_t frame[NET_FRAME_MAX];
    size_t len;
    bool full, gone;
    uint64_t sum;
};

static int wire_send(struct net_backend *net, const void *frame, size_t len)
{
    struct wire *w = CONTAINER_OF(net, struct wire, base);
    FUZZ_REQUIRE(len >= 14 && len <= NET_FRAME_MAX);
    for (size_t i = 0; i < len; i++)
        w->sum += ((const uint8_t *)frame)[i];
    return w->gone ? -EPIPE : w->full ? -EAGAIN : 0;
}

static int wire_receive(struct net_backend *net, void *frame, size_t room)
{
    struct wire *w = CONTAINER_OF(net, struct wire, base);
    size_t n = w->len < room ? w->len : room;
    if (w->gone || !w->len)
        return w->gone ? -EPIPE : -EAGAIN;
    memcpy(frame, w->frame, n);
    w->len = 0;
    return (int)n;
}

static int wire_fd(const struct net_backend *net)
{
    (void)net;
    return -1;
}

static void wire_destroy(struct net_backend *net)
{
    (void)net;
}

static const struct net_backend_ops wire_ops = {"fuzz", wire_send, wire_receive, wire_fd,
                                                wire_destroy};

/* What lives from input to input: nothing in it changes but the disk's contents. */
struct world {
    struct image *image;
    struct engine *engine;
    struct disk *disk, *fixed;
};

static struct image *make_image(void)
{
    struct rig_elf elf;
    uint8_t code[8 + 4 * 64];
    memset(code, 0x90, sizeof(code));
    code[0] = 0xef;
    code[4] = 0xed;
    for (unsigned fn = 0; fn < 64; fn++) {
        const uint8_t call[3] = {0x0f, 0xb9, (uint8_t)(0xc0 + fn)};
        memcpy(code + 8 + 4 * fn, call, sizeof(call));
    }
    rig_elf_make(&elf, code, sizeof(code), devices, DEVICES);
    return rig_image(&elf);
}

static struct world *the_world(void)
{
    static struct world w;
    static const uint8_t zero[BLOCKS * DISK_BLOCK];
    char path[FUZZ_PATH];
    struct why why;
    if (w.image)
        return &w;
    w.image = make_image();
    FUZZ_REQUIRE(interp_create(&w.engine) == 0);
    fuzz_file(zero, sizeof(zero) - 100, path);
    FUZZ_REQUIRE(disk_open(path, false, &w.disk, &why) == 0);
    fuzz_file(zero, sizeof(zero), path);
    FUZZ_REQUIRE(disk_open(path, true, &w.fixed, &why) == 0);
    return &w;
}

/* Addresses near what matters: the register page, the image, the end of RAM, or anywhere. */
static uint32_t place(struct fuzz_in *in, const struct rig *rig)
{
    uint32_t v = fuzz_u16(in), end = (uint32_t)ram_size(vm_ram(rig->vm));
    switch (v >> 14) {
    case 0:
        return v & 0xfff;
    case 1:
        return RIG_CODE + (v & 0x3fff);
    case 2:
        return end - 0x2000 + (v & 0x3fff);
    default:
        return v & 0x2000 ? fuzz_u32(in) : 0x40000 + (v & 0x1fff) * 32;
    }
}

static uint32_t number(struct fuzz_in *in, const struct rig *rig)
{
    static const uint32_t nasty[] = {0,          1,          14,         1514,   1515,
                                     4095,       4096,       4097,       0xffff, 0x100000,
                                     0x7fffffff, 0x80000000, ~0u - 4095, ~0u};
    uint8_t v = fuzz_u8(in);
    return v < 0x60 ? v : v < 0xc0 ? nasty[v % ARRAY_LEN(nasty)] : place(in, rig);
}

/* A page that the guest may not write swallows it: as a guest's own store it would fault. */
static void poke(struct rig *rig, uint32_t at, const void *bytes, size_t len)
{
    (void)!ram_write(vm_ram(rig->vm), at, bytes, len);
}

static void op_requests(struct rig *rig, struct fuzz_in *in)
{
    struct denali_disk_request r[4];
    uint32_t at = place(in, rig) & ~3u;
    unsigned n = fuzz_u8(in) % ARRAY_LEN(r);
    for (unsigned i = 0; i <= n; i++)
        r[i] = (struct denali_disk_request){.op = fuzz_u8(in) & 3,
                                            .buffer = number(in, rig),
                                            .block = fuzz_u8(in) % 32u,
                                            .bytes = fuzz_u8(in) & 1 ? 0 : 4096,
                                            .status = DENALI_DISK_BUSY};
    poke(rig, at, r, (n + 1) * sizeof(r[0]));
    rig_out(rig, 5 + (fuzz_u8(in) & 1), DENALI_PORT_SUBMIT, at, fuzz_u8(in), 0);
}

static void op_wire(struct wire *w, struct fuzz_in *in)
{
    size_t got;
    uint8_t v = fuzz_u8(in);
    const uint8_t *bytes = fuzz_bytes(in, v & 31, &got);
    w->full = v & 32;
    w->gone = (v & 0xc0) == 0xc0;
    memset(w->frame, 0x5a, sizeof(w->frame));
    memcpy(w->frame, bytes, got);
    w->len = v & 64 ? NET_FRAME_MAX : 14 + (v & 63u);
}

static void op_console(struct rig *rig, struct fuzz_in *in)
{
    static const char text[] = "what is typed\n\003\004\032";
    uint8_t v = fuzz_u8(in);
    rig->console.in = v & 1 ? text : NULL;
    rig->console.in_len = v & 2 ? 0 : sizeof(text);
    rig->console.room = v & 4 ? v : SIZE_MAX;
    rig->console.error = v & 8 ? -EPIPE : 0;
}

static void op_write(struct rig *rig, struct fuzz_in *in)
{
    size_t got;
    uint32_t at = place(in, rig);
    const uint8_t *bytes = fuzz_bytes(in, fuzz_u8(in) & 63, &got);
    poke(rig, at, bytes, got);
}

/* The interrupt and fault entries: to code that is there, so that upcalls go on. */
static void op_entries(struct rig *rig, struct fuzz_in *in)
{
    struct denali_regs r = {0};
    r.intr_enabled = fuzz_u8(in);
    poke(rig, offsetof(struct denali_regs, intr_enabled), &r.intr_enabled, 4);
    uint32_t entry[2] = {RIG_CODE + 8 + (fuzz_u8(in) & 0xfc), place(in, rig)};
    poke(rig, offsetof(struct denali_regs, upcall_entry), entry, 8);
    poke(rig, offsetof(struct denali_regs, fault_entry), entry, 8);
    poke(rig, offsetof(struct denali_regs, trap_entry), entry, 4);
}

static void one(struct rig *rig, struct wire wire[2], struct fuzz_in *in)
{
    uint8_t op = fuzz_u8(in), v = fuzz_u8(in);
    switch (op & 15) {
    case 0:
    case 1:
    case 2:
        rig_out(rig, v & 7, v >> 3 & 7, number(in, rig), number(in, rig), number(in, rig));
        break;
    case 3:
    case 4:
        rig_in(rig, v & 7, v >> 3 & 7, number(in, rig), number(in, rig));
        break;
    case 5:
    case 6:
        vm_cpu(rig->vm)->gpr[ISA_EBX] = number(in, rig);
        rig_call(rig, (enum denali_fn)(v & 63), number(in, rig), number(in, rig), number(in, rig));
        break;
    case 7:
        op_requests(rig, in);
        break;
    case 8:
        op_wire(&wire[v & 1], in);
        break;
    case 9:
        op_console(rig, in);
        break;
    case 10:
        op_entries(rig, in);
        break;
    case 11:
        vm_post(rig->vm, v & 0x7f);
        vm_post_signal(rig->vm, v >> 7);
        break;
    case 12:
        vm_set_rates(rig->vm, v & 1 ? v : 0, v & 2 ? v : 0);
        vm_slept(rig->vm, (uint64_t)v << 20);
        break;
    case 13:
        (void)vm_run(rig->vm, v);
        break;
    default:
        op_write(rig, in);
    }
}

static void end(struct rig *rig)
{
    FILE *sink = fopen("/dev/null", "w");
    FUZZ_REQUIRE(sink);
    if (vm_end(rig->vm)->reason == VM_END_FAULT)
        vm_report(rig->vm, sink);
    vm_print_stats(rig->vm, sink, true);
    fclose(sink);
    size_t size = vm_state_size(rig->vm);
    uint8_t *state = malloc(size);
    FUZZ_REQUIRE(state);
    if (!vm_state_save(rig->vm, state))
        FUZZ_REQUIRE(vm_state_load(rig->vm, state, size, VM_TIME_SAVED) == 0);
    free(state);
    vm_destroy(rig->vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct rig rig; /* its console is large */
    struct world *w = the_world();
    struct fuzz_in in = {data, len};
    struct wire wire[2] = {{.base = {&wire_ops}}, {.base = {&wire_ops}}};
    struct why why;
    uint8_t flags = fuzz_u8(&in);
    const struct vm_resource resource[] = {
        {.kind = DENALI_DEV_NIC, .name = "net", .net = &wire[0].base, .mac = {2, 0, 0, 0, 0, 1}},
        {.kind = DENALI_DEV_NIC, .name = "other", .net = &wire[1].base, .mac = {2, 0, 0, 0, 0, 2}},
        {.kind = DENALI_DEV_DISK, .name = "disk", .disk = w->disk},
        {.kind = DENALI_DEV_DISK, .name = "fixed", .disk = w->fixed}};
    rig_console_init(&rig.console);
    const struct vm_config config = {.image = w->image,
                                     .engine = w->engine,
                                     .console = &rig.console.base,
                                     .resource = resource,
                                     .resources = 4,
                                     .one_by_one = flags & 1,
                                     .deterministic = true};
    FUZZ_REQUIRE(vm_create(&config, &rig.vm, &why) == 0);
    for (unsigned n = 0; n < OPS && in.left && vm_end(rig.vm)->reason == VM_END_NONE; n++)
        one(&rig, wire, &in);
    end(&rig);
    return 0;
}
