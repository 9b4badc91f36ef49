/* SPDX-License-Identifier: MIT */
/* What can be done to VMs. Each answers the call, now or later. */
#ifndef DENALI_HOST_DAEMON_VMS_H
#define DENALI_HOST_DAEMON_VMS_H

#include "denali/host/daemon/api.h"

/* Takes a reference of `spec`, which spec_check has passed. */
void vms_create(struct daemon *d, struct call *call, json_t *spec);
void vms_start(struct daemon *d, struct call *call, struct fleet_vm *vm);
/* Asks the guest, and kills it after `grace_s`. */
void vms_stop(struct daemon *d, struct call *call, struct fleet_vm *vm, unsigned grace_s);
void vms_kill(struct daemon *d, struct call *call, struct fleet_vm *vm);
void vms_remove(struct daemon *d, struct call *call, struct fleet_vm *vm, bool force);
void vms_wait(struct daemon *d, struct call *call, struct fleet_vm *vm, unsigned wait_s);
void vms_input(struct daemon *d, struct call *call, struct fleet_vm *vm);
void vms_stats(struct daemon *d, struct call *call, struct fleet_vm *vm);
void vms_all_stats(struct daemon *d, struct call *call);
void vms_logs(struct daemon *d, struct call *call, struct fleet_vm *vm, uint64_t offset,
              unsigned follow_s);

/* Starts without a call, as by policy. */
void vms_begin(struct daemon *d, struct fleet_vm *vm);

/* vms_ask.c: to the worker that has the VM; NULL, and the call is answered: it cannot be asked. */
struct ask *vms_ask(struct daemon *d, struct call *call, struct fleet_vm *vm, const char *op,
                    json_t *more,
                    void (*done)(struct daemon *d, struct ask *ask, const json_t *answer));
/* Answers the call with the worker's error, if there is one; true: it did. */
bool vms_refused(struct call *call, const json_t *answer);
bool vms_is_alive(const struct fleet_vm *vm);
char *vms_path(const struct daemon *d, const char *folder, const char *name, const char *suffix);
uint64_t vms_wall_ms(void);

/* vms_start.c: sends VMs of one spec to `worker`. Takes `list` ([{"id", "run", "name", "ip"}])
 * over. */
struct ask *vms_send_start(struct daemon *d, struct worker *worker, const json_t *spec,
                           const struct group *group, json_t *list,
                           void (*done)(struct daemon *d, struct ask *ask, const json_t *answer));
json_t *vms_start_item(const struct fleet_vm *vm);
void vms_set_starting(struct daemon *d, struct fleet_vm *vm, struct worker *worker);
void vms_set_running(struct daemon *d, struct fleet_vm *vm);

/* snapshots.c */
void snapshots_take(struct daemon *d, struct call *call, struct fleet_vm *vm, const char *name);
bool snapshots_is_of(struct daemon *d, const char *name, const char *group);
void snapshots_list(struct daemon *d, struct call *call);
void snapshots_show(struct daemon *d, struct call *call, const char *name);
void snapshots_remove(struct daemon *d, struct call *call, const char *name);
/* `wish`: the body of the request, checked there. */
void snapshots_clone(struct daemon *d, struct call *call, const char *name, const json_t *wish);

#endif
