//! The sizes of an arena's small pieces: steps of 8 bytes, then of 16 bytes, then four steps per
//! doubling. Most objects of a small VM have less than 128 bytes; with steps of 16 bytes, a twelfth
//! of the VM was lost to rounding.

/// Alignment of all memory of an arena, in bytes; Lua's objects need it.
pub(in crate::vm) const ALIGN: usize = 8;
/// Largest request of a small piece, in bytes. Larger requests go to the global allocator.
pub(in crate::vm) const SMALL_MAX: usize = 1024;
/// Largest size in steps of 8 bytes.
const FINE_MAX: usize = 128;
/// Largest size in steps of 16 bytes.
const MIDDLE_MAX: usize = 256;
/// The first class of each of the remaining steps.
const MIDDLE: usize = FINE_MAX / 8;
const COARSE: usize = MIDDLE + (MIDDLE_MAX - FINE_MAX) / 16;
const COARSEST: usize = COARSE + 4;
pub(in crate::vm) const CLASSES: usize = COARSEST + 4;

/// Returns the class of the pieces that serve a request of `size` bytes.
pub(in crate::vm) fn class_of(size: usize) -> usize {
    if size <= FINE_MAX {
        return size.max(1).div_ceil(ALIGN) - 1;
    }
    if size <= MIDDLE_MAX {
        return MIDDLE + (size - FINE_MAX).div_ceil(16) - 1;
    }
    // 320 384 448 512, then 640 768 896 1024.
    if size <= 512 {
        COARSE + (size - MIDDLE_MAX).div_ceil(64) - 1
    } else {
        COARSEST + (size - 512).div_ceil(128) - 1
    }
}

/// Returns the largest class whose pieces fit into `room` bytes.
pub(in crate::vm) fn class_within(room: usize) -> usize {
    let class = class_of(room);
    if class_size(class) > room { class - 1 } else { class }
}

/// Returns the size of a class's pieces, in bytes.
pub(in crate::vm) fn class_size(class: usize) -> usize {
    match class {
        0..MIDDLE => (class + 1) * ALIGN,
        MIDDLE..COARSE => FINE_MAX + (class + 1 - MIDDLE) * 16,
        COARSE..COARSEST => MIDDLE_MAX + (class + 1 - COARSE) * 64,
        _ => 512 + (class + 1 - COARSEST) * 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_cover_every_small_size() {
        for size in 1..=SMALL_MAX {
            let class = class_of(size);
            assert!(class_size(class) >= size, "{size}");
            assert!(class == 0 || class_size(class - 1) < size, "{size}");
        }
        assert_eq!(class_size(CLASSES - 1), SMALL_MAX);
    }
}
