/* base/locale.h - numbers as the C locale has them, whatever the thread's. */
#ifndef DLZ_LOCALE_H
#define DLZ_LOCALE_H

#include <locale.h>

/* What uselocale is to go back to; (locale_t)0: nothing. */
locale_t dlz_locale_enter(void);

static inline void dlz_locale_leave(const locale_t *before) {
    if (*before)
        uselocale(*before);
}

/* To the end of the block. Put it in front of what other libraries write numbers in. They put a '.' where they find
 * the locale's own point, and ask localeconv for that, which answers in one place for all threads. */
#define DLZ_IN_C_LOCALE                                                                            \
    locale_t dlz_locale_ __attribute__((unused, cleanup(dlz_locale_leave))) = dlz_locale_enter()

#endif
