// wdk-sys includes this header by name; what it needs from it is in ntddk.h.
#pragma once
#include "ntddk.h"
