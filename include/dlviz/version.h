/* dlviz/version.h - which version of libdlviz this is. */
#ifndef DLVIZ_VERSION_H
#define DLVIZ_VERSION_H

#include <dlviz/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DLVIZ_VERSION_MAJOR 0
#define DLVIZ_VERSION_MINOR 1
#define DLVIZ_VERSION_PATCH 0

/** The version of these headers as one number: 10000·major + 100·minor + patch. */
#define DLVIZ_VERSION_NUMBER                                                                       \
    (DLVIZ_VERSION_MAJOR * 10000 + DLVIZ_VERSION_MINOR * 100 + DLVIZ_VERSION_PATCH)

/** The version of the library that is running, as "major.minor.patch" (a static string), and as
 *  one number like DLVIZ_VERSION_NUMBER, which is that of the headers a program was compiled with.
 *  Any thread may call. */
DLVIZ_API const char *dlviz_version(void);
DLVIZ_API int dlviz_version_number(void);

#ifdef __cplusplus
}
#endif
#endif
