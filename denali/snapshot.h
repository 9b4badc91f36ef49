/* SPDX-License-Identifier: MIT */
/*
 * A VM at rest as a file, and what VMs are made from it (vm_config.snapshot).
 *
 *     head        4096 bytes: magic, version, sizes, checksums
 *     devices     kind and name of each
 *     state       of vm_state_save
 *     rights      runs of pages that are not readable and writable
 *     pages       runs of pages that are not all zero
 *     (padding)   to a whole page
 *     contents    of these pages, in order
 *
 * All integers are little-endian 32- or 64-bit. Head, tables and contents have
 * a CRC-32 each. A file that is cut, changed, or of another version is refused.
 *
 * What is opened is copied into memory of its own first: what was checked is what runs, whatever
 * becomes of the file. The copy is shared by all VMs made from it.
 */
#ifndef DENALI_SNAPSHOT_H
#define DENALI_SNAPSHOT_H

#include "denali/vm.h"
#include "emu/machine/ram.h"

#define SNAPSHOT_VERSION 1u

struct snapshot;

/*
 * Writes the VM as it stands between two slices; it may run on afterwards. The
 * file appears under its name only when it is whole. -EBUSY: a disk request is in
 * flight (run it on and try again).
 */
MUST_CHECK int snapshot_save(struct vm *vm, const char *path, struct why *why);

/* The same without a file, opened. */
MUST_CHECK int snapshot_take(struct vm *vm, struct snapshot **out, struct why *why);

/* -EINVAL: no snapshot, damaged, or of another version. */
MUST_CHECK int snapshot_open(const char *path, struct snapshot **out, struct why *why);
/* No VM made from it is left. NULL is harmless. */
void snapshot_close(struct snapshot *snapshot);

uint64_t snapshot_mem_bytes(const struct snapshot *snapshot);
uint64_t snapshot_filled_pages(const struct snapshot *snapshot);
/* Of shared translations: equal for equal snapshots, never 0. */
uint64_t snapshot_key(const struct snapshot *snapshot);
const struct ram_source *snapshot_source(const struct snapshot *snapshot);
MUST_CHECK int snapshot_load_state(const struct snapshot *snapshot, struct vm *vm, uint64_t now_ns);

struct vm_saved_device {
    uint16_t kind; /* enum denali_device_kind */
    char name[DENALI_NAME_LEN];
};
const struct vm_saved_device *snapshot_devices(const struct snapshot *snapshot);
unsigned snapshot_device_count(const struct snapshot *snapshot);

#endif
