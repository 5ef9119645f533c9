//! What keeps the driver's threads apart: IRQL, the spin lock, and rundown protection.
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem,
    ops::{Deref, DerefMut},
};

#[cfg(not(target_arch = "aarch64"))]
use wdk_sys::ntddk::KeLowerIrql;
use wdk_sys::{
    DISPATCH_LEVEL, EX_RUNDOWN_REF, KIRQL,
    ntddk::{
        ExAcquireRundownProtection, ExInitializeRundownProtection, ExReleaseRundownProtection,
        ExWaitForRundownProtectionRelease, KfRaiseIrql,
    },
};

#[cfg(target_arch = "aarch64")]
unsafe extern "C" {
    /// The ARM64 headers make `KeLowerIrql` a macro over this, and macros have no binding.
    #[link_name = "KfLowerIrql"]
    fn KeLowerIrql(new_irql: KIRQL);
}

/// The processor is at `DISPATCH_LEVEL` while this lives: the thread is neither suspended nor moved.
#[must_use]
pub struct AtDispatch {
    previous: KIRQL,
    /// IRQL belongs to a processor, so this must not go to another thread.
    not_send: PhantomData<*mut ()>,
}

impl AtDispatch {
    /// Raises the IRQL.
    ///
    /// IRQL: <= `DISPATCH_LEVEL`
    pub fn raise() -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "it is 2")]
        const DISPATCH: KIRQL = DISPATCH_LEVEL as KIRQL;
        // SAFETY: every caller runs at or below DISPATCH_LEVEL, so this raises.
        let previous = unsafe { KfRaiseIrql(DISPATCH) };
        Self { previous, not_send: PhantomData }
    }
}

impl Drop for AtDispatch {
    fn drop(&mut self) {
        // SAFETY: values of this type are dropped in the reverse order of their making, on the thread that made them.
        unsafe { KeLowerIrql(self.previous) };
    }
}

/// Data under a spin lock that is only ever taken at `DISPATCH_LEVEL`: below it, its holder could be preempted by
/// a classify on the same processor that spins for the lock for ever.
///
/// It is first come, first served by chance only. A ticket lock hands itself to the one who waits longest, and if a hypervisor
/// has taken that one's processor away, everybody waits until it is back; docs/performance.md, Fairness, has what that costs.
pub struct DispatchMutex<T>(spin::Mutex<T>);

impl<T> DispatchMutex<T> {
    /// Puts data under a lock.
    pub const fn new(data: T) -> Self {
        Self(spin::Mutex::new(data))
    }

    /// Raises the IRQL, then takes the lock. The guard must not live across a call into WFP: Associate and Remove may
    /// run flowDeleteFn before they return, and that takes this lock.
    ///
    /// IRQL: <= `DISPATCH_LEVEL`
    pub fn lock(&self) -> DispatchGuard<'_, T> {
        let irql = AtDispatch::raise();
        DispatchGuard { data: self.0.lock(), _irql: irql }
    }

    /// Takes the lock on a processor that has been raised already, which saves two calls. For the guard the same holds.
    ///
    /// IRQL: `DISPATCH_LEVEL`
    pub fn lock_raised<'a>(&'a self, _irql: &'a AtDispatch) -> spin::MutexGuard<'a, T> {
        self.0.lock()
    }
}

/// The lock is held while this lives.
#[must_use]
pub struct DispatchGuard<'a, T> {
    // Fields drop in this order: the lock is free before the IRQL falls.
    data: spin::MutexGuard<'a, T>,
    _irql: AtDispatch,
}

impl<T> Deref for DispatchGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T> DerefMut for DispatchGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.data
    }
}

/// Admits callers until someone waits for them all to leave, and nobody afterwards.
pub struct Rundown(UnsafeCell<EX_RUNDOWN_REF>);

// SAFETY: the kernel's functions for it may be called from any thread at once.
unsafe impl Sync for Rundown {}

impl Rundown {
    /// A rundown that [`Self::initialize`] makes usable.
    pub const fn new() -> Self {
        // SAFETY: the type is a number in a union with a pointer; both may be zero.
        Self(UnsafeCell::new(unsafe { mem::zeroed() }))
    }

    /// Begins to admit.
    ///
    /// # Safety
    /// Nobody else uses it yet.
    pub unsafe fn initialize(&self) {
        // SAFETY: the caller's promise.
        unsafe { ExInitializeRundownProtection(self.0.get()) };
    }

    /// Enters, unless someone waits already.
    ///
    /// IRQL: <= `DISPATCH_LEVEL`
    pub fn enter(&self) -> Option<InRundown<'_>> {
        // SAFETY: initialised before anything can call the driver.
        let entered = unsafe { ExAcquireRundownProtection(self.0.get()) };
        // Not `then_some`: the value made for nothing would leave without having entered.
        (entered != 0).then(|| InRundown(self))
    }

    /// Admits nobody any more, and waits until everybody has left.
    ///
    /// IRQL: <= `APC_LEVEL`
    pub fn wait(&self) {
        // SAFETY: initialised before anything can call the driver.
        unsafe { ExWaitForRundownProtectionRelease(self.0.get()) };
    }
}

/// Somebody is in while this lives.
#[must_use]
pub struct InRundown<'a>(&'a Rundown);

impl Drop for InRundown<'_> {
    fn drop(&mut self) {
        // SAFETY: `enter` was granted once for this value.
        unsafe { ExReleaseRundownProtection(self.0.0.get()) };
    }
}
