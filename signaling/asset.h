/* SPDX-License-Identifier: Apache-2.0 */
/* asset.h - files that are part of the binary: the lists that web/assets.sh writes are
 * ASSET(number, "name", "absolute path"), and this is what brings their bytes in. */
#ifndef SIGNALING_ASSET_H
#define SIGNALING_ASSET_H

/* The bytes of one file, from PREFIX_asset_NUMBER to PREFIX_asset_end_NUMBER, where a 0 follows. At
 * file level, once for each prefix and number. */
#define ASSET_BYTES(prefix, i, path)                                                               \
    extern const char prefix##_asset_##i[];                                                        \
    extern const char prefix##_asset_end_##i[];                                                    \
    __asm__(".pushsection .rodata\n"                                                               \
            ".hidden " #prefix "_asset_" #i "\n.hidden " #prefix "_asset_end_" #i "\n"             \
            ".global " #prefix "_asset_" #i "\n" #prefix "_asset_" #i ":\n"                        \
            ".incbin \"" path "\"\n"                                                               \
            ".global " #prefix "_asset_end_" #i "\n" #prefix "_asset_end_" #i ":\n"                \
            ".byte 0\n"                                                                            \
            ".popsection\n");

#endif
