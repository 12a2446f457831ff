//! Tracebacks for people: each frame with its position in the file, the source line, and the entry
//! whose code it is.
//!
//! Lua's text has one line per frame; of a deep stack it has the first ten and the last eleven
//! frames. A frame stays a line that begins with two spaces. Source lines are indented further, so
//! that a program that reads lines can tell them apart.

use crate::node::definition::Chunk;
use crate::vm::lua::bytecode;

/// The line above all frames, as in Lua's own text.
const HEADING: &str = "stack traceback:";
/// Begins the line of a frame,
const FRAME: &str = "  ";
/// and a source line.
const CODE: &str = "      ";

/// The most characters of a source line that are shown.
const CODE_CHARS_MAX: usize = 100;

/// Renders the text of Lua's own traceback for a process with these chunks.
pub(crate) fn render(text: &[u8], chunks: &[Chunk]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut rendered = String::new();
    let mut last = None;
    for (number, line) in text.lines().enumerate() {
        let Some(frame) = line.strip_prefix('\t').filter(|_| number > 0) else {
            rendered.push_str(line);
            rendered.push('\n');
            continue;
        };
        let frame = &frame.replace('\t', " ");
        let place = place_of(frame, chunks);
        let owner = place.map_or(String::new(), |(chunk, _)| format!(" ({})", chunk.id));
        rendered.push_str(&format!("{FRAME}{frame}{owner}\n"));
        let code = place.and_then(|(chunk, line)| code_at(chunk, line));
        let this = place.map(|(chunk, line)| (chunk.code.mark(), line));
        // Of several frames at one line, as in a recursion, only the first shows the source.
        if let Some(code) = code.filter(|_| this != last) {
            rendered.push_str(&format!("{CODE}{code}\n"));
        }
        last = this;
    }
    rendered.truncate(rendered.trim_end().len());
    rendered
}

/// A traceback with one frame, such as `jobs/resize.lua:12`.
pub(crate) fn of_place(place: &str, entry: Option<&str>) -> String {
    let owner = entry.map_or(String::new(), |entry| format!(" ({entry})"));
    format!("{HEADING}\n{FRAME}{place}{owner}")
}

/// The frames of the last error that left a function made by `coroutine.wrap`: the wrapped
/// coroutine is gone, and the error text has no room for its frames.
#[derive(Default)]
pub(crate) struct Wrapped {
    message: Vec<u8>,
    frames: String,
}

impl Wrapped {
    /// Keeps the rendered traceback of an error. An error that passes through several wraps has the
    /// frames of all of them.
    pub(crate) fn keep(&mut self, message: Vec<u8>, rendered: String) {
        self.frames = match self.is_in(&message) {
            true => self.before(&rendered),
            false => rendered,
        };
        self.message = message;
    }

    /// Puts the kept frames before a rendered traceback of the same error.
    pub(crate) fn before(&self, rendered: &str) -> String {
        let rest = rendered.strip_prefix(HEADING).unwrap_or(rendered);
        format!("{}\n{FRAME}(coroutine.wrap){rest}", self.frames)
    }

    /// Whether the kept error is this one: each wrap puts a position before its text.
    pub(crate) fn is_in(&self, message: &[u8]) -> bool {
        !self.frames.is_empty() && message.ends_with(&self.message)
    }
}

/// Splits a line of a rendered traceback into the frame and, if there is one, the entry.
pub(crate) fn frame_of(line: &str) -> Option<(&str, Option<&str>)> {
    let frame = line.strip_prefix(FRAME).filter(|frame| !frame.starts_with(' '))?;
    let owned = frame.strip_suffix(')').and_then(|frame| frame.rsplit_once(" ("));
    Some(match owned {
        Some((frame, entry)) => (frame, Some(entry)),
        None => (frame, None),
    })
}

/// Returns the chunk and the line of a frame such as `jobs/resize.lua:12: in function 'work'`.
fn place_of<'a>(frame: &str, chunks: &'a [Chunk]) -> Option<(&'a Chunk, u32)> {
    chunks.iter().find_map(|chunk| {
        let shown = bytecode::shown_path(chunk.code.path(), chunk.code.mark());
        let rest = frame.as_bytes().strip_prefix(&*shown)?.strip_prefix(b":")?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let line: u32 = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        // Several chunks may be in one application file.
        let own = line.checked_sub(chunk.code.first_line())?;
        ((own as usize) < lines_of(chunk).count()).then_some((chunk, line))
    })
}

