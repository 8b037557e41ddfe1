#include "command.h"
#include "print.h"
#include "ranks.h"

#include <dlviz.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 24 };

const char *program_name(int argc, char **argv, const char *otherwise) {
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    return slash ? slash + 1 : argc > 0 ? argv[0] : otherwise;
}

void wrong_value(const struct command_line *line, const char *option, const char *text,
                 const char *accepted) {
    let_first_speak(EXIT_USAGE);
    complain("%s: --%s %s: %s\n", line->program, option, text, accepted);
    exit(EXIT_USAGE);
}

void wrong_usage(const struct command_line *line, const char *format, ...) {
    va_list arguments;
    let_first_speak(EXIT_USAGE);
    complain("%s: ", line->program);
    va_start(arguments, format);
    complain_list(format, arguments);
    va_end(arguments);
    complain("\nTry '%s --help'.\n", line->program);
    exit(EXIT_USAGE);
}

/* Whether a command is among those that have an option. */
static bool belongs(const struct option_line *option, const char *command) {
    size_t length = command ? strlen(command) : 0;
    for (const char *at = option->of; at && length > 0; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, command, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return !option->of;
}

/* -- Values --------------------------------------------------------------------------------------
 */

static void take_whole(const struct command_line *line, const struct option_line *option,
                       const char *text) {
    char *end, accepted[96];
    errno = 0;
    long long value = strtoll(text, &end, 10);
    snprintf(accepted, sizeof accepted, "a whole number from %.0f to %.0f is accepted",
             option->least, option->most);
    if (errno || end == text || *end || (double)value < option->least ||
        (double)value > option->most)
        wrong_value(line, option->name, text, accepted);
    *(int64_t *)option->value = value;
}

/* "0,001": as half of the world writes 0.001. */
static void check_comma(const struct command_line *line, const struct option_line *option,
                        const char *text, const char *comma) {
    char accepted[96];
    if (*comma != ',' || strlen(text) > 40 || comma[1 + strspn(comma + 1, "0123456789")] != '\0')
        return;
    snprintf(accepted, sizeof accepted, "a number with a point, not a comma, is accepted: %.*s.%s",
             (int)(comma - text), text, comma + 1);
    wrong_value(line, option->name, text, accepted);
}

static void describe_range(const struct option_line *option, char *text, size_t size) {
    double least = option->least, most = option->most;
    if (isinf(least))
        snprintf(text, size, "a number is accepted");
    else if (isinf(most))
        snprintf(text, size, "a number of %.10g or more is accepted", least);
    else if (least == ABOVE_0 && most == BELOW_1)
        snprintf(text, size, "a number above 0 and below 1 is accepted");
    else if (least == ABOVE_0)
        snprintf(text, size, "a number above 0, up to %.10g, is accepted", most);
    else
        snprintf(text, size, "a number from %.10g to %.10g is accepted", least, most);
}

static void take_real(const struct command_line *line, const struct option_line *option,
                      const char *text) {
    char *end, accepted[96];
    double value = strtod(text, &end);
    if (end > text)
        check_comma(line, option, text, end);
    describe_range(option, accepted, sizeof accepted);
    if (end == text || *end || !isfinite(value) || value < option->least || value > option->most)
        wrong_value(line, option->name, text, accepted);
    *(double *)option->value = value;
}

static void take_choice(const struct command_line *line, const struct option_line *option,
                        const char *text) {
    char accepted[256] = "";
    for (int i = 0; option->choices[i]; i++) {
        if (strcmp(text, option->choices[i]) == 0) {
            *(int *)option->value = i;
            return;
        }
        size_t length = strlen(accepted);
        const char *between = i == 0 ? "" : option->choices[i + 1] ? ", " : " or ";
        snprintf(accepted + length, sizeof accepted - length, "%s%s", between, option->choices[i]);
    }
    size_t length = strlen(accepted);
    snprintf(accepted + length, sizeof accepted - length, " is accepted");
    wrong_value(line, option->name, text, accepted);
}

static void take_bytes(const struct command_line *line, const struct option_line *option,
                       const char *text) {
    char *end;
    double value = strtod(text, &end), factor = 1;
    switch (*end) {
    case 'k':
    case 'K':
        factor = 1 << 10;
        break;
    case 'm':
    case 'M':
        factor = 1 << 20;
        break;
    case 'g':
    case 'G':
        factor = 1 << 30;
        break;
    default:
        break;
    }
    end += factor > 1;
    if (end == text || *end || !(value >= 1 && value * factor < 9e18))
        wrong_value(line, option->name, text, "a size such as 500M or 2G is accepted");
    *(int64_t *)option->value = (int64_t)(value * factor);
}

static void add_text(const struct command_line *line, const struct option_line *option,
                     const char *text) {
    struct texts *texts = option->value;
    if (texts->count == MOST_TEXTS)
        wrong_usage(line, "--%s may be given %d times", option->name, MOST_TEXTS);
    texts->items[texts->count++] = text;
}

static void take(const struct command_line *line, const struct option_line *option,
                 const char *text) {
    switch (option->kind) {
    case FLAG:
        *(bool *)option->value = true;
        break;
    case TEXT:
        *(const char **)option->value = text;
        break;
    case WHOLE:
        take_whole(line, option, text);
        break;
    case REAL:
        take_real(line, option, text);
        break;
    case CHOICE:
        take_choice(line, option, text);
        break;
    case BYTES:
        take_bytes(line, option, text);
        break;
    case TEXTS:
        add_text(line, option, text);
        break;
    }
}

/* -- Words ---------------------------------------------------------------------------------------
 */

/* The option of that name; or the one whose name begins so, if no other's does. */
static const struct option_line *find(const struct command_line *line, const char *name,
                                      size_t length) {
    const struct option_line *found = NULL, *elsewhere = NULL;
    int beginnings = 0;
    for (int i = 0; i < line->num_options; i++) {
        const struct option_line *option = &line->options[i];
        if (strncmp(option->name, name, length) != 0)
            continue;
        bool whole = option->name[length] == '\0', here = belongs(option, line->command);
        if (whole && here)
            return option;
        if (whole)
            elsewhere = option;
        else if (here && beginnings++ == 0)
            found = option;
    }
    if (elsewhere)
        wrong_usage(line, "--%s belongs to %s, not to %s", elsewhere->name, elsewhere->of,
                    line->command);
    if (beginnings > 1)
        wrong_usage(line, "--%.*s may be --%s or another option", (int)length, name, found->name);
    if (!found)
        wrong_usage(line, "there is no option --%.*s", (int)length, name);
    return found;
}

static void end_for_help(const struct command_line *line, const char *word) {
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        let_first_speak(EXIT_DONE);
        line->help(line);
        exit(all_printed(line->program) ? EXIT_DONE : EXIT_FAILED);
    }
    if (strcmp(word, "--version") == 0) {
        let_first_speak(EXIT_DONE);
        print("%s (libdlviz) %s\n", line->program, dlviz_version());
        exit(all_printed(line->program) ? EXIT_DONE : EXIT_FAILED);
    }
}

