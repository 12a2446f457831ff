//! Objects of the runtime that Lua refers to by userdata. They live here, so that a VM can be
//! dropped without running finalizers. A userdata holds the index of its object; its finalizer only
//! reports that index.

use std::sync::{LazyLock, OnceLock};

use jiff::tz::TimeZone;

use crate::message::context::Context;
use crate::message::{Requester, Topic};
use crate::native;
use crate::payload::Payload;
use crate::security::{Actor, Policy, Scope};
use crate::sync::Arc;
use crate::value::Value;

/// The settings that a SpawnBuilder has collected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Replaces values of the spawner's context.
    pub(crate) context: Context,
    pub(crate) name: Option<Arc<[u8]>>,
    pub(crate) messages: Vec<(Topic, Payload)>,
}

impl Plan {
    fn size(&self) -> usize {
        let values = self.context.values().map(|(key, value)| key.len() + value.size());
        let messages = self.messages.iter().map(|(topic, payload)| topic.len() + payload.size());
        values.chain(messages).sum()
    }
}

/// A time zone, with the name by which the script asked for it.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) name: String,
    pub(crate) zone: TimeZone,
    /// Whether times in it show `name` instead of the zone's own abbreviations.
    pub(crate) is_fixed: bool,
}

impl Location {
    pub(crate) fn utc() -> Location {
        Location { name: "UTC".to_owned(), zone: TimeZone::UTC, is_fixed: false }
    }

    /// The system's zone as it was when the program first asked: `time.localtz` is one object for
    /// all, and other local times must agree with it.
    pub(crate) fn local() -> Location {
        static LOCAL: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);
        Location { name: "Local".to_owned(), zone: LOCAL.clone(), is_fixed: false }
    }
}

/// Approximate bytes that an `Arc` and the allocator add to a value.
const SHARED: usize = 32;

pub(crate) enum Object {
    Plan(Arc<Plan>),
    Actor(Arc<Actor>),
    Scope(Arc<Scope>),
    Policy(Arc<Policy>),
    Location(Arc<Location>),
    /// Who waits for the answer to a Message; `None` when it was answered.
    Request(Option<Requester>),
    Native(NativeObject),
}

/// The value of an object of a native class.
pub(crate) struct NativeObject {
    /// `None` while a method has it, and after the drop.
    pub(crate) value: Option<native::Value>,
    /// The size when the object was made. The userdata has the present one.
    size: usize,
}

impl NativeObject {
    pub(crate) fn new(value: native::Value, size: usize) -> NativeObject {
        NativeObject { value: Some(value), size }
    }
}

impl Drop for NativeObject {
    fn drop(&mut self) {
        let value = self.value.take();
        native::quietly(|| drop(value));
    }
}

impl Object {
    /// Returns another reference to the object, if it can be shared.
    fn share(&self) -> Option<Object> {
        Some(match self {
            Object::Plan(plan) => Object::Plan(plan.clone()),
            Object::Actor(actor) => Object::Actor(actor.clone()),
            Object::Scope(scope) => Object::Scope(scope.clone()),
            Object::Policy(policy) => Object::Policy(policy.clone()),
            Object::Location(location) => Object::Location(location.clone()),
            Object::Request(_) | Object::Native(_) => return None,
        })
    }

    /// Bytes that the object takes outside of Lua, including what a script put into it. They count
    /// against the memory limit.
    pub(crate) fn size(&self) -> usize {
        let content = match self {
            Object::Plan(plan) => std::mem::size_of::<Plan>() + plan.size(),
            Object::Actor(actor) => {
                std::mem::size_of::<Actor>() + actor.id.len() + size_of(&actor.meta)
            }
            Object::Scope(scope) => std::mem::size_of::<Scope>() + scope.size(),
            // Policies belong to the application, and all processes share these zones.
            Object::Policy(_) | Object::Request(_) => 0,
            Object::Location(location) => std::mem::size_of::<Location>() + location.name.len(),
            Object::Native(object) => object.size,
        };
        bytes_with(content)
    }
}

/// Bytes that an object takes beside Lua, with `content` bytes of its own.
pub(crate) fn bytes_with(content: usize) -> usize {
    std::mem::size_of::<Option<Object>>() + SHARED + content
}

fn size_of(value: &Value) -> usize {
    let contents = match value {
        Value::String(text) => text.len(),
        Value::Table(pairs) => pairs.iter().map(|(key, value)| size_of(key) + size_of(value)).sum(),
        _ => 0,
    };
    size_of_val(value) + contents
}

/// Index of an object in its process.
pub(crate) type ObjectId = u32;

/// Objects that every process has from the start.
pub(crate) const UTC: ObjectId = ObjectId::MAX;
pub(crate) const LOCAL: ObjectId = ObjectId::MAX - 1;

fn known(id: ObjectId) -> Object {
    static KNOWN: OnceLock<[Arc<Location>; 2]> = OnceLock::new();
    let [utc, local] = KNOWN.get_or_init(|| [Location::utc(), Location::local()].map(Arc::new));
    Object::Location(if id == UTC { utc.clone() } else { local.clone() })
}

/// The table is allocated with the first object: most processes have none.
#[derive(Default)]
pub(crate) struct Objects(Option<Box<Table>>);

#[derive(Default)]
struct Table {
    list: Vec<Option<Object>>,
    free: Vec<ObjectId>,
}

impl Objects {
    pub(crate) fn add(&mut self, object: Object) -> ObjectId {
        let table = self.0.get_or_insert_default();
        if let Some(id) = table.free.pop() {
            table.list[id as usize] = Some(object);
            return id;
        }
        table.list.push(Some(object));
        table.list.len() as ObjectId - 1
    }

    /// Returns another reference to an object that can be shared.
    pub(crate) fn get(&self, id: ObjectId) -> Option<Object> {
        if id >= LOCAL {
            return Some(known(id));
        }
        self.0.as_ref()?.list.get(id as usize)?.as_ref()?.share()
    }

    /// Returns an object of a native class, whose userdata refers to it.
    pub(crate) fn native(&mut self, id: ObjectId) -> Option<&mut NativeObject> {
        match self.0.as_mut()?.list.get_mut(id as usize)?.as_mut()? {
            Object::Native(object) => Some(object),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, id: ObjectId) -> Option<&mut Object> {
        self.0.as_mut()?.list.get_mut(id as usize)?.as_mut()
    }

    /// Returns all objects that were added and not removed.
    pub(crate) fn into_all(self) -> impl Iterator<Item = Object> {
        self.0.into_iter().flat_map(|table| table.list).flatten()
    }

    /// Removes an object whose userdata was collected.
    pub(crate) fn remove(&mut self, id: ObjectId) -> Option<Object> {
        let table = self.0.as_mut()?;
        let object = table.list.get_mut(id as usize)?.take()?;
        table.free.push(id);
        Some(object)
    }
}
