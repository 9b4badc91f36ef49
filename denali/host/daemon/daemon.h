/* SPDX-License-Identifier: MIT */
/*
 * The daemon: one thread and one loop over the API's connections (api.h), the
 * links to the workers (workers.c) and the person's signals. It runs no guest
 * code and waits for nobody: what takes time is an ask to a worker, whose answer
 * is an event of the loop.
 *
 *     api.c       HTTP: connections, bodies, answers      routes.c   who does what
 *     vms*.c      what is done to VMs                     fleet.c    the VMs, and the journal
 *     workers.c   processes and their links               asks.c     questions to workers
 */
#ifndef DENALI_HOST_DAEMON_H
#define DENALI_HOST_DAEMON_H

#include "denali/host/daemon/settings.h"
#include "denali/host/journal.h"
#include "denali/host/link.h"
#include "denali/host/spec.h"

#include <poll.h>
#include <sys/types.h>

struct daemon;
struct call; /* a request of the API that is being answered: api.h */
struct api;

/* VMs. */

enum vm_life {
    VM_CREATING, /* being checked; not in the journal */
    VM_CREATED,  /* never ran since the daemon knows it */
    VM_STARTING,
    VM_RUNNING,
    VM_STOPPING,
    VM_FINISHED, /* `end` says how */
};

struct group; /* VMs that share a LAN: group.h */

/* A clone's `spec` is its batch's, shared. */
struct fleet_vm {
    struct fleet_vm *next, *prev;         /* all, by id */
    struct fleet_vm *same_name, *same_id; /* in a bucket */
    uint64_t id;
    char name[SPEC_NAME_MAX + 1];
    json_t *spec;
    struct group *group; /* NULL: its own */
    uint32_t ip;         /* in the group's LAN, host byte order; 0: none */
    uint32_t api_ip;     /* where this supervisor finds the API; 0: it is none */
    enum vm_life life;
    bool wanted;    /* somebody wants it to run */
    bool removing;  /* goes when it has ended */
    bool by_policy; /* this start was */
    int worker;     /* index, while it is in one; else -1 */
    uint64_t run;   /* number of this start; what workers say of others is old */
    json_t *end;    /* {"reason", "status", "message"}, or NULL */
    uint64_t created_ms, started_ms, ended_ms; /* wall clock */
    unsigned restarts, failures;               /* in all; in a row */
    uint64_t restart_ns, kill_ns;              /* monotonic, due then; 0: not */
    struct call *waiters;                      /* calls that wait for its end */
};

#define FLEET_BUCKETS 8192u

struct fleet {
    struct fleet_vm all; /* head of the ring */
    struct fleet_vm *by_name[FLEET_BUCKETS], *by_id[FLEET_BUCKETS];
    struct group *groups;
    size_t count;
    uint64_t next_id;
    unsigned timers; /* VMs whose restart_ns or kill_ns is set */
    struct journal *journal;
    bool unsynced; /* lines that nobody waits for; synced at the end of the loop's turn */
};

/* Workers. */

enum worker_life { WORKER_DOWN, WORKER_GREETING, WORKER_UP };

struct ask;

struct worker {
    enum worker_life life;
    unsigned index;
    pid_t pid;
    bool child; /* ours to reap; not one that an earlier daemon started */
    struct link link;
    struct ask *asks; /* not answered yet */
    uint64_t next_seq;
    uint64_t spawn_ns; /* DOWN: when it is started again */
    uint64_t started_ns;
    uint64_t ping_ns, heard_ns; /* the last ping, and the last word */
    unsigned deaths;
    unsigned vms;
    json_t *figures; /* of its last pong; NULL: none yet */
};

struct daemon {
    struct config config;
    struct fleet fleet;
    struct worker worker[CONFIG_WORKERS_MAX];
    unsigned workers;
    struct api *api;
    int signals, state_lock;
    int log_fd;   /* of a detached daemon and its workers; -1: stderr is theirs */
    int ready_fd; /* told when everything is up; -1: nobody asks */
    bool quit;
    uint64_t quit_ns; /* monotonic; when the rest is killed */
};

