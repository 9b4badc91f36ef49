/* SPDX-License-Identifier: MIT */
/* The file's head and tables, as snapshot_save.c writes and snapshot.c reads them. */
#ifndef DENALI_SNAPSHOT_FORMAT_H
#define DENALI_SNAPSHOT_FORMAT_H

#include "denali/snapshot.h"

#define SNAPSHOT_MAGIC "DenaliVM"
#define SNAPSHOT_HEAD 4096u

struct snapshot_head {
    uint8_t magic[8];
    uint32_t version, abi_version;
    uint64_t mem_bytes;
    uint64_t file_bytes;  /* of the whole file */
    uint64_t contents_at; /* a multiple of 4096 */
    uint32_t devices, state_bytes, rights, runs;
    uint32_t tables_crc;   /* of [SNAPSHOT_HEAD, contents_at) */
    uint32_t contents_crc; /* of the rest */
    uint32_t head_crc;     /* of the 4096 bytes, with this field zero */
};

/* Runs of pages: ascending, apart, inside RAM. */
struct snapshot_run {
    uint32_t page, pages;
    uint32_t value; /* rights: enum host_prot; pages: 0 */
};

extern const struct state_list snapshot_head_list, snapshot_run_list, snapshot_device_list;
#define SNAPSHOT_RUN_BYTES 12u
#define SNAPSHOT_DEVICE_BYTES (2u + DENALI_NAME_LEN)

/* Reads what snapshot_save wrote to this descriptor. `why` gets a clause. */
MUST_CHECK int snapshot_open_fd(int fd, struct snapshot **out, struct why *why);

uint32_t snapshot_crc(uint32_t crc, const void *data, size_t len);

#endif
