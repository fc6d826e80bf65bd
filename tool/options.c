/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Command lines.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "text.h"
#include "tls.h"
#include "tool.h"

static const struct option_spec *find(const struct option_set *set, const char *name, size_t len)
{
    for (const struct option_spec *spec = set->specs; spec->name; spec++) {
        if (strlen(spec->name) == len && memcmp(spec->name, name, len) == 0)
            return spec;
    }
    return NULL;
}

static bool assign(const struct option_spec *spec, const char *value)
{
    unsigned long number;
    switch (spec->kind) {
    case OPTION_FLAG:
        *(bool *)spec->target = true;
        return true;
    case OPTION_NUMBER:
        if (!text_number(value, spec->min, spec->max, &number))
            return false;
        *(unsigned *)spec->target = (unsigned)number;
        return true;
    case OPTION_TLS:
        if (!tls_version_known(value))
            return false;
        *(const char **)spec->target = value;
        return true;
    case OPTION_TEXT:
        *(const char **)spec->target = value;
        return true;
    }
    return false;
}

static int complain_value(const struct option_set *set, const struct option_spec *spec,
                          const char *value)
{
    if (spec->kind == OPTION_NUMBER)
        return text_usage(set->verb, "--%s takes a number from %lu to %lu, not '%s'", spec->name,
                          spec->min, spec->max, value);
    return text_usage(set->verb, "--%s takes 1.2 or 1.3, not '%s'", spec->name, value);
}

/* Reads the option at argv[*index], and its value, which may be the next argument. */
static int read_option(const struct option_set *set, int argc, char **argv, int *index)
{
    const char *name = argv[*index] + 2;
    const char *value = strchr(name, '=');
    size_t len = value ? (size_t)(value - name) : strlen(name);
    const struct option_spec *spec = find(set, name, len);
    if (!spec)
        return text_usage(set->verb, "there is no option --%.*s", (int)len, name);
    if (spec->kind == OPTION_FLAG) {
        if (value)
            return text_usage(set->verb, "--%s takes no value", spec->name);
    } else if (value) {
        value++;
    } else if (*index + 1 < argc) {
        value = argv[++*index];
    } else {
        return text_usage(set->verb, "--%s needs a value", spec->name);
    }
    return assign(spec, value) ? OPTIONS_GO : complain_value(set, spec, value);
}

int options_read(const struct option_set *set, int argc, char **argv)
{
    int words = 0;
    bool options = true;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (options && (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)) {
            fputs(set->help, stdout);
            return TOOL_OK;
        }
        if (options && strcmp(argument, "--") == 0) {
            options = false;
        } else if (options && strncmp(argument, "--", 2) == 0) {
            int code = read_option(set, argc, argv, &i);
            if (code != OPTIONS_GO)
                return code;
        } else if (options && argument[0] == '-' && argument[1] != '\0' &&
                   !(argument[1] >= '0' && argument[1] <= '9')) {
            return text_usage(set->verb, "there is no option %s", argument);
        } else if (words < set->words_max) {
            set->words[words++] = argument;
        } else {
            return text_usage(set->verb, "what is '%s' for?", argument);
        }
    }
    if (words < set->words_min)
        return text_usage(set->verb, "an argument is missing");
    return OPTIONS_GO;
}
