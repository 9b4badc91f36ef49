/* SPDX-License-Identifier: MIT */
/* denali start, stop, kill, rm, wait: what happens to VMs, one after the other. */
#include "emu/cli/host/host_client.h"
#include "emu/cli/host/host_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_S 30u /* of one request */

/* One request about one VM; prints its name, or the answer. */
static int act(const struct host_args *args, const char *method, const char *form, const char *vm,
               const json_t *body, const char *progress)
{
    struct host_reply reply;
    char *path = host_path(form, vm, NULL);
    const struct host_request request = {
        .method = method, .path = path ? path : "/", .body = body, .progress = progress};
    int status = host_do(args, &request, &reply);
    free(path);
    if (status)
        return status;
    if (args->json)
        host_print_json(reply.json);
    else
        printf("%s\n", host_text(reply.json, "name"));
    host_reply_fini(&reply);
    return CLI_OK;
}

/* Each word; the status is that of the last that failed. */
static int act_on_all(const struct host_args *args, const char *method, const char *form,
                      const json_t *body, const char *progress)
{
    int status = CLI_OK;
    for (unsigned i = 0; i < args->words; i++) {
        int one = act(args, method, form, args->word[i], body, progress);
        status = one ? one : status;
    }
    return status;
}

static int run_start(int argc, char **argv)
{
    struct host_args args;
    int status;
    if (!host_args_take(&cli_start, argc, argv, NULL, 0, 1, HOST_WORDS_MAX, &args, &status))
        return status;
    return act_on_all(&args, "POST", "/v1/vms/%s/start", NULL, "starting");
}

static int run_stop(int argc, char **argv)
{
    struct host_args args;
    const char *grace = NULL;
    const struct host_option options[] = {{"grace", 'g', &grace, NULL}};
    unsigned long seconds = 0;
    int status;
    if (!host_args_take(&cli_stop, argc, argv, options, 1, 1, HOST_WORDS_MAX, &args, &status))
        return status;
    if (grace && !host_number(grace, "--grace", 3600, &seconds))
        return CLI_FAILED;
    json_t *body = grace ? json_pack("{s:i}", "grace_s", (int)seconds) : NULL;
    status = act_on_all(&args, "POST", "/v1/vms/%s/stop", body, "waiting for it to end");
    json_decref(body);
    return status;
}

static int run_kill(int argc, char **argv)
{
    struct host_args args;
    int status;
    if (!host_args_take(&cli_kill, argc, argv, NULL, 0, 1, HOST_WORDS_MAX, &args, &status))
        return status;
    return act_on_all(&args, "POST", "/v1/vms/%s/kill", NULL, "waiting for it to end");
}

static int run_rm(int argc, char **argv)
{
    struct host_args args;
    bool force = false, snapshot = false;
    const struct host_option options[] = {{"force", 'f', NULL, &force},
                                          {"snapshot", 0, NULL, &snapshot}};
    int status;
    if (!host_args_take(&cli_rm, argc, argv, options, 2, 1, HOST_WORDS_MAX, &args, &status))
        return status;
    return act_on_all(&args, "DELETE",
                      snapshot ? "/v1/snapshots/%s"
                      : force  ? "/v1/vms/%s?force=true"
                               : "/v1/vms/%s",
                      NULL, "removing");
}

/* wait. */

static bool has_ended(const json_t *vm)
{
    const char *state = host_text(vm, "state");
    return (!strcmp(state, "ended") || !strcmp(state, "created")) &&
           !json_is_true(json_object_get(vm, "restarting"));
}

static int end_status(const struct host_args *args, const json_t *vm)
{
    const json_t *end = json_object_get(vm, "end");
    int status = end ? (int)host_integer(end, "status") : CLI_OK;
    if (args->json)
        host_print_json(vm);
    else
        printf("%s: %s, status %d\n", host_text(vm, "name"),
               end ? host_text(end, "reason") : "never ran", status);
    return status;
}

