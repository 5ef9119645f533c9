#pragma once

typedef NTSTATUS (*PFN_WDFREGISTRYQUERYULONG)(PWDF_DRIVER_GLOBALS DriverGlobals,
                                              WDFKEY Key,
                                              PCUNICODE_STRING ValueName,
                                              PULONG Value);
typedef void (*PFN_WDFREGISTRYCLOSE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFKEY Key);
