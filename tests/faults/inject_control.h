/* faults/inject_control.h - libinject.so from within the program that it is loaded into; the functions are NULL
 * in a program without it. Not while other threads make calls that count. */
#ifndef DLZ_TESTS_INJECT_CONTROL_H
#define DLZ_TESTS_INJECT_CONTROL_H

#include <stddef.h>

/* Puts a setting, as of DLVIZ_FAULT, in the place of the one there is; NULL: nothing fails. All counts begin
 * anew. Ends the process where it does not understand the setting. */
void inject_plan(const char *setting) __attribute__((weak));
/* How often a call has been made since, or the calls of a group. */
long inject_count(const char *call) __attribute__((weak));
/* How many calls have been made to fail since. */
long inject_num_hits(void) __attribute__((weak));
/* How many names there are, and each of them. */
int inject_num_calls(void) __attribute__((weak));
const char *inject_call_name(int index) __attribute__((weak));
/* Where to write, in the place of the count file alone, whose code the process ends in by a signal, such as
 * "libcairo.so.2 SIGABRT" and what functions were under way; empty until then. */
void inject_note_crash(char *place, size_t size) __attribute__((weak));

#endif
