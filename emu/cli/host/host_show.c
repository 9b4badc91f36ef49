/* SPDX-License-Identifier: MIT */
/* denali ps, inspect, stats: what there is. */
#include "emu/base/host.h"
#include "emu/cli/host/host_client.h"
#include "emu/cli/host/host_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int get(const struct host_args *args, const char *form, const char *ref,
               struct host_reply *reply)
{
    char *path = host_path(form, ref, NULL);
    const struct host_request request = {.method = "GET", .path = path ? path : "/"};
    int status = host_do(args, &request, reply);
    free(path);
    return status;
}

/* "3s", "5m", "2h", "9d" */
static void print_age(char *out, size_t room, uint64_t ms)
{
    unsigned long long s = ms / 1000;
    if (s < 120)
        snprintf(out, room, "%llus", s);
    else if (s < 7200)
        snprintf(out, room, "%llum", s / 60);
    else if (s < 172800)
        snprintf(out, room, "%lluh", s / 3600);
    else
        snprintf(out, room, "%llud", s / 86400);
}

static void print_vm(const json_t *vm)
{
    char age[24] = "-", note[96] = "";
    const json_t *end = json_object_get(vm, "end");
    uint64_t now = host_wall_ns() / 1000000, since = (uint64_t)host_integer(vm, "started_ms");
    bool runs = !strcmp(host_text(vm, "state"), "running");
    if (runs && since && since < now)
        print_age(age, sizeof(age), now - since);
    if (end && !runs)
        snprintf(note, sizeof(note), "%s, status %lld", host_text(end, "reason"),
                 host_integer(end, "status"));
    else if (host_integer(vm, "restarts"))
        snprintf(note, sizeof(note), "restarted %lld times", host_integer(vm, "restarts"));
    const char *group = host_text(vm, "group"), *ip = host_text(vm, "ip");
    printf("%-6lld %-24s %-9s %-7s %-12s %-15s %s\n", host_integer(vm, "id"), host_text(vm, "name"),
           host_text(vm, "state"), age, *group ? group : "-", *ip ? ip : "-", note);
}

static int run_ps(int argc, char **argv)
{
    struct host_args args;
    struct host_reply reply;
    const char *group = NULL;
    const struct host_option options[] = {{"group", 0, &group, NULL}};
    int status;
    size_t i;
    json_t *vm;
    if (!host_args_take(&cli_ps, argc, argv, options, 1, 0, 0, &args, &status))
        return status;
    status = get(&args, group ? "/v1/vms?group=%s" : "/v1/vms", group ? group : "", &reply);
    if (status)
        return status;
    if (args.json) {
        host_print_json(reply.json);
    } else {
        printf("%-6s %-24s %-9s %-7s %-12s %-15s %s\n", "ID", "NAME", "STATE", "UP", "GROUP",
               "ADDRESS", "");
        json_array_foreach(json_object_get(reply.json, "vms"), i, vm)
        {
            print_vm(vm);
        }
    }
    host_reply_fini(&reply);
    return CLI_OK;
}

static int run_inspect(int argc, char **argv)
{
    struct host_args args;
    struct host_reply reply;
    bool snapshot = false;
    const struct host_option options[] = {{"snapshot", 0, NULL, &snapshot}};
    int status;
    if (!host_args_take(&cli_inspect, argc, argv, options, 1, 0, 1, &args, &status))
        return status;
    const char *form = !args.words ? snapshot ? "/v1/snapshots" : "/v1/host"
                       : snapshot  ? "/v1/snapshots/%s"
                                   : "/v1/vms/%s";
    status = get(&args, form, args.words ? args.word[0] : "", &reply);
    if (status)
        return status;
    json_dumpf(reply.json, stdout, args.json ? JSON_COMPACT : JSON_INDENT(2));
    putchar('\n');
    host_reply_fini(&reply);
    return CLI_OK;
}

static void print_figures(const json_t *f)
{
    printf("%-6lld %-24s %-8s %10.3f %10lld %10lld %9lld %9lld %7lld\n", host_integer(f, "id"),
           host_text(f, "name"), host_text(f, "state"), (double)host_integer(f, "cpu_ns") / 1e9,
           host_integer(f, "resident_bytes") / 1024, host_integer(f, "parked_bytes") / 1024,
           host_integer(f, "frames_received"), host_integer(f, "frames_sent"),
           host_integer(f, "parks"));
}

static void print_stats(const json_t *answer)
{
    size_t i;
    json_t *f;
    printf("%-6s %-24s %-8s %10s %10s %10s %9s %9s %7s\n", "ID", "NAME", "STATE", "CPU s", "KiB",
           "PARKED KiB", "FRAMES IN", "OUT", "PARKS");
    if (!json_object_get(answer, "vms"))
        print_figures(answer);
    json_array_foreach(json_object_get(answer, "vms"), i, f)
    {
        print_figures(f);
    }
}

static int run_stats(int argc, char **argv)
{
    struct host_args args;
    struct host_reply reply;
    int status;
    if (!host_args_take(&cli_stats, argc, argv, NULL, 0, 0, 1, &args, &status))
        return status;
    status = get(&args, args.words ? "/v1/vms/%s/stats" : "/v1/stats",
                 args.words ? args.word[0] : "", &reply);
    if (status)
        return status;
    if (args.json)
        host_print_json(reply.json);
    else
        print_stats(reply.json);
    host_reply_fini(&reply);
    return CLI_OK;
}

#define STATUS_HELP                                                                                \
    "      --socket PATH   of the daemon\n"                                                        \
    "      --json          prints what the API says\n"                                             \
    "\n"                                                                                           \
    "Exit status: 0; 1 the daemon refused (says why); 125 the command line is wrong, or there\n"   \
    "is no daemon.\n"

const struct cli_verb cli_ps = {
    .name = "ps",
    .summary = "list the VMs of the host",
    .help = "usage: denali ps [options]\n"
            "\n"
            "Lists all VMs, also those that do not run, with their state and how they ended.\n"
            "\n"
            "      --group NAME    only those of the group\n" STATUS_HELP,
    .run = run_ps,
};

const struct cli_verb cli_inspect = {
    .name = "inspect",
    .summary = "tell everything about a VM, a snapshot or the host",
    .help = "usage: denali inspect [options] [VM]\n"
            "\n"
            "Prints a VM as JSON; without one, the host: its workers and limits.\n"
            "\n"
            "      --snapshot      the word is a snapshot's name; without one: all "
            "snapshots\n" STATUS_HELP,
    .run = run_inspect,
};

const struct cli_verb cli_stats = {
    .name = "stats",
    .summary = "tell what the VMs of the host use",
    .help = "usage: denali stats [options] [VM]\n"
            "\n"
            "Processor time, memory, frames of the VMs that run; or of one.\n"
            "\n" STATUS_HELP,
    .run = run_stats,
};
