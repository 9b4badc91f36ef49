/* SPDX-License-Identifier: MIT */
/*
 * A slot is a process and its record, in memory shared with it. Units are given out in
 * order; the record says where in its unit a process was when it died.
 */
#include "testsuite/mutants/jobs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 64u
#define BROKEN_MAX 20u /* of them the rest says no more */

struct slot {
    struct work_record record;
    pid_t pid; /* 0: free */
    unsigned attempt;
};

struct jobs {
    const struct options *options;
    struct jobs_result *result;
    struct slot *slot;
    unsigned slots, next_unit;
};

static bool start(struct jobs *j, struct slot *slot)
{
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid)
        return (slot->pid = pid) > 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    _exit(work_unit(j->options, &slot->record, slot->attempt) ? 0 : 1);
}

static bool start_unit(struct jobs *j, struct slot *slot)
{
    slot->record = (struct work_record){.unit = j->next_unit++};
    slot->attempt = 0;
    return start(j, slot);
}

static void show(const struct work_record *r, int signal)
{
    fprintf(stderr,
            "unit %u, block of 0x%08x, %s, ended its process (signal %d); from %x on:", r->unit,
            r->eip, mutate_name[r->kind], signal, r->at);
    for (unsigned i = 0; i < r->len; i++)
        fprintf(stderr, " %02x", r->code[i]);
    fputc('\n', stderr);
}

/* What it was doing when it died is what it died of. */
static void blame(struct jobs *j, struct slot *slot, int signal)
{
    struct work_record *r = &slot->record;
    if (r->doing == WORK_RUNS_REFUSED) {
        r->tally.refused_harmful++;
        j->result->ended++;
        return;
    }
    if (r->doing == WORK_RUNS_SURVIVOR) {
        r->tally.harmful++;
        fputs("a mutant that does harm was accepted\n", stderr);
    } else {
        j->result->broken++;
    }
    show(r, signal);
}

static bool settle(struct jobs *j, struct slot *slot, int status)
{
    if (WIFSIGNALED(status)) {
        blame(j, slot, WTERMSIG(status));
        slot->record.done += !j->options->mutate; /* not the same block again */
        slot->attempt++;
        if (j->result->broken < BROKEN_MAX)
            return start(j, slot);
    }
    if (status)
        j->result->complete = false;
    work_add(&j->result->tally, &slot->record.tally);
    slot->pid = 0;
    return true;
}

static struct slot *slot_of(struct jobs *j, pid_t pid)
{
    for (unsigned i = 0; i < j->slots; i++) {
        if (j->slot[i].pid == pid)
            return &j->slot[i];
    }
    return NULL;
}

static bool work(struct jobs *j)
{
    unsigned units = work_units(j->options);
    bool ok = true;
    for (;;) {
        for (unsigned i = 0; ok && i < j->slots; i++) {
            if (!j->slot[i].pid && j->next_unit < units)
                ok = start_unit(j, &j->slot[i]);
        }
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        if (pid < 0 && errno == EINTR)
            continue;
        struct slot *slot = pid > 0 ? slot_of(j, pid) : NULL;
        if (!slot)
            return ok && j->next_unit == units; /* none is left */
        ok = settle(j, slot, status) && ok;
    }
}

bool jobs_run(const struct options *options, struct jobs_result *result)
{
    struct slot *slot = mmap(NULL, SLOTS * sizeof(*slot), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (slot == MAP_FAILED)
        return false;
    struct jobs j = {.options = options,
                     .result = result,
                     .slot = slot,
                     .slots = options->jobs < SLOTS ? options->jobs : SLOTS};
    *result = (struct jobs_result){.complete = true};
    bool ok = work(&j);
    munmap(slot, SLOTS * sizeof(*slot));
    return ok;
}