static int wait_for(const struct host_args *args, const char *vm, unsigned long seconds)
{
    struct host_reply reply;
    char query[64];
    for (;;) {
        unsigned long part = seconds < WAIT_S ? seconds : WAIT_S;
        snprintf(query, sizeof(query), "/v1/vms/%%s/wait?timeout_s=%lu", part);
        char *path = host_path(query, vm, NULL);
        const struct host_request request = {
            .method = "GET", .path = path ? path : "/", .progress = "waiting"};
        int status = host_do(args, &request, &reply);
        free(path);
        if (status)
            return status == CLI_TIMEOUT ? CLI_TIMEOUT : CLI_FAILED;
        bool ended = has_ended(reply.json);
        status = ended ? end_status(args, reply.json) : CLI_TIMEOUT;
        host_reply_fini(&reply);
        seconds -= part;
        if (ended)
            return status;
        if (!seconds)
            return cli_complain(CLI_TIMEOUT, "%s has not ended", vm);
    }
}

static int run_wait(int argc, char **argv)
{
    struct host_args args;
    const char *timeout = NULL;
    const struct host_option options[] = {{"timeout", 0, &timeout, NULL}};
    unsigned long seconds = 1u << 30;
    int status;
    if (!host_args_take(&cli_wait, argc, argv, options, 1, 1, 1, &args, &status))
        return status;
    if (timeout && !host_number(timeout, "--timeout", 1u << 30, &seconds))
        return CLI_FAILED;
    return wait_for(&args, args.word[0], seconds);
}

#define STATUS_HELP                                                                                \
    "\n"                                                                                           \
    "Exit status: 0; 1 the daemon refused (says why); 124 it took too long; 125 the command\n"     \
    "line is wrong, or there is no daemon.\n"
#define COMMON_HELP                                                                                \
    "      --socket PATH   of the daemon\n"                                                        \
    "      --json          prints each VM as the API has it\n"

const struct cli_verb cli_start = {
    .name = "start",
    .summary = "start VMs of the host",
    .help = "usage: denali start [options] VM...\n"
            "\n"
            "Starts VMs (names or ids) and prints their names when they run. One that runs\n"
            "already is left alone.\n"
            "\n" COMMON_HELP STATUS_HELP,
    .run = run_start,
};

const struct cli_verb cli_stop = {
    .name = "stop",
    .summary = "ask VMs to end, then kill them",
    .help = "usage: denali stop [options] VM...\n"
            "\n"
            "Asks each guest to end (SIGTERM, for a Linux program); one that has not ended\n"
            "after the grace is killed. It is not restarted.\n"
            "\n"
            "  -g, --grace SECONDS (default: the daemon's, 10)\n" COMMON_HELP STATUS_HELP,
    .run = run_stop,
};

const struct cli_verb cli_kill = {
    .name = "kill",
    .summary = "end VMs at once",
    .help = "usage: denali kill [options] VM...\n"
            "\n"
            "Ends VMs, whatever they do. They are not restarted.\n"
            "\n" COMMON_HELP STATUS_HELP,
    .run = run_kill,
};

const struct cli_verb cli_rm = {
    .name = "rm",
    .summary = "forget VMs, or snapshots",
    .help = "usage: denali rm [options] VM...\n"
            "\n"
            "Forgets VMs that do not run, and their logs. Disks are files of yours and stay.\n"
            "\n"
            "  -f, --force         kills those that run\n"
            "      --snapshot      the words are names of snapshots\n" COMMON_HELP STATUS_HELP,
    .run = run_rm,
};

const struct cli_verb cli_wait = {
    .name = "wait",
    .summary = "wait until a VM has ended",
    .help = "usage: denali wait [options] VM\n"
            "\n"
            "Waits until the VM has ended and is not restarted, and tells how.\n"
            "\n"
            "      --timeout SECONDS\n" COMMON_HELP "\n"
            "Exit status: the VM's own, as for denali run: 0 to 119; 120 it died of a fault; 137\n"
            "it was killed; 125 its worker died or it could not be started, or there is no such\n"
            "VM; 124 it has not ended in that time.\n",
    .run = run_wait,
};
