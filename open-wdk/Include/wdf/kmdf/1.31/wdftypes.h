// The handles of KMDF objects.
#pragma once

typedef HANDLE WDFOBJECT;
typedef struct WDFDRIVER__ *WDFDRIVER;
typedef struct WDFDEVICE__ *WDFDEVICE;
typedef struct WDFKEY__ *WDFKEY;
typedef struct WDFSPINLOCK__ *WDFSPINLOCK;
typedef struct WDFTIMER__ *WDFTIMER;

typedef struct WDFDEVICE_INIT *PWDFDEVICE_INIT;
