//! One value from a Lua stack into a payload, and from a payload onto a Lua stack.
//!
//! `encode` includes dropping the payload. `decode` includes that the value becomes garbage, and
//! therefore the collector's steps for it. The long string is forwarded: it arrived as shared
//! bytes, so encoding it again and decoding it move a reference; `payload_encode/string_64k_own` is
//! a string that Lua created itself, which is copied once. No message, mailbox or process is
//! involved, and the collector of a VM with one value has little to do: a real process pays more
//! for garbage.

use std::hint::black_box;

use criterion::{Criterion, criterion_group};
use moonlet::Value;
use moonlet::bench::Codec;

const LONG_BYTES: usize = 64 * 1024;

/// Eight pairs that are typical of requests and replies; one value is a list.
fn small_table() -> Value {
    let list = Value::sequence([1, 2, 3].map(Value::from));
    let fields = [
        ("id", Value::from(17)),
        ("name", Value::from("moonlet")),
        ("reply_to", Value::from("store.reply.17")),
        ("ratio", Value::from(0.5)),
        ("enabled", Value::from(true)),
        ("list", list),
        ("x", Value::from(1)),
        ("y", Value::from(2)),
    ];
    Value::table(fields)
}

/// Returns tables nested `depth` levels deep.
fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::from(1), |inner, _| Value::table([("in", inner)]))
}

fn payload(criterion: &mut Criterion) {
    let long = "x".repeat(LONG_BYTES);
    let values = [
        ("scalar", Value::from(42)),
        ("float", Value::from(0.5)),
        ("boolean", Value::from(true)),
        ("string_16", Value::from("0123456789abcdef")),
        ("string_1k", Value::from("x".repeat(1024).as_str())),
        ("string_64k", Value::from(long.as_str())),
        ("small_table", small_table()),
        ("list_100", Value::sequence((0..100).map(Value::from))),
        ("nested_8", nested(8)),
    ];
    let codec_of = |value| Codec::new(value).expect("there is memory for a VM");
    let mut group = criterion.benchmark_group("payload_encode");
    for (name, value) in &values {
        let codec = codec_of(value);
        group.bench_function(*name, |bencher| bencher.iter(|| codec.encode()));
    }
    let codec = Codec::with_own_string(long.as_bytes()).expect("there is memory for a VM");
    group.bench_function("string_64k_own", |bencher| bencher.iter(|| codec.encode()));
    group.finish();

    let mut group = criterion.benchmark_group("payload_decode");
    for (name, value) in &values {
        let codec = codec_of(value);
        let encoded = codec.encode().expect("the value can be sent");
        group.bench_function(*name, |bencher| {
            bencher.iter(|| assert!(codec.decode(black_box(&encoded))));
        });
    }
    group.finish();
}

criterion_group!(benches, payload);
