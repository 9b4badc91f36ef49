/* SPDX-License-Identifier: MIT */
/* A server under Ilwaco, booted until it listens: the origin of a benchmark's clones. */
#ifndef DENALI_BENCH_BOOT_H
#define DENALI_BENCH_BOOT_H

#include "denali/snapshot.h"
#include "emu/cli/run/run_boot.h"

struct bench_origin {
    struct boot boot;
    char folder[64]; /* the site that it serves */
    struct vm_resource disk[2];
    unsigned disks;
    struct snapshot *snapshot;
};

#define BENCH_DOCUMENT_BYTES 2258u /* the paper's small document */
void bench_document(char text[BENCH_DOCUMENT_BYTES]);

struct bench_server {
    const char *program;  /* path of a Linux program that waits for the network */
    const char *args[4];  /* NULL-ended */
    const char *param;    /* one more of boot_params.h; NULL */
    uint32_t large_bytes; /* of /large in its root, beside /index.html; 0: there is none */
};
/* httpd, which serves its root. */
struct bench_server bench_httpd(const char *path);

/* Boots it with `engine` until it waits, takes the snapshot and ends that VM. */
MUST_CHECK int bench_origin_make(const struct bench_server *server, struct engine *engine,
                                 struct bench_origin *out, struct why *why);
void bench_origin_fini(struct bench_origin *origin);

#endif
