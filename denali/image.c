/* SPDX-License-Identifier: MIT */
/*
 * ELF32 program files, read with suspicion and with our own few lines: the
 * loader is on the start-up path and in front of hostile files, and needs only
 * the file header, the program headers and one note.
 *
 * Invariant: after image_open, every segment of an IMAGE_DENALI lies inside
 * the file as it was, starts at DENALI_RAM_START or above, ends below 4 GiB,
 * and overlaps no other. A large one was copied to memory of our own, which VMs
 * map copy-on-write: whoever cuts or rewrites the file later does nothing to them.
 */
#include "denali/image_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NOTE_BYTES (64 * KIB)

/* From this size on whole pages are mapped from the file instead of copied. */
#define MAP_MIN_BYTES (64 * KIB)

static int read_fd(int fd, uint64_t offset, void *dst, size_t len)
{
    uint8_t *to = dst;
    while (len) {
        ssize_t n = pread(fd, to, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENOEXEC;
        to += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int image_read(const struct image *image, uint64_t offset, void *dst, size_t len)
{
    return read_fd(image->fd, offset, dst, len);
}

static int open_file(struct image *image, const char *path, struct why *why)
{
    /* O_NONBLOCK: opening a FIFO must not wait for its other end. */
    image->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (image->fd < 0)
        return why_fail(why, -errno, "cannot open %s: %s", image->path, strerror(errno));

    struct stat st;
    if (fstat(image->fd, &st))
        return why_fail(why, -errno, "cannot look at %s: %s", image->path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return why_fail(why, -ENOEXEC, "%s is a folder, not a program", image->path);
    if (!S_ISREG(st.st_mode))
        return why_fail(why, -ENOEXEC, "%s is not a regular file", image->path);

    image->file_bytes = (uint64_t)st.st_size;
    uint64_t key = (uint64_t)st.st_dev * 0x9e3779b97f4a7c15u;
    key = (key ^ (uint64_t)st.st_ino) * 0xbf58476d1ce4e5b9u;
    key = (key ^ (uint64_t)st.st_size) * 0x94d049bb133111ebu;
    key ^= (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    image->key = key ? key : 1;
    return 0;
}

static int check_ident(const struct image *image, const unsigned char *ident, struct why *why)
{
    if (!memcmp(ident, "#!", 2))
        return why_fail(why, -ENOEXEC,
                        "%s is a script; run its interpreter and give it as argument", image->path);
    if (memcmp(ident, ELFMAG, SELFMAG))
        return why_fail(why, -ENOEXEC, "%s is not an ELF program", image->path);
    if (ident[EI_CLASS] == ELFCLASS64)
        return why_fail(why, -ENOEXEC, "%s is a 64-bit program; only 32-bit x86 (i386) ones run",
                        image->path);
    if (ident[EI_CLASS] != ELFCLASS32 || ident[EI_DATA] != ELFDATA2LSB)
        return why_fail(why, -ENOEXEC, "%s is not a 32-bit little-endian ELF program", image->path);
    return 0;
}

static int check_header(const struct image *image, struct why *why)
{
    const Elf32_Ehdr *h = &image->header;
    if (h->e_machine != EM_386)
        return why_fail(why, -ENOEXEC, "%s is for another processor (ELF machine %u, not i386)",
                        image->path, h->e_machine);
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return why_fail(why, -ENOEXEC, "%s is not a program (ELF type %u); is it linked?",
                        image->path, h->e_type);
    if (h->e_phentsize != sizeof(Elf32_Phdr) || !h->e_phnum || h->e_phnum > IMAGE_MAX_SEGMENTS)
        return why_fail(why, -ENOEXEC, "%s has a damaged header (%u program headers of %u bytes)",
                        image->path, h->e_phnum, h->e_phentsize);
    return 0;
}

static int read_header(struct image *image, struct why *why)
{
    unsigned char ident[EI_NIDENT] = {0};
    size_t have = image->file_bytes < sizeof(ident) ? (size_t)image->file_bytes : sizeof(ident);
    int err = image_read(image, 0, ident, have);
    if (!err)
        err = check_ident(image, ident, why);
    else
        return why_fail(why, err, "cannot read %s: %s", image->path, strerror(-err));
    if (err)
        return err;
    if (image_read(image, 0, &image->header, sizeof(image->header)))
        return why_fail(why, -ENOEXEC, "%s is cut off inside its ELF header", image->path);
    return check_header(image, why);
}

static bool overlaps(const struct image_segment *a, const struct image_segment *b)
{
    return a->address < (uint64_t)b->address + b->mem_bytes &&
           b->address < (uint64_t)a->address + a->mem_bytes;
}

/* What is loaded or read lies inside the file, in a Linux program as well. */
static int check_extents(const struct image *image, const Elf32_Phdr *table, struct why *why)
{
    for (unsigned i = 0; i < image->header.e_phnum; i++) {
        const Elf32_Phdr *ph = &table[i];
        if ((ph->p_type == PT_LOAD || ph->p_type == PT_NOTE) &&
            (uint64_t)ph->p_offset + ph->p_filesz > image->file_bytes)
            return why_fail(why, -ENOEXEC, "%s is cut off: a segment at 0x%x ends beyond the file",
                            image->path, ph->p_vaddr);
    }
    return 0;
}

static int add_segment(struct image *image, const Elf32_Phdr *ph, struct why *why)
{
    if (ph->p_filesz > ph->p_memsz)
        return why_fail(why, -ENOEXEC, "%s is damaged: a segment at 0x%x is longer in the file",
                        image->path, ph->p_vaddr);
    if (!ph->p_memsz)
        return 0;
    struct image_segment seg = {.address = ph->p_vaddr,
                                .mem_bytes = ph->p_memsz,
                                .file_bytes = ph->p_filesz,
                                .offset = ph->p_offset};
    if (seg.address < DENALI_RAM_START ||
        (uint64_t)seg.address + seg.mem_bytes > RAM_WINDOW - 64 * KIB)
        return why_fail(why, -ENOEXEC, "%s has a segment at 0x%x of 0x%x bytes, outside RAM",
                        image->path, seg.address, seg.mem_bytes);
    for (unsigned i = 0; i < image->segments; i++) {
        if (overlaps(&image->segment[i], &seg))
            return why_fail(why, -ENOEXEC, "%s has overlapping segments at 0x%x and 0x%x",
                            image->path, image->segment[i].address, seg.address);
    }
    image->segment[image->segments++] = seg;
    return 0;
}

static int read_note(struct image *image, const Elf32_Phdr *ph, struct why *why)
{
    uint8_t *note = malloc(ph->p_filesz);
    if (!note)
        return why_fail(why, -ENOMEM, "no memory for the notes of %s", image->path);
    int err = image_read(image, ph->p_offset, note, ph->p_filesz);
    if (err)
        why_fail(why, err, "cannot read the notes of %s: %s", image->path, strerror(-err));
    else
        err = image_note_parse(image, note, ph->p_filesz, why);
    free(note);
    return err;
}

/* Sets image->kind. */
static int find_manifest(struct image *image, const Elf32_Phdr *table, struct why *why)
{
    image->kind = IMAGE_LINUX;
    for (unsigned i = 0; i < image->header.e_phnum; i++) {
        const Elf32_Phdr *ph = &table[i];
        if (ph->p_type != PT_NOTE || !ph->p_filesz || ph->p_filesz > MAX_NOTE_BYTES)
            continue;
        int found = read_note(image, ph, why);
        if (found < 0)
            return found;
        if (found)
            image->kind = IMAGE_DENALI;
    }
    return 0;
}

static int check_entry(const struct image *image, struct why *why)
{
    uint32_t entry = image->header.e_entry;
    for (unsigned i = 0; i < image->segments; i++) {
        const struct image_segment *seg = &image->segment[i];
        if (entry >= seg->address && entry - seg->address < seg->mem_bytes)
            return 0;
    }
    return why_fail(why, -ENOEXEC, "%s starts at 0x%x, outside its segments", image->path, entry);
}

/* Whole pages of it are mapped instead of copied for each VM. */
static bool is_mapped(const struct image_segment *seg)
{
    return seg->address % PAGE_SIZE == seg->offset % PAGE_SIZE && seg->file_bytes >= MAP_MIN_BYTES;
}

static int freeze_segment(const struct image *image, const struct image_segment *seg)
{
    off_t from = (off_t)seg->offset;
    uint64_t end = seg->offset + seg->file_bytes;
    if (lseek(image->frozen, from, SEEK_SET) < 0)
        return -errno;
    while ((uint64_t)from < end) {
        ssize_t n = sendfile(image->frozen, image->fd, &from, end - (uint64_t)from);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENOEXEC;
    }
    return 0;
}

/* Copies the segments, once for all VMs, if there is one that they map. */
static int freeze(struct image *image, struct why *why)
{
    bool wanted = false;
    for (unsigned i = 0; i < image->segments; i++)
        wanted |= is_mapped(&image->segment[i]);
    if (!wanted)
        return 0;
    image->frozen = host_memobj_create("denali-image", image->file_bytes);
    int err = image->frozen < 0 ? image->frozen : 0;
    for (unsigned i = 0; !err && i < image->segments; i++)
        err = freeze_segment(image, &image->segment[i]);
    return err ? why_fail(why, err, "cannot read %s: %s", image->path, strerror(-err)) : 0;
}

static int read_program_headers(struct image *image, struct why *why)
{
    Elf32_Phdr table[IMAGE_MAX_SEGMENTS];
    size_t len = image->header.e_phnum * sizeof(table[0]);
    if (image_read(image, image->header.e_phoff, table, len))
        return why_fail(why, -ENOEXEC, "%s is cut off inside its program headers", image->path);

    int err = check_extents(image, table, why);
    if (!err)
        err = find_manifest(image, table, why);
    if (err || image->kind == IMAGE_LINUX)
        return err;
    if (image->header.e_type != ET_EXEC)
        return why_fail(why, -ENOEXEC,
                        "%s is position-independent; link a Denali image without -pie",
                        image->path);
    for (unsigned i = 0; !err && i < image->header.e_phnum; i++) {
        if (table[i].p_type == PT_LOAD)
            err = add_segment(image, &table[i], why);
    }
    if (!err)
        err = check_entry(image, why);
    return err ? err : freeze(image, why);
}

int image_open(const char *path, struct image **out, struct why *why)
{
    return image_open_named(path, path, out, why);
}

int image_open_named(const char *path, const char *name, struct image **out, struct why *why)
{
    struct image *image = calloc(1, sizeof(*image));
    if (!image)
        return why_fail(why, -ENOMEM, "no memory for an image");
    image->fd = image->frozen = -1;
    image->path = strdup(name);

    int err = image->path ? open_file(image, path, why) : why_fail(why, -ENOMEM, "no memory");
    if (!err)
        err = read_header(image, why);
    if (!err)
        err = read_program_headers(image, why);
    if (err) {
        image_close(image);
        return err;
    }
    *out = image;
    return 0;
}

void image_close(struct image *image)
{
    if (!image)
        return;
    if (image->fd >= 0)
        close(image->fd);
    if (image->frozen >= 0)
        close(image->frozen);
    image_symbols_free(&image->symbols);
    free(image->path);
    free(image);
}

enum image_kind image_kind(const struct image *image)
{
    return image->kind;
}

const char *image_path(const struct image *image)
{
    return image->path;
}

const struct image_manifest *image_manifest(const struct image *image)
{
    return &image->manifest;
}

uint32_t image_entry(const struct image *image)
{
    return image->header.e_entry;
}

uint64_t image_key(const struct image *image)
{
    return image->key;
}

uint64_t image_end(const struct image *image)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < image->segments; i++) {
        uint64_t e = (uint64_t)image->segment[i].address + image->segment[i].mem_bytes;
        if (e > end)
            end = e;
    }
    return end;
}

/* `len` bytes of a segment from `skip` on, from the file or its copy. */
static int copy_part(int fd, struct ram *ram, const struct image_segment *seg, uint64_t skip,
                     uint64_t len)
{
    if (!len)
        return 0;
    void *to = ram_span_write(ram, seg->address + skip, len);
    return to ? read_fd(fd, seg->offset + skip, to, len) : -EFAULT;
}

/*
 * Whole pages are mapped copy-on-write where file and memory agree modulo a
 * page; the ragged ends, which share pages with other bytes, are copied.
 */
static int load_segment(const struct image *image, struct ram *ram, const struct image_segment *seg)
{
    uint64_t first = (seg->address + (uint64_t)PAGE_MASK) & ~(uint64_t)PAGE_MASK;
    uint64_t end = ((uint64_t)seg->address + seg->file_bytes) & ~(uint64_t)PAGE_MASK;
    uint64_t head = first - seg->address, tail = end - seg->address;
    if (!is_mapped(seg))
        return copy_part(image->frozen < 0 ? image->fd : image->frozen, ram, seg, 0,
                         seg->file_bytes);

    int err = host_map_fd(ram_base(ram) + first, end - first, HOST_R | HOST_W, image->frozen,
                          seg->offset + head, false);
    if (!err)
        err = copy_part(image->frozen, ram, seg, 0, head);
    if (!err)
        err = copy_part(image->frozen, ram, seg, tail, seg->file_bytes - tail);
    return err;
}

int image_load(const struct image *image, struct ram *ram, struct why *why)
{
    BUG_ON(image->kind != IMAGE_DENALI, "only a Denali image has segments");
    if (image_end(image) > ram_size(ram))
        return why_fail(why, -ENOEXEC, "%s needs %llu KiB of memory at least; it has %llu",
                        image->path, (unsigned long long)(image_end(image) / KIB + 1),
                        (unsigned long long)(ram_size(ram) / KIB));
    for (unsigned i = 0; i < image->segments; i++) {
        int err = load_segment(image, ram, &image->segment[i]);
        if (err)
            return why_fail(why, err, "cannot load %s: %s", image->path, strerror(-err));
    }
    return 0;
}
