//! The service, with one kind of handler.

use std::error::Error;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use moonlet::{Application, Builder, Handle, Runtime};
use tokio::sync::oneshot;

pub(crate) const HANDLERS: [&str; 4] = ["plain", "hop", "exec", "request"];

const INDEX: &str = r#"
namespace: app
entries:
  - { name: once, kind: process.lua, source: 'return function(n) return n + 1 end' }
  - { name: lasting, kind: process.lua, source: file://lasting.lua }
"#;
const LASTING: &str = r#"
return function()
  local inbox = process.inbox()
  while true do
    local message = inbox:receive()
    message:reply(message:payload() + 1)
  end
end
"#;

fn answer(number: i64) -> String {
    format!("the answer is {number}\n")
}

async fn plain() -> String {
    answer(41 + 1)
}

type Job = oneshot::Sender<i64>;

/// Two plain threads that compute answers.
fn threads() -> mpsc::Sender<Job> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..2 {
        let jobs = jobs.clone();
        std::thread::spawn(move || {
            loop {
                let job = jobs.lock().expect("no thread panics").recv();
                let Ok(job) = job else { return };
                // A client that is gone needs no answer.
                let _ = job.send(41 + 1);
            }
        });
    }
    sender
}

async fn hop(State(jobs): State<mpsc::Sender<Job>>) -> String {
    let (sender, receiver) = oneshot::channel();
    jobs.send(sender).expect("the threads live");
    answer(receiver.await.expect("they answer"))
}

async fn exec(State(moonlet): State<Handle>) -> String {
    let number = moonlet.exec("app:once", 41).await.expect("it ends well");
    answer(number.decode().expect("a number"))
}

async fn request(State((moonlet, pid)): State<(Handle, moonlet::Pid)>) -> String {
    let number = moonlet.request(&pid, "add", 41).await.expect("it answers");
    answer(number.decode().expect("a number"))
}

fn runtime() -> Result<Runtime, moonlet::Error> {
    let files = [("_index.yaml", INDEX), ("lasting.lua", LASTING)];
    let files = files.map(|(path, text)| (path.into(), text.as_bytes().to_vec()));
    Builder::new().pinning(false).application(Application::from_files(files)).start()
}

/// Serves until the program is killed.
pub(crate) fn run(handler: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut moonlet = None;
    let service = match handler {
        "plain" => Router::new().route("/", get(plain)),
        "hop" => Router::new().route("/", get(hop)).with_state(threads()),
        "exec" => {
            let handle = moonlet.insert(runtime()?).handle();
            Router::new().route("/", get(exec)).with_state(handle)
        }
        "request" => {
            let runtime = moonlet.insert(runtime()?);
            let pid = runtime.process("app:lasting").spawn().block()?;
            Router::new().route("/", get(request)).with_state((runtime.handle(), pid))
        }
        other => return Err(format!("no handler {other}: it is one of {HANDLERS:?}").into()),
    };
    executor.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        println!("{}", listener.local_addr()?);
        axum::serve(listener, service).await
    })?;
    Ok(())
}
