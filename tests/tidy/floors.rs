//! Which part of a crate may know which: floors in a total order, and no arrow up.
//!
//! A *room* is a folder of modules, or one file at the top of a crate. A room refers to rooms below
//! its own floor; rooms of one floor know nothing of each other. The front page of the crate
//! (`lib.rs`, `main.rs`) shows the floors as a table, which is compared with this one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::imports::{Reference, Target, references};
use crate::sources::{self, File};

struct House {
    /// The root of the crate, where the table for readers stands.
    front: &'static str,
    /// From the bottom: the rooms of each floor.
    floors: &'static [&'static [&'static str]],
    /// References against the order that exist, file by file, each with its reason. At most ten.
    exceptions: &'static [(&'static str, &'static str, &'static str)],
}

const ENGINE: House = House {
    front: "src/lib.rs",
    floors: &[
        &["sync"],
        &["build_info", "clock", "depth", "escape", "nearest", "pid", "prefetch", "shared_bytes"],
        &["value"],
        &["error"],
        &["calendar", "metrics"],
        &["vm/memory"],
        &["vm/lua"],
        &["vm/image"],
        &["security"],
        &["app"],
        &["payload"],
        &["native"],
        &["message"],
        &["slot", "coroutines", "scheduler"],
        &["node"],
        &["process"],
        &["worker"],
        &["api"],
        &["supervisor", "loader"],
        &["runtime"],
        &["cli", "bench", "copied"],
    ],
    exceptions: &[("src/value/written.rs", "lib", "a macro can only name what the crate exports")],
};

const LOADGEN: House = House {
    front: "loadgen/src/main.rs",
    floors: &[
        &["native"],
        &["engine", "figure", "print", "progress", "statistics", "status", "targets"],
        &["application", "quiet", "placement", "machine"],
        &["scenario"],
        &["report", "session"],
        &["compare", "child"],
        &["sitting", "ab", "peers", "scaling", "page"],
        &["args"],
    ],
    exceptions: &[],
};

const HOUSES: [&House; 2] = [&ENGINE, &LOADGEN];

const EXCEPTIONS_MAX: usize = 10;

impl House {
    fn folder(&self) -> &str {
        self.front.rsplit_once('/').map_or("", |(folder, _)| &self.front[..=folder.len()])
    }

    fn room_of<'a>(&self, path: &'a str) -> &'a str {
        let inside = path.strip_prefix(self.folder()).expect("a file of the crate");
        let inside = inside.strip_suffix(".rs").expect("a Rust file");
        let rooms = || self.floors.iter().flat_map(|floor| floor.iter());
        let is_in = |room: &str| {
            inside.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match rooms().find(|room| is_in(room)) {
            Some(room) => &inside[..room.len()],
            None => inside,
        }
    }

    fn floor_of(&self, room: &str) -> Option<usize> {
        self.floors.iter().position(|floor| floor.contains(&room))
    }

    /// The front page, and files that only declare rooms, stand beside the floors: they may name
    /// everything, and nothing may refer to them.
    fn is_front(&self, room: &str) -> bool {
        let is_stairs = self.floors.iter().flat_map(|floor| floor.iter()).any(|other| {
            room.strip_suffix("/mod").is_some_and(|room| other.starts_with(&format!("{room}/")))
        });
        room == "lib" || room == "main" || is_stairs
    }

    /// Why a reference must not be, if it must not.
    fn objection(&self, from: &str, to: &str) -> Option<String> {
        let (from, to) = (self.room_of(from), self.room_of(to));
        if from == to || self.is_front(from) {
            return None;
        }
        let Some(own) = self.floor_of(from) else { return Some(format!("{from} has no floor")) };
        match self.floor_of(to) {
            None => Some(format!("{to} has no floor")),
            Some(other) if other > own => Some(format!("up, from {from} to {to}")),
            Some(other) if other == own => Some(format!("sideways, from {from} to {to}")),
            Some(_) => None,
        }
    }

    fn check(&self, files: &[File]) {
        let mut bad = String::new();
        let mut unused: BTreeSet<_> = self.exceptions.iter().collect();
        for Reference { from, line, to } in &references(files, self.front) {
            let Target::File(to) = to else { continue };
            let Some(objection) = self.objection(from, to) else { continue };
            let exception = self
                .exceptions
                .iter()
                .find(|(file, room, _)| file == from && *room == self.room_of(to));
            match exception {
                Some(exception) => drop(unused.remove(exception)),
                None => writeln!(bad, "{from}:{line}: {objection} ({to})").unwrap(),
            }
        }
        assert!(bad.is_empty(), "references against the order:\n{bad}");
        assert!(unused.is_empty(), "exceptions that nothing needs: {unused:?}");
        assert!(self.exceptions.len() <= EXCEPTIONS_MAX, "too many exceptions");
    }

    /// The picture: the floors from the top, and what each room refers to.
    fn picture(&self, files: &[File]) -> String {
        let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for Reference { from, to, .. } in references(files, self.front) {
            if let Target::File(to) = to {
                let (from, to) = (self.room_of(&from).to_owned(), self.room_of(&to).to_owned());
                arrows.entry(from).or_default().insert(to);
            }
        }
        let mut picture = format!("{}\n", self.front);
        for (number, floor) in self.floors.iter().enumerate().rev() {
            for room in *floor {
                let below = arrows.get(*room).into_iter().flatten().filter(|to| to != room);
                let below: Vec<&str> = below.map(String::as_str).collect();
                writeln!(picture, "{number:3}  {room:14} -> {}", below.join(" ")).unwrap();
            }
        }
        picture
    }

    /// The rooms that the table of the front page names, from the bottom: those in backticks in the
    /// first column of the rows under *Floors*.
    fn rooms_shown(&self, files: &[File]) -> Vec<Vec<String>> {
        let front = files.iter().find(|file| file.path == self.front).expect("the front page");
        let lines = front.lines().map(|(_, line)| line);
        let section = lines.skip_while(|line| *line != "//! # Floors").skip(1);
        let lines = section.take_while(|line| !line.starts_with("//! #"));
        let rows = lines.filter_map(|line| line.strip_prefix("//! | `"));
        let rooms = |row: &str| -> Vec<String> {
            let (first, _) = row.split_once(" | ").expect("a row has two columns");
            first.split('`').step_by(2).filter(|room| !room.is_empty()).map(str::to_owned).collect()
        };
        let mut shown: Vec<_> = rows.map(rooms).collect();
        shown.reverse();
        shown
    }
}

