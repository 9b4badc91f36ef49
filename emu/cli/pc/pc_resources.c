/* SPDX-License-Identifier: MIT */
/* Opens what the options of `denali pc` name. */
#include "emu/cli/pc/pc_resources.h"

#include "emu/base/host.h"

#include "devices/gate.h"

#include "config.h"
#include "emu/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define FILE_MAX (1024 * MIB)

static int read_stream(FILE *f, struct pc_file *out)
{
    struct stat st;
    if (fstat(fileno(f), &st))
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if ((uint64_t)st.st_size > FILE_MAX)
        return -EFBIG;
    out->data = malloc((size_t)st.st_size + 1);
    if (!out->data)
        return -ENOMEM;
    out->len = fread(out->data, 1, (size_t)st.st_size, f);
    return ferror(f) ? -EIO : 0;
}

static int read_file(const char *path, struct pc_file *out, struct why *why)
{
    int fd = host_open_file(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
    int err = f ? read_stream(f, out) : fd < 0 ? fd : -errno;
    if (f)
        fclose(f);
    else if (fd >= 0)
        close(fd);
    if (!err && !out->len)
        return why_fail(why, -ENOEXEC, "%s is empty", path);
    return err ? why_fail(why, err, "cannot read %s: %s", path, strerror(-err)) : 0;
}

/* Grows by doubling: the length at a gzip file's end is not to be trusted. */
static int inflate_all(z_stream *z, struct pc_file *out)
{
    size_t room = 1u << 20;
    int result = Z_OK;
    while (result == Z_OK) {
        uint8_t *more = room > FILE_MAX ? NULL : realloc(out->data, room);
        if (!more)
            return -EFBIG;
        out->data = more;
        z->next_out = out->data + out->len;
        z->avail_out = (uInt)(room - out->len);
        result = inflate(z, Z_NO_FLUSH);
        out->len = room - z->avail_out;
        room = z->avail_out ? room : 2 * room;
    }
    return result == Z_STREAM_END ? 0 : -ENOEXEC;
}

/* A gzip file is replaced by what is in it, as boot loaders do. */
static int gunzip(const char *path, struct pc_file *file, struct why *why)
{
    struct pc_file plain = {0};
    z_stream z = {.next_in = file->data, .avail_in = (uInt)file->len};
    if (file->len < 18 || file->data[0] != 0x1f || file->data[1] != 0x8b)
        return 0;
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return why_fail(why, -ENOMEM, "no memory");
    int err = inflate_all(&z, &plain);
    inflateEnd(&z);
    if (err) {
        free(plain.data);
        return why_fail(why, -ENOEXEC, "%s is a damaged gzip file", path);
    }
    free(file->data);
    *file = plain;
    return 0;
}

/* The first that exists. */
static const char *find_file(const char *const *paths)
{
    for (; *paths; paths++) {
        if (!access(*paths, R_OK))
            return *paths;
    }
    return NULL;
}

static int open_bios(const struct pc_options *o, struct pc_resources *r, struct why *why)
{
    static const char *const places[] = {"/usr/share/seabios/bios-256k.bin",
                                         "/usr/share/qemu/bios-256k.bin",
                                         "/usr/share/seabios/bios.bin", NULL};
    const char *path = o->bios ? o->bios : find_file(places);
    if (o->kernel && !r->config.kernel_by_firmware && !o->bios)
        return 0;
    if (!path && o->kernel)
        return why_fail(
            why, -ENOEXEC,
            "the kernel %s starts in real mode, from firmware: install SeaBIOS (package "
            "seabios), or give --bios FILE",
            o->kernel);
    if (!path)
        return why_fail(why, -ENOENT,
                        "no firmware: install SeaBIOS (package seabios), or give "
                        "--bios FILE or --kernel FILE");
    int err = read_file(path, &r->bios, why);
    if (err)
        return err;
    if (r->bios.len % 65536 || r->bios.len > 16 * MIB)
        return why_fail(why, -ENOEXEC,
                        "the firmware %s has %zu bytes; a ROM has whole 64 KiB, up "
                        "to 16 MiB",
                        path, r->bios.len);
    r->config.bios = r->bios.data;
    r->config.bios_len = (uint32_t)r->bios.len;
    return 0;
}

static int open_vga_rom(const struct pc_options *o, struct pc_resources *r, struct why *why)
{
    static const char *const places[] = {"/usr/share/seabios/vgabios-stdvga.bin",
                                         "/usr/share/qemu/vgabios-stdvga.bin",
                                         "/usr/share/vgabios/vgabios.bin", NULL};
    const char *path = o->vgabios ? o->vgabios : find_file(places);
    if (!path) /* no picture from firmware; kernels bring their own */
        return 0;
    int err = read_file(path, &r->vga_rom, why);
    if (err)
        return err;
    const uint8_t *d = r->vga_rom.data;
    if (r->vga_rom.len < 512 || r->vga_rom.len > MIB || d[0] != 0x55 || d[1] != 0xaa)
        return why_fail(why, -ENOEXEC, "%s is not a VGA BIOS", path);
    r->config.vga_rom = d;
    r->config.vga_rom_len = (uint32_t)r->vga_rom.len;
    return 0;
}

/* "FILE ARGS,FILE ARGS" of a Multiboot kernel. */
static int open_modules(struct pc_resources *r, struct why *why)
{
    for (char *at = r->initrd, *next; at; at = next) {
        unsigned i = r->kernel.modules;
        next = strchr(at, ',');
        if (next)
            *next++ = 0;
        if (i == KERNEL_MAX_MODULES)
            return why_fail(why, -EINVAL, "more than %u modules", KERNEL_MAX_MODULES);
        char path[4096];
        size_t len = strcspn(at, " ");
        if (len >= sizeof(path))
            return why_fail(why, -ENAMETOOLONG, "a module's name is too long");
        memcpy(path, at, len);
        path[len] = 0;
        int err = read_file(path, &r->module[i], why);
        if (!err)
            err = gunzip(path, &r->module[i], why);
        if (err)
            return err;
        r->kernel.module[i] = (struct kernel_module){r->module[i].data, r->module[i].len, at};
        r->kernel.modules++;
    }
    return 0;
}

static int open_initrd(const struct pc_options *o, struct pc_resources *r, struct why *why)
{
    r->initrd = strdup(o->initrd);
    if (!r->initrd)
        return why_fail(why, -ENOMEM, "no memory");
    if (!kernel_is_linux(&r->kernel))
        return open_modules(r, why);
    int err = read_file(o->initrd, &r->module[0], why);
    if (err)
        return err;
    r->kernel.module[0] = (struct kernel_module){r->module[0].data, r->module[0].len, ""};
    r->kernel.modules = 1;
    return 0;
}

static int open_kernel(const struct pc_options *o, struct pc_resources *r, struct why *why)
{
    if (!o->kernel)
        return 0;
    int err = read_file(o->kernel, &r->kernel_file, why);
    if (!err)
        err = gunzip(o->kernel, &r->kernel_file, why);
    if (err)
        return err;
    r->kernel.name = o->kernel;
    r->kernel.data = r->kernel_file.data;
    r->kernel.len = r->kernel_file.len;
    r->kernel.append = o->append;
    r->config.kernel = &r->kernel;
    r->config.kernel_by_firmware = !r->config.isa && (kernel_wants_firmware(&r->kernel) ||
                                                      (o->bios && kernel_is_linux(&r->kernel)));
    return o->initrd ? open_initrd(o, r, why) : 0;
}

static int open_cmos(const struct pc_options *o, struct pc_resources *r, struct why *why)
{
    if (!o->cmos || access(o->cmos, F_OK))
        return 0; /* it is made at the end */
    int err = read_file(o->cmos, &r->cmos, why);
    if (err)
        return err;
    if (r->cmos.len != 128 && r->cmos.len != 256)
        return why_fail(why, -EINVAL, "%s is not CMOS memory: it has %zu bytes, not 128 or 256",
                        o->cmos, r->cmos.len);
    uint8_t *whole = calloc(1, 256);
    if (!whole)
        return why_fail(why, -ENOMEM, "no memory");
    memcpy(whole, r->cmos.data, r->cmos.len);
    free(r->cmos.data);
    r->cmos.data = whole;
    r->config.cmos = whole;
    return 0;
}

int pc_resources_save_cmos(const struct pc_options *o, const struct pc *pc, struct why *why)
{
    uint8_t cmos[256];
    if (!o->cmos)
        return 0;
    pc_cmos(pc, cmos);
    FILE *f = fopen(o->cmos, "wbe");
    bool ok = f && fwrite(cmos, 1, sizeof(cmos), f) == sizeof(cmos);
    if (f && fclose(f))
        ok = false;
    return ok ? 0 : why_fail(why, -EIO, "cannot write %s: %s", o->cmos, strerror(errno));
}

/* A disc without the mark of its file system is likely damaged; the guest may know better. */
static void look_at_disc(const char *path, struct medium *image)
{
    uint8_t mark[5];
    if (medium_read(image, 16 * 2048 + 1, mark, 5) || memcmp(mark, "CD001", 5))
        cli_complain(0, "warning: %s has no ISO 9660 file system", path);
}

static int open_images(const struct pc_options *o, struct pc_resources *r, struct why *why)
{
    struct pc_config *c = &r->config;
    int err = 0;
    for (unsigned i = 0; !err && i < PC_DRIVES; i++) {
        if (o->hd[i])
            err = medium_open(o->hd[i], false, &c->drive[i], why);
    }
    c->is_cdrom[2] = !o->hd[2];
    if (!err && o->cdrom)
        err = medium_open(o->cdrom, true, &c->drive[2], why);
    if (!err && o->cdrom)
        look_at_disc(o->cdrom, c->drive[2]);
    for (unsigned i = 0; !err && i < 2; i++) {
        if (o->fd[i])
            err = medium_open(o->fd[i], false, &c->floppy[i], why);
    }
    if (!err && o->virtio_disk)
        err = medium_open(o->virtio_disk, false, &c->virtio_disk, why);
    return err;
}

static bool shows_nothing(const struct pc_options *o)
{
    return !o->display || !strcmp(o->display, "none");
}

/* A plain name is a file's. */
static int open_log(const char *name, struct serial_backend **out, struct why *why)
{
    char spec[4096];
    bool whole = strchr(name, ':') || !strcmp(name, "stdio") || !strcmp(name, "null");
    snprintf(spec, sizeof(spec), "%s%s", whole ? "" : "file:", name);
    return serial_open(spec, out, why);
}

/* [378:|278:|3bc:]LINE; else the first port in this order that nobody has. */
static int open_parallel(const char *text, struct pc_parallel *p, unsigned *taken, struct why *why)
{
    static const uint16_t ports[PC_PARALLELS] = {0x378, 0x278, 0x3bc};
    char *end;
    unsigned long said = strtoul(text, &end, 16);
    bool told = end != text && *end == ':';
    for (unsigned i = 0; i < PC_PARALLELS; i++) {
        if ((*taken >> i & 1) || (told && said != ports[i]))
            continue;
        *taken |= 1u << i;
        p->port = ports[i];
        return open_log(told ? end + 1 : text, &p->paper, why);
    }
    return why_fail(why, -EINVAL, "--parallel %s: the ports are 378, 278 and 3bc, each once", text);
}

static int open_lines(const struct pc_options *o, struct pc_resources *r, struct why *why)
{
    int err = 0;
    for (unsigned i = 0; !err && i < o->serials; i++)
        err = serial_open(o->serial[i], &r->config.serial[i], why);
    if (!err && !o->serials && shows_nothing(o) && o->kernel)
        err = serial_open("stdio", &r->config.serial[0], why);
    if (!err && o->debugcon)
        err = open_log(o->debugcon, &r->config.debugcon, why);
    for (unsigned i = 0, taken = 0; !err && i < o->parallels; i++)
        err = open_parallel(o->parallel[i], &r->config.parallel[i], &taken, why);
    if (!err && o->virtio_console)
        err = serial_open(o->virtio_console, &r->config.virtio_console, why);
    return err;
}

static int wrap_pcap(const struct pc_options *o, struct pc_resources *r, struct net_error *error)
{
    struct net_backend *outer;
    int err = o->pcap ? net_pcap_create(r->config.net, o->pcap, &outer, error) : 0;
    if (!err && o->pcap)
        r->config.net = outer;
    return err;
}

/* A card is there when somebody asked for a network, or this build has NAT. */
static int open_net(const struct pc_options *o, struct pc_resources *r, struct why *why)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x44, 0x6e, 0x01};
    const struct net_user_config user = {.publish = o->publish, .publish_count = o->publishes};
    struct net_error error = {""};
    bool asked = o->net || o->publishes || o->pcap;
    memcpy(r->config.mac, mac, sizeof(mac));
    r->config.nic = o->nic ? o->nic : "virtio";
    if (!asked)
        return 0;
    int err = net_backend_create(o->net ? o->net : "user", &user, &r->config.net, &error);
    if (!err)
        err = wrap_pcap(o, r, &error);
    return err ? why_fail(why, err, "%s", error.text) : 0;
}

