/* SPDX-License-Identifier: MIT */
/*
 * denali create: the options of `denali run`, as a request. Paths become
 * absolute and variables get their values here, where the person is; whether all
 * of it makes sense is for the worker to say.
 */
#include "emu/cli/host/host_client.h"
#include "emu/cli/host/host_verbs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { TEXT, QUOTA, PATH, FLAG, NO_FLAG, LIST, ENV, DISK };

static const struct create_option {
    const char *name;
    char letter;
    enum kind kind;
    const char *member;
} options[] = {
    {"name", 0, TEXT, "name"},
    {"memory", 'm', TEXT, "memory"},
    {"root", 0, PATH, "root"},
    {"cwd", 0, TEXT, "cwd"},
    {"disk", 0, DISK, "disks"},
    {"publish", 'p', LIST, "publish"},
    {"net", 0, TEXT, "net"},
    {"env", 'e', ENV, "env"},
    {"group", 0, TEXT, "group"},
    {"ip", 0, TEXT, "ip"},
    {"restart", 0, TEXT, "restart"},
    {"no-tty", 0, NO_FLAG, "tty"},
    {"supervisor", 0, FLAG, "supervisor"},
    {"start", 0, FLAG, "start"},
    {"quota", 0, QUOTA, "quota"},
};

/* An absolute path; NULL: no memory. */
static json_t *absolute(const char *path)
{
    char cwd[PATH_MAX], *whole;
    if (*path == '/' || !getcwd(cwd, sizeof(cwd)))
        return json_string(path);
    if (asprintf(&whole, "%s/%s", cwd, path) < 0)
        return NULL;
    json_t *json = json_string(whole);
    free(whole);
    return json;
}

/* One word behind a comma of a disk. */
static int add_disk_word(json_t *disk, const char *word, const char *value, struct why *why)
{
    json_t *cow = json_object_get(disk, "cow");
    if (!strcmp(word, "ro"))
        return json_object_set_new(disk, "readonly", json_true());
    if (strncmp(word, "cow=", 4) || !word[4])
        return why_fail(why, -EINVAL, "--disk %s: behind commas there may be ro and cow=LAYER",
                        value);
    if (!cow)
        json_object_set_new(disk, "cow", cow = json_array());
    return json_array_append_new(cow, absolute(word + 4));
}

static int add_disk(json_t *list, const char *value, struct why *why)
{
    const char *equals = strchr(value, '=');
    char *words = equals && equals > value ? strdup(equals + 1) : NULL, *rest = words, *word;
    json_t *disk = words && *words && *words != ','
                       ? json_pack("{s:s%}", "name", value, (size_t)(equals - value))
                       : NULL;
    int err = disk ? json_object_set_new(disk, "file", absolute(strsep(&rest, ","))) : -EINVAL;
    while (!err && (word = strsep(&rest, ",")))
        err = add_disk_word(disk, word, value, why);
    free(words);
    if (!err)
        return json_array_append_new(list, disk);
    json_decref(disk);
    return why->text[0] ? err
                        : why_fail(why, -EINVAL,
                                   "--disk %s: say NAME=FILE, NAME=FILE,ro or "
                                   "NAME=FILE,cow=LAYER",
                                   value);
}

/* NAME=VALUE */
static int add_quota(json_t *spec, const char *value, struct why *why)
{
    const char *equals = strchr(value, '=');
    json_t *quota = json_object_get(spec, "quota");
    char *name = equals ? strndup(value, (size_t)(equals - value)) : NULL;
    if (!quota)
        json_object_set_new(spec, "quota", quota = json_object());
    int err = name ? json_object_set_new(quota, name, json_string(equals + 1)) : -1;
    free(name);
    return err ? why_fail(why, -EINVAL, "--quota %s: say NAME=VALUE", value) : 0;
}

static int add_env(json_t *list, const char *value, struct why *why)
{
    const char *here = strchr(value, '=') ? NULL : getenv(value);
    char *entry = NULL;
    if (!strchr(value, '=') && !here)
        return 0; /* as run does: a variable that is not set */
    if (asprintf(&entry, here ? "%s=%s" : "%s", value, here) < 0)
        return why_fail(why, -ENOMEM, "no memory");
    int err = json_array_append_new(list, json_string(entry));
    free(entry);
    return err ? why_fail(why, -EINVAL, "--env %s is no text", value) : 0;
}

static json_t *list_of(json_t *spec, const char *member)
{
    json_t *list = json_object_get(spec, member);
    if (!list)
        json_object_set_new(spec, member, list = json_array());
    return list;
}

static int take(json_t *spec, const struct create_option *o, const char *value, struct why *why)
{
    int err = 0;
    switch (o->kind) {
    case TEXT:
        err = json_object_set_new(spec, o->member, json_string(value));
        break;
    case QUOTA:
        return add_quota(spec, value, why);
    case PATH:
        err = json_object_set_new(spec, o->member, absolute(value));
        break;
    case FLAG:
    case NO_FLAG:
        err = json_object_set_new(spec, o->member, json_boolean(o->kind == FLAG));
        break;
    case LIST:
        err = json_array_append_new(list_of(spec, o->member), json_string(value));
        break;
    case ENV:
        return add_env(list_of(spec, o->member), value, why);
    case DISK:
        return add_disk(list_of(spec, o->member), value, why);
    }
    return err ? why_fail(why, -EINVAL, "--%s %s is no text", o->name, value) : 0;
}

