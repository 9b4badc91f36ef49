/* SPDX-License-Identifier: MIT */
/*
 * The guest's physical memory as a window of the host's address space.
 *
 *      base - RAM_GUARD   base                    base + 4 GiB   + RAM_GUARD
 *      | no access ...    | RAM | no access ...   | no access    |
 *
 * `base` is aligned to 4 GiB, so the low 32 bits of a host pointer into the
 * window are the guest address. Nothing within RAM_GUARD of the window on
 * either side is accessible. All else that belongs to RAM lies elsewhere, close to
 * that of others: here each piece would cost page tables of its own.
 *
 * Pages that hold translated code are write-protected; host code must never
 * write guest memory through a pointer of its own but through ram_write or
 * ram_span_write, which tell the engine first.
 */
#ifndef DENALI_RAM_H
#define DENALI_RAM_H

#include "emu/base/base.h"

#define RAM_WINDOW (4 * GIB)
#define RAM_GUARD (4 * MIB)
#define RAM_CONTEXT 2048u   /* for the processor's state, struct cpu */
#define RAM_REACH (2 * MIB) /* bound on displacements that are added without truncation */

/*
 * A host keeps a mapping for each run of pages with equal rights and has room
 * for some 65,000 in a process. RAM whose rights change at more places than
 * this is refused more (twice as many with code marks).
 */
#define RAM_MAX_BORDERS 16384

struct ram;

/*
 * What an engine's own fast path may look at, read-only: an access of one page
 * is allowed when page < pages and `denied[page]` has none of the bits that
 * matter to it. struct ram begins with it. The watch bits deny nothing; they say
 * that somebody wants to be told, and while ARMED the host denies as if they did.
 */
enum ram_denied {
    RAM_DENIED_READ = 1,
    RAM_DENIED_WRITE = 2,
    RAM_DENIED_CODE = 4, /* marked */
    RAM_WATCH_WRITE = 8,
    RAM_WATCH_READ = 16,
    RAM_WATCHED = RAM_WATCH_WRITE | RAM_WATCH_READ,
    RAM_ARMED = 32,
    RAM_SOURCE_CODE = 64, /* denies nothing: marked since the RAM was made, still the source's */
};
struct ram_view {
    uint8_t *base;
    uint32_t pages;        /* of RAM */
    const uint8_t *denied; /* enum ram_denied bits, by page */
};
static inline const struct ram_view *ram_view(const struct ram *ram)
{
    return (const struct ram_view *)(const void *)ram;
}

/* Called before the host writes [gpa, gpa+len) where a page is marked as code. */
typedef void (*ram_code_write_fn)(void *opaque, gpa_t gpa, uint64_t len);

/*
 * Reserves a window with `size` bytes of zeroed RAM at 0 (a multiple of
 * PAGE_SIZE, at most 4 GiB - 64 KiB). Memory is lazily given by the host.
 * -EINVAL, -ENOMEM.
 */
MUST_CHECK int ram_create(uint64_t size, struct ram **out);
void ram_destroy(struct ram *ram);

/*
 * What RAM is copied from, on write: a descriptor with `size` bytes, the same
 * bytes in this process's memory, and one bit for each page that is not all zero.
 */
struct ram_marks;
struct ram_source {
    int fd;
    const uint8_t *bytes;
    const uint8_t *filled;
    struct ram_marks *marks; /* NULL: RAM begins with all rights and no code marks */
};
/* For a source of `size` bytes: RAM from it begins with what is noted here, and code marks that one
 * of them gets are noted for those made later. -ENOMEM. */
MUST_CHECK int ram_marks_create(uint64_t size, struct ram_marks **out);
void ram_marks_destroy(struct ram_marks *marks);
/* RAM from the source will begin with these rights; before any is made. -EINVAL. */
MUST_CHECK int ram_marks_set_access(struct ram_marks *marks, gpa_t gpa, uint64_t len,
                                    unsigned prot);
static inline bool ram_source_filled(const struct ram_source *source, uint32_t page)
{
    return source->filled[page >> 3] >> (page & 7) & 1;
}
/* The same as ram_create with that contents. The source must outlive the RAM and never change. */
MUST_CHECK int ram_create_from(uint64_t size, const struct ram_source *source, struct ram **out);
/*
 * Sets the bit of every page that the host, the guest or a discard may have made different from
 * the source (from zero, if there is none); pages that an image was mapped to are not among them.
 * `bits`: a bit for each page of RAM. A negative errno of the host.
 */
MUST_CHECK int ram_find_changed(const struct ram *ram, uint8_t *bits);
/*
 * The pages of `bits`, as ram_find_changed set them, are the source's again; rights stay, and code
 * marks stay where contents do. The first `keep` of them stay in memory of their own, for somebody
 * who will write them: dropping a page and having it again costs far more than copying it, above
 * all where several threads run in this address space.
 */
