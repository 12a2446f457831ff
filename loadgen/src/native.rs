//! The native processes of the scenarios whose names begin with `native_`. Their mains are those of the
//! scenarios of Lua, and so are the messages and the checks; only who answers is in Rust.

use std::time::{Duration, Instant};

use moonlet::{Builder, Context, Event, Failure, Kind, Message};

/// Gives a builder the mains of the native processes.
pub(crate) fn add_to(builder: Builder) -> Builder {
    builder
        .native("loadgen.native_ping_pong:ping", ping)
        .native("loadgen.native_ping_pong:pong", pong)
        .native("loadgen.native_fan_in:sender", sender)
        .native("loadgen.native_fan_in:sink", sink)
        .native("loadgen.native_ring:node", node)
}

fn wrong(text: String) -> Failure {
    Failure::new(Kind::Internal, text)
}

async fn message(context: &mut Context) -> Result<Message, Failure> {
    match context.recv().await? {
        Event::Message(message) => Ok(message),
        other => Err(wrong(format!("expected a message, got {other:?}"))),
    }
}

async fn number(context: &mut Context) -> Result<i64, Failure> {
    Ok(message(context).await?.args()?)
}

/// Fails if something has arrived: a duplicate.
fn expect_empty(context: &mut Context, what: &str) -> Result<(), Failure> {
    match context.try_recv()? {
        None => Ok(()),
        Some(event) => Err(wrong(format!("{what}: a message too many: {event:?}"))),
    }
}

type Pair = (String, String, i64, i64);

/// Sends the rounds' numbers one after the other and expects each back. Every `stride`-th round is timed.
async fn ping(mut context: Context, (boss, pong, rounds, stride): Pair) -> Result<(), Failure> {
    context.send(&boss, "ready", ())?;
    message(&mut context).await?;
    let mut samples = Vec::new();
    for round in 1..=rounds {
        let sent = ((round - 1) % stride == 0).then(Instant::now);
        context.send(&pong, "ping", round)?;
        let answer = number(&mut context).await?;
        samples.extend(sent.map(|sent| sent.elapsed().as_nanos() as i64));
        if answer != round {
            return Err(wrong(format!("ping: expected {round}, got {answer}")));
        }
    }
    context.send(&boss, "done", ())?;
    expect_empty(&mut context, "ping")?;
    // One value: a table.
    context.send(&boss, "samples", (samples,))?;
    Ok(())
}

/// Sends back what it gets to whom it got it from; the numbers must come in order.
async fn pong(mut context: Context, rounds: i64) -> Result<(), Failure> {
    for round in 1..=rounds {
        let message = message(&mut context).await?;
        let number: i64 = message.args()?;
        if number != round {
            return Err(wrong(format!("pong: expected {round}, got {number}")));
        }
        let from = message.from().ok_or_else(|| wrong("pong: nobody has sent it".to_owned()))?;
        context.send(from, "pong", number)?;
    }
    Ok(())
}

type Sender = (String, String, i64, i64);

/// Sends the numbers 1 to `count`, its own index in the bits above. A full mailbox is waited for.
async fn sender(mut context: Context, (boss, sink, index, count): Sender) -> Result<(), Failure> {
    context.send(&boss, "ready", ())?;
    message(&mut context).await?;
    for number in 1..=count {
        while let Err(error) = context.send(&sink, "n", index << 40 | number) {
            let failure = Failure::from(error);
            if failure.retryable() != Some(true) {
                return Err(failure);
            }
            context.sleep(Duration::from_millis(1)).await?;
        }
    }
    Ok(())
}

/// Receives everything and checks that each sender's numbers come in order, without gap and without
/// repetition.
async fn sink(
    mut context: Context,
    (boss, senders, count): (String, i64, i64),
) -> Result<(), Failure> {
    let mut expected: Vec<i64> = (0..=senders).map(|index| (index << 40) + 1).collect();
    context.send(&boss, "ready", ())?;
    for _ in 0..senders * count {
        let number = number(&mut context).await?;
        let sender = (number >> 40) as usize;
        if expected.get(sender) != Some(&number) {
            let text = format!("sink: sender {sender}: expected {expected:?}, got {number}");
            return Err(wrong(text));
        }
        expected[sender] = number + 1;
    }
    context.send(&boss, "done", ())?;
    expect_empty(&mut context, "sink")?;
    context.send(&boss, "checked", ())?;
    Ok(())
}

/// Passes the token on with one hop less. Each round it must come back with exactly `size` hops less.
async fn node(
    mut context: Context,
    (boss, size, next): (String, i64, Option<String>),
) -> Result<(), Failure> {
    let next = match next {
        Some(next) => next,
        None => message(&mut context).await?.args()?,
    };
    context.send(&boss, "ready", ())?;
    let first = number(&mut context).await?;
    let (mut left, mut expected) = (first, first);
    while left >= 0 {
        if left != expected {
            return Err(wrong(format!("ring: expected {expected} hops to be left, got {left}")));
        }
        expected = left - size;
        match left {
            0 => context.send(&boss, "done", ())?,
            left => context.send(&next, "token", left - 1)?,
        }
        left = number(&mut context).await?;
    }
    // Each round took `size` hops, as was seen.
    context.send(&boss, "visits", (first - expected).div_euclid(size))?;
    Ok(())
}
