//! Compiled chunks: Lua source compiled once into bytecode that every VM loads in place.
//!
//! A chunk is compiled when the application is loaded, in a temporary Lua state that is closed at
//! once. The result is a dump with its debug information, so error messages keep their line
//! numbers. Loaded with mode `B`, a VM does not copy the dump: instructions, line table and long
//! strings are pointers into these bytes. This requires two properties, which `Bytecode`
//! guarantees:
//!
//! - **Aligned**: the bytes begin at a multiple of eight, which the dump's own padding assumes.
//! - **Immutable and stable**: no method changes or moves the bytes while the value lives.
//!
//! The loader keeps the `Bytecode` alive longer than the VM, for example by an `Arc`.
//!
//! Bytecode is never accepted from outside, because Lua does not verify it: a source that begins
//! with the signature of a dump is refused as a syntax error.

#![allow(unsafe_code)]

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int, c_void};
use std::slice;

use super::ffi;

/// Bytes of the longest path that Lua shows in full before a message; of a longer one, the end.
const SHOWN_PATH_BYTES_MAX: usize = 59;
/// Precedes the end of a path that is shown in part.
const LEFT_OUT: &str = "...";

/// Characters of the longest message that is passed on. Picked, unmeasured: two lines of a
/// terminal.
const MESSAGE_CHARS_MAX: usize = 200;

/// Separates the path from the mark in a chunk's name during compilation. Not NUL: the name is a C
/// string then.
const BEFORE_MARK: u8 = 1;

/// A compiled chunk, ready to be loaded in place by any number of VMs.
pub(crate) struct Bytecode {
    path: Box<str>,
    first_line: u32,
    mark: u32,
    /// The dump, padded with zeros to whole words. Words rather than bytes for the alignment.
    words: Box<[u64]>,
    /// Number of bytes of the dump without the padding.
    length: usize,
}

/// The reason why a source does not compile, without the position that Lua puts before the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) line: u32,
    pub(crate) message: String,
}

impl Bytecode {
    /// Returns the path that error positions show.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the line of that file at which the source begins.
    pub(crate) fn first_line(&self) -> u32 {
        self.first_line
    }

    /// Returns the mark that identifies the chunk's functions, see [`mark_of`].
    pub(crate) fn mark(&self) -> u32 {
        self.mark
    }

    /// Returns the address of the dump: a multiple of eight, stable for the life of `self`.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.words.as_ptr().cast()
    }

    /// Returns the number of bytes of the dump.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Returns whether the code contains a string of up to 126 bytes, as a constant or as a name in
    /// its debug information. The result may be a false positive, but never a false negative.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        // A dump contains each string once: its length including the closing NUL, the bytes, the
        // NUL.
        let Ok(length @ 1..128) = u8::try_from(text.len() + 1) else { return true };
        let pattern = [&[length], text.as_bytes(), &[0]].concat();
        memchr::memmem::find(self.bytes(), &pattern).is_some()
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `from_dump` created the words from `length` bytes, followed by some padding, and
        // no method changes them.
        unsafe { slice::from_raw_parts(self.as_ptr(), self.length) }
    }

    fn from_dump(dump: &[u8], place: Place<'_>) -> Bytecode {
        let words = dump.chunks(size_of::<u64>()).map(|chunk| {
            let mut word = [0; size_of::<u64>()];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        });
        let (path, Place { first_line, mark, .. }) = (place.path.into(), place);
        Bytecode { path, first_line, mark, words: words.collect(), length: dump.len() }
    }
}

impl std::fmt::Debug for Bytecode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytecode({} bytes)", self.length)
    }
}

/// The place of a source in its file, as error positions show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The file's path from the application's root.
    pub(crate) path: &'a str,
    /// The line of the file at which the source begins.
    pub(crate) first_line: u32,
    /// Distinguishes the source from others of the same file.
    pub(crate) mark: u32,
}

