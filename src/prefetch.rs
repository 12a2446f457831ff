//! Telling the processor what will be read soon.

#![allow(unsafe_code)]

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// Asks for the first `lines` cache lines of what lies at `start`. Any address will do, also that
/// of something freed meanwhile, or null: nothing is read.
#[inline(always)]
pub(crate) fn prefetch<T>(start: *const T, lines: usize) {
    for line in 0..lines {
        let address = start.cast::<u8>().wrapping_add(line * LINE);
        // SAFETY: a prefetch is a hint without effects that a program can see; it never faults.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(address.cast());
        }
        // SAFETY: as above.
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