MUST_CHECK int ram_reset(struct ram *ram, const uint8_t *bits, uint32_t keep);
/* A page's bytes whatever the guest may do with it: in place, or in `copy`. NULL: the host failed.
 */
MUST_CHECK const uint8_t *ram_peek(const struct ram *ram, gpa_t page, uint8_t copy[PAGE_SIZE]);
/*
 * Pages in a row with one right, which is not the source's: the first such from page `from` on.
 * False: none. Without a source, or where it says nothing, all rights are the source's.
 */
struct ram_rights {
    uint32_t page, pages;
    unsigned prot; /* enum host_prot */
};
bool ram_changed_rights(const struct ram *ram, uint32_t from, struct ram_rights *out);
/* As ram_set_access, for what ram_changed_rights said of RAM from the same source. */
MUST_CHECK int ram_put_rights(struct ram *ram, const struct ram_rights *rights);
/* All rights are the source's again. */
MUST_CHECK int ram_reset_rights(struct ram *ram);
/* How many mappings of the host's it takes, at most. */
uint32_t ram_mappings(const struct ram *ram);
/* Counts changes of access rights. */
uint64_t ram_access_changes(const struct ram *ram);

uint8_t *ram_base(const struct ram *ram);
uint64_t ram_size(const struct ram *ram);
void *ram_context(const struct ram *ram); /* RAM_CONTEXT zeroed bytes, aligned to 64 */

/*
 * Access rights of whole pages, as the guest sees them (HOST_NONE, HOST_R,
 * HOST_R|HOST_W). Code marks are kept on top. -EINVAL outside RAM,
 * -ENOMEM if rights change at too many places.
 */
MUST_CHECK int ram_set_access(struct ram *ram, gpa_t gpa, uint64_t len, unsigned prot);
/* The rights of the page at gpa; HOST_NONE outside RAM. */
unsigned ram_access(const struct ram *ram, gpa_t gpa);

/*
 * Whole pages become zero and the host gets their memory back; rights stay, code
 * marks go (the hook is told first). -EINVAL outside RAM.
 */
MUST_CHECK int ram_discard(struct ram *ram, gpa_t gpa, uint64_t len);

/*
 * Code marks: a marked page is write-protected on the host. Before the host
 * writes one, the hook is called once for the range; what it has not unmarked,
 * ram then unmarks itself. A hook must not write guest memory.
 */
MUST_CHECK int ram_mark_code(struct ram *ram, gpa_t page, bool code);
bool ram_is_code(const struct ram *ram, gpa_t page);
/* The bytes of a page that is marked: in place, or the source's, so that nothing is mapped into the
 * window only to be compared. NULL: it cannot be read. */
const void *ram_code_bytes(const struct ram *ram, gpa_t page);
void ram_on_code_write(struct ram *ram, ram_code_write_fn fn, void *opaque);

/*
 * Called before anybody writes [gpa, gpa+len) through ram_write or ram_span_write: devices,
 * loaders, the debugger; of the processor's own writes only some go that way. `bytes`: what will be
 * there; NULL: not known yet. Write nothing there. One listener; NULL: none.
 */
typedef void (*ram_host_write_fn)(void *opaque, gpa_t gpa, const void *bytes, uint64_t len);
void ram_on_host_write(struct ram *ram, ram_host_write_fn fn, void *opaque);

/*
 * Watch marks of a debugger (RAM_WATCH_..., 0 removes them). Only while a page
 * is armed does the host refuse what is watched: for code that runs without
 * looking at the marks. Host code must not touch an armed page. -EINVAL, -ENOMEM.
 */
MUST_CHECK int ram_watch(struct ram *ram, gpa_t page, unsigned marks);
MUST_CHECK int ram_arm(struct ram *ram, gpa_t page, bool armed);

/*
 * The one function that turns (address, length) into a host pointer:
 * overflow-checked; NULL if any byte lies outside RAM or lacks the right.
 * The pointer is good until the next change of access rights.
 */
MUST_CHECK const void *ram_span(const struct ram *ram, gpa_t gpa, uint64_t len);
MUST_CHECK void *ram_span_write(struct ram *ram, gpa_t gpa, uint64_t len);

/* Copy; -EFAULT (and nothing copied) if any byte is out of reach. */
MUST_CHECK int ram_read(const struct ram *ram, gpa_t gpa, void *dst, uint64_t len);
MUST_CHECK int ram_write(struct ram *ram, gpa_t gpa, const void *src, uint64_t len);

#endif
