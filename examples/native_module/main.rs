//! A program with a native module: functions in Rust for Lua code. `README.md` says what it prints.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use moonlet::{Application, Builder, Class, Error, Failure, Kind, Module};

fn main() -> Result<(), Error> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/native_module");
    let application = Application::load(folder);
    for problem in application.problems() {
        eprintln!("{problem}");
    }
    let builder = Builder::new().plain_print(true).application(application);
    let runtime = builder.module(text()).start()?;
    runtime.exec("app:main", format!("{folder}/main.rs")).block()?;
    runtime.shutdown();
    Ok(())
}

/// The module `text`.
pub(crate) fn text() -> Module {
    let words = Class::<Words>::new("Words")
        .constructor("new", |()| Ok(Words::default()))
        .method("add", |words, (text,): (String,)| Ok(words.add(&text)))
        .method("most", |words, ()| Ok(words.most()))
        .size(Words::size);
    Module::new("text")
        .function("shout", |(text,): (String,)| Ok(text.to_uppercase() + "!"))
        .async_function("echo", |(text, millis): (String, u64)| async move {
            sleep(Duration::from_millis(millis)).await;
            Ok(text)
        })
        .blocking_function("read", |(path,): (String,)| {
            std::fs::read_to_string(&path)
                .map_err(|error| Failure::new(Kind::NotFound, format!("{path}: {error}")))
        })
        .class(words)
}

/// How often each word was seen.
#[derive(Default)]
struct Words(HashMap<String, u32>);

impl Words {
    fn add(&mut self, text: &str) -> u32 {
        let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
        for word in text.split(|c| !is_of_word(c)).filter(|word| !word.is_empty()) {
            *self.0.entry(word.to_owned()).or_default() += 1;
        }
        self.0.values().sum()
    }

    /// The word that was seen most often, and how often: two values for Lua.
    fn most(&self) -> (String, u32) {
        let most = self.0.iter().max_by_key(|(word, count)| (**count, word.as_str()));
        most.map(|(word, count)| (word.clone(), *count)).unwrap_or_default()
    }

    /// For the memory limit of the process that has them.
    fn size(&self) -> usize {
        self.0.keys().map(|word| word.capacity() + size_of::<(String, u32)>()).sum()
    }
}

/// A future of the kind that any library has: it keeps its waker, and another thread wakes it. (A
/// library would have one thread for all.)
fn sleep(time: Duration) -> Sleep {
    let state = Arc::new(Mutex::new(State::default()));
    let other = state.clone();
    thread::spawn(move || {
        thread::sleep(time);
        let waker = {
            let mut state = other.lock().unwrap();
            state.is_over = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    });
    Sleep(state)
}

#[derive(Default)]
struct State {
    is_over: bool,
    waker: Option<Waker>,
}

struct Sleep(Arc<Mutex<State>>);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap();
        if state.is_over {
            return Poll::Ready(());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
