/* SPDX-License-Identifier: MIT */
/*
 * Linux by its real-mode boot protocol (Documentation/x86/boot.rst), which programs that pretend to
 * be Linux need as well: network boot loaders, disk images that are put into memory, old kernels.
 * Firmware comes first; what it is to start is in fw_cfg, under the numbers that other firmware
 * reads by itself, and an option ROM of ours (roms/start.S) for one that does not, as SeaBIOS.
 *
 *     protocol    setup     command line   the rest
 *     2.02 on     10000h    20000h         1 MiB
 *     older       90000h    99000h         1 MiB; 10000h of a zImage
 */
#include "devices/pc/kernel.h"

#include "devices/pc/kernel_rom.h"

#include <errno.h>
#include <string.h>

#define SECTOR 512u
#define SETUP_MAX (65u * SECTOR)
#define SETUP_MIN (5u * SECTOR)
#define TEXT_ROOM 0x6000u
#define ZIMAGE_MAX 0x80000u
#define TABLES_ROOM MIB /* at RAM's end, firmware's */

enum { LOADED_HIGH = 1, CAN_USE_HEAP = 0x80 };
enum { ROM_SUM = 0x06, ROM_SEGMENT = 0x08, ROM_STACK = 0x0a, ROM_LOADS = 0x20 };
enum { DMA_READ = 2, DMA_SELECT = 8 };

/* Where it all goes. */
struct plan {
    const struct kernel_config *c;
    uint8_t setup[SETUP_MAX];
    uint32_t setup_len, version;
    uint32_t setup_at, text_at, code_at, initrd_at;
    uint32_t stack; /* from the setup code's begin */
};

static uint32_t version_of(const struct kernel_config *c)
{
    return kernel_get(c->data + 0x206, 2);
}

bool kernel_wants_firmware(const struct kernel_config *c)
{
    return kernel_is_linux(c) &&
           (c->len < 0x212 || version_of(c) < 0x20a || !(c->data[0x211] & LOADED_HIGH));
}

static void place(struct plan *p)
{
    bool high = p->setup[0x211] & LOADED_HIGH, old = p->version < 0x202;
    p->setup_at = old ? 0x90000 : 0x10000;
    p->text_at = old ? 0x99000 : 0x20000;
    p->code_at = high ? MIB : 0x10000;
    p->stack = old ? 0x9000 : 0xe000;
}

static int take_setup(const struct kernel_config *c, struct plan *p, struct why *why)
{
    uint32_t sectors = c->len > 0x1f1 && c->data[0x1f1] ? c->data[0x1f1] : 4;
    p->c = c;
    p->setup_len = (sectors + 1) * SECTOR;
    p->setup_len = p->setup_len < SETUP_MIN ? SETUP_MIN : p->setup_len;
    if (p->setup_len > SETUP_MAX)
        return why_fail(why, -ENOEXEC, "the kernel %s has %u sectors of setup code, more than 64",
                        c->name, sectors);
    if (c->len < (sectors + 1) * SECTOR || c->len < SETUP_MIN / 2)
        return why_fail(why, -ENOEXEC, "the kernel %s is cut off", c->name);
    memcpy(p->setup, c->data, c->len < p->setup_len ? c->len : p->setup_len);
    p->setup_len = (sectors + 1) * SECTOR;
    p->version = version_of(c);
    place(p);
    if (p->code_at < MIB && c->len - p->setup_len > ZIMAGE_MAX)
        return why_fail(why, -ENOEXEC, "the kernel %s is larger than a zImage can be", c->name);
    return 0;
}

static int place_text(struct plan *p, struct why *why)
{
    const char *text = p->c->append ? p->c->append : "";
    if (strlen(text) >= TEXT_ROOM)
        return why_fail(why, -ENOEXEC, "the command line has more than %u bytes", TEXT_ROOM - 1);
    if (p->version >= 0x202) {
        kernel_put(p->setup + 0x228, 4, p->text_at);
    } else {
        kernel_put(p->setup + 0x20, 2, 0xa33f);
        kernel_put(p->setup + 0x22, 2, p->text_at - p->setup_at);
    }
    return 0;
}

