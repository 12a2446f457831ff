//! A line of standard input on its way to the coroutine that asked for it.

/// What one reading brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// A line without its end.
    Line(Vec<u8>),
    End,
    TooLong,
    Failed(String),
}

/// Something that was read: dropped untaken, it goes back to where it was read.
pub(crate) struct Lease {
    read: Option<Read>,
    give_back: Option<Box<dyn FnOnce(Read) + Send>>,
}

impl Lease {
    pub(crate) fn new(read: Read, give_back: impl FnOnce(Read) + Send + 'static) -> Lease {
        Lease { read: Some(read), give_back: Some(Box::new(give_back)) }
    }

    /// Takes what was read: from now on it is the coroutine's.
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
