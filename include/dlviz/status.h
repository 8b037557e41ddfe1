/* dlviz/status.h - what a call returns, and the sentence that explains a failure. */
#ifndef DLVIZ_STATUS_H
#define DLVIZ_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Marks what the library exports. On Windows, who links the static library defines DLVIZ_STATIC;
 * DLVIZ_BUILDING is for the library's own build. */
#ifndef DLVIZ_API
#if defined(_WIN32) || defined(__CYGWIN__)
#if defined(DLVIZ_STATIC)
#define DLVIZ_API
#elif defined(DLVIZ_BUILDING)
#define DLVIZ_API __declspec(dllexport)
#else
#define DLVIZ_API __declspec(dllimport)
#endif
#elif defined(__GNUC__) || defined(__clang__)
#define DLVIZ_API __attribute__((visibility("default")))
#else
#define DLVIZ_API
#endif
#endif

/* Marks, in place of DLVIZ_API, a function whose status is not to be ignored: compilers warn of a
 * call that does, unless the status is assigned to something. Those that return a status and lack
 * the mark leave their first error with an owner, which reports it: a layer of a network, say, to
 * dlviz_network_build. */
#ifndef DLVIZ_CHECKED
#if (defined(__cplusplus) && __cplusplus >= 201703L) ||                                            \
    (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L)
#define DLVIZ_CHECKED [[nodiscard]] DLVIZ_API
#elif defined(__GNUC__) || defined(__clang__)
#define DLVIZ_CHECKED DLVIZ_API __attribute__((warn_unused_result))
#elif defined(_MSC_VER)
#include <sal.h>
#define DLVIZ_CHECKED DLVIZ_API _Check_return_
#else
#define DLVIZ_CHECKED DLVIZ_API
#endif
#endif

/* Marks what a later version will drop: compilers warn with the text, which names what to use
 * instead. */
#ifndef DLVIZ_DEPRECATED
#if defined(_MSC_VER)
#define DLVIZ_DEPRECATED(text) __declspec(deprecated(text))
#elif defined(__GNUC__) || defined(__clang__)
#define DLVIZ_DEPRECATED(text) __attribute__((deprecated(text)))
#else
#define DLVIZ_DEPRECATED(text)
#endif
#endif

#if defined(__GNUC__) || defined(__clang__)
#define DLVIZ_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define DLVIZ_PRINTF(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** The outcome of a call. Zero is success; values are stable across versions. */
typedef enum dlviz_status {
    DLVIZ_OK = 0,
    DLVIZ_ERROR_INVALID_ARGUMENT = 1, /**< an argument is NULL or outside what is accepted */
    DLVIZ_ERROR_SHAPE = 2,            /**< shapes or element types do not fit together */
    DLVIZ_ERROR_OUT_OF_MEMORY = 3,    /**< an allocation failed, or a size overflowed */
    DLVIZ_ERROR_IO = 4,               /**< the operating system refused to read or write */
    DLVIZ_ERROR_FORMAT = 5,           /**< a file's contents are not what they should be */
    DLVIZ_ERROR_NOT_FOUND = 6,        /**< no layer, parameter or entry has that name */
    DLVIZ_ERROR_STATE = 7,            /**< the handle is not ready for this call, or in use */
    DLVIZ_ERROR_NUMERIC = 8,          /**< NaN, infinity, or a solver that did not converge */
    DLVIZ_ERROR_UNSUPPORTED = 9,      /**< this build or this machine cannot do it */
    DLVIZ_CANCELLED = 10,             /**< a callback asked to stop */
    DLVIZ_ERROR_COMM = 11             /**< another rank failed, or cannot be reached */
} dlviz_status;

/** A short English name of a status, e.g. "invalid argument". A static string, never NULL. */
DLVIZ_API const char *dlviz_status_name(dlviz_status status);

/** The sentence that explains the calling thread's most recent failure: which argument, the value
 *  it had, what would be accepted. Empty when nothing failed yet; successful calls leave it alone.
 *  Valid until the same thread's next failing call. Never NULL.
 *
 *  It is one line of UTF-8 that a terminal or a log only shows, whatever stands in a file, a path
 *  or a name that it quotes: '?' takes the place of each byte that is no UTF-8, of control
 *  characters (U+0000 to U+001F, U+007F to U+009F), of the separators U+2028 and U+2029, and of the
 *  overrides of the direction of text (U+202A to U+202E, U+2066 to U+2069). So it is with the lines
 *  that dlviz_set_log's function receives. */
DLVIZ_API const char *dlviz_last_error(void);

/** For callbacks that return a status: records a sentence for dlviz_last_error(), as printf would
 *  write it but with a decimal point whatever the locale, and returns `status`, so that a callback
 *  can end with `return dlviz_fail(DLVIZ_ERROR_NUMERIC, "...")`. About 1000 bytes are kept, of a
 *  longer sentence both ends; characters that dlviz_last_error() does not give become '?'. DLVIZ_OK
 *  is taken for DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_fail(dlviz_status status, const char *format, ...)
    DLVIZ_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
