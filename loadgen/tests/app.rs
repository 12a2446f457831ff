//! An application of the user under load: what is counted, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const INDEX: &str = "\
namespace: shop
entries:
  - { name: processes, kind: process.host, lifecycle: { auto_start: true } }
  - { name: total, kind: process.lua, source: 'return function(...) return total(...) end' }
  - { name: odd, kind: process.lua, modules: [time], source: file://odd.lua }
  - { name: endless, kind: process.lua, source: 'return function() process.inbox():receive() end' }
  - { name: stuck, kind: process.lua, source: file://stuck.lua }
  - { name: list, kind: library.lua, source: 'return {}' }
";

/// Succeeds first, then fails for about every fourth call.
const ODD: &str = "\
return function()
  if not process.registry.lookup('seen') then
    assert(process.with_context({}):with_name('seen'):spawn('shop:endless', 'shop:processes'))
  elseif math.random(4) == 1 then
    error('an odd moment')
  end
end
";

/// As above, but calls do not end instead of failing.
fn stuck() -> String {
    ODD.replace("error('an odd moment')", "process.inbox():receive()")
}

const TOTAL: &str = "'return function(sku, price) return { sku = sku, total = 2 * price } end'";

/// A folder with the application, and room for results.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app");
    fs::create_dir(&app).unwrap();
    let index = INDEX.replace("'return function(...) return total(...) end'", TOTAL);
    fs::write(app.join("_index.yaml"), index).unwrap();
    fs::write(app.join("odd.lua"), ODD).unwrap();
    fs::write(app.join("stuck.lua"), stuck()).unwrap();
    folder
}

fn app(folder: &TempDir) -> PathBuf {
    folder.path().join("app")
}

fn loadgen(folder: &TempDir, app: &Path, entry: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.arg("--app").arg(app).args(["--entry", entry]).args(more);
    command.arg("--out").arg(folder.path().join("out")).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn result(folder: &TempDir) -> Value {
    let result = fs::read(folder.path().join("out/result.json")).unwrap();
    serde_json::from_slice(&result).unwrap()
}

const QUICK: [&str; 4] = ["--rates", "400,200", "--millis", "100"];

#[test]
fn an_entry_is_called_checked_and_reported() {
    let folder = folder();
    let call = ["--args", r#"["A-1", 21]"#, "--expect", r#"{"total": 42.0, "sku": "A-1"}"#];
    let output = loadgen(&folder, &app(&folder), "shop:total", &[&call[..], &QUICK].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stdout = text(&output.stdout);
    assert!(stdout.contains("p99.9") && stdout.contains("400.0/s"), "{stdout}");
    assert!(stdout.contains("shop:total returned {") && stdout.contains("knee: "), "{stdout}");
    let result = result(&folder);
    let run = &result["runs"][0];
    assert_eq!((&run["scenario"], &run["unit"]), (&"app".into(), &"requests".into()));
    let rows = run["curve"]["rows"].as_array().unwrap();
    let offered: Vec<_> = rows.iter().map(|row| row[0].as_f64().unwrap()).collect();
    assert_eq!(offered, [200.0, 400.0]);
    // From the intended moments: neither rate can be answered before its last request is due.
    assert!(rows.iter().all(|row| row[1].as_f64() <= row[0].as_f64().map(|rate| 1.1 * rate)));
    // One for each request, and one before.
    let last = rows.len() - 1;
    let spawned = run["counters"]["spawned"].as_u64().unwrap();
    assert!(spawned >= 1 + 20 + 40, "{run}");
    assert!(rows[last][2].as_f64() <= rows[last][5].as_f64(), "p50 and p99.9");
    let page = fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("<h2>app</h2>") && page.contains("shop:total returned"));
    assert!(folder.path().join("out/app-latency-1.hgrm").exists());
}

#[test]
fn failed_and_wrong_answers_are_counted() {
    let folder = folder();
    let many = ["--rates", "1000", "--millis", "300"];
    let output = loadgen(&folder, &app(&folder), "shop:odd", &many);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = text(&output.stderr);
    let (before, after) = stderr.split_once(" of 300 requests failed, the first: ").expect(&stderr);
    let failed: u64 = before.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((20..150).contains(&failed), "{stderr}");
    assert!(after.starts_with("failed: ") && after.contains("an odd moment"), "{stderr}");
    assert_eq!(result(&folder)["runs"][0]["validated"], false);

    let call = ["--args", r#"["A-1", 21]"#, "--expect", "43"];
    let output = loadgen(&folder, &app(&folder), "shop:total", &[&call[..], &QUICK].concat());
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("shop:total: returned {"), "{stderr}");
    assert!(stderr.contains("expected 43"), "{stderr}");
}

#[test]
fn lost_answers_are_counted() {
    let folder = folder();
    let many = ["--rates", "1000", "--millis", "300"];
    let output = loadgen(&folder, &app(&folder), "shop:stuck", &many);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = text(&output.stderr);
    let (before, _) = stderr.split_once(" of 300 have no answer 10 s after").expect(&stderr);
    let lost: u64 = before.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((20..150).contains(&lost), "{stderr}");
}

#[test]
fn an_entry_that_does_not_return_is_told_apart() {
    let folder = folder();
    let output = loadgen(&folder, &app(&folder), "shop:endless", &QUICK);
    assert_eq!(output.status.code(), Some(1));
    let expected = "shop:endless has not ended after 10 s; --entry takes an entry";
    assert!(text(&output.stderr).contains(expected), "{output:?}");
}

#[test]
fn what_is_not_there_ends_with_two_before_anything_runs() {
    let folder = folder();
    let good = app(&folder);
    let none = folder.path().join("none");
    let broken = folder.path().join("broken");
    fs::create_dir(&broken).unwrap();
    fs::write(broken.join("_index.yaml"), "namespace: app\nentries:\n  - { kind: process.lua }\n")
        .unwrap();
    let known = "there is shop:endless, shop:odd, shop:stuck, shop:total";
    for (app, entry, more, expected) in [
        (&none, "shop:total", vec![], "none is not there; --app takes the folder"),
        (&broken, "app:main", vec![], "has errors:\n  "),
        (&good, "shop:totla", vec![], "did you mean shop:total?"),
        (&good, "total", vec![], "did you mean shop:total?"),
        (&good, "x", vec![], known),
        (&good, "shop:list", vec![], "shop:list is a library.lua, not a process.lua; there is"),
        (&good, "shop:total", vec!["--host", "shop:procesess"], "did you mean shop:processes?"),
        (&good, "shop:total", vec!["--args", "3"], "not a JSON array of arguments"),
        (&good, "shop:total", vec!["--expect", "yes"], "a text needs quotes"),
        (&good, "shop:total", vec!["ring"], "cannot be used with"),
        (&good, "shop:total", vec!["--pairs", "3"], "--pairs is a size of ping_pong"),
    ] {
        let output = loadgen(&folder, app, entry, &more);
        assert_eq!(output.status.code(), Some(2), "{entry}, {more:?}: {output:?}");
        assert!(text(&output.stderr).contains(expected), "{entry}, {more:?}: {output:?}");
    }
    assert!(!folder.path().join("out/result.json").exists(), "nothing was measured");
    let alone = Command::new(env!("CARGO_BIN_EXE_loadgen")).args(["--entry", "a:b"]).output();
    assert_eq!(alone.unwrap().status.code(), Some(2));
}