/* Finds the option of a word, and its value if that is joined to it. */
static const struct create_option *find(const char *word, const char **value)
{
    *value = NULL;
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const struct create_option *o = &options[i];
        if (host_word_is(word, o->name, o->letter, value))
            return o;
    }
    return NULL;
}

struct line {
    struct host_args args;
    json_t *spec;
    int at; /* in argv: the image */
};

/* --socket, --json, --help. True: it was one. */
static bool take_common(struct line *line, char **argv, int *i)
{
    const char *word = argv[*i];
    if (!strcmp(word, "--json"))
        line->args.json = true;
    else if (!strcmp(word, "--help") || !strcmp(word, "-h"))
        line->args.help = true;
    else if (!strncmp(word, "--socket=", 9))
        line->args.socket = word + 9;
    else if (!strcmp(word, "--socket") && argv[*i + 1])
        line->args.socket = argv[++*i];
    else
        return false;
    return true;
}

static int take_option(struct line *line, char **argv, int *i, struct why *why)
{
    const char *value, *word = argv[*i];
    const struct create_option *o = find(word, &value);
    if (!o)
        return why_fail(why, -EINVAL, "there is no option %s", word);
    bool flag = o->kind == FLAG || o->kind == NO_FLAG;
    if (flag && value)
        return why_fail(why, -EINVAL, "%s: this option takes no value", word);
    if (!flag && !value)
        value = argv[++*i];
    if (!flag && !value)
        return why_fail(why, -EINVAL, "%s: its value is missing", word);
    return take(line->spec, o, value, why);
}

/* What has a slash is a file here, unless it is in the root; a bare name is looked up there. */
static int take_image(struct line *line, char **argv, struct why *why)
{
    const char *image = argv[line->at];
    bool in_root = json_object_get(line->spec, "root") && (*image == '/' || !strchr(image, '/'));
    int err =
        json_object_set_new(line->spec, "image", in_root ? json_string(image) : absolute(image));
    json_t *args = json_array();
    for (int i = line->at + 1; !err && argv[i]; i++)
        err = json_array_append_new(args, json_string(argv[i]));
    if (json_object_set_new(line->spec, "args", args) || err)
        return why_fail(why, -EINVAL, "the image's name or arguments are no text (UTF-8)");
    return 0;
}

static int parse(int argc, char **argv, struct line *line, struct why *why)
{
    int i = 1, err = 0;
    for (; !err && i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (!strcmp(argv[i], "--")) {
            i++;
            break;
        }
        if (!take_common(line, argv, &i))
            err = take_option(line, argv, &i, why);
    }
    line->at = i;
    if (err || line->args.help)
        return err;
    if (i >= argc)
        return why_fail(why, -EINVAL, "which image?");
    return take_image(line, argv, why);
}

static int send(struct line *line)
{
    struct host_reply reply;
    const struct host_request request = {
        .method = "POST", .path = "/v1/vms", .body = line->spec, .progress = "making the VM"};
    int status = host_do(&line->args, &request, &reply);
    if (status)
        return status;
    if (line->args.json)
        host_print_json(reply.json);
    else
        printf("%s\n", host_text(reply.json, "name"));
    host_reply_fini(&reply);
    return CLI_OK;
}

static int run_create(int argc, char **argv)
{
    struct line line = {.spec = json_object()};
    struct why why = {""};
    int status = CLI_OK;
    if (parse(argc, argv, &line, &why))
        status = cli_complain(CLI_FAILED, "%s; see denali help create", why.text);
    else if (line.args.help)
        fputs(cli_create.help, stdout);
    else
        status = send(&line);
    json_decref(line.spec);
    return status;
}

const struct cli_verb cli_create = {
    .name = "create",
    .summary = "make a VM of the host",
    .help =
        "usage: denali create [options] IMAGE [args...]\n"
        "\n"
        "Makes a VM that the daemon (denali host) keeps, from a Denali image or an i386\n"
        "Linux program, and prints its name. It runs when it is started.\n"
        "\n"
        "  as for denali run: -m SIZE, --root, --cwd, --disk, -p, -e,\n"
        "  --net user|none\n"
        "      --name NAME        (default: vm- and its number)\n"
        "      --group NAME       on the LAN of that group, with an address of its own;\n"
        "                         without: alone behind a NAT\n"
        "      --ip ADDRESS       in the group (default: the next free one)\n"
        "      --restart no|on-failure|always\n"
        "                         what happens when it has ended, or its worker died\n"
        "      --quota NAME=VALUE weight (of the processors, against 100), cap (percent of one\n"
        "                         processor), disk (blocks a second), console (bytes a second),\n"
        "                         send, receive (the NIC's wire, as rate=10;loss=1: Mbit/s, "
        "percent)\n"
        "      --no-tty           the guest's console is a pipe, not a terminal\n"
        "      --supervisor       the VM may make and end VMs itself (docs/HOST.md)\n"
        "      --start            starts it as well\n"
        "      --socket PATH      of the daemon\n"
        "      --json             prints the VM as the API has it\n"
        "\n"
        "Exit status: 0; 1 the daemon refused (says why); 125 the command line is wrong, or\n"
        "there is no daemon.\n"
        "\n"
        "  denali create --name web -p 8080:80 --root site build/guests/httpd\n",
    .run = run_create,
};
