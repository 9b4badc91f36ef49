/* SPDX-License-Identifier: MIT */
/*
 * An option ROM that starts a kernel by the real-mode boot protocol of Linux, once firmware has
 * made the machine ready and chosen it (it is a PnP card's "bootstrap entry"). It asks fw_cfg to
 * put the pieces where they belong, by DMA, and jumps to the kernel's setup code.
 *
 * devices/pc/kernel_firmware.c fills in what depends on the kernel (from `segment` on) and the
 * checksum. Rebuild line, for the bytes in devices/pc/kernel_rom.h:
 *
 *      gcc -m32 -nostdlib -static -Wl,--build-id=none -Wl,-Ttext=0 -Wl,--oformat=binary -o start.rom roms/start.S &&
 *      xxd -i -n kernel_rom start.rom
 */
        .code16
        .text
        .globl _start
_start: .byte   0x55, 0xaa, 1           /* 512 bytes */
init:   lret                            /* nothing to initialize; firmware looks at the next header */
        .org    0x06
        .byte   0                       /* makes the sum 0 */
        .org    0x08
segment:
        .word   0                       /* of the setup code's first sector */
stack:  .word   0
        .org    0x1a
        .word   pnp
        .org    0x20
loads:  .space  80                      /* fw_cfg's DMA descriptors; a zero one is the end */
        .org    0x70
pnp:    .ascii  "$PnP"
        .byte   1, 2                    /* revision; 32 bytes */
        .word   0
        .byte   0, 0
        .long   0
        .word   0, name
        .byte   2, 0x80, 0              /* a mass storage controller */
        .byte   0x10                    /* may start a system */
        .word   0, 0, boot, 0, 0
name:   .asciz  "Kernel"

boot:   cli
        cld
        mov     %cs, %ax
        mov     %ax, %ds
        mov     $loads, %si
        xor     %eax, %eax
        mov     $0x514, %dx
        out     %eax, %dx               /* the upper half of the address */
        mov     $0x518, %dx
1:      cmpl    $0, (%si)
        je      2f
        mov     %ds, %ax
        movzwl  %ax, %eax
        shl     $4, %eax
        movzwl  %si, %ecx
        add     %ecx, %eax
        bswap   %eax
        out     %eax, %dx               /* it is there when this is done */
        add     $16, %si
        jmp     1b
2:      mov     segment, %ax
        mov     stack, %sp
        mov     %ax, %ss
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %fs
        mov     %ax, %gs
        add     $0x20, %ax
        push    %ax
        pushw   $0
        lret
        .org    0x200
