/* SPDX-License-Identifier: MIT */
/*
 * The prompt: libedit where there is one, else plain lines. Keys are waited for
 * in the loop, so that gdb's and the JSON socket are served meanwhile; when gdb
 * lets the machine run, the terminal is the guest's until it stands again.
 */
#include "emu/debug/monitor_private.h"

#include "config.h"
#include "emu/base/host_thread.h"
#include "emu/debug/session_run.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROMPT "(denali) "

static void on_key(void *opaque, short revents)
{
    bool *came = opaque;
    (void)revents;
    *came = true;
}

/* Waits for a byte of the terminal. 1: it is there; 0: the end; -1: Ctrl-C or the end of the
 * session. */
static int wait_for_key(struct monitor *m)
{
    struct session *s = m->session;
    bool came = false;
    if (loop_watch_fd(s->loop, STDIN_FILENO, POLLIN, on_key, &came))
        return 1; /* then gdb waits until the line is read */
    while (!came && !m->interrupted && !s->quit)
        monitor_serve(m, HOST_FOREVER);
    loop_unwatch_fd(s->loop, STDIN_FILENO);
    return came && !m->interrupted ? 1 : -1;
}

#if HAVE_LIBEDIT
#include <histedit.h>

struct prompt {
    struct monitor *monitor;
    EditLine *edit;
    History *history;
    char *file; /* of the history, or NULL */
};

static char *prompt_text(EditLine *edit)
{
    static char text[] = PROMPT;
    (void)edit;
    return text;
}

static int get_key(EditLine *edit, wchar_t *out)
{
    struct prompt *p;
    unsigned char byte;
    el_get(edit, EL_CLIENTDATA, &p);
    if (wait_for_key(p->monitor) < 0) {
        errno = EINTR;
        return -1;
    }
    ssize_t n = read(STDIN_FILENO, &byte, 1);
    *out = byte;
    return (int)n;
}

struct words {
    char common[256]; /* what all have at the beginning */
    unsigned count;
    size_t part; /* length of what was typed */
    FILE *list;
};

static bool take_word(void *opaque, const char *word)
{
    struct words *w = opaque;
    size_t n = 0;
    if (!w->count)
        snprintf(w->common, sizeof(w->common), "%s", word);
    while (w->common[n] && w->common[n] == word[n])
        n++;
    w->common[n] = 0;
    if (w->count++ < 100)
        fprintf(w->list, "%s%s", w->count > 1 ? "  " : "", word);
    return true;
}

/* How much of `line`'s end is the beginning of the word. */
static size_t overlap(const char *line, const char *word)
{
    size_t len = strlen(line), most = strlen(word);
    for (size_t n = len < most ? len : most; n; n--)
        if (!strncmp(line + len - n, word, n))
            return n;
    return 0;
}

static unsigned char complete(EditLine *edit, int ch)
{
    struct prompt *p;
    const LineInfo *info = el_line(edit);
    struct words w = {0};
    char line[1024], *list = NULL;
    size_t len = (size_t)(info->cursor - info->buffer), room;
    (void)ch;
    el_get(edit, EL_CLIENTDATA, &p);
    if (len >= sizeof(line) || !(w.list = open_memstream(&list, &room)))
        return CC_ERROR;
    memcpy(line, info->buffer, len);
    line[len] = 0;
    bool blank = command_complete(p->monitor->session, line, take_word, &w);
    fclose(w.list);
    size_t have = overlap(line, w.common);
    bool more = w.common[have] != 0;
    if (w.count && more)
        el_insertstr(edit, w.common + have);
    if (w.count == 1 && blank)
        el_insertstr(edit, " ");
    if (w.count > 1 && !more)
        printf("\n%s%s\n", list, w.count > 100 ? "  ..." : "");
    free(list);
    if (!w.count)
        return CC_ERROR;
    return w.count > 1 && !more ? CC_REDISPLAY : CC_REFRESH;
}

static char *history_file(void)
{
    const char *home = getenv("HOME");
    char *path = NULL;
    if (!home || !*home || asprintf(&path, "%s/.denali_history", home) < 0)
        return NULL;
    return path;
}

int prompt_create(struct monitor *m, struct prompt **out, struct why *why)
{
    struct prompt *p = calloc(1, sizeof(*p));
    HistEvent event;
    if (!p)
        return why_fail(why, -ENOMEM, "no memory");
    p->monitor = m;
    p->history = history_init();
    p->edit = el_init("denali", stdin, stdout, stderr);
    if (!p->history || !p->edit) {
        prompt_destroy(p);
        return why_fail(why, -ENOMEM, "the terminal cannot be set up for line editing");
    }
    history(p->history, &event, H_SETSIZE, (int)m->session->settings.history);
    history(p->history, &event, H_SETUNIQUE, 1);
    p->file = history_file();
    if (p->file)
        history(p->history, &event, H_LOAD, p->file);
    el_set(p->edit, EL_CLIENTDATA, p);
    el_set(p->edit, EL_PROMPT, prompt_text);
    el_set(p->edit, EL_EDITOR, "emacs");
    el_set(p->edit, EL_HIST, history, p->history);
    el_set(p->edit, EL_GETCFN, get_key);
    el_set(p->edit, EL_ADDFN, "complete", "completes a word", complete);
    el_set(p->edit, EL_BIND, "^I", "complete", NULL);
    el_set(p->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    *out = p;
    return 0;
}

void prompt_destroy(struct prompt *p)
{
    HistEvent event;
    if (!p)
        return;
    if (p->file && p->history)
        history(p->history, &event, H_SAVE, p->file);
    if (p->edit)
        el_end(p->edit);
    if (p->history)
        history_end(p->history);
    free(p->file);
    free(p);
}

/* Enter alone repeats the last line, as gdb does. */
const char *prompt_read(struct prompt *p)
{
    struct session *s = p->monitor->session;
    HistEvent event;
    int count = 0;
    fflush(stdout);
    p->monitor->interrupted = false;
    const char *line = el_gets(p->edit, &count);
    if (!line || count <= 0) {
        if (!p->monitor->interrupted || s->quit)
            return NULL;
        printf("^C\n");
        el_reset(p->edit);
        return "";
    }
    if (line[strspn(line, " \t\r\n")]) {
        history(p->history, &event, H_ENTER, line);
        snprintf(s->last, sizeof(s->last), "%s", line);
        return line;
    }
    return s->collect ? "" : s->last;
}

#else

struct prompt {
    struct monitor *monitor;
    char line[4096];
};

int prompt_create(struct monitor *m, struct prompt **out, struct why *why)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return why_fail(why, -ENOMEM, "no memory");
    (*out)->monitor = m;
    return 0;
}

void prompt_destroy(struct prompt *p)
{
    free(p);
}

const char *prompt_read(struct prompt *p)
{
    size_t len = 0;
    printf(PROMPT);
    fflush(stdout);
    p->monitor->interrupted = false;
    for (char c = 0; c != '\n' && len + 1 < sizeof(p->line);) {
        if (wait_for_key(p->monitor) < 0) {
            printf("\n");
            return p->monitor->session->quit ? NULL : "";
        }
        if (read(STDIN_FILENO, &c, 1) != 1)
            return NULL;
        p->line[len++] = c;
    }
    p->line[len] = 0;
    return p->line;
}

#endif
