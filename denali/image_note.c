/* SPDX-License-Identifier: MIT */
/*
 * The manifest note. A file without it is somebody else's program; a file with
 * a wrong one is ours and damaged, and is refused with the reason.
 */
#include "denali/image_private.h"

#include <errno.h>
#include <string.h>

struct note {
    uint32_t type; /* DENALI_NOTE_... */
    const uint8_t *desc;
    uint32_t desc_len;
};

static uint64_t padded(uint32_t len)
{
    return ((uint64_t)len + 3) & ~(uint64_t)3;
}

/* The next note of ours in [*at, len); false: no more. */
static bool next_note(const uint8_t *bytes, size_t len, size_t *at, struct note *out)
{
    while (len - *at >= sizeof(Elf32_Nhdr)) {
        Elf32_Nhdr h;
        memcpy(&h, bytes + *at, sizeof(h));
        uint64_t name = *at + sizeof(h), desc = name + padded(h.n_namesz);
        if (desc > len || h.n_descsz > len - desc)
            return false;
        uint64_t end = desc + padded(h.n_descsz);
        *at = end > len ? len : (size_t)end;
        bool known = h.n_type == DENALI_NOTE_MANIFEST || h.n_type == DENALI_NOTE_PLACE;
        if (known && h.n_namesz == sizeof(DENALI_NOTE_NAME) &&
            !memcmp(bytes + name, DENALI_NOTE_NAME, sizeof(DENALI_NOTE_NAME))) {
            *out = (struct note){h.n_type, bytes + desc, h.n_descsz};
            return true;
        }
    }
    return false;
}

/* Printable, NUL-ended, not empty, nothing that an option of the command line would cut apart. */
static bool name_is_valid(const char name[DENALI_NAME_LEN])
{
    size_t len = strnlen(name, DENALI_NAME_LEN);
    if (len == 0 || len == DENALI_NAME_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] > '~' || strchr("=,:/\"\\", name[i]))
            return false;
    }
    return true;
}

static bool name_is_taken(const struct image_manifest *m, const char *name)
{
    for (unsigned i = 0; i < m->wishes; i++) {
        if (!strcmp(m->wish[i].name, name))
            return true;
    }
    return false;
}

static int take_wish(struct image *image, const struct denali_manifest_device *d, struct why *why)
{
    struct image_manifest *m = &image->manifest;
    if (!name_is_valid(d->name))
        return why_fail(why, -ENOEXEC,
                        "the manifest of %s names device %u wrongly (1 to 15 printable "
                        "characters, none of =,:/ and quotes)",
                        image->path, m->wishes + 1);
    if (name_is_taken(m, d->name))
        return why_fail(why, -ENOEXEC, "the manifest of %s names device \"%s\" twice", image->path,
                        d->name);
    struct image_wish *wish = &m->wish[m->wishes++];
    wish->kind = d->kind;
    wish->optional = d->flags & DENALI_WANT_OPTIONAL;
    memcpy(wish->name, d->name, sizeof(wish->name));
    return 0;
}

static int take_manifest(struct image *image, const struct note *note, struct why *why)
{
    struct denali_manifest head;
    if (note->desc_len < sizeof(head))
        return why_fail(why, -ENOEXEC, "the manifest of %s is cut off", image->path);
    memcpy(&head, note->desc, sizeof(head));
    if (head.version != DENALI_ABI_VERSION)
        return why_fail(why, -ENOEXEC,
                        "%s is for version %u of the Denali architecture; this program "
                        "has version %u",
                        image->path, head.version, DENALI_ABI_VERSION);
    if (head.devices > DENALI_MAX_DEVICES)
        return why_fail(why, -ENOEXEC, "the manifest of %s names %u devices; %u are the most",
                        image->path, head.devices, DENALI_MAX_DEVICES);
    if ((note->desc_len - sizeof(head)) / sizeof(struct denali_manifest_device) < head.devices)
        return why_fail(why, -ENOEXEC, "the manifest of %s is cut off", image->path);

    image->manifest.mem_bytes = head.mem_bytes;
    for (uint32_t i = 0; i < head.devices; i++) {
        struct denali_manifest_device d;
        memcpy(&d, note->desc + sizeof(head) + i * sizeof(d), sizeof(d));
        int err = take_wish(image, &d, why);
        if (err)
            return err;
    }
    return 0;
}

static int take_place(struct image *image, const struct note *note, struct why *why)
{
    struct denali_place place = {UINT32_MAX};
    if (note->desc_len == sizeof(place))
        memcpy(&place, note->desc, sizeof(place));
    if (place.regs_addr >= DENALI_RAM_START || place.regs_addr % DENALI_BLOCK)
        return why_fail(why, -ENOEXEC, "%s asks for a register page at no place for one",
                        image->path);
    image->manifest.regs_addr = place.regs_addr;
    return 0;
}

int image_note_parse(struct image *image, const uint8_t *bytes, size_t len, struct why *why)
{
    struct note note;
    size_t at = 0;
    int found = 0;
    while (next_note(bytes, len, &at, &note)) {
        if (note.type == DENALI_NOTE_PLACE) {
            int err = take_place(image, &note, why);
            if (err)
                return err;
            continue;
        }
        if (found || image->kind == IMAGE_DENALI)
            return why_fail(why, -ENOEXEC, "%s has two manifests", image->path);
        int err = take_manifest(image, &note, why);
        if (err)
            return err;
        found = 1;
    }
    return found;
}
