/* SPDX-License-Identifier: MIT */
/* Which format, and where to. */
#include "emu/test/report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct report_ops *const formats[] = {&report_tap, &report_junit, &report_json,
                                                   &report_live, &report_plain};

int report_open(const char *spec, bool quiet, struct reporter *out, struct why *why)
{
    const char *colon = strchr(spec, ':');
    size_t len = colon ? (size_t)(colon - spec) : strlen(spec);
    *out = (struct reporter){.out = stdout, .quiet = quiet};
    for (unsigned i = 0; i < ARRAY_LEN(formats); i++) {
        if (strlen(formats[i]->name) == len && !memcmp(formats[i]->name, spec, len))
            out->ops = formats[i];
    }
    if (!out->ops)
        return why_fail(why, -EINVAL, "--format %s: there are tap, junit, json, live and plain",
                        spec);
    if (colon) {
        out->out = fopen(colon + 1, "we");
        if (!out->out)
            return why_fail(why, -EINVAL, "%s cannot be written: %s", colon + 1, strerror(errno));
        out->owns_out = true;
    }
    out->colour = !colon && isatty(STDOUT_FILENO);
    return 0;
}

void report_close(struct reporter *r)
{
    if (r->owns_out && r->out)
        fclose(r->out);
    buffer_free(&r->text);
    r->out = NULL;
}

size_t report_character(const char *text, size_t len)
{
    uint8_t c = (uint8_t)*text;
    size_t n = c < 0x80                ? 1
               : c >= 0xc2 && c < 0xe0 ? 2
               : (c & 0xf0) == 0xe0    ? 3
               : c >= 0xf0 && c < 0xf5 ? 4
                                       : 0;
    uint32_t code = n < 2 ? c : c & (0x7fu >> n);
    if (!n || n > len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if (((uint8_t)text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | ((uint8_t)text[i] & 0x3f);
    }
    bool overlong = (n == 3 && code < 0x800) || (n == 4 && code < 0x10000);
    bool none = (code >= 0xd800 && code < 0xe000) || (code & 0xfffe) == 0xfffe || code > 0x10ffff;
    return overlong || none || (code >= 0x7f && code < 0xa0) ? 0 : n;
}

void report_json_text(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n ? n : 1) {
        uint8_t c = (uint8_t)text[i];
        n = report_character(text + i, len - i);
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (!n || c < ' ')
            fprintf(out, "\\u%04x", c); /* a byte that is none: a character of that number */
        else
            fwrite(text + i, 1, n, out);
    }
}

void report_xml_text(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n ? n : 1) {
        uint8_t c = (uint8_t)text[i];
        n = report_character(text + i, len - i);
        if (c == '<' || c == '>' || c == '&' || c == '"')
            fprintf(out, "&#%u;", c);
        else if (c == '\n' || c == '\t')
            fputc(c, out);
        else if (!n || c < ' ')
            fprintf(out, "\\x%02x", c); /* XML 1.0 cannot hold them */
        else
            fwrite(text + i, 1, n, out);
    }
}
