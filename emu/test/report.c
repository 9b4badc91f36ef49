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
        out->out = fopen(colon + 1, "w");
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

void report_json_text(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c < ' ' || c >= 0x7f)
            fprintf(out, "\\u%04x", c); /* a guest's bytes are no UTF-8; each is a character */
        else
            fputc(c, out);
    }
}

void report_xml_text(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c == '<' || c == '>' || c == '&' || c == '"')
            fprintf(out, "&#%u;", c);
        else if (c == '\n' || c == '\t')
            fputc(c, out);
        else if (c < ' ' || c >= 0x7f)
            fprintf(out, "\\x%02x", c); /* XML 1.0 cannot hold them */
        else
            fputc(c, out);
    }
}