/// Run with `--nocapture` to see the picture.
#[test]
fn no_arrow_points_up() {
    let files = sources::files();
    for house in HOUSES {
        println!("{}", house.picture(&files));
    }
    HOUSES.iter().for_each(|house| house.check(&files));
}

#[test]
fn the_front_page_shows_the_floors() {
    let files = sources::files();
    for house in HOUSES {
        let sorted = |rooms: &[String]| -> Vec<String> {
            let mut rooms = rooms.to_vec();
            rooms.sort();
            rooms
        };
        let shown: Vec<_> = house.rooms_shown(&files).iter().map(|rooms| sorted(rooms)).collect();
        let floors: Vec<_> = house
            .floors
            .iter()
            .map(|floor| sorted(&floor.iter().map(|room| (*room).to_owned()).collect::<Vec<_>>()))
            .collect();
        assert_eq!(shown, floors, "{} shows the floors from the top", house.front);
    }
}

/// What must not be is found, wherever it stands.
#[test]
fn arrows_up_and_sideways_are_refused() {
    let objection = |from, to| ENGINE.objection(from, to);
    assert_eq!(objection("src/process/death.rs", "src/slot/mod.rs"), None);
    assert_eq!(objection("src/vm/lua/stack.rs", "src/vm/memory/arena.rs"), None);
    assert_eq!(objection("src/lib.rs", "src/runtime/builder.rs"), None);
    assert_eq!(objection("src/vm/mod.rs", "src/vm/image/mod.rs"), None);
    for (from, to, word) in [
        ("src/slot/mod.rs", "src/process/mod.rs", "up"),
        ("src/slot/mod.rs", "src/scheduler/idle.rs", "sideways"),
        ("src/vm/memory/arena.rs", "src/vm/lua/preempt.rs", "up"),
        ("src/loader.rs", "src/lib.rs", "no floor"),
        ("src/stranger.rs", "src/sync.rs", "no floor"),
        ("src/runtime.rs", "src/vm/mod.rs", "no floor"),
    ] {
        let found = objection(from, to).unwrap_or_default();
        assert!(found.contains(word), "{from} -> {to}: {found}");
    }
}

/// Crates that only one place uses, so that what they are for can be looked up there.
#[test]
fn some_crates_have_one_door() {
    const DOORS: [(&str, &str, &[&str]); 4] = [
        // The second compares with stock Lua.
        ("mlua", "", &["src/vm/lua/ffi.rs", "src/api/string_match/tests.rs"]),
        ("std", "sync::atomic", &["src/sync.rs"]),
        ("loom", "sync::", &["src/sync.rs", "src/scheduler/loom_idle.rs"]),
        ("crossbeam_deque", "Worker", &["src/scheduler/run_queue.rs"]),
    ];
    let found = references(&sources::files(), "src/lib.rs");
    for (name, path, allowed) in DOORS {
        let is_it = |to: &Target| match to {
            Target::Crate(other, rest) => other == name && rest.starts_with(path),
            Target::File(_) => false,
        };
        let users: BTreeSet<&str> =
            found.iter().filter(|one| is_it(&one.to)).map(|one| one.from.as_str()).collect();
        assert_eq!(users, allowed.iter().copied().collect(), "who uses {name}::{path}");
    }
}
