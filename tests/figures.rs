//! The figures of the README and of its picture are those of `results/two-cores`.
//!
//! After a new comparison `MOONLET_DRAW=1 cargo test --test figures` draws the picture anew; the
//! failures of the other tests say which lines the README must have.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const SIDES: [(&str, &str); 3] = [("moonlet", "Moonlet"), ("erlang", "Erlang/OTP"), ("go", "Go")];

/// Height of a bar and its distance to the next, where bars begin, how long the longest is.
const BAR: usize = 16;
const PITCH: usize = 22;
const LEFT: usize = 104;
const LONGEST: f64 = 440.0;

/// A workload whose figures are shown.
struct Shown {
    scenario: &'static str,
    /// A size that tells it from others of the scenario.
    size: (&'static str, u64),
    /// Its name in the README and in the picture.
    title: &'static str,
    is_memory: bool,
}

const SHOWN: [Shown; 3] = [
    Shown {
        scenario: "ping_pong",
        size: ("pairs", 100),
        title: "Messages per second, 100 pairs",
        is_memory: false,
    },
    Shown {
        scenario: "spawn",
        size: ("count", 500_000),
        title: "Processes started and ended per second",
        is_memory: false,
    },
    Shown {
        scenario: "idle_memory",
        size: ("count", 25_000),
        title: "Bytes per waiting process, given a PID (less is better)",
        is_memory: true,
    },
];

impl Shown {
    /// The medians of Moonlet and its peers.
    fn medians(&self, peers: &Value) -> [f64; 3] {
        let rows = peers["rows"].as_array().expect("there are rows");
        let is_shown = |row: &&Value| {
            row["scenario"] == self.scenario && row["params"][self.size.0] == self.size.1
        };
        let row = rows.iter().find(is_shown).unwrap_or_else(|| panic!("no {}", self.title));
        SIDES.map(|(side, _)| {
            let figures = row["measured"][side].as_array().expect("every side was measured");
            median(figures.iter().filter_map(Value::as_f64).collect())
        })
    }

    fn text(&self, figure: f64) -> String {
        if !self.is_memory {
            return format!("{:.2} million", figure / 1e6);
        }
        let bytes = format!("{figure:.0}");
        let (thousands, rest) = bytes.split_at(bytes.len().saturating_sub(3));
        if thousands.is_empty() { bytes } else { format!("{thousands},{rest}") }
    }

    /// The line of the README's table.
    fn row(&self, peers: &Value) -> String {
        let [moonlet, erlang, go] = self.medians(peers).map(|figure| self.text(figure));
        format!("| {} | **{moonlet}** | {erlang} | {go} |", self.title)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn results(file: &str) -> Value {
    let text = fs::read_to_string(root().join("results/two-cores").join(file));
    serde_json::from_str(&text.expect("it was measured")).expect("it is JSON")
}

fn peers() -> Value {
    results("peers.json")
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("there is a README")
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    f64::midpoint(figures[(figures.len() - 1) / 2], figures[figures.len() / 2])
}

/// Readable in light and dark: the page that shows it says which.
fn picture(peers: &Value) -> String {
    let mut body = String::new();
    let mut y = 4;
    for shown in &SHOWN {
        y += 20;
        writeln!(body, "  <text class=\"title\" x=\"8\" y=\"{y}\">{}</text>", shown.title).unwrap();
        y += 8;
        let medians = shown.medians(peers);
        let most = medians.iter().copied().fold(0.0, f64::max);
        for ((side, name), figure) in SIDES.iter().zip(medians) {
            let width = figure / most * LONGEST;
            let (base, end) = (y + BAR - 4, LEFT as f64 + width + 6.0);
            write!(
                body,
                "  <text x=\"8\" y=\"{base}\">{name}</text>\n  \
                 <rect class=\"{side}\" x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" \
                 height=\"{BAR}\" rx=\"2\"/>\n  \
                 <text x=\"{end:.1}\" y=\"{base}\">{}</text>\n",
                shown.text(figure)
            )
            .unwrap();
            y += PITCH;
        }
        y += 8;
    }
    let (width, height) = (LEFT + LONGEST as usize + 96, y);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title\">\n  \
         <title id=\"title\">{TITLE}</title>\n{STYLE}{body}</svg>\n"
    )
}

const TITLE: &str = "Moonlet beside Erlang/OTP and Go: messages, processes, memory";

const STYLE: &str = "  <style>
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; }
    .moonlet { fill: #0969da; }
    .erlang { fill: #a40e4c; }
    .go { fill: #57606a; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .moonlet { fill: #4493f8; }
      .erlang { fill: #e5669b; }
      .go { fill: #8b949e; }
    }
  </style>
";

#[test]
fn the_readme_has_the_figures_of_the_results() {
    let peers = peers();
    let readme = readme();
    for shown in &SHOWN {
        let row = shown.row(&peers);
        assert!(readme.contains(&row), "the README must have\n{row}");
    }
    let pair = Shown { scenario: "ping_pong", size: ("pairs", 1), title: "", is_memory: false };
    let [moonlet, erlang, go] = pair.medians(&peers).map(|rate| format!("{:.2}", rate / 1e6));
    let sentence = format!("{moonlet} million messages a second, against {erlang} and {go}.");
    assert!(readme.contains(&sentence), "the README must have `{sentence}`");
    let erlang = peers["erlang"].as_str().expect("its version");
    let go = peers["go"].as_str().expect("its version");
    assert!(readme.contains(&format!("| | Moonlet | {erlang} | {go} |")));
    assert!(readme.contains("(docs/peers.svg)") && readme.contains("(results/README.md)"));
}

#[test]
fn the_picture_shows_the_figures_of_the_results() {
    let (path, expected) = (root().join("docs/peers.svg"), picture(&peers()));
    if std::env::var_os("MOONLET_DRAW").is_some() {
        fs::write(&path, &expected).expect("the picture can be written");
    }
    let drawn = fs::read_to_string(&path).expect("there is a picture");
    assert!(drawn == expected, "draw it anew: MOONLET_DRAW=1 cargo test --test figures");
}

#[test]
fn the_table_of_the_readme_is_that_of_the_results() {
    let (rates, readme) = (results("rates.json"), readme());
    let table = readme.split("## What loadgen prints").nth(1).expect("it has the section");
    let commit = rates["machine"]["commit"].as_str().expect("the commit that was measured");
    assert!(table.contains(&format!("({commit})")), "the table must be of {commit}");
    let runs = rates["runs"].as_array().expect("there are runs");
    let mut scenarios: Vec<_> = runs.iter().filter_map(|run| run["scenario"].as_str()).collect();
    scenarios.dedup();
    for scenario in scenarios {
        let of_it = runs.iter().filter(|run| run["scenario"] == scenario);
        let rate = median(of_it.filter_map(|run| run["rate_per_s"].as_f64()).collect());
        let rate = match rate {
            rate if rate >= 1e6 => format!("{:.2} M/s", rate / 1e6),
            rate if rate >= 1e3 => format!("{:.1} k/s", rate / 1e3),
            rate => format!("{rate:.1}/s"),
        };
        let is_its = |line: &&str| line.starts_with(scenario) && line.contains(&rate);
        assert!(table.lines().any(|line| is_its(&line)), "{scenario} must have {rate}");
    }
}
