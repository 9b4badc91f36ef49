/* SPDX-License-Identifier: MIT */
/*
 * Scripts: a first line "#! INTERPRETER [ARGUMENT]" means to run INTERPRETER
 * with ARGUMENT (all the rest of the line, as Linux has it), the script's path,
 * and the script's arguments but the first.
 */
#include "guests/ilwaco/exec.h"
#include "guests/ilwaco/fs/vfs.h"

#define LINE_MAX 256u /* as Linux: what is longer is cut, and then not found */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The first line without "#!", ended, in `line`; false: no script. */
static bool read_line(struct inode *inode, char line[LINE_MAX])
{
    struct uio uio;
    struct uio_part part;
    uio_init(&uio, &part, (uint32_t)line, LINE_MAX - 1, true);
    int n = inode_type(inode) == S_IFREG ? inode_read(inode, &uio, 0) : 0;
    if (n < 3 || line[0] != '#' || line[1] != '!')
        return false;
    line[n] = 0;
    for (int i = 0; i < n; i++)
        if (line[i] == '\n')
            line[i] = 0;
    return true;
}

/* Splits "  INTERPRETER  ARGUMENT  " in place; *argument is NULL where there is none. */
static char *split(char *text, char **argument)
{
    while (is_blank(*text))
        text++;
    char *at = text, *end = text + strnlen(text, LINE_MAX);
    while (end > text && is_blank(end[-1]))
        *--end = 0;
    while (*at && !is_blank(*at))
        at++;
    char *rest = at;
    while (is_blank(*rest))
        *rest++ = 0;
    *argument = rest < end ? rest : NULL;
    return text;
}

int exec_script(struct dentry *dentry, const char *path, struct exec_strings *args,
                const char **interpreter)
{
    char *line = kmalloc(LINE_MAX), *argument;
    if (!line)
        return -ENOMEM;
    if (!read_line(dentry->inode, line)) {
        kfree(line);
        return 0;
    }
    char *name = split(line + 2, &argument);
    const char **list = kmalloc((args->count + 3) * (uint32_t)sizeof *list);
    if (!*name || !list) {
        kfree(list);
        kfree(line);
        return list ? -ENOEXEC : -ENOMEM;
    }
    uint32_t n = 0;
    list[n++] = name;
    if (argument)
        list[n++] = argument;
    list[n++] = path;
    for (uint32_t i = 1; i < args->count; i++)
        list[n++] = args->list[i];
    *args = (struct exec_strings){list, n};
    *interpreter = name;
    return 1;
}