/// Returns the mark in a chunk's name, as the debug interface returns the name. The mark follows a
/// NUL, so that messages, which show the name as a C string, do not include it.
pub(crate) fn mark_of(source: &[u8]) -> Option<u32> {
    let end = source.iter().rposition(|byte| *byte == 0)?;
    std::str::from_utf8(&source[end + 1..]).ok()?.parse().ok()
}

/// Compiles a source.
///
/// Skips a byte order mark and a first line that begins with `#!`; the other lines keep their
/// numbers.
pub(crate) fn compile(source: &[u8], place: Place<'_>) -> Result<Bytecode, SyntaxError> {
    let refused =
        |message: &str| Err(SyntaxError { line: place.first_line, message: message.to_owned() });
    let source = skip_preamble(source);
    if source.first() == ffi::LUA_SIGNATURE.first() {
        return refused("the source is bytecode, only text is accepted");
    }
    let name = [b"@", place.path.as_bytes(), &marked(place.mark)].concat();
    let Ok(name) = CString::new(name) else {
        return refused("the path contains a NUL byte");
    };
    // Lua counts lines from the start of the text: empty lines replace those before the source.
    let mut text = vec![b'\n'; place.first_line.saturating_sub(1) as usize];
    text.extend_from_slice(source);
    let mut job = Job { source: &text, name: &name, stage: Stage::Load, output: Vec::new() };
    let Some(finished) = run_in_scratch_state(&mut job) else {
        return refused("not enough memory to compile");
    };
    match job.stage {
        Stage::Dumped if finished => {
            hide_mark(&mut job.output, name.as_bytes_with_nul());
            Ok(Bytecode::from_dump(&job.output, place))
        }
        Stage::Refused if finished => Err(split_position(&job.output, place)),
        _ => refused("not enough memory to compile"),
    }
}

fn marked(mark: u32) -> Vec<u8> {
    [&[BEFORE_MARK], mark.to_string().as_bytes()].concat()
}

/// Replaces the separator before the mark in the chunk's name by a NUL. A dump contains the name
/// once, as it does any string.
fn hide_mark(dump: &mut [u8], name: &[u8]) {
    if let Some(start) = memchr::memmem::find(dump, name)
        && let Some(place) = name.iter().rposition(|byte| *byte == BEFORE_MARK)
    {
        dump[start + place] = 0;
    }
}

/// Returns what Lua shows of a path that is followed by a mark: all of it, or its end.
pub(crate) fn shown_path(path: &str, mark: u32) -> Cow<'_, [u8]> {
    let (bytes, hidden) = (path.as_bytes(), marked(mark).len());
    match (bytes.len() + hidden).checked_sub(SHOWN_PATH_BYTES_MAX) {
        None | Some(0) => bytes.into(),
        Some(beyond) => [LEFT_OUT.as_bytes(), &bytes[beyond + LEFT_OUT.len()..]].concat().into(),
    }
}

/// Skips a byte order mark and an interpreter line, but not the line break that ends the line.
fn skip_preamble(source: &[u8]) -> &[u8] {
    let source = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    if !source.starts_with(b"#!") {
        return source;
    }
    let end = source.iter().position(|byte| *byte == b'\n');
    &source[end.unwrap_or(source.len())..]
}

/// Removes `path:line: ` from the front of Lua's message. A message of another form is kept whole.
fn split_position(message: &[u8], place: Place<'_>) -> SyntaxError {
    let shown = [&*shown_path(place.path, place.mark), &marked(place.mark), b":"].concat();
    let behind_path = message.strip_prefix(&shown[..]);
    let text = String::from_utf8_lossy(behind_path.unwrap_or(message));
    let position = text.split_once(": ").and_then(|(line, rest)| Some((line.parse().ok()?, rest)));
    let (line, message) = position.unwrap_or((place.first_line, &text));
    SyntaxError { line, message: single_line(message) }
}

/// Reduces a message to one line of limited length: it may quote any part of the source.
fn single_line(message: &str) -> String {
    let mut characters = message.chars();
    let escape = |c: char| {
        if c.is_control() { c.escape_default().to_string() } else { c.into() }
    };
    let mut line: String = characters.by_ref().take(MESSAGE_CHARS_MAX).map(escape).collect();
    if characters.next().is_some() {
        line.push_str("...");
    }
    line
}

