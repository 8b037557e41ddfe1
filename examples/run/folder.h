/* folder.h - the folder of a run's results: fresh, or replaced as a whole. */
#ifndef RUN_FOLDER_H
#define RUN_FOLDER_H

#include <stdbool.h>

/* The path of a result; valid until the call after the next three. */
const char *result_path(const char *folder, const char *name);

/* What is in a folder that may not be there yet. */
enum folder_state {
    FOLDER_FREE,        /* nothing that a run would replace, but for what one that never came to
                           its first checkpoint has left */
    FOLDER_HAS_RESULTS, /* of an earlier run, finished or not */
    FOLDER_BLOCKED      /* it is none, or a result's name is a folder's; said in `text` */
};

/* Looks, and says in `text` what there is: "report.html, summary.json and 15 other files". */
enum folder_state look_into_folder(const char *folder, char text[256]);

/* Whether the folder's settings.json is one that a run has written, and not a file of the user's
 * that happens to be called so (settings.c). */
bool has_settings(const char *folder);

/* What there is of a training in a folder: a checkpoint, and whether its run came to an end. */
bool has_checkpoint(const char *folder);
bool has_finished(const char *folder);

/* mkdir -p, and whether it can be written to; -1 with errno set. */
int make_folder(const char *folder);

/* Removes checkpoints and what belongs to them. The name of the first that stays, with errno set, or
 * NULL. */
const char *remove_checkpoint(const char *folder);
/* Removes the figures. */
void remove_figures(const char *folder);
/* Removes what a run writes once it has trained. */
void remove_what_follows_training(const char *folder);
/* Removes all that a run writes, but for checkpoints and what belongs to them. */
void remove_results(const char *folder);

#endif
