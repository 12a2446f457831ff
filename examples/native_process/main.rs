//! A process in Rust among processes of Lua. `README.md` says what it prints.

use std::time::{Duration, Instant};

use moonlet::{Application, Builder, Context, Error, Event, Failure};

/// Gives away a number of permits per period. Lua asks it for them by `process.request`.
async fn limiter(mut context: Context, (permits, millis): (u32, u64)) -> Result<(), Failure> {
    context.register("limiter")?;
    let period = Duration::from_millis(millis);
    let (mut left, mut since) = (permits, Instant::now());
    loop {
        match context.recv().await? {
            Event::Message(message) if message.topic() == "permit" => {
                if since.elapsed() >= period {
                    (left, since) = (permits, Instant::now());
                }
                // Who asked may have ended meanwhile.
                if message.reply(left > 0).is_ok() {
                    left = left.saturating_sub(1);
                }
            }
            // The runtime stops, or somebody wants this process to end.
            Event::Cancel(_) => return Ok(()),
            other => println!("the limiter ignores {other:?}"),
        }
    }
}

fn main() -> Result<(), Error> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/native_process");
    let application = Application::load(folder);
    for problem in application.problems() {
        eprintln!("{problem}");
    }
    let builder = Builder::new().plain_print(true).application(application);
    let runtime = builder.native("app:limiter", limiter).start()?;
    let granted: u32 = runtime.exec("app:main", 5).block()?.decode()?;
    runtime.stop().timeout(Duration::from_secs(5)).block()?;
    // Writes what the processes have printed.
    runtime.shutdown();
    println!("{granted} of 5 workers got a permit");
    Ok(())
}
