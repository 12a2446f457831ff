//! Streams whose readers are slow, gone or full, and lines whose askers are gone.

use std::io::{self, Cursor, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::input::Input;
use super::log::lost_lines;
use super::stream::{IfFull, Printed, Stream};
use super::target::{Bytes, Report, Sink};
use super::{Asker, LogFormat, LogTarget, Output, Settings, Tell};
use crate::message::lease::{Lease, Read};
use crate::node::interrupt::Interrupt;
use crate::sync::{Arc, Mutex, lock};

/// A sink that blocks until it is opened, and fails when told to.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<Gated>>);

#[derive(Default)]
struct Gated {
    is_open: bool,
    /// Number of writes that were tried.
    visits: u32,
    fails: Option<io::ErrorKind>,
    written: Vec<u8>,
}

impl Gate {
    fn open(&self) {
        lock(&self.0).is_open = true;
    }

    fn text(&self) -> String {
        String::from_utf8(lock(&self.0).written.clone()).expect("text")
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut gated = lock(&self.0);
        gated.visits += 1;
        if let Some(kind) = gated.fails {
            return Err(kind.into());
        }
        if !gated.is_open {
            // Like a full nonblocking pipe: the writer tries again.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        gated.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The askers that the writer told, and the leases.
type Told = mpsc::Receiver<(Asker, Option<Box<Lease>>)>;

/// A `Tell` that records its calls.
fn teller() -> (Tell, Told) {
    let (sender, told) = mpsc::channel();
    let sender = Mutex::new(sender);
    let tell = move |asker, lease| drop(lock(&sender).send((asker, lease)));
    (Arc::new(tell), told)
}

fn asker(uniq: u64) -> Asker {
    Asker { uniq, token: 7 }
}

fn log_stream(gate: &Gate) -> (Stream<u8>, Told) {
    let stream = Stream::new();
    let told = start(&stream, gate);
    (stream, told)
}

fn start(stream: &Stream<u8>, gate: &Gate) -> Told {
    let (tell, told) = teller();
    let report = |report: Report<'_>| match report {
        Report::Lost(size) => lost_lines(LogFormat::Text, size.lines),
        Report::Failed(_) => Vec::new(),
    };
    let sink: Sink = Box::new(gate.clone());
    stream.start("test", Bytes { sink, report }, tell).expect("a thread");
    told
}

fn until(holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it never holds");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_full_queue_makes_printers_wait_and_log_lines_are_counted_and_told() {
    let gate = Gate::default();
    let (stream, told) = log_stream(&gate);
    let line = [vec![b'x'; 1023], b"\n".to_vec()].concat();
    let mut printed = 0;
    while stream.push(&line, IfFull::Ask(asker(1))) == Printed::Done {
        printed += 1;
    }
    assert_eq!(printed, 1024, "up to the limit");
    for _ in 0..3 {
        assert_eq!(stream.push(b"lost\n", IfFull::Lose), Printed::Done);
    }
    assert_eq!((stream.lost_lines(), stream.lost_bytes()), (3, 15));
    assert!(told.try_recv().is_err(), "there is no room yet");
    gate.open();
    assert_eq!(told.recv().expect("room").0, asker(1));
    until(|| stream.is_over(None));
    let text = gate.text();
    assert_eq!(text.matches('x').count(), 1023 * 1024);
    assert!(text.ends_with(": 3 log lines lost: nobody read them in time\n"));
    stream.close();
    assert_eq!(stream.lost_lines(), 3, "and no more");
}

#[test]
fn what_cannot_wait_has_a_second_limit() {
    let (stream, _told) = log_stream(&Gate::default());
    let line = vec![b'x'; 1 << 20];
    for _ in 0..3 {
        let _ = stream.push(&line, IfFull::Overflow);
    }
    assert_eq!(stream.lost_bytes(), 1 << 20, "the third");
    stream.close();
    assert_eq!(stream.lost_bytes(), 3 << 20, "none of it was ever written");
}

#[test]
fn the_word_about_a_loss_is_nobodys_loss() {
    for fails in [None, Some(io::ErrorKind::StorageFull)] {
        let gate = Gate::default();
        lock(&gate.0).fails = fails;
        let stream = Stream::new();
        let lines = b"x\n".repeat(1 << 19);
        for _ in 0..2 {
            let _ = stream.push(&lines, IfFull::Lose);
        }
        start(&stream, &gate);
        // The first text is taken, followed by the notice about the second.
        until(|| lock(&gate.0).visits > 0);
        stream.close();
        assert_eq!((stream.lost_lines(), stream.lost_bytes()), (2 << 19, 2 << 20), "{fails:?}");
    }
}

#[test]
fn what_cannot_be_written_is_counted_and_said_why() {
    let gate = Gate::default();
    lock(&gate.0).fails = Some(io::ErrorKind::StorageFull);
    let (stream, _told) = log_stream(&gate);
    let _ = stream.push(b"one\ntwo\n", IfFull::Lose);
    until(|| stream.is_over(None));
    assert_eq!(stream.broken().expect("it failed").kind, io::ErrorKind::StorageFull);
    assert_eq!((stream.lost_lines(), stream.lost_bytes()), (2, 8));
    // There may be room again.
    lock(&gate.0).fails = None;
    gate.open();
    let _ = stream.push(b"three\n", IfFull::Lose);
    until(|| stream.is_over(None));
    assert_eq!(gate.text(), "three\n");
    assert!(stream.broken().is_some(), "what was lost stays lost");
}

#[test]
fn a_stopping_output_gives_its_readers_time_and_counts_the_rest() {
    let (gate, raised) = (Gate::default(), Interrupt::new());
    let sink: Option<Sink> = Some(Box::new(gate.clone()));
    let log_target = LogTarget::Sink(sink);
    let output = Output::new(Settings { log_target, ..Settings::default() });
    output.start(teller().0).expect("threads");
    output.say(super::Level::Info, "unread");
    let hurry = Interrupt::new();
    raised.raise();
    hurry.raise();
    output.finish(&raised, &hurry);
    output.close();
    assert_eq!((output.lost_log_lines(), output.lost_output_bytes()), (1, 0));
}

/// Lets one asker after the other read an input of these bytes. Returns what each is told.
fn reads(bytes: &'static [u8], count: u64) -> Vec<Read> {
    let (tell, told) = teller();
    let input = Input::new(tell);
    let source = Arc::new(Mutex::new(Cursor::new(bytes)));
    (1..=count)
        .map(|number| {
            input.ask_of(asker(number), opener(&source)).expect("a thread");
            let (asked, lease) = told.recv().expect("an answer");
            assert_eq!(asked, asker(number));
            lease.expect("a lease").take()
        })
        .collect()
}

/// Opens one shared source anew for each line, as the lock of standard input is.
fn opener(
    source: &Arc<Mutex<Cursor<&'static [u8]>>>,
) -> impl Fn() -> Shared + Send + use<> + 'static {
    let source = source.clone();
    move || Shared(source.clone())
}

struct Shared(Arc<Mutex<Cursor<&'static [u8]>>>);

impl io::Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        lock(&self.0).read(buffer)
    }
}

impl io::BufRead for Shared {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let cursor = lock(&self.0);
        let bytes: &'static [u8] = cursor.get_ref();
        // Three bytes at a time, so that lines arrive in parts.
        let from = usize::try_from(cursor.position()).unwrap_or(bytes.len()).min(bytes.len());
        Ok(&bytes[from..bytes.len().min(from + 3)])
    }

    fn consume(&mut self, count: usize) {
        let mut cursor = lock(&self.0);
        let position = cursor.position() + count as u64;
        cursor.set_position(position);
    }
}

