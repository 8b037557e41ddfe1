/* plot/fonts.h - what fontconfig knows of the machine's fonts: whether it is all there. */
#ifndef DLZ_FONTS_H
#define DLZ_FONTS_H

#include <dlviz/status.h>

/* Has fontconfig read its settings and find the fonts, where that has not been done, and makes sure
 * that neither lacked memory and that there is a font to draw with. May be called in any thread. */
dlviz_status dlz_fonts_find(void);

#endif
