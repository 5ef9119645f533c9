// The contract between a KMDF driver and the framework's loader, WDFLDR.SYS.
// Public knowledge only: it is in none of the kit's headers.
#pragma once
#include "wdf.h"

typedef struct _WDF_VERSION {
    ULONG Major;
    ULONG Minor;
    ULONG Build;
} WDF_VERSION;

typedef struct _WDF_BIND_INFO {
    ULONG Size;
    PWCHAR Component;
    WDF_VERSION Version;
    ULONG FuncCount;
    WDFFUNC *FuncTable;
    PVOID Module;
} WDF_BIND_INFO, *PWDF_BIND_INFO;

__declspec(dllimport) NTSTATUS WdfVersionBind(PDRIVER_OBJECT DriverObject,
                                              PUNICODE_STRING RegistryPath,
                                              PWDF_BIND_INFO BindInfo,
                                              PWDF_DRIVER_GLOBALS *ComponentGlobals);
__declspec(dllimport) NTSTATUS WdfVersionUnbind(PUNICODE_STRING RegistryPath,
                                                PWDF_BIND_INFO BindInfo,
                                                PWDF_DRIVER_GLOBALS ComponentGlobals);
