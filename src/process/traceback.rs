//! Tracebacks as people read them: where each frame is in the files, the line of the source that it
//! stands at, and the entry whose code it is.
//!
//! Lua's text has a line a frame and, of a deep stack, the first ten and the last eleven. Frames stay
//! lines that begin with two spaces; what is shown of the source is indented further, so that a
//! reader of lines can tell both apart.

use crate::node::definition::Chunk;
use crate::vm::lua::bytecode;

/// Above all frames, as in Lua's own text.
const HEADING: &str = "stack traceback:";
/// In front of a frame,
const FRAME: &str = "  ";
/// and in front of a line of the source.
const CODE: &str = "      ";

/// Longest part of a line of the source that is shown.
const CODE_CHARS_MAX: usize = 100;

/// Renders the text of Lua's own traceback of a process with these chunks.
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
        // Of frames of one line, as of a recursion, only the first shows it.
        if let Some(code) = code.filter(|_| this != last) {
            rendered.push_str(&format!("{CODE}{code}\n"));
        }
        last = this;
    }
    rendered.truncate(rendered.trim_end().len());
    rendered
}

/// A traceback of one place, such as `jobs/resize.lua:12`.
pub(crate) fn of_place(place: &str, entry: Option<&str>) -> String {
    let owner = entry.map_or(String::new(), |entry| format!(" ({entry})"));
    format!("{HEADING}\n{FRAME}{place}{owner}")
}

/// The frames of an error that came out of a function made by `coroutine.wrap`, until the next one
/// comes: its coroutine is gone, and the text itself has no room for them.
#[derive(Default)]
pub(crate) struct Wrapped {
    message: Vec<u8>,
    frames: String,
}

impl Wrapped {
    /// Keeps the rendered traceback of an error. One that goes through several wraps has its frames
    /// from all of them.
    pub(crate) fn keep(&mut self, message: Vec<u8>, rendered: String) {
        self.frames = match self.is_in(&message) {
            true => self.before(&rendered),
            false => rendered,
        };
        self.message = message;
    }

    /// Puts the kept frames before a rendered traceback of the error that they belong to.
    pub(crate) fn before(&self, rendered: &str) -> String {
        let rest = rendered.strip_prefix(HEADING).unwrap_or(rendered);
        format!("{}\n{FRAME}(coroutine.wrap){rest}", self.frames)
    }

    /// Whether this is the error: each wrap puts a position in front of it.
    pub(crate) fn is_in(&self, message: &[u8]) -> bool {
        !self.frames.is_empty() && message.ends_with(&self.message)
    }
}

/// A frame of a rendered traceback, without the entry, and the entry if the frame is in one.
pub(crate) fn frame_of(line: &str) -> Option<(&str, Option<&str>)> {
    let frame = line.strip_prefix(FRAME).filter(|frame| !frame.starts_with(' '))?;
    let owned = frame.strip_suffix(')').and_then(|frame| frame.rsplit_once(" ("));
    Some(match owned {
        Some((frame, entry)) => (frame, Some(entry)),
        None => (frame, None),
    })
}

/// The chunk and the line of a frame such as `jobs/resize.lua:12: in function 'work'`.
fn place_of<'a>(frame: &str, chunks: &'a [Chunk]) -> Option<(&'a Chunk, u32)> {
    chunks.iter().find_map(|chunk| {
        let shown = bytecode::shown_path(chunk.code.path(), chunk.code.mark());
        let rest = frame.as_bytes().strip_prefix(&*shown)?.strip_prefix(b":")?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let line: u32 = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        // Several chunks may stand in one application file.
        let own = line.checked_sub(chunk.code.first_line())?;
        ((own as usize) < lines_of(chunk).count()).then_some((chunk, line))
    })
}

fn lines_of(chunk: &Chunk) -> impl Iterator<Item = &[u8]> {
    chunk.source.split(|byte| *byte == b'\n')
}

/// A line of the source, as far as it says something and fits.
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
