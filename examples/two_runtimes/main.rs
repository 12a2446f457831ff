//! Two runtimes in one program, which ask each other by way of a mailbox. `README.md` says what it
//! prints.

use std::thread;

use moonlet::{Application, Builder, Error, Event, Mailbox, Runtime};

fn start() -> Result<Runtime, Error> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/two_runtimes");
    // Each has one worker. They are pinned to different cores as long as there are enough.
    Builder::new().workers(1).application(Application::load(folder)).start()
}

/// Passes requests on to a process of another runtime, until its own runtime stops.
fn pass_on(mut gateway: Mailbox, other: &Runtime) -> Result<u32, Error> {
    let squarer = other.process("app:squarer").spawn().block()?;
    let mut passed = 0;
    loop {
        match gateway.recv().block() {
            Ok(Event::Message(message)) => {
                let payload = message.payload().clone();
                let answer = other.request(&squarer, &message.topic(), payload).block()?;
                message.reply(answer)?;
                passed += 1;
            }
            Ok(_) => {}
            Err(Error::Stopped) => return Ok(passed),
            Err(error) => return Err(error),
        }
    }
}

fn main() -> Result<(), Error> {
    let (front, back) = (start()?, start()?);
    let gateway = front.mailbox().name("gateway").open()?;
    let passing = thread::spawn(move || pass_on(gateway, &back));
    for number in [3, 12, 111] {
        let square: i64 = front.exec("app:square", ("gateway", number)).block()?.decode()?;
        println!("{number}² = {square}");
    }
    front.shutdown();
    let passed = passing.join().expect("it does not panic")?;
    println!("{passed} requests went from one runtime to the other");
    Ok(())
}