/* One line on stderr, with the time. */
void daemon_log(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* fleet.c; groups: group.c */
MUST_CHECK int fleet_open(struct fleet *fleet, const char *state, struct why *why);
void fleet_close(struct fleet *fleet);
struct fleet_vm *fleet_find(struct fleet *fleet, const char *ref); /* a name or an id */
struct fleet_vm *fleet_by_id(struct fleet *fleet, uint64_t id);
struct fleet_vm *fleet_by_name(struct fleet *fleet, const char *name);
/* A VM, in the state CREATING; an empty name: "vm-ID". `spec`: a reference is taken. NULL: no
 * memory. */
struct fleet_vm *fleet_add(struct fleet *fleet, const char *name, json_t *spec);
void fleet_drop(struct fleet *fleet, struct fleet_vm *vm);
/* The group of that name, made if it is new. NULL: no memory, or no subnet is left. */
struct group *fleet_group(struct fleet *fleet, const char *name);
/* Gives the VM its place in a group: the address `ip`, or the next free one if that is 0.
 * -EADDRINUSE, -EINVAL: not in the group's subnet, -ENOSPC. */
MUST_CHECK int fleet_join(struct fleet *fleet, struct fleet_vm *vm, struct group *group,
                          uint32_t ip);
/* One more address of the group's, for the API of a VM that is in it. -ENOSPC. */
MUST_CHECK int fleet_join_api(struct fleet *fleet, struct fleet_vm *vm);
/* Writes what must survive of the VM, or that it is gone; safe on disk after fleet_sync. */
MUST_CHECK int fleet_note(struct fleet *fleet, const struct fleet_vm *vm);
MUST_CHECK int fleet_note_gone(struct fleet *fleet, uint64_t id);
MUST_CHECK int fleet_sync(struct fleet *fleet);
void fleet_set_timer(struct fleet *fleet, uint64_t *timer, uint64_t when_ns);
json_t *fleet_describe(const struct fleet_vm *vm); /* for people; a new reference */
const char *fleet_life_name(enum vm_life life);
void fleet_set_end(struct fleet_vm *vm, const char *reason, int status, const char *message);

/* asks.c: a question to a worker. `done` is called exactly once: with the answer (its member
 * "error" says why not), or NULL when the worker died. It may not send to that worker when NULL. */
struct ask {
    struct ask *next;
    uint64_t seq;
    struct worker *worker;
    struct call *call; /* that waits for it, or NULL; set to NULL when it waits no longer */
    uint64_t vm, run;
    json_t *more; /* the asker's */
    void (*done)(struct daemon *d, struct ask *ask, const json_t *answer);
};
/* Takes `message` over. NULL: the worker cannot be asked (down, or it reads nothing). */
struct ask *ask_send(struct worker *worker, json_t *message,
                     void (*done)(struct daemon *d, struct ask *ask, const json_t *answer), int fd);
void ask_answered(struct daemon *d, struct worker *worker, const json_t *answer);
void asks_fail(struct daemon *d, struct worker *worker);

/* workers.c */
MUST_CHECK int workers_start(struct daemon *d, struct why *why);
unsigned workers_poll(struct daemon *d, struct pollfd *fds);
void workers_ready(struct daemon *d, const struct pollfd *fds, unsigned count);
void workers_tick(struct daemon *d, uint64_t now_ns);
uint64_t workers_next_ns(const struct daemon *d);
void workers_reap(struct daemon *d);
/* Asks all to end, or kills them. */
void workers_quit(struct daemon *d, bool kill_them);
bool workers_quit_done(const struct daemon *d); /* none is left */
struct worker *workers_pick(struct daemon *d, const struct fleet_vm *vm);
bool worker_is_stalled(const struct worker *worker, uint64_t now_ns);
json_t *worker_describe(const struct worker *worker);

/* vms.c: what happens to VMs. */
void vms_ended(struct daemon *d, struct fleet_vm *vm, const char *reason, int status,
               const char *message);
void vms_worker_died(struct daemon *d, struct worker *worker, const char *how);
void vms_adopt(struct daemon *d, struct worker *worker, const json_t *list);
void vms_all_adopted(struct daemon *d);
/* Takes `fd` (or -1) over. */
void vms_event(struct daemon *d, struct worker *worker, const json_t *event, int fd);
void vms_tick(struct daemon *d, uint64_t now_ns);
uint64_t vms_next_ns(const struct daemon *d);

#endif
