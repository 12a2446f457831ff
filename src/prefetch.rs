//! Hints to the processor about memory that will be read soon.

#![allow(unsafe_code)]

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// Prefetches the first `lines` cache lines at `start`. Any address is allowed, including null and
/// that of freed memory, because nothing is read.
#[inline(always)]
pub(crate) fn prefetch<T>(start: *const T, lines: usize) {
    for line in 0..lines {
        let address = start.cast::<u8>().wrapping_add(line * LINE);
        // SAFETY: the instruction (SSE, which x86-64 always has) is a hint that never faults,
        // whatever the address, and changes nothing that a program can observe.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(address.cast());
        }
        // SAFETY: `prfm` is a hint that never faults and changes neither registers nor memory, as
        // the options state.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            std::arch::asm!(
                "prfm pldl1keep, [{}]",
                in(reg) address,
                options(nostack, preserves_flags, readonly)
            );
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = address;
    }
}
