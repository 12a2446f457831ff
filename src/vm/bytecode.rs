//! Compiled chunks: Lua source turned once into bytes that every VM loads in place.
//!
//! A chunk is compiled when the application is loaded, in a scratch state of its own that is
//! closed at once. The result is a dump with its debug information, so errors keep their lines.
//! Loaded with mode `B`, a VM does not copy the dump: its instructions, line table and long
//! strings stay pointers into these bytes. Two things follow, which `Bytecode` promises:
//!
//! - **Aligned**: the bytes begin at a multiple of eight, which is what the dump's own padding
//!   counts from.
//! - **Immutable and stable**: no method changes or moves them while the value lives.
//!
//! Whoever loads the bytes in place keeps the `Bytecode` alive longer than the VM; an `Arc` does.
//!
//! Bytecode is never taken from outside: Lua does not verify it, so a source that begins with the
//! signature of a dump is refused as a syntax error.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_int, c_void};
use std::slice;

use super::ffi;

/// Number of name bytes that Lua shows in front of a message; what is longer is cut.
const SHOWN_NAME_BYTES_MAX: usize = 59;

/// Longest message that is passed on. Picked, unmeasured: two lines of a terminal.
const MESSAGE_CHARS_MAX: usize = 200;

/// A compiled chunk, ready to be loaded in place by any number of VMs.
pub(crate) struct Bytecode {
    /// The dump, padded with zeros to whole words. Words rather than bytes for the alignment.
    words: Box<[u64]>,
    /// Number of bytes of the dump without the padding.
    length: usize,
}

/// Why a source is no chunk, without the position that Lua puts in front of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) line: u32,
    pub(crate) message: String,
}

impl Bytecode {
    /// Returns where the dump begins: a multiple of eight, stable for the life of `self`.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.words.as_ptr().cast()
    }

    /// Returns the number of bytes of the dump.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Whether the code contains a string of up to 126 bytes, as a constant or as a name in its debug
    /// information. It may say yes without reason, never no.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        // A dump has each string once: its length with the closing NUL, the bytes, the NUL.
        let Ok(length @ 1..128) = u8::try_from(text.len() + 1) else { return true };
        let pattern = [&[length], text.as_bytes(), &[0]].concat();
        memchr::memmem::find(self.bytes(), &pattern).is_some()
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the words hold `length` bytes and more.
        unsafe { slice::from_raw_parts(self.as_ptr(), self.length) }
    }

    fn from_dump(dump: &[u8]) -> Bytecode {
        let words = dump.chunks(size_of::<u64>()).map(|chunk| {
            let mut word = [0; size_of::<u64>()];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        });
        Bytecode { words: words.collect(), length: dump.len() }
    }
}

impl std::fmt::Debug for Bytecode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytecode({} bytes)", self.length)
    }
}

/// Compiles a source. The chunk name is what error positions show, without any decoration.
///
/// A byte order mark and a first line that begins with `#!` are skipped; lines keep their numbers.
pub(crate) fn compile(source: &[u8], chunk_name: &str) -> Result<Bytecode, SyntaxError> {
    let source = skip_preamble(source);
    if source.first() == ffi::LUA_SIGNATURE.first() {
        return Err(syntax_error("the source is bytecode, only text is accepted"));
    }
    let Ok(name) = CString::new(format!("={chunk_name}")) else {
        return Err(syntax_error("the chunk name contains a NUL byte"));
    };
    let mut job = Job { source, name: &name, stage: Stage::Load, output: Vec::new() };
    let Some(finished) = run_in_scratch_state(&mut job) else {
        return Err(syntax_error("not enough memory to compile"));
    };
    match job.stage {
        Stage::Dumped if finished => Ok(Bytecode::from_dump(&job.output)),
        Stage::Refused if finished => Err(split_position(&job.output, chunk_name)),
        _ => Err(syntax_error("not enough memory to compile")),
    }
}

fn syntax_error(message: &str) -> SyntaxError {
    SyntaxError { line: 1, message: message.to_owned() }
}