/* The smallest machine goes without, but whoever gave them should know. */
static void warn_of_isa(const struct pc_options *o, const struct pc_resources *r)
{
    bool media = o->cdrom || o->virtio_disk || o->virtio_console || o->fd[0] || o->fd[1];
    for (unsigned i = 0; i < PC_DRIVES; i++)
        media |= o->hd[i] != NULL;
    if (r->config.isa && (media || r->config.net))
        cli_complain(0, "warning: --machine isa has no disks, no network and no virtio devices");
}

int pc_resources_open(const struct pc_options *o, struct pc_resources *r, struct why *why)
{
    memset(r, 0, sizeof(*r));
    r->config.ram_bytes = o->ram_bytes;
    r->config.cpu = o->cpu ? o->cpu : "max";
    r->config.isa = o->machine && !strcmp(o->machine, "isa");
    r->config.deterministic = o->deterministic;
    r->config.exit_port = o->exit_port;
    r->config.boot = o->boot;
    r->config.boot_menu = o->boot_menu;
    int err = open_kernel(o, r, why);
    if (!err)
        err = open_bios(o, r, why);
    if (!err)
        err = open_vga_rom(o, r, why);
    if (!err)
        err = open_cmos(o, r, why);
    if (!err)
        err = open_images(o, r, why);
    if (!err)
        err = open_lines(o, r, why);
    if (!err)
        err = open_net(o, r, why);
    if (!err)
        warn_of_isa(o, r);
    return err;
}