/* As high as the kernel can reach and firmware leaves room. */
static int place_initrd(struct plan *p, uint64_t ram_bytes, struct why *why)
{
    uint64_t max = p->version >= 0x203 ? kernel_get(p->setup + 0x22c, 4) : 0x37ffffff;
    uint64_t len = p->c->modules ? p->c->module[0].len : 0;
    uint64_t end = p->code_at + (p->c->len - p->setup_len);
    uint64_t top = ram_bytes > TABLES_ROOM ? ram_bytes - TABLES_ROOM : 0;
    top = top < max + 1 ? top : max + 1;
    if (end < MIB)
        end = MIB;
    if (end + len > top || ((top - len) & ~(uint64_t)PAGE_MASK) < end)
        return why_fail(why, -ENOEXEC,
                        "the kernel %s and its initrd need more memory than %llu MiB", p->c->name,
                        (unsigned long long)(ram_bytes >> 20));
    if (!len)
        return 0;
    p->initrd_at = (uint32_t)((top - len) & ~(uint64_t)PAGE_MASK);
    kernel_put(p->setup + 0x218, 4, p->initrd_at);
    kernel_put(p->setup + 0x21c, 4, len);
    return 0;
}

static void mark_loader(struct plan *p)
{
    p->setup[0x210] = 0xff; /* one without a number */
    if (p->version < 0x201)
        return;
    p->setup[0x211] |= CAN_USE_HEAP;
    kernel_put(p->setup + 0x224, 2, p->stack - SECTOR);
}

/* A piece under its three numbers. */
static int add(struct fw_cfg *cfg, enum fw_cfg_key at_key, uint32_t at, enum fw_cfg_key len_key,
               enum fw_cfg_key key, const void *data, size_t len)
{
    int err = fw_cfg_add_number(cfg, at_key, at, 4);
    if (!err)
        err = fw_cfg_add_number(cfg, len_key, len, 4);
    return err ? err : fw_cfg_add(cfg, key, data, (uint32_t)len);
}

static int add_pieces(const struct plan *p, struct fw_cfg *cfg)
{
    const struct kernel_config *c = p->c;
    const char *text = c->append ? c->append : "";
    int err = add(cfg, FW_CFG_SETUP_ADDR, p->setup_at, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA,
                  p->setup, p->setup_len);
    if (!err)
        err = add(cfg, FW_CFG_KERNEL_ADDR, p->code_at, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA,
                  c->data + p->setup_len, c->len - p->setup_len);
    if (!err)
        err = add(cfg, FW_CFG_TEXT_ADDR, p->text_at, FW_CFG_TEXT_SIZE, FW_CFG_TEXT_DATA, text,
                  strlen(text) + 1);
    if (!err && c->modules)
        err = add(cfg, FW_CFG_INITRD_ADDR, p->initrd_at, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA,
                  c->module[0].data, c->module[0].len);
    return err;
}

/* A descriptor of fw_cfg's DMA, which is big-endian. */
static void put_load(uint8_t *to, enum fw_cfg_key key, size_t len, uint32_t at)
{
    uint32_t word[4] = {(uint32_t)key << 16 | DMA_SELECT | DMA_READ, (uint32_t)len, 0, at};
    for (unsigned i = 0; i < 16; i++)
        to[i] = (uint8_t)(word[i / 4] >> (24 - i % 4 * 8));
}

static int add_rom(const struct plan *p, struct fw_cfg *cfg)
{
    static const char order[] = "/rom@genroms/kernel.rom\n";
    const struct kernel_config *c = p->c;
    uint8_t rom[KERNEL_ROM_LEN], *load = rom + ROM_LOADS, sum = 0;
    memcpy(rom, kernel_rom, sizeof(rom));
    kernel_put(rom + ROM_SEGMENT, 2, p->setup_at >> 4);
    kernel_put(rom + ROM_STACK, 2, p->stack);
    put_load(load, FW_CFG_SETUP_DATA, p->setup_len, p->setup_at);
    put_load(load + 16, FW_CFG_KERNEL_DATA, c->len - p->setup_len, p->code_at);
    put_load(load + 32, FW_CFG_TEXT_DATA, strlen(c->append ? c->append : "") + 1, p->text_at);
    if (c->modules)
        put_load(load + 48, FW_CFG_INITRD_DATA, c->module[0].len, p->initrd_at);
    for (unsigned i = 0; i < sizeof(rom); i++)
        sum = (uint8_t)(sum + rom[i]);
    rom[ROM_SUM] = (uint8_t)-sum;
    int err = fw_cfg_add_file(cfg, "genroms/kernel.rom", rom, sizeof(rom));
    return err ? err : fw_cfg_add_file(cfg, "bootorder", order, sizeof(order));
}

int kernel_give_to_firmware(const struct kernel_config *c, uint64_t ram_bytes, struct fw_cfg *cfg,
                            struct why *why)
{
    struct plan p = {0};
    int err = take_setup(c, &p, why);
    if (!err)
        err = place_text(&p, why);
    if (!err)
        err = place_initrd(&p, ram_bytes, why);
    if (err)
        return err;
    mark_loader(&p);
    err = add_pieces(&p, cfg);
    if (!err)
        err = add_rom(&p, cfg);
    return err ? why_fail(why, err, "no memory for the kernel %s", c->name) : 0;
}