/// Leaves out what may stand before the program, but not the line break that ends it.
fn skip_preamble(source: &[u8]) -> &[u8] {
    let source = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    if !source.starts_with(b"#!") {
        return source;
    }
    let end = source.iter().position(|byte| *byte == b'\n');
    &source[end.unwrap_or(source.len())..]
}

/// Takes `name:line: ` off the front of Lua's message. A message in another shape is kept whole.
fn split_position(message: &[u8], chunk_name: &str) -> SyntaxError {
    let shown = &chunk_name.as_bytes()[..chunk_name.len().min(SHOWN_NAME_BYTES_MAX)];
    let behind_name = message.strip_prefix(shown).and_then(|rest| rest.strip_prefix(b":"));
    let text = String::from_utf8_lossy(behind_name.unwrap_or(message));
    let position = text.split_once(": ").and_then(|(line, rest)| Some((line.parse().ok()?, rest)));
    let (line, message) = position.unwrap_or((1, &text));
    SyntaxError { line, message: single_line(message) }
}

/// Makes a message fit for one line: it quotes the source, which may be anything of any length.
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

/// One compilation as its callbacks see it. It is owned by `compile`, so that an error which Lua
/// raises in the middle jumps over no Rust value that needs dropping.
struct Job<'a> {
    source: &'a [u8],
    name: &'a CStr,
    stage: Stage,
    /// The dump, or Lua's message if the source was refused.
    output: Vec<u8>,
}

/// How far a compilation came.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Load,
    Refused,
    Dumped,
}

/// Runs the job in a new state. `None` means that there was no memory for a state, `false` that
/// the job was interrupted by an error, which can only be a lack of memory.
fn run_in_scratch_state(job: &mut Job<'_>) -> Option<bool> {
    // SAFETY: The call has no preconditions; a null result is handled.
    let lua = unsafe { ffi::luaL_newstate() };
    if lua.is_null() {
        return None;
    }
    // SAFETY: `lua` is a live state used by this thread only, with the stack slots that every new
    // state guarantees. The two pushes cannot raise (a function without upvalues and a light
    // userdata allocate nothing); all that can is behind `lua_pcall`. The pointer handed over is
    // used only during that call, while `job` is borrowed here.
    let status = unsafe {
        ffi::lua_pushcfunction(lua, run_job);
        ffi::lua_pushlightuserdata(lua, std::ptr::from_mut(job).cast());
        ffi::lua_pcall(lua, 1, 0, 0)
    };
    // SAFETY: `lua` came from `luaL_newstate`, no call into it is active, and it is not used after.
    unsafe { ffi::lua_close(lua) };
    Some(status == ffi::LUA_OK)
}

/// Loads the source and dumps what came out, in protected mode. This frame holds nothing with a
/// destructor, because Lua may jump over it when memory runs out.
unsafe extern "C-unwind" fn run_job(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: `run_in_scratch_state` passes a pointer to its job as the only argument and does
    // not touch the job until this call has returned.
    let job = unsafe { &mut *ffi::lua_touserdata(lua, 1).cast::<Job<'_>>() };
    // SAFETY: Source and name are borrowed by the job and outlive the call; the name ends in NUL.
    let status = unsafe {
        let (start, length) = (job.source.as_ptr().cast(), job.source.len());
        ffi::luaL_loadbufferx(lua, start, length, job.name.as_ptr(), c"t".as_ptr())
    };
    if status == ffi::LUA_ERRMEM {
        return 0;
    }
    if status != ffi::LUA_OK {
        let mut length = 0;
        // SAFETY: A failed load leaves its message on top of the stack, where it stays anchored
        // until this function returns. For a string the call allocates nothing.
        let message = unsafe { ffi::lua_tolstring(lua, -1, &mut length) };
        // SAFETY: Lua returned the address and length of that string, or null, which is refused.
        if unsafe { append(&mut job.output, message.cast(), length) } {
            job.stage = Stage::Refused;
        }
        return 0;
    }
    // SAFETY: The compiled function is on top of the stack. The writer gets a pointer to the
    // buffer, which nothing else touches during the call.
    let status =
        unsafe { ffi::lua_dump(lua, write_dump, std::ptr::from_mut(&mut job.output).cast(), 0) };
    if status == 0 {
        job.stage = Stage::Dumped;
    }
    0
}

/// Receives one piece of a dump. A result other than zero makes Lua stop writing.
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
    // SAFETY: `run_job` passes its job's buffer and does not touch it during the dump.
    let output = unsafe { &mut *output.cast::<Vec<u8>>() };
    // SAFETY: Lua passes `length` readable bytes that do not change during this call.
    let appended = unsafe { append(output, piece.cast(), length) };
    c_int::from(!appended)
}

