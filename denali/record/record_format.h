/* SPDX-License-Identifier: MIT */
/* The tape's file, as record.c writes and record_read.c reads it. */
#ifndef DENALI_RECORD_FORMAT_H
#define DENALI_RECORD_FORMAT_H

#include "denali/record/record.h"
#include "emu/machine/state.h"

#define RECORD_MAGIC "DenaliTp"
#define RECORD_HEAD 32768u
#define RECORD_CHUNK_MAGIC 0x4b435444u /* "DTCK" */
#define RECORD_CHUNK_HEAD 40u
#define RECORD_CHUNK_MAX (4 * MIB)

#define RECORD_TAPE_NAME "tape"
#define RECORD_SNAPSHOT_NAME "start.snapshot"

struct record_head {
    uint8_t magic[8];
    uint32_t version, abi_version, sums; /* of the three: 1 XXH3, 2 zlib's */
    uint32_t devices;
    uint64_t snapshot_key;
    struct record_info info;
    uint64_t sum; /* of RECORD_HEAD bytes, with this field zero */
};

struct record_chunk {
    uint32_t magic, len;
    uint64_t icount, number;
    uint64_t sum;      /* of the data */
    uint64_t head_sum; /* of the fields before */
};

extern const struct state_list record_head_list, record_device_list, record_chunk_list;

#endif
