// KMDF 1.31: the functions that flowtag calls, and the spin lock and timer of the crate wdk.
// See open-wdk/README.md. As in the real kit, there is one header for each family.
#pragma once
#include "ntddk.h"

#include "wdftypes.h"
#include "wdfglobals.h"
#include "wdffuncenum.h"
#include "wdfobject.h"
#include "wdfdriver.h"
#include "wdfdevice.h"
#include "wdfcontrol.h"
#include "wdfregistry.h"
#include "wdfsync.h"
#include "wdftimer.h"
