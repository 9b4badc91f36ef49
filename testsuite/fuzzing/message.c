/* SPDX-License-Identifier: MIT */
/*
 * A parser with a planted mistake, for denali fuzz to find: records "NAME=VALUE;" are read from
 * standard input, and nobody looks how long a NAME is.
 */
#include <stdio.h>
#include <string.h>

struct record {
    char name[12];
    int (*check)(const struct record *record);
    unsigned value;
};

static int is_good(const struct record *record)
{
    return record->name[0] && record->value < 1000000;
}

/* The mistake. */
__attribute__((noinline)) static void copy_name(struct record *record, const char *from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        *(volatile char *)&record->name[i] = from[i];
}

__attribute__((noinline)) static int parse_record(const char *text, size_t len)
{
    struct record record = {.check = is_good};
    const char *equals = memchr(text, '=', len);
    if (!equals || equals == text)
        return -1;
    copy_name(&record, text, (size_t)(equals - text));
    for (const char *at = equals + 1; at < text + len; at++) {
        if (*at < '0' || *at > '9')
            return -1;
        record.value = record.value * 10 + (unsigned)(*at - '0');
    }
    __asm__ volatile("" ::: "memory");
    return record.check(&record) ? 0 : -1;
}

int parse_message(const char *text, size_t len)
{
    int records = 0;
    if (len < 4 || memcmp(text, "M1:", 3) != 0)
        return -1;
    for (const char *at = text + 3, *end = text + len; at < end;) {
        const char *semicolon = memchr(at, ';', (size_t)(end - at));
        if (!semicolon || parse_record(at, (size_t)(semicolon - at)))
            return -1;
        records++;
        at = semicolon + 1;
    }
    return records;
}

int main(void)
{
    static char text[4096];
    size_t len = fread(text, 1, sizeof(text), stdin);
    int records = parse_message(text, len);
    printf("%d records\n", records);
    return records < 0;
}
