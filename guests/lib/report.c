/* SPDX-License-Identifier: MIT */
/* Text on the console: one write for each message, so that messages stay whole. */
#include "guests/lib/guest.h"

struct text {
    char buf[1024];
    uint32_t len;
};

static void put(struct text *text, char c)
{
    if (text->len < sizeof(text->buf))
        text->buf[text->len++] = c;
}

static void put_number(struct text *text, uint64_t n, unsigned base, int width, char pad)
{
    char digit[24];
    int count = 0;
    do {
        digit[count++] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n);
    for (; width > count; width--)
        put(text, pad);
    while (count)
        put(text, digit[--count]);
}

static void put_signed(struct text *text, int64_t n, int width, char pad)
{
    if (n < 0)
        put(text, '-');
    put_number(text, n < 0 ? -(uint64_t)n : (uint64_t)n, 10, width, pad);
}

static void put_string(struct text *text, const char *s)
{
    while (*s)
        put(text, *s++);
}

static uint64_t take(va_list *args, bool wide, bool is_signed)
{
    if (wide)
        return va_arg(*args, uint64_t);
    return is_signed ? (uint64_t)(int64_t)va_arg(*args, int32_t) : va_arg(*args, uint32_t);
}

/* One conversion, *f just after its '%'; returns what follows it. */
static const char *convert(struct text *text, const char *f, va_list *args)
{
    char pad = *f == '0' ? '0' : ' ';
    int width = 0, longs = 0;
    for (; *f >= '0' && *f <= '9'; f++)
        width = width * 10 + (*f - '0');
    for (; *f == 'l'; f++)
        longs++;
    switch (*f) {
    case 's':
        put_string(text, va_arg(*args, const char *));
        break;
    case 'c':
        put(text, (char)va_arg(*args, int));
        break;
    case 'd':
        put_signed(text, (int64_t)take(args, longs == 2, true), width, pad);
        break;
    case 'u':
        put_number(text, take(args, longs == 2, false), 10, width, pad);
        break;
    case 'x':
    case 'p':
        put_number(text, take(args, longs == 2, false), 16, width, pad);
        break;
    default:
        put(text, *f);
    }
    return f + 1;
}

void guest_print(const char *format, ...)
{
    struct text text = {.len = 0};
    va_list args;
    va_start(args, format);
    while (*format) {
        if (*format != '%') {
            put(&text, *format++);
        } else if (format[1]) {
            format = convert(&text, format + 1, &args);
        } else {
            format++;
        }
    }
    va_end(args);
    guest_write(1, text.buf, text.len);
}

void guest_fail(const char *file, int line, const char *what)
{
    guest_print("%s:%d: does not hold: %s\n", file, line, what);
    guest_terminate(1);
}

void guest_check_eq(const char *file, int line, const char *what, uint64_t a, uint64_t b)
{
    if (a == b)
        return;
    guest_print("%s:%d: does not hold: %s (0x%llx, 0x%llx)\n", file, line, what, a, b);
    guest_terminate(1);
}
