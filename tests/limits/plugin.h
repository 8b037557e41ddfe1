/* limits/plugin.h - a module that uses the library. */
#ifndef DLZ_TESTS_PLUGIN_H
#define DLZ_TESTS_PLUGIN_H

/* Does the work of a round; what went wrong, or NULL. */
extern __attribute__((visibility("default"))) const char *plugin_run(const char *place, int round);
extern __attribute__((visibility("default"))) int plugin_num_works(void);

#endif
