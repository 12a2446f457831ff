use super::*;

const LIMIT: usize = 16_000;

/// A request by Lua's own code, which may be refused.
fn decide(limit: &mut Limit, used: usize, more: usize) -> Verdict {
    match used + more <= limit.mark() {
        true => Verdict::Granted,
        false => limit.decide(used + more, more, true),
    }
}

#[test]
fn a_refusal_is_forgotten_by_whatever_comes_next() {
    let mut limit = Limit::new(LIMIT);
    for _ in 0..3 {
        assert_eq!(decide(&mut limit, LIMIT - 10, 100), Verdict::Refused);
        assert_eq!(decide(&mut limit, 1000, 100), Verdict::Granted, "the collection helped");
        assert_eq!(decide(&mut limit, 1100, 100), Verdict::Granted);
        assert_eq!(decide(&mut limit, LIMIT - 10, 100), Verdict::Refused);
        assert_eq!(decide(&mut limit, 1000, 64), Verdict::Granted, "the retry did not come");
        assert!(!limit.is_past());
    }
}

#[test]
fn a_small_retry_that_does_not_fit_is_noted_once() {
    let mut limit = Limit::new(LIMIT);
    assert_eq!(decide(&mut limit, LIMIT, 100), Verdict::Refused);
    assert_eq!(decide(&mut limit, LIMIT, 100), Verdict::Noted);
    assert!(limit.is_past());
    assert_eq!(decide(&mut limit, LIMIT + 100, 100), Verdict::Granted, "up to a sixteenth more");
    assert_eq!(decide(&mut limit, LIMIT + 1100, 100), Verdict::Refused, "then Lua collects anew");
}

#[test]
fn a_retry_that_fits_narrowly_is_noted() {
    let mut limit = Limit::new(LIMIT);
    assert_eq!(decide(&mut limit, LIMIT, 100), Verdict::Refused);
    assert_eq!(decide(&mut limit, LIMIT - 1050, 100), Verdict::Noted);
    let mut limit = Limit::new(LIMIT);
    assert_eq!(decide(&mut limit, LIMIT, 100), Verdict::Refused);
    assert_eq!(decide(&mut limit, LIMIT - 1100, 100), Verdict::Granted, "a sixteenth is free");
}

#[test]
fn a_large_request_is_refused_for_good_and_notes_nothing() {
    let mut limit = Limit::new(LIMIT);
    for _ in 0..4 {
        assert_eq!(decide(&mut limit, 0, LIMIT + 1), Verdict::Refused);
    }
    assert!(!limit.is_past());
}

#[test]
fn functions_of_ours_are_refused_nothing() {
    let mut limit = Limit::new(LIMIT);
    assert_eq!(limit.decide(LIMIT + 10, 10, false), Verdict::Noted);
    assert_eq!(limit.decide(3 * LIMIT, 2 * LIMIT, false), Verdict::Granted);
    assert!(limit.is_far_past(2 * LIMIT));
    assert!(!limit.is_far_past(2 * LIMIT - 1));
}

#[test]
fn a_cycle_begins_where_half_of_what_is_free_is_used() {
    let mut limit = Limit::new(LIMIT);
    limit.place_mark(8000);
    assert_eq!(decide(&mut limit, 11_000, 1000), Verdict::Granted);
    assert_eq!(decide(&mut limit, 12_000, 1), Verdict::Noted);
    assert!(std::mem::take(&mut limit.is_near));
    assert_eq!(decide(&mut limit, 12_001, 1000), Verdict::Granted, "once, until the step ends");
    assert!(!limit.is_near && !limit.is_past());
}

#[test]
fn no_limit_is_never_met() {
    let mut limit = Limit::new(0);
    assert_eq!(decide(&mut limit, usize::MAX / 2, 1), Verdict::Granted);
    limit.check(usize::MAX);
    assert!(!limit.is_past());
}
