/* SPDX-License-Identifier: MIT */
/*
 * Reading a snapshot. Nothing in the file is trusted: sizes are checked against
 * the file's length before anything is read by them, checksums before anything
 * is used, and tables again after that, because a checksum only proves that
 * nobody changed the file by accident.
 *
 * The contents go to a memory object as large as the VM's RAM, with holes for
 * zero pages, so that one mapping is all that a clone needs.
 */
#include "denali/snapshot_format.h"

#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct snapshot {
    struct snapshot_head head;
    struct ram_source source;
    uint8_t *bytes, *filled;
    uint8_t *tables;
    struct vm_saved_device device[DENALI_MAX_DEVICES];
    const uint8_t *state;
    struct snapshot_run *rights, *runs;
    uint64_t filled_pages;
};

#define HEAD(member) STATE_U(struct snapshot_head, member)
static const struct state_field head_fields[] = {
    STATE_RAW(struct snapshot_head, magic),
    HEAD(version),
    HEAD(abi_version),
    HEAD(mem_bytes),
    HEAD(file_bytes),
    HEAD(contents_at),
    HEAD(devices),
    HEAD(state_bytes),
    HEAD(rights),
    HEAD(runs),
    HEAD(tables_crc),
    HEAD(contents_crc),
    HEAD(head_crc),
};
const struct state_list snapshot_head_list = {"snapshot", SNAPSHOT_VERSION, ARRAY_LEN(head_fields),
                                              head_fields};

static const struct state_field run_fields[] = {
    STATE_U(struct snapshot_run, page),
    STATE_U(struct snapshot_run, pages),
    STATE_U(struct snapshot_run, value),
};
const struct state_list snapshot_run_list = {"run", 1, ARRAY_LEN(run_fields), run_fields};

static const struct state_field device_fields[] = {
    STATE_U(struct vm_saved_device, kind),
    STATE_RAW(struct vm_saved_device, name),
};
const struct state_list snapshot_device_list = {"device", 1, ARRAY_LEN(device_fields),
                                                device_fields};

uint32_t snapshot_crc(uint32_t crc, const void *data, size_t len)
{
    return (uint32_t)crc32_z(crc, data, len);
}

