//! What the benches measure of the engine's inside, and nothing else: no promise, no interface.
//!
//! Benches are programs of their own and see public items only. These are thin enough to add
//! nothing to what is measured, and vanish from programs that do not call them.

use crate::payload::{self, Payload};
use crate::process::mailbox;
use crate::process::message::{Content, Message, Topic};
use crate::value::Value;
use crate::vm::Vm;

/// Messages that wait in a [`Mailbox`] before its senders are refused.
const UNREAD_MAX: u32 = 1024;

/// An open mailbox without a process.
pub struct Mailbox(mailbox::Mailbox);

impl Mailbox {
    /// Makes an open, empty mailbox.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Mailbox {
        let mailbox = mailbox::Mailbox::new();
        mailbox.open();
        Mailbox(mailbox)
    }

    /// Makes a message without content and appends it as `send` does; false if it is full.
    pub fn push(&self) -> bool {
        if !self.0.reserve(1, UNREAD_MAX) {
            return false;
        }
        let topic = Topic::from_slice(b"topic");
        let content = Content::User { from: None, topic, payload: Payload::default() };
        self.0.user.push(Message::new(0, content)).is_ok()
    }

    /// Takes and drops every message that is there; returns how many.
    pub fn pop_all(&self) -> u32 {
        let mut queue = self.0.user.take();
        let mut count = 0;
        while let Some(message) = queue.pop() {
            std::hint::black_box(&message.content);
            count += 1;
        }
        self.0.release(count);
        count
    }
}

/// A VM with one value on its stack, and no process.
pub struct Codec(Vm);

/// A value between two VMs.
pub struct Encoded(Payload);

impl Codec {
    /// Puts a value into a VM of its own. `None` if there is no memory for it.
    pub fn new(value: &Value) -> Option<Codec> {
        let vm = Vm::new(0, 0)?;
        vm.collect();
        payload::push_one(vm.stack(), &payload::from_values(std::slice::from_ref(value)))?;
        Some(Codec(vm))
    }

    /// As [`Codec::new`] with a string that Lua holds itself, as one that a script made.
    pub fn with_own_string(bytes: &[u8]) -> Option<Codec> {
        let vm = Vm::new(0, 0)?;
        vm.collect();
        vm.stack().push_string(bytes);
        Some(Codec(vm))
    }

    /// Copies the value off the stack.
    pub fn encode(&self) -> Option<Encoded> {
        payload::encode(self.0.stack(), 1).ok().map(Encoded)
    }

    /// Puts a copy onto the stack and takes it off again, which makes it garbage.
    pub fn decode(&self, encoded: &Encoded) -> bool {
        let stack = self.0.stack();
        let is_decoded = payload::push_one(stack, &encoded.0).is_some();
        stack.set_top(1);
        is_decoded
    }
}
