/* SPDX-License-Identifier: MIT */
/*
 * A crash as a test: it fails as long as the crash is there. What came by the
 * console, a port or a disk is a specification for denali test; what was put
 * into the middle of a run is a script that asks us again.
 */
#include "emu/cli/fuzz/fuzz_campaign.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_hex(FILE *out, const struct fuzz_seed *input)
{
    for (size_t i = 0; i < input->len; i++)
        fprintf(out, "%02x%s", input->bytes[i], i % 32 == 31 ? "\n" : "");
}

/* A TOML basic string. */
static void put_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

/* A word of a shell's. */
static void put_word(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else
            fputc(*text, out);
    }
    fputc('\'', out);
}

static void put_path(FILE *out, const char *key, const char *path)
{
    char *whole = realpath(path, NULL);
    fprintf(out, "%s = ", key);
    put_string(out, whole ? whole : path);
    fputc('\n', out);
    free(whole);
}

static void put_guest(FILE *out, const struct fuzz_options *o, bool linux_program)
{
    const struct run_options *run = &o->run;
    put_path(out, linux_program ? "program" : "image", run->image);
    if (run->args[0]) {
        fputs("args = [", out);
        for (size_t i = 0; run->args[i]; i++) {
            fputs(i ? ", " : "", out);
            put_string(out, run->args[i]);
        }
        fputs("]\n", out);
    }
    if (run->root)
        put_path(out, "root", run->root);
    if (run->memory)
        fprintf(out, "memory = \"%lluK\"\n", (unsigned long long)(run->memory / KIB));
    fprintf(out, "max-instructions = %llu\n", (unsigned long long)(o->boot_insns + o->max_insns));
}

static void put_disk_input(FILE *out, const char *input, const struct fuzz_seed *seed)
{
    const char *name = input + strlen("disk:"), *size = strstr(name, ",size=");
    fputs("\n[[disks]]\n", out);
    fprintf(out, "name = \"%.*s\"\n", (int)strcspn(name, ","), name);
    fprintf(out, "size = \"%s\"\nhex = \"\"\"\n", size ? size + 6 : "64K");
    put_hex(out, seed);
    fputs("\"\"\"\n", out);
}

static void put_port_input(FILE *out, const char *input, const struct fuzz_seed *seed)
{
    bool udp = !strncmp(input, "packet:udp:", 11);
    fprintf(out, "\n[[peers]]\n%sconnect = %s\nsteps = [\n  { send-hex = \"\"\"\n",
            udp ? "udp = true\n" : "", input + 11);
    put_hex(out, seed);
    fprintf(out, "\"\"\" },\n%s]\n", udp ? "" : "  { close = true },\n");
}

static void put_specification(FILE *out, const struct fuzz_options *o, bool linux_program,
                              const struct fuzz_seed *seed, const char *what)
{
    const char *input = o->input ? o->input : "console";
    fprintf(out, "# Found by denali fuzz: %s\n", what);
    put_guest(out, o, linux_program);
    if (!strcmp(input, "console")) {
        fputs("stdin-hex = \"\"\"\n", out);
        put_hex(out, seed);
        fputs("\"\"\"\n", out);
    }
    fputs("\n[expect]\nstatus = \"any\" # but no signal and no fault\n", out);
    if (!strncmp(input, "disk:", 5))
        put_disk_input(out, input, seed);
    else if (strcmp(input, "console") != 0)
        put_port_input(out, input, seed);
}

static void put_script(FILE *out, const struct fuzz_options *o, const char *input, const char *what)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *folder = getcwd(NULL, 0);
    self[n > 0 ? n : 0] = 0;
    fprintf(out,
            "#!/bin/sh\n# Found by denali fuzz: %s\n# Status 1 as long as it is there.\nhere=$(cd "
            "\"$(dirname \"$0\")\" && pwd)\n",
            what);
    fputs("cd ", out);
    put_word(out, folder ? folder : "/");
    fputs(" && exec \"${DENALI:-", out);
    fprintf(out, "%s}\" fuzz --try \"$here\"/", self);
    put_word(out, input);
    for (char **at = o->guest_words + 1; *at;) {
        unsigned skip = at < o->run.args ? fuzz_option_of_campaign(at) : 0;
        if (!skip) {
            fputc(' ', out);
            put_word(out, *at);
        }
        at += skip ? skip : 1;
    }
    fputc('\n', out);
    free(folder);
}

int fuzz_write_test(const struct fuzz_options *o, const struct fuzz_found *found, struct why *why)
{
    const char *input = o->input ? o->input : "console";
    bool script = !strncmp(input, "memory", 6) || !strcmp(input, "packet") || o->crash_statuses;
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%.3000s/found/%.300s.%s", o->output, found->label,
             script ? "sh" : "toml");
    FILE *out = fopen(path, "we");
    if (!out)
        return why_fail(why, -errno, "cannot write %s: %s", path, strerror(errno));
    if (script)
        put_script(out, o, found->label, found->what);
    else
        put_specification(out, o, found->linux_program, found->input, found->what);
    bool ok = !ferror(out);
    ok = !fclose(out) && ok;
    if (ok && script && chmod(path, 0777))
        ok = false;
    return ok ? 0 : why_fail(why, -EIO, "cannot write %s: %s", path, strerror(errno));
}
