/* SPDX-License-Identifier: MIT */
/* denali logs: what a VM printed, from the log that its worker keeps. */
#include "emu/cli/host/host_client.h"
#include "emu/cli/host/host_logs.h"
#include "emu/cli/host/host_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLLOW_S 30u

static void print_part(const struct host_reply *reply, bool json)
{
    if (!json) {
        fwrite(reply->body, 1, reply->len, stdout);
        fflush(stdout);
        return;
    }
    json_t *text = json_stringn(reply->body, reply->len);
    json_t *o = json_pack("{s:I, s:o}", "next_offset", (json_int_t)reply->next_offset, "text",
                          text ? text : json_string("(the output is no text)"));
    host_print_json(o);
    json_decref(o);
}

static int ask(const struct host_args *args, const char *vm, uint64_t offset, unsigned follow_s,
               struct host_reply *reply)
{
    char form[96];
    snprintf(form, sizeof(form), "/v1/vms/%%s/logs?offset=%llu&follow_s=%u",
             (unsigned long long)offset, follow_s);
    char *path = host_path(form, vm, NULL);
    const struct host_request request = {.method = "GET", .path = path ? path : "/"};
    int status = host_do(args, &request, reply);
    free(path);
    return status;
}

static bool is_alive(const struct host_args *args, const char *vm)
{
    struct host_reply reply;
    struct why why;
    char *path = host_path("/v1/vms/%s", vm, NULL);
    const struct host_request request = {.method = "GET", .path = path ? path : "/"};
    int err = host_ask(args, &request, &reply, &why);
    free(path);
    if (err)
        return false;
    const char *state = host_text(reply.json, "state");
    bool alive = !strcmp(state, "starting") || !strcmp(state, "running") ||
                 !strcmp(state, "stopping") ||
                 json_is_true(json_object_get(reply.json, "restarting"));
    host_reply_fini(&reply);
    return alive;
}

int host_show_logs(const struct host_args *args, const char *vm, bool follow)
{
    struct host_reply reply;
    uint64_t offset = 0;
    for (;;) {
        int status = ask(args, vm, offset, follow && offset ? FOLLOW_S : 0, &reply);
        if (status)
            return status;
        size_t len = reply.len;
        if (len || !follow)
            print_part(&reply, args->json);
        offset = reply.next_offset ? reply.next_offset : offset;
        host_reply_fini(&reply);
        if (!follow || (!len && !is_alive(args, vm)))
            return CLI_OK;
    }
}

static int run_logs(int argc, char **argv)
{
    struct host_args args;
    bool follow = false;
    const struct host_option options[] = {{"follow", 'f', NULL, &follow}};
    int status;
    if (!host_args_take(&cli_logs, argc, argv, options, 1, 1, 1, &args, &status))
        return status;
    return host_show_logs(&args, args.word[0], follow);
}

const struct cli_verb cli_logs = {
    .name = "logs",
    .summary = "print what a VM has printed",
    .help = "usage: denali logs [options] VM\n"
            "\n"
            "Prints the last part (up to 1 MiB) of what the VM's console had, over all its\n"
            "starts; of one that has ended as well.\n"
            "\n"
            "  -f, --follow        goes on with what comes, until the VM has ended\n"
            "      --socket PATH   of the daemon\n"
            "      --json          as {\"next_offset\", \"text\"}\n"
            "\n"
            "Exit status: 0; 1 the daemon refused (says why); 125 the command line is wrong, or\n"
            "there is no daemon.\n",
    .run = run_logs,
};
