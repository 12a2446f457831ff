//! A line of standard input on its way to the coroutine that asked for it.

/// Result of one read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// A line without its line end.
    Line(Vec<u8>),
    End,
    TooLong,
    Failed(String),
}

/// A read result in transit. If it is dropped without being taken, it returns to where it was read.
pub(crate) struct Lease {
    read: Option<Read>,
    give_back: Option<Box<dyn FnOnce(Read) + Send>>,
}

impl Lease {
    pub(crate) fn new(read: Read, give_back: impl FnOnce(Read) + Send + 'static) -> Lease {
        Lease { read: Some(read), give_back: Some(Box::new(give_back)) }
    }

    /// Takes the result, which from now on belongs to the coroutine.
    pub(crate) fn take(mut self) -> Read {
        self.read.take().unwrap_or(Read::End)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (Some(read), Some(give_back)) = (self.read.take(), self.give_back.take()) {
            give_back(read);
        }
    }
}