#[test]
fn lines_are_bytes_up_to_a_newline() {
    let line = |bytes: &[u8]| Read::Line(bytes.to_vec());
    assert_eq!(
        reads(b"one\n\n\0\xff\xfe and more\r\nno end", 6),
        [
            line(b"one"),
            line(b""),
            line(b"\0\xff\xfe and more\r"),
            line(b"no end"),
            Read::End,
            Read::End
        ]
    );
    assert_eq!(reads(b"", 1), [Read::End]);
}

#[test]
fn a_line_that_nobody_took_goes_to_the_next_who_asks() {
    let (tell, told) = teller();
    let input = Input::new(tell);
    let source = Arc::new(Mutex::new(Cursor::new(b"one\ntwo\nthree\n".as_slice())));
    let ask = |number| input.ask_of(asker(number), opener(&source)).expect("a thread");
    for number in 1..=3 {
        ask(number);
    }
    let mut leases: Vec<_> = (0..3).map(|_| told.recv().expect("an answer").1).collect();
    // In the wrong order: the asker of the second line ends before the asker of the first.
    drop(leases.remove(1));
    drop(leases.remove(0));
    let third = leases.remove(0).expect("a lease").take();
    for number in 4..=6 {
        ask(number);
    }
    let mut taken = |_| {
        let (asked, lease) = told.recv().expect("an answer");
        (asked.uniq, lease.expect("a lease").take())
    };
    let line = |text: &str| Read::Line(text.as_bytes().to_vec());
    assert_eq!(third, line("three"));
    let rest: Vec<_> = (0..3).map(&mut taken).collect();
    assert_eq!(rest, [(4, line("one")), (5, line("two")), (6, Read::End)]);
}

/// Any number of askers may be gone, and each of them may return the line while lines are handed
/// out.
#[test]
fn askers_that_are_gone_are_passed_over() {
    let (sender, told) = mpsc::channel();
    let sender = Mutex::new(sender);
    let tell = move |asker: Asker, lease: Option<Box<Lease>>| {
        if asker.uniq == 100_000 {
            let _ = lock(&sender).send(lease.expect("a lease").take());
        }
    };
    let input = Input::new(Arc::new(tell));
    let source = Arc::new(Mutex::new(Cursor::new(b"one\n".as_slice())));
    for number in 1..=100_000 {
        input.ask_of(asker(number), opener(&source)).expect("a thread");
    }
    assert_eq!(told.recv().expect("the last one lives"), Read::Line(b"one".to_vec()));
}

#[test]
fn a_question_that_was_withdrawn_takes_no_line() {
    let (tell, told) = teller();
    let input = Input::new(tell);
    let (gate, source) = (Gate::default(), Arc::new(Mutex::new(Cursor::new(b"one\n".as_slice()))));
    let open = {
        let (gate, opener) = (gate.clone(), opener(&source));
        move || {
            until(|| lock(&gate.0).is_open);
            opener()
        }
    };
    input.ask_of(asker(1), open).expect("a thread");
    input.withdraw(|other| other == asker(1));
    gate.open();
    input.ask_of(asker(2), opener(&source)).expect("a thread");
    let (asked, lease) = told.recv().expect("an answer");
    assert_eq!((asked, lease.expect("a lease").take()), (asker(2), Read::Line(b"one".to_vec())));
}
