/* SPDX-License-Identifier: MIT */
/* denali snapshot, clone. */
#include "emu/cli/host/host_client.h"
#include "emu/cli/host/host_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run_snapshot(int argc, char **argv)
{
    struct host_args args;
    struct host_reply reply;
    int status;
    if (!host_args_take(&cli_snapshot, argc, argv, NULL, 0, 2, 2, &args, &status))
        return status;
    char *path = host_path("/v1/vms/%s/snapshot", args.word[0], NULL);
    json_t *body = json_pack("{s:s}", "name", args.word[1]);
    const struct host_request request = {.method = "POST",
                                         .path = path ? path : "/",
                                         .body = body,
                                         .progress = "writing the snapshot"};
    status = host_do(&args, &request, &reply);
    free(path);
    json_decref(body);
    if (status)
        return status;
    if (args.json)
        host_print_json(reply.json);
    else
        printf("%s: %lld KiB\n", host_text(reply.json, "name"),
               host_integer(reply.json, "bytes") / 1024);
    host_reply_fini(&reply);
    return CLI_OK;
}

static void print_clones(const json_t *answer)
{
    size_t i;
    json_t *vm;
    json_array_foreach(json_object_get(answer, "vms"), i, vm)
    {
        printf("%s %s\n", host_text(vm, "name"), host_text(vm, "ip"));
    }
}

static int send_clone(const struct host_args *args, const char *snapshot, const json_t *body,
                      struct host_reply *reply)
{
    char *path = host_path("/v1/snapshots/%s/clone", snapshot, NULL);
    const struct host_request request = {
        .method = "POST", .path = path ? path : "/", .body = body, .progress = "cloning"};
    int status = host_do(args, &request, reply);
    free(path);
    return status;
}

/* A VM's name in place of a snapshot's: a snapshot of it is taken first. */
static int snapshot_of_vm(const struct host_args *args, const char *vm, char *name, size_t room)
{
    struct host_reply reply;
    struct host_args quiet = *args;
    char *path = host_path("/v1/vms/%s/snapshot", vm, NULL);
    snprintf(name, room, "%.30s-%d-snapshot", vm, (int)getpid());
    json_t *body = json_pack("{s:s}", "name", name);
    const struct host_request request = {.method = "POST",
                                         .path = path ? path : "/",
                                         .body = body,
                                         .progress = "writing a snapshot"};
    quiet.json = false;
    int status = host_do(&quiet, &request, &reply);
    free(path);
    json_decref(body);
    if (!status)
        host_reply_fini(&reply);
    return status;
}

static bool is_snapshot(const struct host_args *args, const char *name)
{
    struct host_reply reply;
    struct why why;
    char *path = host_path("/v1/snapshots/%s", name, NULL);
    const struct host_request request = {.method = "GET", .path = path ? path : "/"};
    int err = host_ask(args, &request, &reply, &why);
    free(path);
    bool found = !err && reply.status == 200;
    if (!err)
        host_reply_fini(&reply);
    return found;
}

static int run_clone(int argc, char **argv)
{
    struct host_args args;
    struct host_reply reply;
    const char *count = NULL, *name = NULL, *group = NULL, *restart = NULL;
    const struct host_option options[] = {{"count", 'n', &count, NULL},
                                          {"name", 0, &name, NULL},
                                          {"group", 0, &group, NULL},
                                          {"restart", 0, &restart, NULL}};
    unsigned long n = 1;
    char snapshot[80];
    int status;
    if (!host_args_take(&cli_clone, argc, argv, options, 4, 1, 1, &args, &status))
        return status;
    if (count && !host_number(count, "--count", 100000, &n))
        return CLI_FAILED;
    snprintf(snapshot, sizeof(snapshot), "%.70s", args.word[0]);
    if (!is_snapshot(&args, snapshot)) {
        status = snapshot_of_vm(&args, args.word[0], snapshot, sizeof(snapshot));
        if (status)
            return status;
    }
    json_t *body = json_pack("{s:I, s:s*, s:s*, s:s*}", "count", (json_int_t)n, "name", name,
                             "group", group, "restart", restart);
    status = send_clone(&args, snapshot, body, &reply);
    json_decref(body);
    if (status)
        return status;
    bool all = host_integer(reply.json, "started") == (long long)n;
    if (args.json)
        host_print_json(reply.json);
    else
        print_clones(reply.json);
    host_reply_fini(&reply);
    return all ? CLI_OK : cli_complain(HOST_REFUSED, "not all of them could be started; see ps");
}

#define STATUS_HELP                                                                                \
    "      --socket PATH   of the daemon\n"                                                        \
    "      --json          prints what the API says\n"                                             \
    "\n"                                                                                           \
    "Exit status: 0; 1 the daemon refused (says why); 124 it took too long; 125 the command\n"     \
    "line is wrong, or there is no daemon.\n"

const struct cli_verb cli_snapshot = {
    .name = "snapshot",
    .summary = "keep a VM as it is now",
    .help = "usage: denali snapshot [options] VM NAME\n"
            "\n"
            "Writes the running VM, as it stands, to the host's state under that name; the VM\n"
            "goes on. Clones are made from it (denali clone). What its writable disks hold is\n"
            "copied along, so that each clone goes on with a disk of its own.\n"
            "\n" STATUS_HELP,
    .run = run_snapshot,
};

const struct cli_verb cli_clone = {
    .name = "clone",
    .summary = "make running VMs from a snapshot",
    .help = "usage: denali clone [options] SNAPSHOT|VM\n"
            "\n"
            "Makes VMs that go on from the snapshot, each with a name and an address of its\n"
            "own on the group's LAN, and prints these. They share memory and translations until\n"
            "they write. Of a VM, a snapshot is taken first.\n"
            "\n"
            "  -n, --count N       (default 1)\n"
            "      --name NAME     of the clone; of several, NAME-1, NAME-2, ... (default: the\n"
            "                      snapshot's, with numbers)\n"
            "      --group NAME    (default: the origin's, or the snapshot's name)\n"
            "      --restart no|on-failure|always (default: the origin's)\n" STATUS_HELP,
    .run = run_clone,
};
