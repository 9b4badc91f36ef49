/* SPDX-License-Identifier: MIT */
/*
 * The runner: a process as `denali host` has it, with a victim, witnesses and
 * attackers in one pool.
 *
 *   victim     a web server under Ilwaco, asked without a pause; each answer is compared
 *   witnesses  guests/canary: check their own pages all the time; ask them, and they tell
 *              how often; one that finds a byte changed ends
 *   attackers  the guest of guest/, one attack each
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "denali/pool/pool.h"
#include "emu/base/host_thread.h"
#include "emu/cli/bench/bench_world.h"

#define HOSTILE_ATTACKERS 4u /* at most */
#define HOSTILE_WITNESSES 2u
#define HOSTILE_TEXT 4096u
#define HOSTILE_PATIENCE_NS 120000000000u /* only what is lost takes so long, on any machine */
#define HOSTILE_PAUSE_NS 500000u /* between questions: the victim takes less than its share */

enum hostile_flags { ENDS = 1, FORGES = 2, WRECKS = 4 };

struct hostile_attack {
    const char *name;
    unsigned flags;
    const char *line;
};

/* What a VM writes, its last part, and what is typed for it. */
struct hostile_console {
    struct console_backend base;
    struct host_lock lock;
    size_t len;
    bool round; /* it has written the word */
    char text[HOSTILE_TEXT + 1];
    bool key;
};

struct hostile_vm {
    struct pool_vm *vm;
    struct hostile_console console;
    struct disk *disk;
    /* Of the pool's threads, inside the world's lock. */
    bool ended;
    enum vm_end_reason reason;
    uint32_t status;
    char report[HOSTILE_TEXT / 4];
    unsigned ends;
};

/* waits.c */
#define HOSTILE_THREADS 64u
struct hostile_waits {
    int fd[HOSTILE_THREADS], seen[HOSTILE_THREADS];
    unsigned count, seen_count;
};

struct hostile_world {
    struct engine *engine;
    struct lan *lan;
    struct pool *pool;
    struct io_pool *io;
    struct host_lock lock;
    struct bench_origin server;
    struct bench_world judge; /* only knows the document */
    struct bench_client *client;
    struct pool_origin *server_origin, *witness_origin, *attack_origin;
    struct image *witness_image, *attack_image;
    struct pool_vm *victim;
    struct hostile_vm witness[HOSTILE_WITNESSES], attacker[HOSTILE_ATTACKERS];
    unsigned attackers;
    bool victim_ended;
    struct hostile_waits waits;
};

struct hostile_options {
    const char *guests; /* the folder of httpd, canary and the rest */
    const char *attack; /* the guest with the attacks */
    unsigned attackers, workers;
    bool verify;
};

MUST_CHECK int hostile_world_init(struct hostile_world *w, const struct hostile_options *options,
                                  struct why *why);
void hostile_world_fini(struct hostile_world *w);

/* Attackers begin; and are gone. */
MUST_CHECK int hostile_attack_begin(struct hostile_world *w, const struct hostile_attack *attack,
                                    struct why *why);
void hostile_attack_end(struct hostile_world *w);
/* All of them stand still, or go on. One that has ended, and may, is made again. */
void hostile_attack_pause(struct hostile_world *w, bool pause);
MUST_CHECK int hostile_attack_renew(struct hostile_world *w, const struct hostile_attack *attack,
                                    struct why *why);

/* Whether its end is one of those that the attack may come to. */
bool hostile_attack_may_end(const struct hostile_attack *attack, const struct hostile_vm *attacker);
/* It has gone through the whole attack once, or has ended. */
bool hostile_attack_has_begun(struct hostile_vm *attacker);

/* Asks the victim `count` times, with pauses; how long each took, in us, less what the
 * host kept us waiting (`raw_us`: with it). How many were not answered, or wrongly. */
unsigned hostile_ask(struct hostile_world *w, uint32_t *took_us, uint32_t *raw_us, unsigned count);
/* Whether each witness has checked its pages since it was called. */
bool hostile_witnesses_well(struct hostile_world *w, struct why *why);

#endif
