/* SPDX-License-Identifier: MIT */
/*
 * What a VM is to be: the JSON object that POST /v1/vms takes (docs/HOST.md has
 * its schema), checked, and as the words of a `denali run` command line.
 */
#ifndef DENALI_HOST_SPEC_H
#define DENALI_HOST_SPEC_H

#include "denali/pool/quota.h"
#include "emu/base/base.h"
#include "emu/base/why.h"

#include <jansson.h>

#define SPEC_NAME_MAX 63u
#define SPEC_TEXT_MAX 4096u
#define SPEC_LIST_MAX 256u

/* Letters, digits, '.', '_', '-'; begins with a letter or digit; not digits alone, which are
 * ids. */
bool spec_is_name(const char *name);

/* 0, or -EINVAL and `why`: an unknown member, a wrong type, a bad name, a relative path, too
 * much. */
MUST_CHECK int spec_check(const json_t *spec, struct why *why);

enum spec_restart { SPEC_RESTART_NO, SPEC_RESTART_ON_FAILURE, SPEC_RESTART_ALWAYS };
enum spec_restart spec_restart(const json_t *spec);

/* A member that is a string, or NULL; one that is true. */
const char *spec_text(const json_t *spec, const char *member);
bool spec_flag(const json_t *spec, const char *member);

/* What a VM may take; NULL: as much as there is. -EINVAL. */
MUST_CHECK int spec_quota(const json_t *quota, struct quota *out);

/* The words after `denali run`, NULL-ended, to be freed by spec_words_free. NULL: no memory. */
char **spec_words(const json_t *spec, int *count);
void spec_words_free(char **words);

#endif
