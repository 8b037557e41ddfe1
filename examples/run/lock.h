/* lock.h - a folder that one run at a time writes to. */
#ifndef RUN_LOCK_H
#define RUN_LOCK_H

#include <stdbool.h>

/* Takes a folder for this process until unlock_folder, or until it ends, however it does; false if another
 * process has it, whose number is then in *owner, or 0 where nobody says. A file system that has no such
 * locks lets all have it: *lock is -1 then. */
bool lock_folder(const char *folder, int *lock, long *owner);
void unlock_folder(int lock);

#endif
