// The basic types of the Windows kernel ABI. See open-wdk/README.md.
#pragma once

typedef void *PVOID;
typedef PVOID HANDLE;
typedef HANDLE *PHANDLE;

typedef char CHAR;
typedef char CCHAR;
typedef short CSHORT;
typedef long LONG;
typedef long long LONGLONG;
typedef CHAR *PCHAR;
typedef const CHAR *PCSTR;

typedef unsigned char UCHAR;
typedef unsigned char BOOLEAN;
typedef unsigned short USHORT;
typedef unsigned long ULONG;
typedef unsigned long long ULONGLONG;
typedef unsigned int UINT32;
typedef unsigned long long ULONG64;
typedef unsigned long long UINT64;
typedef ULONG *PULONG;

typedef unsigned long long ULONG_PTR;
typedef ULONG_PTR SIZE_T;
typedef long long LONG_PTR;

// wchar_t, which C without a C library spells so.
typedef unsigned short WCHAR;
typedef WCHAR *PWCH;
typedef WCHAR *PWCHAR;

typedef LONG NTSTATUS;

typedef struct _UNICODE_STRING {
    USHORT Length;
    USHORT MaximumLength;
    PWCH Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;

typedef union _LARGE_INTEGER {
    struct {
        ULONG LowPart;
        LONG HighPart;
    };
    struct {
        ULONG LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef struct _GUID {
    unsigned long Data1;
    unsigned short Data2;
    unsigned short Data3;
    unsigned char Data4[8];
} GUID;
