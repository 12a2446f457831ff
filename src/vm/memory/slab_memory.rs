//! The memory of one slab: from the global allocator, or directly from the system if it fills huge
//! pages.
//!
//! With pages of 4 KB, a million processes need many times as many address translations as the
//! processor caches (in its TLBs), and switching among a thousand processes is half as fast. The
//! system decides at the first write whether to back memory with huge pages. An allocator writes to
//! large memory before it hands it out, so memory for huge pages is not taken from the allocator.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;

/// Bytes of a huge page.
pub(super) const HUGE_PAGE: usize = 2 * 1024 * 1024;

/// Memory that is freed when this value is dropped.
pub(super) struct SlabMemory {
    start: NonNull<u8>,
    layout: Layout,
}

impl SlabMemory {
    /// Takes `bytes` bytes (not 0), aligned to `align`; if they are aligned to a huge page, they
    /// consist of whole huge pages. Returns `None` if memory is out.
    pub(super) fn new(bytes: usize, align: usize) -> Option<SlabMemory> {
        let layout =
            Layout::from_size_align(bytes, align).ok().filter(|layout| layout.size() > 0)?;
        let start = if layout.align() == HUGE_PAGE {
            map(layout.size())
        } else {
            // SAFETY: the size of the layout is not 0, as checked above.
            NonNull::new(unsafe { alloc(layout) })
        };
        Some(SlabMemory { start: start?, layout })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for SlabMemory {
    fn drop(&mut self) {
        if self.layout.align() == HUGE_PAGE {
            // SAFETY: for this alignment `new` took the memory from `map`, with this size. It
            // belongs to this value, which ends here.
            unsafe { unmap(self.start.as_ptr(), self.layout.size()) };
        } else {
            // SAFETY: for any other alignment `new` allocated the memory with this layout. It
            // belongs to this value, which ends here.
            unsafe { dealloc(self.start.as_ptr(), self.layout) };
        }
    }
}

/// Takes whole huge pages from the system. Miri supports fewer flags of `mmap`, so it uses the
/// other version.
#[cfg(all(unix, not(miri)))]
fn map(bytes: usize) -> Option<NonNull<u8>> {
    let spare = bytes.checked_add(HUGE_PAGE)?;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new anonymous mapping at an address that the system chooses; it replaces no other
    // mapping.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), spare, access, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    let start = start.cast::<u8>();
    // Less than a huge page, since the size of system pages divides that of a huge page.
    let before = start.align_offset(HUGE_PAGE);
    // SAFETY: the mapping has `bytes` and a huge page; `before` is less than that page.
    let aligned = unsafe { start.add(before) };
    // SAFETY: both parts belong to the mapping that was created above, around the `bytes` that are
    // kept, and no other code has their addresses.
    unsafe {
        unmap(start, before);
        unmap(aligned.add(bytes), HUGE_PAGE - before);
    }
    #[cfg(target_os = "linux")]
    // SAFETY: these bytes are mapped; the hint changes how they are backed, not what they hold.
    unsafe {
        libc::madvise(aligned.cast(), bytes, libc::MADV_HUGEPAGE);
    }
    NonNull::new(aligned)
}

/// # Safety
/// `map` took these bytes, which are whole system pages, and no code uses them any more.
#[cfg(all(unix, not(miri)))]
unsafe fn unmap(start: *mut u8, bytes: usize) {
    if bytes > 0 {
        // SAFETY: the caller guarantees that `map` took these pages and that no code uses them. The
        // call fails if the system has no room left to record the split of the mapping; then the
        // memory stays mapped.
        unsafe { libc::munmap(start.cast(), bytes) };
    }
}

#[cfg(any(not(unix), miri))]
fn map(bytes: usize) -> Option<NonNull<u8>> {
    // SAFETY: `new` requests a layout whose size is not 0.
    NonNull::new(unsafe { alloc(huge_layout(bytes)?) })
}

/// # Safety
/// `map` took this memory, with this size, and no code uses it any more.
#[cfg(any(not(unix), miri))]
unsafe fn unmap(start: *mut u8, bytes: usize) {
    if let Some(layout) = huge_layout(bytes) {
        // SAFETY: the caller guarantees that `map` took the memory, and `map` used this layout.
        unsafe { dealloc(start, layout) };
    }
}

#[cfg(any(not(unix), miri))]
fn huge_layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes, HUGE_PAGE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_can_be_written_to_wherever_it_comes_from() {
        for (bytes, align) in [(64 * 1024, 8), (HUGE_PAGE, HUGE_PAGE), (3 * HUGE_PAGE, HUGE_PAGE)] {
            let memory = SlabMemory::new(bytes, align).unwrap();
            assert!(memory.start().as_ptr().addr().is_multiple_of(align));
            for offset in [0, bytes / 2, bytes - 1] {
                // SAFETY: the test owns `memory`, of which these are bytes.
                unsafe { memory.start().add(offset).write(7) };
            }
        }
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        assert!(SlabMemory::new(isize::MAX as usize & !(HUGE_PAGE - 1), HUGE_PAGE).is_none());
    }
}