/// One compilation, as its callbacks see it. `compile` owns it, so that an error which Lua raises
/// during the compilation jumps over no Rust value that must be dropped.
struct Job<'a> {
    source: &'a [u8],
    name: &'a CStr,
    stage: Stage,
    /// The dump, or Lua's message if the source was refused.
    output: Vec<u8>,
}

/// The progress of a compilation.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Load,
    Refused,
    Dumped,
}

/// Runs the job in a new state. Returns `None` if there was no memory for a state, and `false` if
/// an error interrupted the job, which can only be a lack of memory.
fn run_in_scratch_state(job: &mut Job<'_>) -> Option<bool> {
    // SAFETY: the call has no preconditions; it returns null if memory is out, which is handled
    // below.
    let lua = unsafe { ffi::luaL_newstate() };
    if lua.is_null() {
        return None;
    }
    // SAFETY: this function has just created the state, which has free slots. A function without
    // upvalues and a light userdata allocate nothing, so the pushes do not raise.
    unsafe {
        ffi::lua_pushcfunction(lua, run_job);
        ffi::lua_pushlightuserdata(lua, std::ptr::from_mut(job).cast());
    }
    // SAFETY: the function and its argument are on top. The call is protected: every jump ends in
    // it. The argument points to `job`, which is borrowed here and not touched meanwhile.
    let status = unsafe { ffi::lua_pcall(lua, 1, 0, 0) };
    // SAFETY: `luaL_newstate` created the state, no call into it is active, and it is not used
    // again.
    unsafe { ffi::lua_close(lua) };
    Some(status == ffi::LUA_OK)
}

