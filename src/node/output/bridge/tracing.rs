//! Records as events for the crate `tracing`.
//!
//! `tracing` wants the target and the names of an event's fields to live for ever, under a
//! *callsite*. Those of scripts are known when they come. So a callsite is made for each combination
//! of level, target and names that comes, and kept for the life of the program: up to
//! [`CALLSITES_MAX`], because scripts may make up names. Later combinations share a callsite of the
//! target `moonlet`, which has all fields of the script in one, `others`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use tracing_core::callsite::{self, Callsite, Identifier};
use tracing_core::field::{self, FieldSet, Value};
use tracing_core::metadata::LevelFilter;
use tracing_core::subscriber::{Interest, NoSubscriber};
use tracing_core::{Dispatch, Event, Kind, Level as TracingLevel, Metadata, dispatcher};

use super::super::Level;
use super::super::log_record::LogRecord;
use super::{Plain, RESERVED, fields, parts, target};
use crate::sync::{Mutex, lock};

/// How many combinations get a callsite of their own.
const CALLSITES_MAX: usize = 512;
/// The most fields that an event of `tracing` may have in all its versions.
const FIELDS_MAX: usize = 32;
/// The most fields of a script among them.
const OWN_MAX: usize = FIELDS_MAX - RESERVED.len();

/// Returns a function for [`Builder::on_log`](crate::Builder::on_log) that makes each record an event
/// of the crate [`tracing`](https://docs.rs/tracing), with its level, a target of the logger's name,
/// and fields.
///
/// The events go to the subscriber that is current where `to_tracing` is called. If there is none,
/// they go to the one that the program sets as global default. They are made on the thread
/// `moonlet-log`, and so belong to no span.
///
/// ```no_run
/// let runtime = moonlet::Builder::new().on_log(moonlet::to_tracing()).start()?;
/// # Ok::<(), moonlet::Error>(())
/// ```
pub fn to_tracing() -> impl FnMut(&LogRecord) + Send + 'static {
    let current = dispatcher::get_default(Dispatch::clone);
    let chosen = (!current.is::<NoSubscriber>()).then_some(current);
    move |record| match &chosen {
        Some(dispatch) => hand_on(record, dispatch),
        None => dispatcher::get_default(|dispatch| hand_on(record, dispatch)),
    }
}

fn hand_on(record: &LogRecord, dispatch: &Dispatch) {
    let level = match record.level() {
        Level::Debug => TracingLevel::DEBUG,
        Level::Info => TracingLevel::INFO,
        Level::Warn => TracingLevel::WARN,
        Level::Error | Level::Off => TracingLevel::ERROR,
    };
    if level > LevelFilter::current() {
        return;
    }
    let mut fields = fields(record);
    let mut others = fields.split_off(fields.len().min(OWN_MAX));
    let names = |fields: &[Named<'_>]| fields.iter().map(|(name, _)| name.to_string()).collect();
    let site = site(Key { level, target: target(record), names: names(&fields) });
    let site = site.unwrap_or_else(|shared| {
        others.splice(0..0, fields.drain(..));
        shared
    });
    if dispatch.enabled(site.metadata()) {
        emit(site.metadata(), record, (&fields, &others), dispatch);
    }
}

type Named<'a> = (Cow<'a, str>, Plain);

/// Makes the event. The fields with places of their own are those of the callsite, in its order.
fn emit(
    metadata: &'static Metadata<'static>,
    record: &LogRecord,
    (fields, others): (&[Named<'_>], &[Named<'_>]),
    dispatch: &Dispatch,
) {
    let message = record.message();
    let message = field::display(&message);
    let parts = parts(record);
    let others = (!others.is_empty()).then(|| shown(others));
    let others = others.as_ref().map(field::display);
    let fields: Vec<Box<dyn Value + '_>> = fields.iter().map(|(_, field)| value(field)).collect();
    let mut values: Vec<Option<&dyn Value>> = vec![Some(&message)];
    values.extend(parts.iter().map(|(_, part)| part.as_ref().map(|part| part as &dyn Value)));
    values.push(others.as_ref().map(|others| others as &dyn Value));
    values.extend(fields.iter().map(|field| Some(&**field)));
    let first = metadata.fields().iter().next().expect("the message");
    let places: Vec<_> = metadata.fields().iter().collect();
    // A place that is left over gets nothing.
    let pairs: [_; FIELDS_MAX] = std::array::from_fn(|index| match places.get(index) {
        Some(place) => (place, values[index]),
        None => (&first, None),
    });
    dispatch.event(&Event::new(metadata, &metadata.fields().value_set(&pairs)));
}

fn value(field: &Plain) -> Box<dyn Value + '_> {
    match field {
        Plain::Boolean(flag) => Box::new(*flag),
        Plain::Integer(number) => Box::new(*number),
        Plain::Float(number) => Box::new(*number),
        Plain::Text(text) => Box::new(&**text),
        Plain::Shown(text) => Box::new(field::display(text)),
    }
}

/// Fields in one text, as a table is shown.
fn shown(fields: &[Named<'_>]) -> String {
    let pairs: Vec<_> = fields.iter().map(|(name, field)| format!("{name}={field}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// What callsites differ by.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    level: TracingLevel,
    target: String,
    names: Vec<String>,
}

/// A callsite made at run time.
struct Site(OnceLock<Metadata<'static>>);

impl Callsite for Site {
    // Whether a subscriber wants the events is asked each time.
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'static> {
        self.0.get().expect("it is set before the callsite is shared")
    }
}

/// Returns the callsite of a key; `Err` with the shared one of its level if there are too many.
fn site(key: Key) -> Result<&'static Site, &'static Site> {
    if let Some(site) = find_or_make(&key, CALLSITES_MAX) {
        return Ok(site);
    }
    // There is one for each level, so these need no limit.
    let shared = Key { level: key.level, target: "moonlet".to_owned(), names: Vec::new() };
    Err(find_or_make(&shared, usize::MAX).expect("there is no limit"))
}

fn find_or_make(key: &Key, sites_max: usize) -> Option<&'static Site> {
    static SITES: OnceLock<Mutex<HashMap<Key, &'static Site>>> = OnceLock::new();
    let made = {
        let mut sites = lock(SITES.get_or_init(Mutex::default));
        if let Some(site) = sites.get(key) {
            return Some(site);
        }
        if sites.len() >= sites_max {
            return None;
        }
        let site = leaked(key);
        sites.insert(key.clone(), site);
        site
    };
    // Subscribers, which are code of the program, hear of it after the lock is released.
    callsite::register(made);
    Some(made)
}

/// Makes a callsite that is never dropped.
fn leaked(key: &Key) -> &'static Site {
    let kept = |text: &str| -> &'static str { Box::leak(Box::from(text)) };
    let site: &'static Site = Box::leak(Box::new(Site(OnceLock::new())));
    let own = key.names.iter().map(|name| kept(name));
    let names: Vec<&'static str> = RESERVED.into_iter().chain(own).collect();
    let fields = FieldSet::new(Box::leak(names.into_boxed_slice()), Identifier(site));
    site.0.get_or_init(|| {
        let (name, target) = ("log of Lua processes", kept(&key.target));
        Metadata::new(name, target, key.level, None, None, None, fields, Kind::EVENT)
    });
    site
}
