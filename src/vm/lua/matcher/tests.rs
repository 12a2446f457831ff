//! Tests of the matcher alone: captures, limits, and that it can be stopped. Tests of its agreement
//! with stock Lua are where scripts call it (`api/string_match/tests.rs`).

use super::*;

fn never() -> bool {
    false
}

fn search(subject: &str, pattern: &str) -> Result<Option<(usize, usize)>, MatchError> {
    Matcher::new(subject.as_bytes(), pattern.as_bytes(), &mut never).search(0)
}

/// Counts the polls; answers "go on" to the first `polls_max` of them.
fn polls_until_abandoned(subject: &[u8], pattern: &[u8], polls_max: usize) -> usize {
    let mut polls = 0;
    let mut poll = || {
        polls += 1;
        polls > polls_max
    };
    let result = Matcher::new(subject, pattern, &mut poll).search(0);
    assert_eq!(result, Err(MatchError::Abandoned));
    polls
}

#[test]
fn finds_the_first_match() {
    assert_eq!(search("hello world", "o w"), Ok(Some((4, 7))));
    assert_eq!(search("hello", "l+"), Ok(Some((2, 4))));
    assert_eq!(search("hello", "x"), Ok(None));
}

#[test]
fn captures_can_be_read_after_a_match() {
    let mut poll = never;
    let mut matcher = Matcher::new(b"key=value", b"(%w+)=()(%w+)", &mut poll);
    assert_eq!(matcher.match_at(0), Ok(Some(9)));
    assert_eq!(matcher.capture_count(), 3);
    let first = Capture::Text { start: 0, end: 3 };
    assert_eq!(matcher.capture(0, 0, 9), Ok(first));
    assert_eq!(matcher.capture(1, 0, 9), Ok(Capture::Position(4)));
    let error = MatchError::InvalidCaptureIndex(4);
    assert_eq!(matcher.capture(3, 0, 9), Err(error));
}

#[test]
fn a_pattern_bomb_is_abandoned_at_the_first_refusal() {
    let subject = vec![b'a'; 200];
    let pattern = "a*".repeat(60) + "b";
    assert_eq!(polls_until_abandoned(&subject, pattern.as_bytes(), 10), 11);
}

#[test]
fn a_long_set_counts_by_its_length() {
    let subject = vec![b'a'; 100];
    let pattern = [b"[", &b"b".repeat(10 * POLL_INTERVAL * BYTES_PER_STEP)[..], b"]"].concat();
    assert_eq!(polls_until_abandoned(&subject, &pattern, 50), 51);
}

#[test]
fn a_long_balance_polls() {
    let subject = vec![b'('; 2 * POLL_INTERVAL];
    assert_eq!(polls_until_abandoned(&subject, b"%b()", 5), 6);
}

#[test]
fn work_of_the_caller_counts() {
    let mut polls = 0;
    let mut poll = || {
        polls += 1;
        polls == 2
    };
    let mut matcher = Matcher::new(b"", b"", &mut poll);
    assert_eq!(matcher.spend(POLL_INTERVAL), Ok(()));
    assert_eq!(matcher.spend(1), Ok(()));
    assert_eq!(matcher.spend(POLL_INTERVAL + 1), Err(MatchError::Abandoned));
}

#[test]
fn plain_search_polls_and_finds() {
    let mut subject = vec![b'a'; 200_000];
    let needle = [&b"a".repeat(20_000)[..], b"b"].concat();
    let mut polls = 0;
    let mut poll = || {
        polls += 1;
        polls == 3
    };
    let found = find_plain(&subject, &needle, 0, &mut poll);
    assert_eq!(found, Err(MatchError::Abandoned));
    subject.extend_from_slice(b"needle");
    assert_eq!(find_plain(&subject, b"needle", 7, &mut never), Ok(Some(200_000)));
    assert_eq!(find_plain(&subject, b"", 7, &mut never), Ok(Some(7)));
    assert_eq!(find_plain(b"ab", b"abc", 0, &mut never), Ok(None));
    assert_eq!(find_plain(b"xab", b"ab", 2, &mut never), Ok(None));
}

#[test]
fn captures_and_depth_are_limited() {
    let fits = "()".repeat(CAPTURES_MAX);
    assert_eq!(search("", &fits), Ok(Some((0, 0))));
    let too_many = "()".repeat(CAPTURES_MAX + 1);
    assert_eq!(search("", &too_many), Err(MatchError::TooManyCaptures));
    let fits = "a?".repeat(DEPTH_MAX as usize - 1);
    assert_eq!(search(&"a".repeat(300), &fits), Ok(Some((0, 199))));
    let too_deep = "a?".repeat(DEPTH_MAX as usize);
    assert_eq!(search(&"a".repeat(300), &too_deep), Err(MatchError::TooComplex));
}
