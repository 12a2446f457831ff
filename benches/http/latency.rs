//! Latency at a fixed rate, counted from the moment at which each request was to be sent.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Sends one request and reads its answer.
pub(crate) async fn ask(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    stream.write_all(REQUEST).await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // The answers are short and of one form: head, empty line, one line.
        let text = String::from_utf8_lossy(buffer);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.ends_with('\n')
        {
            let is_right = head.starts_with("HTTP/1.1 200") && body == "the answer is 42\n";
            return if is_right { Ok(()) } else { Err(io::Error::other(text.into_owned())) };
        }
    }
}

/// Returns the latencies in nanoseconds of `rate` requests a second over some connections.
pub(crate) fn at_rate(
    address: SocketAddr,
    rate: f64,
    connections: usize,
    length: Duration,
) -> io::Result<Histogram<u64>> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    executor.block_on(async {
        let begin = Instant::now() + Duration::from_millis(50);
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..connections {
            clients.spawn(client(address, begin, number, connections, rate, length));
        }
        let mut all = Histogram::<u64>::new(3).expect("a valid histogram");
        while let Some(client) = clients.join_next().await {
            all.add(client.map_err(io::Error::other)??).map_err(io::Error::other)?;
        }
        Ok(all)
    })
}

/// Sends every `connections`th request.
async fn client(
    address: SocketAddr,
    begin: Instant,
    number: usize,
    connections: usize,
    rate: f64,
    length: Duration,
) -> io::Result<Histogram<u64>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut buffer, mut latencies) =
        (Vec::new(), Histogram::<u64>::new(3).expect("a valid histogram"));
    for turn in (number..).step_by(connections) {
        let intended = Duration::from_secs_f64(turn as f64 / rate);
        if intended > length {
            break;
        }
        tokio::time::sleep_until((begin + intended).into()).await;
        ask(&mut stream, &mut buffer).await?;
        let latency = Instant::now().saturating_duration_since(begin + intended);
        latencies.record(latency.as_nanos() as u64).map_err(io::Error::other)?;
    }
    Ok(latencies)
}
