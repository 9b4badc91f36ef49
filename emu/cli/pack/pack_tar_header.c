/* SPDX-License-Identifier: MIT */
/* POSIX.1-1988 (ustar), POSIX.1-2001 (pax) and GNU tar's headers. */
#include "emu/cli/pack/pack_tar_header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct field {
    uint16_t at, len;
};
static const struct field name_field = {0, 100}, mode_field = {100, 8}, uid_field = {108, 8},
                          gid_field = {116, 8}, size_field = {124, 12}, mtime_field = {136, 12},
                          sum_field = {148, 8}, link_field = {157, 100}, major_field = {329, 8},
                          minor_field = {337, 8}, prefix_field = {345, 155};
#define TYPE_AT 156
#define MAGIC_AT 257

bool tar_block_is_zero(const uint8_t block[TAR_BLOCK])
{
    return !block[0] && !memcmp(block, block + 1, TAR_BLOCK - 1);
}

/* GNU's base 256: the first byte is 0x80, or 0xff for a negative number. */
static int parse_binary(const uint8_t *p, unsigned len, int64_t *out)
{
    uint64_t value = p[0] == 0xff ? UINT64_MAX : 0;
    if (p[0] != 0x80 && p[0] != 0xff)
        return -EINVAL;
    for (unsigned i = 1; i < len; i++) {
        uint8_t sign = p[0] == 0xff ? 0xff : 0;
        if (i + 8 < len && p[i] != sign)
            return -EINVAL; /* more than 64 bits */
        value = value << 8 | p[i];
    }
    *out = (int64_t)value;
    return 0;
}

/* Octal digits between blanks; an empty field is 0. */
static int parse_number(const uint8_t *block, struct field field, int64_t *out)
{
    const uint8_t *p = block + field.at, *end = p + field.len;
    uint64_t value = 0;
    if (*p & 0x80)
        return parse_binary(p, field.len, out);
    while (p < end && *p == ' ')
        p++;
    for (; p < end && *p >= '0' && *p <= '7'; p++)
        value = value << 3 | (uint64_t)(*p - '0');
    if (p < end && *p && *p != ' ')
        return -EINVAL;
    *out = (int64_t)value;
    return 0;
}

/* The sum of all bytes, the field itself counted as blanks. */
static bool checksum_holds(const uint8_t *block)
{
    int64_t want;
    uint32_t sum = 0;
    for (unsigned i = 0; i < TAR_BLOCK; i++)
        sum += i - sum_field.at < sum_field.len ? ' ' : block[i];
    return parse_number(block, sum_field, &want) == 0 && want == sum;
}

static char *field_string(const uint8_t *block, struct field field)
{
    const char *at = (const char *)block + field.at;
    return strndup(at, strnlen(at, field.len));
}

/* ustar's names have a prefix; GNU's headers use its place for other things. */
static char *full_name(const uint8_t *block)
{
    bool ustar = !memcmp(block + MAGIC_AT, "ustar\0", 6);
    size_t prefix = strnlen((const char *)block + prefix_field.at, prefix_field.len);
    if (!ustar || !prefix)
        return field_string(block, name_field);
    size_t len = strnlen((const char *)block, name_field.len);
    char *name = malloc(prefix + len + 2);
    if (!name)
        return NULL;
    memcpy(name, block + prefix_field.at, prefix);
    name[prefix] = '/';
    memcpy(name + prefix + 1, block, len);
    name[prefix + 1 + len] = 0;
    return name;
}

int tar_parse_header(const uint8_t block[TAR_BLOCK], struct tar_entry *out)
{
    int64_t mode, uid, gid, size, mtime, major, minor;
    memset(out, 0, sizeof(*out));
    if (!checksum_holds(block) || parse_number(block, mode_field, &mode) ||
        parse_number(block, uid_field, &uid) || parse_number(block, gid_field, &gid) ||
        parse_number(block, size_field, &size) || parse_number(block, mtime_field, &mtime) ||
        parse_number(block, major_field, &major) || parse_number(block, minor_field, &minor))
        return -EINVAL;
    if (size < 0 || size > INT64_MAX / 2)
        return -EINVAL;
    out->type = block[TYPE_AT] ? (char)block[TYPE_AT] : '0';
    out->mode = (uint32_t)mode & 07777;
    out->uid = (uint32_t)uid;
    out->gid = (uint32_t)gid;
    out->size = (uint64_t)size;
    out->mtime = mtime;
    out->major = (uint32_t)major;
    out->minor = (uint32_t)minor;
    out->name = full_name(block);
    out->link = field_string(block, link_field);
    if (!out->name || !out->link) {
        tar_entry_clear(out);
        return -ENOMEM;
    }
    size_t len = strlen(out->name);
    if (out->type == '0' && len && out->name[len - 1] == '/')
        out->type = '5'; /* how tar files older than ustar say it */
    return 0;
}

