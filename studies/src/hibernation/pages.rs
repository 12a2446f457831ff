//! Memory in whole pages that can be released to the system and keeps its addresses.

#![allow(unsafe_code)]

use std::ptr::NonNull;

/// A mapping of whole pages, zero until written.
pub(crate) struct Pages {
    start: NonNull<usize>,
    bytes: usize,
}

impl Pages {
    /// Maps pages for at least `bytes` bytes.
    pub(crate) fn new(bytes: usize) -> Pages {
        let bytes = bytes.next_multiple_of(Self::size());
        // SAFETY: a new private mapping at an address that the system chooses.
        let start = unsafe {
            let (access, kind) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            libc::mmap(std::ptr::null_mut(), bytes, access, kind, -1, 0)
        };
        assert_ne!(start, libc::MAP_FAILED, "the system has memory for a few pages");
        Pages { start: NonNull::new(start).expect("not refused").cast(), bytes }
    }

    /// Returns the size of a page in bytes.
    pub(crate) fn size() -> usize {
        // SAFETY: sysconf reads a constant of the system.
        unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
    }

    /// Returns the size of the mapping in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn words(&mut self) -> &mut [usize] {
        // SAFETY: this value owns the mapping, which is readable, writable and filled with zeros at
        // first.
        unsafe {
            std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes / size_of::<usize>())
        }
    }

    /// Releases the pages to the system; their contents are lost.
    pub(crate) fn release(&mut self) {
        // SAFETY: this value owns the mapping, and no reference to its contents exists.
        let result =
            unsafe { libc::madvise(self.start.as_ptr().cast(), self.bytes, libc::MADV_DONTNEED) };
        assert_eq!(result, 0, "pages of our own can be given back");
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: `new` created the mapping, and it is not used any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
