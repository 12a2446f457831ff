//! Records for the crate `log`.

use std::borrow::Cow;

use ::log::kv::{self, Key, Source, Value, VisitSource};
use ::log::{Level as LogLevel, MetadataBuilder, Record};

use super::super::Level;
use super::super::log_record::LogRecord;
use super::{Plain, fields, parts, target};

/// Returns a function for [`Builder::on_log`](crate::Builder::on_log) that hands each record to the
/// logger of the crate [`log`](https://docs.rs/log), with its level, a target of the logger's name,
/// and key-values.
///
/// The logger is called on the thread `moonlet-log`, while it is the one that the program has set.
///
/// ```no_run
/// let runtime = moonlet::Builder::new().on_log(moonlet::to_log()).start()?;
/// # Ok::<(), moonlet::Error>(())
/// ```
pub fn to_log() -> impl FnMut(&LogRecord) + Send + 'static {
    hand_on
}

fn hand_on(record: &LogRecord) {
    let level = match record.level() {
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error | Level::Off => LogLevel::Error,
    };
    if level > ::log::max_level() {
        return;
    }
    let target = target(record);
    let metadata = MetadataBuilder::new().level(level).target(&target).build();
    let logger = ::log::logger();
    if !logger.enabled(&metadata) {
        return;
    }
    let pairs = Pairs { parts: parts(record), fields: fields(record) };
    let mut builder = Record::builder();
    builder.metadata(metadata).key_values(&pairs);
    logger.log(&builder.args(format_args!("{}", record.message())).build());
}

struct Pairs<'a> {
    parts: [(&'static str, Option<String>); 4],
    fields: Vec<(Cow<'a, str>, Plain)>,
}

impl Source for Pairs<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        for (name, value) in &self.parts {
            if let Some(value) = value {
                visitor.visit_pair(Key::from_str(name), Value::from(&**value))?;
            }
        }
        for (name, value) in &self.fields {
            let value = match value {
                Plain::Boolean(flag) => Value::from(*flag),
                Plain::Integer(number) => Value::from(*number),
                Plain::Float(number) => Value::from(*number),
                Plain::Text(text) => Value::from(&**text),
                Plain::Shown(text) => Value::from_display(text),
            };
            visitor.visit_pair(Key::from_str(name), value)?;
        }
        Ok(())
    }
}