fn lines_of(chunk: &Chunk) -> impl Iterator<Item = &[u8]> {
    chunk.source.split(|byte| *byte == b'\n')
}

/// The source line, trimmed and cut; `None` if it says nothing.
fn code_at(chunk: &Chunk, line: u32) -> Option<String> {
    let index = line.checked_sub(chunk.code.first_line())? as usize;
    let code = String::from_utf8_lossy(lines_of(chunk).nth(index)?).trim().to_owned();
    let shown: String = code.chars().take(CODE_CHARS_MAX).collect();
    let rest = if shown.len() < code.len() { "..." } else { "" };
    (!shown.is_empty()).then(|| shown + rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::EntryId;
    use crate::sync::Arc;
    use crate::vm::lua::bytecode::Place;

    fn chunk(id: &str, path: &str, first_line: u32, mark: u32, source: &str) -> Chunk {
        let place = Place { path, first_line, mark };
        let code = bytecode::compile(source.as_bytes(), place).expect("compiles");
        Chunk {
            id: EntryId::parse(id).expect("an id"),
            code: Arc::new(code),
            source: source.as_bytes().into(),
            names: Vec::new(),
        }
    }

    #[test]
    fn frames_show_their_code_and_their_entry() {
        let chunks = [
            chunk("app:lib", "lib.lua", 1, 0, "local M = {}\nfunction M.f(x)\n  return x.y.z\nend"),
            chunk("app:main", "_index.yaml", 10, 1, "return function()\n  work()\nend"),
            chunk("app:other", "_index.yaml", 20, 2, "return function()\n  other()\nend"),
        ];
        let text =
            b"stack traceback:\n\tlib.lua:3: in function <lib.lua:2>\n\t(...tail calls...)\n\
                     \t_index.yaml:21: in local 'g'\n\t_index.yaml:21: in local 'g'\n\
                     \t[C]: in global 'pcall'\n\t_index.yaml:11: in function <_index.yaml:10>";
        let expected = "\
stack traceback:
  lib.lua:3: in function <lib.lua:2> (app:lib)
      return x.y.z
  (...tail calls...)
  _index.yaml:21: in local 'g' (app:other)
      other()
  _index.yaml:21: in local 'g' (app:other)
  [C]: in global 'pcall'
  _index.yaml:11: in function <_index.yaml:10> (app:main)
      work()";
        assert_eq!(render(text, &chunks), expected);
        let frames: Vec<_> = expected.lines().filter_map(frame_of).collect();
        assert_eq!(frames.len(), 6);
        assert_eq!(frames[0], ("lib.lua:3: in function <lib.lua:2>", Some("app:lib")));
        assert_eq!(frames[4], ("[C]: in global 'pcall'", None));
    }

    #[test]
    fn frames_behind_wraps_come_first() {
        let mut wrapped = Wrapped::default();
        assert!(!wrapped.is_in(b""));
        wrapped.keep(b"a.lua:1: oh".to_vec(), "stack traceback:\n  a.lua:1: in x".to_owned());
        wrapped
            .keep(b"b.lua:2: a.lua:1: oh".to_vec(), "stack traceback:\n  b.lua:2: in y".to_owned());
        assert!(wrapped.is_in(b"c.lua:3: b.lua:2: a.lua:1: oh") && !wrapped.is_in(b"other"));
        let expected = "stack traceback:\n  a.lua:1: in x\n  (coroutine.wrap)\n  b.lua:2: in y\n  \
                        (coroutine.wrap)\n  c.lua:3: in z";
        assert_eq!(wrapped.before("stack traceback:\n  c.lua:3: in z"), expected);
        wrapped.keep(b"other".to_vec(), "stack traceback:\n  d.lua:1: in x".to_owned());
        assert_eq!(wrapped.frames.lines().count(), 2);
    }

    #[test]
    fn what_is_not_known_is_left_as_it_is() {
        let chunks = [chunk("app:main", "main.lua", 1, 0, &format!("x = '{}'", "y".repeat(200)))];
        let text = b"stack traceback:\n\tmain.lua:9: in x\n\tmain.lua:1: in y\n\tother.lua:1: in z";
        let rendered = render(text, &chunks);
        let lines: Vec<_> = rendered.lines().collect();
        assert_eq!(lines[1], "  main.lua:9: in x");
        assert!(lines[3].ends_with("yyy...") && lines[3].len() < 120, "{rendered}");
        assert_eq!(lines[4], "  other.lua:1: in z");
        assert_eq!(render(b"", &chunks), "");
    }
}
