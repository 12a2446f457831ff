//! The page as a whole: its content, and that nothing from a file becomes markup.

use super::*;
use crate::figure::curve::Curve;
use crate::report::result::RunResult;
use crate::report::{json, samples};

fn result() -> ResultFile {
    let mut idle = samples::run("idle_memory", 100_000, 100_000_000);
    idle.outcome.as_mut().unwrap().bytes_per_process = Some(9950.0);
    let runs = [
        samples::run("ring", 3_000_000, 1_000_000_000),
        samples::run_with_rtt("ping_pong", 4_000_000, 1_000_000_000),
        samples::run("ring", 3_000_000, 2_000_000_000),
        idle,
    ];
    json::result_of(&samples::settings(), &samples::machine(), &runs)
}

/// A result of one run that passed.
fn result_of(run: RunResult) -> ResultFile {
    let run = RunResult {
        validated: true,
        count: Some(1),
        unit: Some("messages".to_owned()),
        seconds: Some(1.0),
        rate_per_s: Some(run.rate_per_s.unwrap_or(1.0)),
        ..run
    };
    ResultFile { runs: vec![run], ..result() }
}

#[test]
fn the_page_needs_nothing_else() {
    let page = render(&[&result()], Some(&result()));
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    for outside in ["<script", "http://", "https://", "src=", "href=", "url(", "@import"] {
        let page = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(!page.contains(outside), "{outside}");
    }
    for shown in ["Test CPU", "0123456789ab", "9.72 KiB", "1.50 M hops/s", "p99: 990 µs", "parks"]
    {
        assert!(page.contains(shown), "{shown}");
    }
}

#[test]
fn every_id_is_there_once() {
    let page = render(&[&result()], None);
    let ids: Vec<_> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next()).collect();
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert!(ids.len() >= 6 && ids.len() == distinct.len(), "{ids:?}");
}

#[test]
fn charts_come_only_with_their_figures() {
    let page = render(&[&result_of(RunResult::default())], None);
    for absent in ["<h2>Memory", "<h2>Scaling", "<h2>Against", "by percentile", "by offered rate"] {
        assert!(!page.contains(absent), "{absent}");
    }
    let empty = ResultFile { runs: Vec::new(), ..result() };
    assert!(render(&[&empty], Some(&empty)).contains("Overview"));
}

#[test]
fn the_baseline_is_dashed_and_has_ratios() {
    let five = |rate: f64| {
        let run = RunResult { rate_per_s: Some(rate), ..result().runs[1].clone() };
        ResultFile { runs: vec![run; 5], ..result() }
    };
    let (slow, fast) = (five(2_000_000.0), five(4_000_000.0));
    let page = render(&[&fast], Some(&slow));
    assert!(page.contains("▲ 2.000"), "better");
    assert!(render(&[&slow], Some(&fast)).contains("▼ 0.500"), "worse");
    let one = ResultFile { runs: fast.runs[..1].to_vec(), ..result() };
    assert!(render(&[&one], Some(&slow)).contains("too few runs for a verdict"));
    assert!(page.contains("from the send, baseline") && page.contains("colour-1 dashed"));
    assert!(page.contains("class=\"outline\""));
}

#[test]
fn several_numbers_of_workers_scale() {
    let run = |workers, rate| RunResult {
        scenario: "steal".to_owned(),
        workers,
        rate_per_s: Some(rate),
        ..RunResult::default()
    };
    let results = [result_of(run(1, 100.0)), result_of(run(2, 190.0)), result_of(run(4, 50.0))];
    let page = render(&results.iter().collect::<Vec<_>>(), None);
    assert!(page.contains("2 workers: 1.9 ×, 190.0/s"), "{page}");
    assert!(page.contains("steal (4 workers)"));
}

#[test]
fn an_open_loop_has_a_curve_and_says_where_it_breaks() {
    let columns = ["offered_per_s", "achieved_per_s", "p50", "p99", "odd"].map(str::to_owned);
    let rows = vec![vec![1000.0, 1000.0, 5.0, 50.0, 1.0], vec![2000.0, 1500.0, 9.0, 9000.0, 2.0]];
    let curve = Curve { columns: columns.into(), rows };
    let run = RunResult {
        scenario: "open_loop".to_owned(),
        curve: Some(curve),
        knee_per_s: Some(1000.0),
        ..RunResult::default()
    };
    let page = render(&[&result_of(run)], None);
    assert!(page.contains("p99 at 2 k/s: 9 ms"), "{page}");
    assert!(page.contains("Overloaded from 2.0 k/s on, of which 1.5 k/s were achieved"));
    assert!(page.contains("<th scope=\"col\">odd</th>") && page.contains("knee: 1 k/s"));
}

#[test]
fn texts_of_a_file_stay_texts() {
    let evil = "</style><script>alert(1)</script>\"'&";
    let mut result = result();
    result.measured_at = evil.to_owned();
    result.machine.model = evil.to_owned();
    result.machine.kernel = evil.to_owned();
    result.machine.commit = Some(evil.to_owned());
    result.machine.build = vec![evil.to_owned()];
    for run in &mut result.runs {
        run.scenario = evil.to_owned();
        run.unit = Some(evil.to_owned());
        run.params = [(evil.to_owned(), 1)].into();
        run.counters = [(evil.to_owned(), 1)].into();
    }
    result.runs.push(RunResult {
        scenario: evil.to_owned(),
        error: Some(evil.to_owned()),
        ..RunResult::default()
    });
    let page = render(&[&result], Some(&result));
    assert!(!page.contains("<script"), "escaped");
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(page.contains("&lt;/style&gt;&lt;script&gt;alert(1)"));
}