/// Loads the source and dumps the resulting function, in protected mode. This frame holds nothing
/// with a destructor, because Lua may jump over it when memory runs out.
///
/// # Safety
/// Called by Lua for `run_in_scratch_state` only: the one argument is the address of a job that no
/// other code touches meanwhile.
unsafe extern "C-unwind" fn run_job(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: the argument is what `run_in_scratch_state` pushed: the address of the job that it
    // borrows and does not touch until this call returns. lua_touserdata does not raise.
    let job = unsafe { &mut *ffi::lua_touserdata(lua, 1).cast::<Job<'_>>() };
    let (start, length) = (job.source.as_ptr().cast(), job.source.len());
    // SAFETY: the state is the running one. The job borrows source and name, so they outlive the
    // call; the name and the mode end in a NUL. The call may raise: this frame holds nothing with a
    // destructor.
    let status =
        unsafe { ffi::luaL_loadbufferx(lua, start, length, job.name.as_ptr(), c"t".as_ptr()) };
    if status == ffi::LUA_ERRMEM {
        return 0;
    }
    if status != ffi::LUA_OK {
        let mut length = 0;
        // SAFETY: a failed load leaves its message on top of the stack, where it stays until this
        // function returns. The message is a string, for which the call allocates nothing, so it
        // does not raise.
        let message = unsafe { ffi::lua_tolstring(lua, -1, &mut length) };
        // SAFETY: lua_tolstring returned the address and the length of that string, or null, which
        // `append` refuses.
        if unsafe { append(&mut job.output, message.cast(), length) } {
            job.stage = Stage::Refused;
        }
        return 0;
    }
    // SAFETY: the compiled function is on top of the stack. `write_dump` gets the address of the
    // buffer, which nothing else touches during the call. The call may raise: this frame is plain.
    let status =
        unsafe { ffi::lua_dump(lua, write_dump, std::ptr::from_mut(&mut job.output).cast(), 0) };
    if status == 0 {
        job.stage = Stage::Dumped;
    }
    0
}

/// Receives one piece of a dump. A nonzero result makes Lua stop writing.
///
/// # Safety
/// Called by lua_dump only, with a piece of lua_dump's own and the buffer that `run_job` passed to
/// it.
unsafe extern "C-unwind" fn write_dump(
    _lua: *mut ffi::lua_State,
    piece: *const c_void,
    length: usize,
    output: *mut c_void,
) -> c_int {
    // Lua ends a dump with an empty piece at a null address.
    if length == 0 {
        return 0;
    }
    // SAFETY: `run_job` passed its job's buffer to lua_dump, and does not touch it meanwhile.
    let output = unsafe { &mut *output.cast::<Vec<u8>>() };
    // SAFETY: lua_dump passes the address of `length` bytes that do not change during this call.
    let appended = unsafe { append(output, piece.cast(), length) };
    c_int::from(!appended)
}

/// Appends bytes, or returns false if memory runs out: no panic may unwind through Lua's frames.
///
/// # Safety
/// If `start` is not null, it is the address of `length` bytes that do not change meanwhile.
unsafe fn append(output: &mut Vec<u8>, start: *const u8, length: usize) -> bool {
    if start.is_null() || output.try_reserve(length).is_err() {
        return false;
    }
    // SAFETY: `start` is not null, as checked above, so the caller guarantees `length` bytes there.
    output.extend_from_slice(unsafe { slice::from_raw_parts(start, length) });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile_at(source: &[u8], path: &str) -> Result<Bytecode, SyntaxError> {
        compile(source, Place { path, first_line: 1, mark: 12 })
    }

    fn refused(source: &[u8]) -> SyntaxError {
        compile_at(source, "job.lua").expect_err("the source must be refused")
    }

    /// Returns the whole dump at the first call, as loading in place requires.
    unsafe extern "C-unwind" fn read_whole(
        _lua: *mut ffi::lua_State,
        data: *mut c_void,
        size: *mut usize,
    ) -> *const std::ffi::c_char {
        // SAFETY: `run` passes the address of its own option, which outlives the load and which
        // `run` does not use meanwhile.
        let pending = unsafe { &mut *data.cast::<Option<&Bytecode>>() };
        let (start, length) =
            pending.take().map_or((std::ptr::null(), 0), |code| (code.as_ptr(), code.len()));
        // SAFETY: lua_load passes the address of its own variable, meant for this result.
        unsafe { *size = length };
        start.cast()
    }

    /// Loads the code in place in a new state, runs it, and returns the result or the error as
    /// text.
    fn run(code: &Bytecode) -> String {
        let mut pending = Some(code);
        // SAFETY: the state is created, used and closed here. The dump outlives it, as `code` is
        // borrowed. The chunks of these tests return one value that converts to text, which is
        // copied before the state is closed.
        unsafe {
            let lua = ffi::luaL_newstate();
            let data = std::ptr::from_mut(&mut pending).cast();
            let status = ffi::lua_load(lua, read_whole, data, c"ignored".as_ptr(), c"B".as_ptr());
            assert_eq!(status, ffi::LUA_OK);
            ffi::lua_pcall(lua, 0, 1, 0);
            let text = CStr::from_ptr(ffi::lua_tolstring(lua, -1, std::ptr::null_mut()));
            let text = text.to_string_lossy().into_owned();
            ffi::lua_close(lua);
            text
        }
    }

    #[test]
    fn a_dump_is_aligned_and_runs_in_many_states() {
        let source = b"local text = [[a string that is too long to be interned by the VM]]\n\
                       local function f(n) return #text + n end\nreturn f(1)";
        let code = compile_at(source, "job.lua").expect("compiles");
        assert_eq!(code.as_ptr().addr() % 8, 0);
        for _ in 0..3 {
            assert_eq!(run(&code), "51");
        }
    }

    #[test]
    fn runtime_errors_keep_name_and_line() {
        let code = compile_at(b"\n\nlocal t = nil\nreturn t.x", "mail/job.lua").expect("compiles");
        assert!(run(&code).starts_with("mail/job.lua:4: "), "{}", run(&code));
    }

    #[test]
    fn a_function_knows_its_chunk_and_shows_only_its_path() {
        for mark in [0, 7, u32::MAX] {
            let place = Place { path: "a/job.lua", first_line: 1, mark };
            let code = compile(b"return missing.x", place).expect("compiles");
            assert!(run(&code).starts_with("a/job.lua:1: attempt"), "{}", run(&code));
            assert_eq!(code.mark(), mark);
            let hidden = format!("@a/job.lua\0{mark}");
            assert!(memchr::memmem::find(code.bytes(), hidden.as_bytes()).is_some());
            assert_eq!(mark_of(hidden.as_bytes()), Some(mark));
        }
        assert_eq!(mark_of(b"=[C]"), None);
        assert_eq!(mark_of(b"@a\0x"), None);
    }

    #[test]
    fn syntax_errors_carry_line_and_message() {
        let error = refused(b"local a = 1\nlocal = 2\n");
        assert_eq!(error.line, 2);
        assert!(error.message.starts_with("<name> expected near"), "{}", error.message);
    }

    #[test]
    fn a_path_longer_than_lua_shows_is_split_as_well() {
        for length in [50, 55, 56, 57, 58, 59, 60, 61, 200] {
            let path: String = ('a'..='z').cycle().take(length).collect();
            let error = compile_at(b"\n\nx x", &path).expect_err("no chunk");
            assert_eq!(error.line, 3);
            assert!(error.message.starts_with("syntax error near"), "{}", error.message);
            let code = compile_at(b"return missing.x", &path).expect("compiles");
            let shown = String::from_utf8(shown_path(&path, 12).into()).expect("letters");
            assert!(run(&code).starts_with(&format!("{shown}:1: ")), "{}", run(&code));
        }
    }

    #[test]
    fn a_source_inside_of_a_file_has_the_lines_of_the_file() {
        let inside =
            |source: &[u8]| compile(source, Place { path: "_index.yaml", first_line: 7, mark: 0 });
        let code = inside(b"local t\nreturn t.x").expect("compiles");
        assert!(run(&code).starts_with("_index.yaml:8: "), "{}", run(&code));
        assert_eq!(inside(b"\nlocal = 2").expect_err("no chunk").line, 8);
        assert_eq!(inside(b"\x1bLua").expect_err("no chunk").line, 7);
        let code = inside(b"#!/usr/bin/lua\nreturn missing.x").expect("compiles");
        assert!(run(&code).starts_with("_index.yaml:8: "), "{}", run(&code));
    }

    #[test]
    fn a_message_is_one_line_of_limited_length() {
        let error = refused(b"x = 1 [[one\ntwo]]");
        assert!(error.message.contains("\\ntwo"), "{}", error.message);
        let error = refused(&[b"x = 1 '", &[b'y'; 100_000][..], b"'"].concat());
        assert_eq!(error.message.chars().count(), MESSAGE_CHARS_MAX + 3);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_reported_readably() {
        assert_eq!(refused(b"\nreturn \xff\xfe").line, 2);
    }

    #[test]
    fn bytecode_is_refused() {
        for source in [&b"\x1bLua\x55"[..], b"\x1b", b"\xef\xbb\xbf\x1bLua"] {
            assert!(refused(source).message.contains("bytecode"));
        }
        // The line break of the skipped first line precedes the signature: the source is text.
        assert_eq!(refused(b"#!/usr/bin/lua\n\x1bLua").line, 2);
    }

    #[test]
    fn an_interpreter_line_is_skipped_and_lines_keep_their_numbers() {
        let code = compile_at(b"#!/usr/bin/env lua\nreturn missing.x", "job.lua");
        assert!(run(&code.expect("compiles")).starts_with("job.lua:2: "));
        assert!(compile_at(b"#!", "job.lua").is_ok());
    }

    #[test]
    fn deep_nesting_is_a_syntax_error() {
        let source = ["(".repeat(100_000), ")".repeat(100_000)].concat();
        assert_eq!(refused(format!("return {source}").as_bytes()).line, 1);
        assert_eq!(refused("if true then ".repeat(100_000).as_bytes()).line, 1);
    }

    #[test]
    fn a_path_with_nul_is_refused() {
        assert!(compile_at(b"return 1", "a\0.lua").is_err());
    }
}
