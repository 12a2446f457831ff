//! Arguments and results of native functions, read from a Lua stack and pushed onto it.
//!
//! Numbers, booleans and texts, which are most of what functions take and return, go between the stack
//! and Rust without a payload. Everything else is encoded as a payload first, so the mapping is the one
//! of `convert.rs`.

use std::cell::Cell;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::coding_error::{DecodeError, EncodeError};
use super::{IntoPayload, Payload, decode, encode};
use crate::vm::lua::stack::{Stack, Type};

/// The arguments of a call, on the stack. Part of hidden methods of traits, so it is public.
#[derive(Debug)]
pub struct Arguments {
    pub(super) stack: Stack,
    /// Stack index of the first argument.
    pub(super) first: i32,
    pub(super) count: i32,
    /// Number of the argument that is wrong, counted from 1; 0 if that is not known.
    pub(super) wrong: Cell<i32>,
}

impl Arguments {
    /// The arguments from stack index `first` to the top.
    #[inline]
    pub(crate) fn new(stack: Stack, first: i32) -> Arguments {
        let count = stack.top() + 1 - first;
        Arguments { stack, first, count, wrong: Cell::new(0) }
    }

    /// No arguments.
    pub(crate) fn none(stack: Stack) -> Arguments {
        Arguments { stack, first: 1, count: 0, wrong: Cell::new(0) }
    }

    /// Number of the argument that a failed read found wrong, counted from 1; 0 if it did not say.
    pub(crate) fn wrong(&self) -> i32 {
        self.wrong.get()
    }

    /// Encodes all arguments.
    pub(crate) fn payload(&self) -> Result<Payload, DecodeError> {
        let mut payload = Payload::default();
        for position in 1..=self.count {
            self.append(&mut payload, position)?;
        }
        Ok(payload)
    }

    /// Encodes the argument at a position, counted from 1.
    pub(super) fn append(&self, payload: &mut Payload, position: i32) -> Result<(), DecodeError> {
        let index = self.first + position - 1;
        encode::append(payload, self.stack, index).map_err(|error| {
            self.wrong.set(position);
            DecodeError::new(error.message())
        })
    }

    /// Refuses arguments beyond the last that a function takes, unless they are nil.
    pub(super) fn expect_at_most(&self, most: usize) -> Result<(), DecodeError> {
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let is_given = |position: &i32| self.stack.kind(self.first + position - 1) != Type::Nil;
        match (most.saturating_add(1)..=self.count).find(is_given) {
            None => Ok(()),
            Some(position) => {
                self.wrong.set(position);
                let values = if most == 1 { "argument" } else { "arguments" };
                Err(DecodeError::new(format_args!("it takes at most {most} {values}")))
            }
        }
    }
}

/// The results of a call, pushed onto the stack. Part of hidden methods of traits, so it is public.
#[derive(Debug)]
pub struct Results {
    pub(super) stack: Stack,
    count: i32,
}

impl Results {
    #[inline]
    pub(crate) fn new(stack: Stack) -> Results {
        Results { stack, count: 0 }
    }

    /// Number of values that were pushed.
    #[inline]
    pub(crate) fn count(&self) -> i32 {
        self.count
    }

    pub(crate) fn push(&mut self, payload: &Payload) -> Result<(), EncodeError> {
        let pushed = decode::push_all(self.stack, payload);
        self.count += pushed.ok_or_else(|| EncodeError::new("too many results"))?;
        Ok(())
    }
}

/// Reads arguments as a Rust type.
#[inline]
pub(super) fn read<T: DeserializeOwned>(arguments: &Arguments) -> Result<T, DecodeError> {
    super::de::from_arguments(arguments)
}

/// Pushes a Rust value, or the values of a tuple.
#[inline]
pub(super) fn write<T: Serialize>(value: T, results: &mut Results) -> Result<(), EncodeError> {
    let base = results.stack.top();
    match super::ser::push(&value, results.stack) {
        Some(count) => results.count += count,
        None => {
            results.stack.set_top(base);
            results.push(&value.into_payload()?)?;
        }
    }
    Ok(())
}
