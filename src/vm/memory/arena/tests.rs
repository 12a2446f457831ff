use super::*;

/// Serves a request and ignores a note about the limit.
fn serve(arena: &mut Arena, start: *mut u8, old: usize, new: usize) -> *mut u8 {
    // SAFETY: the tests free what they were served, once and with the size that they requested.
    unsafe { arena.serve(start, old, new, || {}) }
}

#[test]
fn count_is_exact_and_memory_is_reused() {
    let mut arena = Arena::new(0);
    let first = serve(&mut arena, ptr::null_mut(), 0, 100);
    assert_eq!(arena.used(), 100);
    let second = serve(&mut arena, first, 100, 5000);
    assert_eq!(arena.used(), 5000);
    serve(&mut arena, second, 5000, 0);
    assert_eq!(arena.used(), 0);
    assert_eq!(serve(&mut arena, ptr::null_mut(), 0, 100), first);
}

#[test]
fn small_requests_pass_the_limit_at_the_second_try_and_mark_it() {
    let mut arena = Arena::new(1000);
    arena.set_may_refuse(true);
    assert!(!serve(&mut arena, ptr::null_mut(), 0, 900).is_null());
    assert!(serve(&mut arena, ptr::null_mut(), 0, 200).is_null());
    assert!(!arena.limit().is_past());
    assert!(!serve(&mut arena, ptr::null_mut(), 0, 200).is_null());
    assert!(arena.limit().is_past());
}

#[test]
fn absurd_requests_fail_without_a_limit() {
    let mut arena = Arena::new(0);
    arena.set_may_refuse(true);
    assert!(serve(&mut arena, ptr::null_mut(), 0, 1 << 46).is_null());
    assert_eq!(arena.used(), 0);
}

#[test]
fn large_requests_past_the_limit_are_refused_for_good() {
    let mut arena = Arena::new(10_000);
    arena.set_may_refuse(true);
    for _ in 0..4 {
        assert!(serve(&mut arena, ptr::null_mut(), 0, 20_000).is_null());
    }
    assert!(!arena.limit().is_past());
    arena.set_may_refuse(false);
    assert!(!serve(&mut arena, ptr::null_mut(), 0, 20_000).is_null());
    assert!(arena.limit().is_past());
}
