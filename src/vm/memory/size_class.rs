//! The sizes of an arena's small pieces: steps of 8 bytes, of 16, then four steps a doubling. Most
//! objects of a small VM have less than 128 bytes, and with steps of 16 a twelfth of it was rounding.

/// Alignment of everything in an arena, which is what Lua's objects need.
pub(in crate::vm) const ALIGN: usize = 8;
/// Requests beyond this go to the global allocator.
pub(in crate::vm) const SMALL_MAX: usize = 1024;
/// Steps of 8 bytes up to here.
const FINE_MAX: usize = 128;
/// Steps of 16 bytes up to here.
const MIDDLE_MAX: usize = 256;
/// The first class of each of the other steps.
const MIDDLE: usize = FINE_MAX / 8;
const COARSE: usize = MIDDLE + (MIDDLE_MAX - FINE_MAX) / 16;
const COARSEST: usize = COARSE + 4;
pub(in crate::vm) const CLASSES: usize = COARSEST + 4;

/// The class of the pieces that serve a request of `size` bytes.
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

/// The largest class that fits into `room` bytes.
pub(in crate::vm) fn class_within(room: usize) -> usize {
    let class = class_of(room);
    if class_size(class) > room { class - 1 } else { class }
}

/// The size of a class's pieces.
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