/// Appends bytes unless memory runs out: nothing may unwind from here through Lua's frames.
///
/// # Safety
///
/// A `start` that is not null must be the address of `length` readable bytes.
unsafe fn append(output: &mut Vec<u8>, start: *const u8, length: usize) -> bool {
    if start.is_null() || output.try_reserve(length).is_err() {
        return false;
    }
    // SAFETY: The caller promises the bytes, and null was excluded.
    output.extend_from_slice(unsafe { slice::from_raw_parts(start, length) });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(source: &[u8]) -> SyntaxError {
        compile(source, "app:job").expect_err("the source must be refused")
    }

    /// Hands out the whole dump at the first call, as loading in place requires.
    unsafe extern "C-unwind" fn read_whole(
        _lua: *mut ffi::lua_State,
        data: *mut c_void,
        size: *mut usize,
    ) -> *const std::ffi::c_char {
        // SAFETY: `run` passes a pointer to a local option that outlives the load.
        let pending = unsafe { &mut *data.cast::<Option<&Bytecode>>() };
        let (start, length) =
            pending.take().map_or((std::ptr::null(), 0), |code| (code.as_ptr(), code.len()));
        // SAFETY: Lua passes the address of a variable of its own.
        unsafe { *size = length };
        start.cast()
    }

    /// Loads in place in a new state, runs, and returns the result or error as text.
    fn run(code: &Bytecode) -> String {
        let mut pending = Some(code);
        // SAFETY: The state is fresh and used by this thread only; the dump is valid and outlives
        // it; the chunks of these tests leave one value that converts to text.
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
        let code = compile(source, "app:job").expect("compiles");
        assert_eq!(code.as_ptr().addr() % 8, 0);
        for _ in 0..3 {
            assert_eq!(run(&code), "51");
        }
    }

    #[test]
    fn runtime_errors_keep_name_and_line() {
        let code = compile(b"\n\nlocal t = nil\nreturn t.x", "app.mail:job").expect("compiles");
        assert!(run(&code).starts_with("app.mail:job:4: "), "{}", run(&code));
    }

    #[test]
    fn syntax_errors_carry_line_and_message() {
        let error = refused(b"local a = 1\nlocal = 2\n");
        assert_eq!(error.line, 2);
        assert!(error.message.starts_with("<name> expected near"), "{}", error.message);
    }

    #[test]
    fn a_name_longer_than_lua_shows_is_split_as_well() {
        for length in [50, 54, 55, 56, 200] {
            let name = format!("app:{}", "x".repeat(length));
            let error = compile(b"\n\nx x", &name).expect_err("no chunk");
            assert_eq!(error.line, 3);
            assert!(error.message.starts_with("syntax error near"), "{}", error.message);
        }
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
        // Behind a first line that is skipped there is a line break, so this is mere text.
        assert_eq!(refused(b"#!/usr/bin/lua\n\x1bLua").line, 2);
    }

    #[test]
    fn an_interpreter_line_is_skipped_and_lines_keep_their_numbers() {
        let code = compile(b"#!/usr/bin/env lua\nreturn missing.x", "app:job").expect("compiles");
        assert!(run(&code).starts_with("app:job:2: "));
        assert!(compile(b"#!", "app:job").is_ok());
    }

    #[test]
    fn deep_nesting_is_a_syntax_error() {
        let source = ["(".repeat(100_000), ")".repeat(100_000)].concat();
        assert_eq!(refused(format!("return {source}").as_bytes()).line, 1);
        assert_eq!(refused("if true then ".repeat(100_000).as_bytes()).line, 1);
    }

    #[test]
    fn a_name_with_nul_is_refused() {
        assert!(compile(b"return 1", "app:\0").is_err());
    }
}
