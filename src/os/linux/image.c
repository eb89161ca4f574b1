/* The keeper's program as bytes in the library, so that a statically linked client needs nothing
 * installed. */
#include "os/spawn.h"

__asm__(".pushsection .rodata.pri_keeper_image, \"a\"\n"
        ".globl pri_keeper_image\n"
        ".hidden pri_keeper_image\n"
        ".balign 16\n"
        "pri_keeper_image:\n"
        ".incbin \"" PRI_KEEPER_IMAGE "\"\n"
        ".globl pri_keeper_image_end\n"
        ".hidden pri_keeper_image_end\n"
        "pri_keeper_image_end:\n"
        ".byte 0\n"
        ".popsection\n");