/* -EINVAL also when the file ends. */
static int read_at(int fd, uint64_t at, void *out, size_t len)
{
    uint8_t *to = out;
    while (len) {
        ssize_t n = pread(fd, to, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -EINVAL;
        to += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

static uint64_t tables_bytes(const struct snapshot_head *h)
{
    return (uint64_t)h->devices * SNAPSHOT_DEVICE_BYTES + h->state_bytes +
           ((uint64_t)h->rights + h->runs) * SNAPSHOT_RUN_BYTES;
}

static int check_sizes(const struct snapshot_head *h, uint64_t file_bytes)
{
    if (h->file_bytes != file_bytes || h->contents_at > file_bytes ||
        h->contents_at < SNAPSHOT_HEAD || h->contents_at % PAGE_SIZE || file_bytes % PAGE_SIZE)
        return -EINVAL;
    if (h->mem_bytes % PAGE_SIZE || h->mem_bytes < VM_MIN_MEMORY || h->mem_bytes > VM_MAX_MEMORY ||
        h->devices > DENALI_MAX_DEVICES)
        return -EINVAL;
    return tables_bytes(h) <= h->contents_at - SNAPSHOT_HEAD ? 0 : -EINVAL;
}

static int read_head(struct snapshot *s, int fd, struct why *why)
{
    uint8_t raw[SNAPSHOT_HEAD];
    struct snapshot_head *h = &s->head;
    struct stat st;
    int err = fstat(fd, &st) ? -errno : read_at(fd, 0, raw, sizeof(raw));
    if (err)
        return why_fail(why, err, "it is too short to be a snapshot");
    state_load(&snapshot_head_list, h, raw);
    if (memcmp(h->magic, SNAPSHOT_MAGIC, sizeof(h->magic)))
        return why_fail(why, -EINVAL, "it is not a snapshot");
    uint32_t crc = h->head_crc;
    h->head_crc = 0;
    state_save(&snapshot_head_list, h, raw);
    if (crc != snapshot_crc(0, raw, sizeof(raw)))
        return why_fail(why, -EINVAL, "its head is damaged");
    if (h->version != SNAPSHOT_VERSION || h->abi_version != DENALI_ABI_VERSION)
        return why_fail(why, -EINVAL, "it is of version %u.%u; this program reads %u.%u",
                        h->version, h->abi_version, SNAPSHOT_VERSION, DENALI_ABI_VERSION);
    if (check_sizes(h, (uint64_t)st.st_size))
        return why_fail(why, -EINVAL, "it is cut short, or longer than it was written");
    return 0;
}

/* A table of runs; checks that they ascend inside RAM. */
static int load_runs(const struct snapshot *s, const uint8_t **at, uint32_t count,
                     struct snapshot_run **out)
{
    uint64_t next = 0, pages = s->head.mem_bytes >> PAGE_BITS;
    struct snapshot_run *run = calloc((size_t)count + 1, sizeof(*run));
    if (!run)
        return -ENOMEM;
    *out = run;
    for (uint32_t i = 0; i < count; i++, *at += SNAPSHOT_RUN_BYTES) {
        state_load(&snapshot_run_list, &run[i], *at);
        if (run[i].page < next || !run[i].pages || run[i].pages > pages ||
            run[i].page > pages - run[i].pages)
            return -EINVAL;
        next = (uint64_t)run[i].page + run[i].pages;
    }
    return 0;
}

static int load_devices(struct snapshot *s, const uint8_t **at)
{
    for (uint32_t i = 0; i < s->head.devices; i++, *at += SNAPSHOT_DEVICE_BYTES) {
        state_load(&snapshot_device_list, &s->device[i], *at);
        if (s->device[i].name[DENALI_NAME_LEN - 1])
            return -EINVAL;
    }
    return 0;
}

static int check_runs(struct snapshot *s)
{
    for (uint32_t i = 0; i < s->head.rights; i++) {
        if (s->rights[i].value != HOST_NONE && s->rights[i].value != HOST_R)
            return -EINVAL;
    }
    for (uint32_t i = 0; i < s->head.runs; i++)
        s->filled_pages += s->runs[i].pages;
    uint64_t bytes = s->head.file_bytes - s->head.contents_at;
    return s->filled_pages == bytes / PAGE_SIZE ? 0 : -EINVAL;
}

static int parse_tables(struct snapshot *s)
{
    const uint8_t *at = s->tables;
    int err = load_devices(s, &at);
    s->state = at;
    at += s->head.state_bytes;
    if (!err)
        err = load_runs(s, &at, s->head.rights, &s->rights);
    if (!err)
        err = load_runs(s, &at, s->head.runs, &s->runs);
    return err ? err : check_runs(s);
}

static int read_tables(struct snapshot *s, int fd)
{
    size_t len = (size_t)(s->head.contents_at - SNAPSHOT_HEAD);
    s->tables = malloc(len + 1);
    if (!s->tables)
        return -ENOMEM;
    int err = read_at(fd, SNAPSHOT_HEAD, s->tables, len);
    if (err)
        return err;
    if (snapshot_crc(0, s->tables, len) != s->head.tables_crc)
        return -EINVAL;
    return parse_tables(s);
}

static int map_object(struct snapshot *s)
{
    void *bytes;
    s->source.fd = host_memobj_create("denali-snapshot", s->head.mem_bytes);
    if (s->source.fd < 0)
        return s->source.fd;
    int err = host_reserve(s->head.mem_bytes, PAGE_SIZE, &bytes);
    if (err)
        return err;
    s->bytes = bytes;
    return host_map_fd(bytes, s->head.mem_bytes, HOST_R | HOST_W, s->source.fd, 0, true);
}

static int read_contents(struct snapshot *s, int fd)
{
    uint64_t at = s->head.contents_at;
    uint32_t crc = 0;
    for (uint32_t i = 0; i < s->head.runs; i++) {
        const struct snapshot_run *run = &s->runs[i];
        uint8_t *to = s->bytes + (uint64_t)run->page * PAGE_SIZE;
        size_t len = (size_t)run->pages * PAGE_SIZE;
        int err = read_at(fd, at, to, len);
        if (err)
            return err;
        crc = snapshot_crc(crc, to, len);
        at += len;
        for (uint32_t page = run->page; page < run->page + run->pages; page++)
            s->filled[page >> 3] |= (uint8_t)(1u << (page & 7));
    }
    return crc == s->head.contents_crc ? 0 : -EINVAL;
}

static int note_rights(struct snapshot *s)
{
    int err = ram_marks_create(s->head.mem_bytes, &s->source.marks);
    for (uint32_t i = 0; !err && i < s->head.rights; i++) {
        const struct snapshot_run *run = &s->rights[i];
        err = ram_marks_set_access(s->source.marks, (gpa_t)run->page << PAGE_BITS,
                                   (uint64_t)run->pages * PAGE_SIZE, run->value);
    }
    return err;
}

static int read_body(struct snapshot *s, int fd, struct why *why)
{
    int err = read_tables(s, fd);
    if (!err)
        err = map_object(s);
    if (!err)
        s->filled = calloc((s->head.mem_bytes >> PAGE_BITS) / 8 + 1, 1);
    if (!err && !s->filled)
        err = -ENOMEM;
    if (!err)
        err = read_contents(s, fd);
    if (!err)
        err = host_protect(s->bytes, s->head.mem_bytes, HOST_R);
    if (!err)
        err = note_rights(s);
    s->source.bytes = s->bytes;
    s->source.filled = s->filled;
    if (err == -EINVAL)
        return why_fail(why, err, "it is damaged");
    return err ? why_fail(why, err, "%s", strerror(-err)) : 0;
}

int snapshot_open_fd(int fd, struct snapshot **out, struct why *why)
{
    struct snapshot *s = calloc(1, sizeof(*s));
    if (!s)
        return why_fail(why, -ENOMEM, "no memory");
    s->source.fd = -1;
    int err = read_head(s, fd, why);
    if (!err)
        err = read_body(s, fd, why);
    if (err) {
        snapshot_close(s);
        return err;
    }
    *out = s;
    return 0;
}

int snapshot_open(const char *path, struct snapshot **out, struct why *why)
{
    struct why reason = {""};
    int fd = host_open_file(path);
    int err =
        fd < 0 ? why_fail(&reason, fd, "%s", strerror(-fd)) : snapshot_open_fd(fd, out, &reason);
    if (fd >= 0)
        close(fd);
    return err ? why_fail(why, err, "cannot use the snapshot %s: %s", path, reason.text) : 0;
}

void snapshot_close(struct snapshot *s)
{
    if (!s)
        return;
    if (s->bytes)
        host_release(s->bytes, s->head.mem_bytes);
    if (s->source.fd >= 0)
        close(s->source.fd);
    ram_marks_destroy(s->source.marks);
    free(s->filled);
    free(s->tables);
    free(s->rights);
    free(s->runs);
    free(s);
}

uint64_t snapshot_mem_bytes(const struct snapshot *s)
{
    return s->head.mem_bytes;
}

uint64_t snapshot_filled_pages(const struct snapshot *s)
{
    return s->filled_pages;
}

uint64_t snapshot_key(const struct snapshot *s)
{
    return ((uint64_t)s->head.tables_crc << 32 | s->head.contents_crc) | (uint64_t)1 << 63;
}

const struct ram_source *snapshot_source(const struct snapshot *s)
{
    return &s->source;
}

int snapshot_load_state(const struct snapshot *s, struct vm *vm, uint64_t now_ns)
{
    return vm_state_load(vm, s->state, s->head.state_bytes, now_ns);
}

const struct vm_saved_device *snapshot_devices(const struct snapshot *s)
{
    return s->device;
}

unsigned snapshot_device_count(const struct snapshot *s)
{
    return s->head.devices;
}
