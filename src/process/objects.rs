//! Things of the runtime that Lua refers to by userdata: they live here, so that a VM can be
//! dropped without running anything. A userdata holds the index; its finalizer names it.

use jiff::tz::TimeZone;

use super::context::Context;
use super::message::Topic;
use crate::payload::Payload;
use crate::security::{Actor, Policy, Scope};
use crate::sync::Arc;

/// What a SpawnBuilder has been told so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Laid over the context of whoever spawns.
    pub(crate) context: Context,
    pub(crate) name: Option<Arc<[u8]>>,
    pub(crate) messages: Vec<(Topic, Payload)>,
}

/// A time zone under the name that it was asked for with.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) name: String,
    pub(crate) zone: TimeZone,
    /// Whether its times carry `name` instead of the zone's own abbreviations.
    pub(crate) is_fixed: bool,
}

#[derive(Clone)]
pub(crate) enum Object {
    Plan(Arc<Plan>),
    Actor(Arc<Actor>),
    Scope(Arc<Scope>),
    Policy(Arc<Policy>),
    Location(Arc<Location>),
}

/// Index of an object in its process.
pub(crate) type ObjectId = u32;

#[derive(Default)]
pub(crate) struct Objects {
    list: Vec<Option<Object>>,
    free: Vec<ObjectId>,
}

impl Objects {
    pub(crate) fn add(&mut self, object: Object) -> ObjectId {
        if let Some(id) = self.free.pop() {
            self.list[id as usize] = Some(object);
            return id;
        }
        self.list.push(Some(object));
        self.list.len() as ObjectId - 1
    }

    pub(crate) fn get(&self, id: ObjectId) -> Option<&Object> {
        self.list.get(id as usize)?.as_ref()
    }

    /// Drops an object whose userdata was collected.
    pub(crate) fn remove(&mut self, id: ObjectId) {
        if let Some(place) = self.list.get_mut(id as usize)
            && place.take().is_some()
        {
            self.free.push(id);
        }
    }
}