static int gate_net(struct pc_config *c, struct gate *gate)
{
    struct net_backend *outer;
    if (!c->net)
        return 0;
    int err = net_gate_create(gate->replays ? NULL : c->net, gate, &outer);
    if (err)
        return err;
    if (gate->replays)
        c->net->ops->destroy(c->net);
    c->net = outer;
    return 0;
}

int pc_resources_set_gate(struct pc_resources *r, struct gate *gate, struct why *why)
{
    struct pc_config *c = &r->config;
    struct medium *const media[] = {c->drive[0],  c->drive[1],  c->drive[2],   c->drive[3],
                                    c->floppy[0], c->floppy[1], c->virtio_disk};
    for (unsigned i = 0; i < ARRAY_LEN(media); i++)
        if (media[i])
            medium_set_gate(media[i], gate, (uint8_t)i);
    for (unsigned i = 0; i < PC_SERIALS; i++)
        if (c->serial[i])
            serial_set_gate(c->serial[i], gate, (uint8_t)i);
    if (c->virtio_console)
        serial_set_gate(c->virtio_console, gate, PC_SERIALS);
    c->gate = gate;
    int err = gate_net(c, gate);
    return err ? why_fail(why, err, "no memory for the network's gate") : 0;
}

void pc_resources_close(struct pc_resources *r)
{
    struct pc_config *c = &r->config;
    for (unsigned i = 0; i < PC_DRIVES; i++)
        medium_close(c->drive[i]);
    for (unsigned i = 0; i < 2; i++)
        medium_close(c->floppy[i]);
    medium_close(c->virtio_disk);
    for (unsigned i = 0; i < PC_SERIALS; i++)
        serial_close(c->serial[i]);
    serial_close(c->debugcon);
    for (unsigned i = 0; i < PC_PARALLELS; i++)
        serial_close(c->parallel[i].paper);
    serial_close(c->virtio_console);
    if (c->net)
        c->net->ops->destroy(c->net);
    free(r->bios.data);
    free(r->vga_rom.data);
    free(r->kernel_file.data);
    free(r->cmos.data);
    for (unsigned i = 0; i < KERNEL_MAX_MODULES; i++)
        free(r->module[i].data);
    free(r->initrd);
}
