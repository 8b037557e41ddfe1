#include <dlviz/version.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *dlviz_version(void) {
    return TEXT(DLVIZ_VERSION_MAJOR) "." TEXT(DLVIZ_VERSION_MINOR) "." TEXT(DLVIZ_VERSION_PATCH);
}

int dlviz_version_number(void) {
    return DLVIZ_VERSION_NUMBER;
}
