// FxDriverEntry: the entry point of a KMDF driver. It binds the driver to the framework, then calls DriverEntry.
//
// Stands in for the kit's WdfDriverEntry.lib. Two of that library's jobs are left out, because flowtag has nothing
// for them to do: binding to class extensions (section .kmdfclassbind) and making context types unique
// (section .kmdftypeinit).
#include "wdfbind.h"

#define NT_SUCCESS(Status) ((Status) >= 0)
#define STATUS_SUCCESS ((NTSTATUS)0)
#define STATUS_UNSUCCESSFUL ((NTSTATUS)0xC0000001L)

// What the headers declare and this file must define. The framework writes the first two when it binds.
PWDF_DRIVER_GLOBALS WdfDriverGlobals;
const WDFFUNC *WdfFunctions_01031;
ULONG WdfFunctionCount = WdfFunctionTableNumEntries;

// A table of more than 438 functions is not copied: the framework stores the address of its own table through
// FuncTable, so that is where the pointer is, not where a table is.
static WDF_BIND_INFO BindInfo = {
    .Size = sizeof(WDF_BIND_INFO),
    .Component = L"KmdfLibrary",
    .Version = {.Major = 1, .Minor = 31, .Build = 0},
    .FuncCount = WdfFunctionTableNumEntries,
    .FuncTable = (WDFFUNC *)&WdfFunctions_01031,
    .Module = 0,
};

// Unbinding wants the registry path again, and the one we are given is gone by then. The longest is
// \Registry\Machine\System\CurrentControlSet\Services\ and a service name of 256 characters.
static WCHAR RegistryPathBuffer[320];
static UNICODE_STRING RegistryPathCopy = {
    .Length = 0,
    .MaximumLength = sizeof(RegistryPathBuffer),
    .Buffer = RegistryPathBuffer,
};

static PDRIVER_UNLOAD DisplacedUnload;

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);

static void Unbind(void)
{
    WdfVersionUnbind(&RegistryPathCopy, &BindInfo, WdfDriverGlobals);
}

static void UnloadThenUnbind(PDRIVER_OBJECT DriverObject)
{
    if (DisplacedUnload != 0) {
        DisplacedUnload(DriverObject);
    }
    Unbind();
}

NTSTATUS FxDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    // Loaded as a library of another driver: there is no driver object to bind.
    if (DriverObject == 0) {
        return DriverEntry(DriverObject, RegistryPath);
    }

    RtlCopyUnicodeString(&RegistryPathCopy, RegistryPath);

    NTSTATUS Status = WdfVersionBind(DriverObject, &RegistryPathCopy, &BindInfo, &WdfDriverGlobals);
    // Only this one says that there is a table of functions.
    if (Status != STATUS_SUCCESS) {
        return NT_SUCCESS(Status) ? STATUS_UNSUCCESSFUL : Status;
    }

    Status = DriverEntry(DriverObject, RegistryPath);
    if (!NT_SUCCESS(Status)) {
        Unbind();
        return Status;
    }

    // The framework asks us to unbind after the driver's own unload routine.
    if (WdfDriverGlobals->DisplaceDriverUnload) {
        DisplacedUnload = DriverObject->DriverUnload;
        DriverObject->DriverUnload = UnloadThenUnbind;
    }
    return Status;
}
