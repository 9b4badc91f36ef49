/* SPDX-License-Identifier: MIT */
/*
 * One test: a guest and what it must do. Read from a file NAME.toml or NAME.json, as
 * docs/TESTING.md describes it for people and docs/test-schema.json for machines; the keys are the
 * rows of the tables in spec_keys*.c.
 *
 * A file is one test, or many: each table of its array `test` is one, with what the file says
 * outside of it as default.
 */
#ifndef DENALI_TEST_SPEC_H
#define DENALI_TEST_SPEC_H

#include "emu/test/arena.h"
#include "emu/test/toml.h"

/* Text or bytes; NULL: not said. */
struct spec_bytes {
    const char *data;
    size_t len;
};
struct spec_list {
    struct spec_bytes *item;
    unsigned count;
};

/* What a text must be. */
struct spec_text {
    bool given;
    struct spec_bytes is;          /* exactly; data NULL: not said */
    struct spec_list has, has_not; /* parts */
    struct spec_list in_order;     /* parts, one behind the other */
    struct spec_list like, unlike; /* extended regular expressions; ^ and $ at each line */
    const char *golden;            /* a file that holds it */
    struct spec_list ignore;       /* expressions; lines that match are left out first */
    uint64_t max_bytes;            /* 0: not said */
};

enum spec_kind { SPEC_DENALI, SPEC_LINUX, SPEC_PC };

/* What is done to the guest, in turn: it waits for its moment, then acts. */
enum spec_act {
    ACT_NONE,
    ACT_TYPE,
    ACT_KEYS,
    ACT_EOF,
    ACT_SIGNAL,
    ACT_SERIAL,
    ACT_FRAME,
    ACT_POWER,
    ACT_STOP
};
struct spec_step {
    struct spec_bytes after;  /* the guest's output since the last step holds it; NULL: no wait */
    uint64_t at_ns, delay_ns; /* of the guest's time: since its start; since the last step */
    bool has_at;
    enum spec_act act;
    struct spec_bytes data; /* TYPE, SERIAL, FRAME */
    struct spec_list keys;
    uint32_t signal; /* enum denali_signal */
    int line;
};

struct spec_disk {
    const char *name, *file; /* file NULL: of zeroes */
    uint64_t bytes;
    struct spec_bytes content; /* at its beginning */
    bool readonly;
};

struct spec_file {
    const char *path; /* in the guest */
    struct spec_bytes content;
    const char *copy; /* or: a file of the host */
    unsigned mode;
};

/* A machine at the other end of the guest's network, with a script of its own. */
enum spec_peer_act { PEER_SEND, PEER_EXPECT, PEER_LIKE, PEER_CLOSE, PEER_WAIT, PEER_AFTER };
struct spec_peer_step {
    enum spec_peer_act act;
    struct spec_bytes data;
    uint64_t wait_ns;
    int line;
};
struct spec_peer {
    const char *name;
    bool udp, listens;
    uint32_t ip;
    uint16_t port; /* where it listens, or of the guest, where it connects */
    struct spec_peer_step *step;
    unsigned steps;
    int line;
};

/* A number somewhere, at the end or when control first comes to a place. */
enum spec_what { WHAT_REGISTER, WHAT_MEMORY };
struct spec_value {
    enum spec_what what;
    const char *at;    /* a place; NULL: at the end */
    const char *where; /* a register's name; or a place in memory */
    unsigned size;     /* 1, 2, 4, 8 */
    bool has_equals, has_least, has_most;
    uint64_t equals, least, most;
    struct spec_bytes bytes; /* MEMORY: instead */
    int line;
};

struct spec_named_text {
    const char *name;
    uint64_t at, len; /* of a disk */
    struct spec_text text;
    int line;
};

struct spec_expect {
    bool any_status;
    uint32_t status;
    const char *signal; /* "SIGSEGV": of a Linux program; NULL: none */
    bool any_fault;     /* it must die of a fault: of any, or of this */
    const char *fault;
    bool hang; /* it must wait for ever */
    struct spec_text out, err, console, screen, serial, debugcon;
    const char *screenshot; /* a golden picture */
    uint64_t max_instructions, min_instructions;
    uint64_t max_guest_ns;
    bool known_calls; /* no unknown system call, but for: */
    struct spec_list but;
    struct spec_value *value;
    unsigned values;
    struct spec_list reached, not_reached;
    struct spec_named_text *disk, *frame;
    unsigned disks, frames;
};

struct spec_pc {
    const char *kernel, *initrd, *append, *bios, *vgabios, *boot, *cpu, *machine;
    const char *hd[4], *cdrom, *fd[2];
    const char *nic;
    bool exit_port;
};

struct spec {
    const char *name, *about; /* the name is unique in a run */
    const char *file, *folder;
    int line;
    struct spec_list tags;
    const char *xfail, *skip;
    struct spec_list needs;
    enum spec_kind kind;
    const char *image;
    struct spec_list args, env;
    const char *cwd, *root, *engine;
    uint64_t memory_bytes;
    struct spec_file *guest_file;
    unsigned guest_files;
    struct spec_disk *disk;
    unsigned disks;
    struct spec_pc pc;
    struct spec_bytes input;
    bool has_input, terminal;
    bool stops; /* as soon as script and peers are done, the test is over */
    struct spec_step *step;
    unsigned steps;
    struct spec_peer *peer;
    unsigned peers;
    uint64_t seed;
    bool has_seed, real_time;
    uint64_t timeout_ns, max_instructions, max_output;
    struct spec_expect expect;

    struct toml *tree; /* strings point into it */
    struct arena arena;
};

/* For ${NAME} in paths and texts that stand for paths. */
struct spec_define {
    const char *name, *value;
};

struct spec_config {
    const struct spec_define *define;
    unsigned defines;
};

/* Called with each test of a file, which it takes over. */
typedef int (*spec_take_fn)(void *opaque, struct spec *spec);
/* `label`: how the file is called in the names of its tests. 0, or -EINVAL and `why`
 * ("FILE:LINE:COLUMN: what"), -ENOENT, -ENOMEM. */
MUST_CHECK int spec_read_file(const char *path, const char *label, const struct spec_config *config,
                              spec_take_fn take, void *opaque, struct why *why);
void spec_free(struct spec *spec);

/* "SIGSEGV"; of others "a signal". */
const char *spec_signal_name(uint64_t number);

#endif
