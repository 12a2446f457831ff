//! The sizes of an arena's small pieces: steps of 16 bytes, then four steps a doubling.

/// Alignment of everything in an arena.
pub(super) const ALIGN: usize = 16;
/// Requests beyond this go to the global allocator.
pub(super) const SMALL_MAX: usize = 1024;
/// Steps of 16 bytes up to here, four steps a doubling beyond.
const FINE_MAX: usize = 256;
pub(super) const CLASSES: usize = FINE_MAX / 16 + 8;

/// The class of the pieces that serve a request of `size` bytes.
pub(super) fn class_of(size: usize) -> usize {
    if size <= FINE_MAX {
        return size.max(1).div_ceil(ALIGN) - 1;
    }
    // 320 384 448 512, then 640 768 896 1024.
    if size <= 512 {
        16 + (size - FINE_MAX).div_ceil(64) - 1
    } else {
        20 + (size - 512).div_ceil(128) - 1
    }
}

/// The largest class that fits into `room` bytes.
pub(super) fn class_within(room: usize) -> usize {
    let class = class_of(room);
    if class_size(class) > room { class - 1 } else { class }
}

/// The size of a class's pieces.
pub(super) fn class_size(class: usize) -> usize {
    match class {
        0..16 => (class + 1) * ALIGN,
        16..20 => FINE_MAX + (class - 15) * 64,
        _ => 512 + (class - 19) * 128,
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