/* ---- pax ---- */

/* A decimal number, with a fraction that is dropped. */
static int parse_decimal(const char *s, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(s, &end, 10);
    if (errno || end == s || (*end && *end != '.'))
        return -EINVAL;
    *out = value;
    return 0;
}

static int pax_record(struct tar_entry *out, const char *key, const char *value)
{
    int64_t n = 0;
    if (!strcmp(key, "path")) {
        tar_set_string(&out->name, value);
    } else if (!strcmp(key, "linkpath")) {
        tar_set_string(&out->link, value);
    } else if (!strcmp(key, "size")) {
        if (parse_decimal(value, &n) || n < 0 || n > INT64_MAX / 2)
            return -EINVAL;
        out->size = (uint64_t)n;
        out->has_size = true;
    } else if (!strcmp(key, "mtime")) {
        out->has_mtime = parse_decimal(value, &n) == 0;
        out->mtime = n;
    } else if (!strcmp(key, "uid")) {
        out->has_uid = parse_decimal(value, &n) == 0;
        out->uid = (uint32_t)n;
    } else if (!strcmp(key, "gid")) {
        out->has_gid = parse_decimal(value, &n) == 0;
        out->gid = (uint32_t)n;
    } else if (!strncmp(key, "GNU.sparse.", 11)) {
        return -EINVAL;
    }
    return 0;
}

/* Records "LENGTH KEY=VALUE\n", the length being that of the whole record. */
int tar_parse_pax(struct tar_entry *out, const char *data, size_t n)
{
    while (n && *data) {
        char *end;
        errno = 0;
        unsigned long long len = strtoull(data, &end, 10);
        size_t head = (size_t)(end - data) + 1;
        if (errno || end == data || *end != ' ' || len > n || len <= head || data[len - 1] != '\n')
            return -EINVAL;
        char *record = strndup(data + head, (size_t)len - head - 1);
        char *equals = record ? strchr(record, '=') : NULL;
        int err = equals ? 0 : -EINVAL;
        if (equals) {
            *equals = 0;
            err = pax_record(out, record, equals + 1);
        }
        free(record);
        if (err)
            return err;
        data += len;
        n -= (size_t)len;
    }
    return 0;
}

bool tar_is_extension(char type)
{
    return type == 'L' || type == 'K' || type == 'x' || type == 'g';
}

uint32_t tar_mode_type(char type)
{
    switch (type) {
    case '0':
    case '7':
        return S_IFREG;
    case '2':
        return S_IFLNK;
    case '3':
        return S_IFCHR;
    case '4':
        return S_IFBLK;
    case '5':
        return S_IFDIR;
    case '6':
        return S_IFIFO;
    default:
        return 0;
    }
}

static void take_string(char **slot, char **from)
{
    if (!*from)
        return;
    free(*slot);
    *slot = *from;
    *from = NULL;
}

void tar_entry_override(struct tar_entry *entry, struct tar_entry *by)
{
    take_string(&entry->name, &by->name);
    take_string(&entry->link, &by->link);
    entry->size = by->has_size ? by->size : entry->size;
    entry->mtime = by->has_mtime ? by->mtime : entry->mtime;
    entry->uid = by->has_uid ? by->uid : entry->uid;
    entry->gid = by->has_gid ? by->gid : entry->gid;
}

void tar_set_string(char **slot, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return;
    free(*slot);
    *slot = copy;
}

void tar_entry_clear(struct tar_entry *entry)
{
    free(entry->name);
    free(entry->link);
    memset(entry, 0, sizeof(*entry));
}
