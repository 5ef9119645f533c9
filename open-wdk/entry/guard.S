// What control flow guard needs of an image: stands in for the kit's BufferOverflowFastFailK.lib.
//
// Code that is built with control flow guard makes each indirect call through a pointer: __guard_dispatch_icall_fptr on x64,
// and on ARM64, before the call, through __guard_check_icall_fptr. Windows, where it guards the kernel, points them at
// functions that look the target up; elsewhere they stay as they are here, and let every call through. It finds them, and
// the table of the functions that may be called, by the load configuration. The linker fills in what begins with __guard_
// and is not defined here.
//
// In assembly, since C has no way to write the number that __guard_flags stands for.

    .text
    .p2align 4
// Labels and no more: of what the symbol table calls functions, the linker would list these two as fit to be called.
AllowCheckedCall:
    ret
#ifdef _AMD64_
// The arguments are in place.
AllowDispatchedCall:
    jmp *%rax
#endif

// Windows writes here, and the driver cannot.
    .section .00cfg, "dr"
    .p2align 3
    .globl __guard_check_icall_fptr
__guard_check_icall_fptr:
    .quad AllowCheckedCall
#ifdef _AMD64_
    .globl __guard_dispatch_icall_fptr
__guard_dispatch_icall_fptr:
    .quad AllowDispatchedCall
#endif

// Nothing here checks a stack by it. A loader that finds this number puts one of its own in its place.
    .data
    .p2align 3
    .globl __security_cookie
__security_cookie:
    .quad 0x00002B992DDFA232

// IMAGE_LOAD_CONFIG_DIRECTORY64 (PE format, "The load configuration structure"), with the offsets of its fields. The linker
// takes the symbol of this name for it.
    .section .rdata, "dr"
    .p2align 4
    .globl _load_config_used
_load_config_used:
    .long LoadConfigEnd - _load_config_used // Size
    .zero 84
    .quad __security_cookie                 //  88 SecurityCookie
    .zero 16
    .quad __guard_check_icall_fptr          // 112 GuardCFCheckFunctionPointer
#ifdef _AMD64_
    .quad __guard_dispatch_icall_fptr       // 120 GuardCFDispatchFunctionPointer
#else
    .quad 0
#endif
    .quad __guard_fids_table                // 128 GuardCFFunctionTable
    .quad __guard_fids_count                // 136 GuardCFFunctionCount
    .long __guard_flags                     // 144 GuardFlags
    .zero 12
    .quad __guard_iat_table                 // 160 GuardAddressTakenIatEntryTable
    .quad __guard_iat_count                 // 168 GuardAddressTakenIatEntryCount
    .quad __guard_longjmp_table             // 176 GuardLongJumpTargetTable
    .quad __guard_longjmp_count             // 184 GuardLongJumpTargetCount
    .zero 0x140 - 192
LoadConfigEnd:
