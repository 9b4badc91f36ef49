/* SPDX-License-Identifier: MIT */
/* A directory as a page: names sorted, directories with a slash, all escaped. */
#include "guests/httpd/httpd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_MAX 10000

static void put_escaped(FILE *page, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", page);
            break;
        case '>':
            fputs("&gt;", page);
            break;
        case '&':
            fputs("&amp;", page);
            break;
        case '"':
            fputs("&quot;", page);
            break;
        default:
            fputc(*text, page);
        }
    }
}

static void put_url(FILE *page, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9') ||
                     (c && strchr("-._~/", c));
        if (plain)
            fputc(c, page);
        else
            fprintf(page, "%%%02X", c);
    }
}

static void put_entry(FILE *page, int dir, const char *name)
{
    struct stat st;
    bool known = !fstatat(dir, name, &st, 0), is_dir = known && S_ISDIR(st.st_mode);
    /* "./" keeps a name with a colon from being a scheme. */
    fputs("<li><a href=\"./", page);
    put_url(page, name);
    fputs(is_dir ? "/\">" : "\">", page);
    put_escaped(page, name);
    fputs(is_dir ? "/" : "", page);
    fputs("</a>", page);
    if (known && S_ISREG(st.st_mode))
        fprintf(page, " %llu", (unsigned long long)st.st_size);
    fputs("</li>\n", page);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of a directory, sorted; their number. */
static size_t names_read(DIR *dir, char **names)
{
    struct dirent *entry;
    size_t n = 0;
    while (n < ENTRIES_MAX && (entry = readdir(dir))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        names[n] = strdup(entry->d_name);
        if (!names[n])
            break;
        n++;
    }
    qsort(names, n, sizeof *names, by_name);
    return n;
}

static void page_write(FILE *page, int dir, const char *path, char **names, size_t count)
{
    fputs("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>", page);
    put_escaped(page, path);
    fputs("</title></head>\n<body><h1>", page);
    put_escaped(page, path);
    fputs("</h1>\n<ul>\n", page);
    if (strcmp(path, "/"))
        fputs("<li><a href=\"../\">../</a></li>\n", page);
    for (size_t i = 0; i < count; i++)
        put_entry(page, dir, names[i]);
    fputs("</ul></body></html>\n", page);
}

char *listing_page(int dir, const char *path, size_t *len)
{
    char *text = NULL, **names = calloc(ENTRIES_MAX, sizeof *names);
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    FILE *page = open_memstream(&text, len);
    size_t count = 0;
    if (names && stream && page) {
        count = names_read(stream, names);
        page_write(page, dir, path, names, count);
    }
    bool good = names && stream && page && !ferror(page);
    if (page && fclose(page))
        good = false;
    if (stream)
        closedir(stream);
    else if (copy >= 0)
        close(copy);
    while (count)
        free(names[--count]);
    free(names);
    if (!good) {
        free(text);
        return NULL;
    }
    return text;
}
