/* SPDX-License-Identifier: MIT */
/* Formatting, and the kernel's own words to the user. */
#include "guests/ilwaco/kernel.h"

struct sink {
    char *out;
    size_t size, len;
};

static void sink_put(struct sink *sink, char c)
{
    if (sink->len + 1 < sink->size)
        sink->out[sink->len] = c;
    sink->len++;
}

struct spec {
    bool left, zero;
    int width, longs;
};

static void put_field(struct sink *sink, const struct spec *spec, const char *text, int len)
{
    int pad = spec->width - len;
    bool zero = spec->zero && !spec->left;
    if (zero && *text == '-') {
        sink_put(sink, *text++);
        len--;
    }
    for (; !spec->left && pad > 0; pad--)
        sink_put(sink, zero ? '0' : ' ');
    for (int i = 0; i < len; i++)
        sink_put(sink, text[i]);
    for (; pad > 0; pad--)
        sink_put(sink, ' ');
}

static void put_number(struct sink *sink, const struct spec *spec, uint64_t value, uint32_t base,
                       bool negative)
{
    char text[24];
    int at = sizeof text;
    do {
        uint32_t digit;
        value = div_u64(value, base, &digit);
        text[--at] = "0123456789abcdef"[digit];
    } while (value);
    if (negative)
        text[--at] = '-';
    put_field(sink, spec, text + at, (int)sizeof text - at);
}

static const char *parse_spec(const char *fmt, struct spec *spec)
{
    for (; *fmt == '-' || *fmt == '0'; fmt++) {
        spec->left |= *fmt == '-';
        spec->zero |= *fmt == '0';
    }
    for (; *fmt >= '0' && *fmt <= '9'; fmt++)
        spec->width = spec->width * 10 + (*fmt - '0');
    for (; *fmt == 'l' || *fmt == 'z'; fmt++)
        spec->longs += *fmt == 'l';
    return fmt;
}

static void put_signed(struct sink *sink, const struct spec *spec, int64_t value)
{
    put_number(sink, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0);
}

int kvsnprintf(char *out, size_t size, const char *fmt, va_list args)
{
    struct sink sink = {out, size, 0};
    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            sink_put(&sink, *fmt);
            continue;
        }
        struct spec spec = {0};
        fmt = parse_spec(fmt + 1, &spec);
        if (*fmt == 'd') {
            put_signed(&sink, &spec, spec.longs > 1 ? va_arg(args, int64_t) : va_arg(args, int));
        } else if (*fmt == 'u' || *fmt == 'x' || *fmt == 'p' || *fmt == 'o') {
            uint64_t v = spec.longs > 1 ? va_arg(args, uint64_t) : va_arg(args, unsigned);
            put_number(&sink, &spec, v, *fmt == 'u' ? 10 : *fmt == 'o' ? 8 : 16, false);
        } else if (*fmt == 's') {
            const char *s = va_arg(args, const char *);
            put_field(&sink, &spec, s, (int)strlen(s));
        } else if (*fmt == 'c') {
            sink_put(&sink, (char)va_arg(args, int));
        } else {
            sink_put(&sink, *fmt);
        }
    }
    if (size)
        out[sink.len < size ? sink.len : size - 1] = 0;
    return (int)sink.len;
}

int ksnprintf(char *out, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = kvsnprintf(out, size, fmt, args);
    va_end(args);
    return len;
}

void klog(const char *fmt, ...)
{
    char line[256];
    va_list args;
    int at = ksnprintf(line, sizeof line, "ilwaco: ");
    va_start(args, fmt);
    at += kvsnprintf(line + at, sizeof line - 1 - (size_t)at, fmt, args);
    va_end(args);
    if (at > (int)sizeof line - 2)
        at = sizeof line - 2;
    line[at++] = '\n';
    const volatile struct denali_device *console = machine_device(DENALI_DEV_CONSOLE, NULL);
    if (console)
        machine_port_out(console->port, (uint32_t)line, (uint32_t)at, 2);
}

/* An undefined instruction with fault_active set: the host reports it and ends the VM. */
void kernel_bug(const char *file, int line, const char *message)
{
    klog("bug: %s:%d: %s", file, line, message);
    machine_regs.fault_entry = 0;
    for (;;)
        __asm__ volatile("ud2");
}
