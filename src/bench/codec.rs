//! Lua values and their encoding.

use crate::payload::{self, Payload};
use crate::value::Value;
use crate::vm::lua::Vm;

/// A VM with one value on its stack, and no process.
pub struct Codec(Vm);

/// An encoded value on its way between two VMs.
pub struct Encoded(Payload);

impl Codec {
    /// Puts a value into a VM of its own. Returns `None` if there is no memory for it.
    pub fn new(value: &Value) -> Option<Codec> {
        let vm = Vm::new(0, 0)?;
        vm.collect();
        payload::push_one(
            vm.stack(),
            &Payload::from_values(std::slice::from_ref(value)).expect("plain data"),
        )?;
        Some(Codec(vm))
    }

    /// Does the same as [`Codec::new`], with a string that Lua owns, like one that a script
    /// created.
    pub fn with_own_string(bytes: &[u8]) -> Option<Codec> {
        let vm = Vm::new(0, 0)?;
        vm.collect();
        vm.stack().push_string(bytes);
        Some(Codec(vm))
    }

    /// Encodes the value on the stack.
    pub fn encode(&self) -> Option<Encoded> {
        payload::encode(self.0.stack(), 1).ok().map(Encoded)
    }

    /// Pushes a decoded copy onto the stack and pops it, which makes it garbage.
    pub fn decode(&self, encoded: &Encoded) -> bool {
        let stack = self.0.stack();
        let is_decoded = payload::push_one(stack, &encoded.0).is_some();
        stack.set_top(1);
        is_decoded
    }
}
