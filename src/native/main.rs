//! The mains of native processes.

use std::any::Any;
use std::collections::HashMap;
use std::pin::Pin;

use crate::nearest;
use crate::payload::Payload;
use crate::sync::Arc;
use crate::value::Failure;

/// What a native process runs.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<Payload, Failure>> + Send>>;

/// Makes what a process runs from its seat (`process/seat.rs`, which this floor does not know) and the
/// arguments of main. It is code of the program, and so is what it makes.
pub(crate) type Main = dyn Fn(Arc<dyn Any + Send + Sync>, Payload) -> Running + Send + Sync;

/// The mains that a program has, by the ids of their entries.
#[derive(Clone, Default)]
pub(crate) struct Mains(HashMap<Box<str>, Arc<Main>>);

impl Mains {
    pub(crate) fn add(&mut self, id: &str, main: Arc<Main>) {
        self.0.insert(id.into(), main);
    }

    /// Returns the main of an entry of kind `process.native`.
    ///
    /// # Errors
    /// A text that says that the program has none.
    pub(crate) fn get(&self, id: &str) -> Result<Arc<Main>, String> {
        self.0.get(id).cloned().ok_or_else(|| {
            let mut others: Vec<&str> = self.0.keys().map(|id| &**id).collect();
            others.sort_unstable();
            let advice = match nearest::hint(id, others.iter().copied()) {
                none if none.is_empty() && others.is_empty() => "; it has none".to_owned(),
                none if none.is_empty() => format!("; it has {}", others.join(", ")),
                hint => hint,
            };
            format!("{id} is a native process, for which this program has no main{advice}")
        })
    }

    /// Returns the ids of the mains.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|id| &**id)
    }
}