/* Takes the option at argv[at] and what belongs to it; returns where the next word is. */
static int take_option(const struct command_line *line, int argc, char **argv, int at) {
    const char *name = argv[at] + 2, *text = strchr(name, '=');
    const struct option_line *option =
        find(line, name, text ? (size_t)(text - name) : strlen(name));
    if (option->kind == FLAG && text)
        wrong_usage(line, "--%s takes no value", option->name);
    if (option->kind != FLAG && !text && at + 1 == argc)
        wrong_usage(line, "--%s needs a value: %s", option->name, option->argument);
    bool apart = option->kind != FLAG && !text;
    take(line, option, apart ? argv[at + 1] : text ? text + 1 : NULL);
    return at + 1 + apart;
}

int read_command_line(const struct command_line *line, int argc, char **argv, int first,
                      const char **words, int most_words) {
    int count = 0;
    bool options_end = false;
    for (int at = first; at < argc;) {
        const char *word = argv[at];
        if (!options_end && word[0] == '-' && word[1] != '\0') {
            end_for_help(line, word);
            options_end = strcmp(word, "--") == 0;
            if (!options_end && word[1] != '-')
                wrong_usage(line, "there is no option %s", word);
            at = options_end ? at + 1 : take_option(line, argc, argv, at);
            continue;
        }
        if (count == most_words)
            wrong_usage(line, most_words == 0 ? "'%s' is no option" : "'%s' is one word too many",
                        word);
        words[count++] = word;
        at++;
    }
    return count;
}

/* -- Help ----------------------------------------------------------------------------------------
 */

static void print_option(const struct option_line *option) {
    char left[64];
    snprintf(left, sizeof left, "  --%s%s%s", option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    int width = (int)strlen(left);
    print("%s", left);
    if (width > HELP_COLUMN - 1) {
        print("\n");
        width = 0;
    }
    print("%*s", HELP_COLUMN - width, "");
    for (const char *at = option->help; *at; at++) {
        print("%c", *at);
        if (*at == '\n')
            print("%*s", HELP_COLUMN, "");
    }
    print("\n");
}

void print_options(const struct command_line *line, const char *of) {
    for (int i = 0; i < line->num_options; i++) {
        const struct option_line *option = &line->options[i];
        const char *whose = option->of ? option->of : "";
        if (option->help && strcmp(whose, of) == 0)
            print_option(option);
    }
}
