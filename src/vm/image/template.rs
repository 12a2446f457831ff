//! VMs created by copying: the image of a VM that is ready to run, with the list of its pointers.
//!
//! Building a VM and loading its code takes tens of microseconds, copying one less than one
//! microsecond. The image is obtained by building the same VM twice, at two addresses and over
//! memory that was filled with two different bytes (the poison), and by comparing the two builds
//! word by word:
//!
//! - an equal word is a constant;
//! - a word that differs by exactly the distance between the two builds is a pointer into the build
//!   itself, which is relocated in every copy;
//! - bytes that hold the poison in both builds were never written, and nothing reads them: the
//!   image has zero there;
//! - any other difference depends on addresses in a way that copying cannot follow: there is no
//!   template.
//!
//! While the two VMs are built, their arenas wipe the memory that Lua frees, so that no word
//! contains part of an old pointer. The comparison cannot detect a table whose layout depends on
//! the address of a key and is the same in both builds by chance. For this reason, a trial copy is
//! walked through: every key must be a string, a number or a boolean. The walk is followed by a
//! full collection, which visits everything that is alive and must find no garbage.
//!
//! If there is no template, for one of these reasons or because the image would be larger than
//! [`ROOM`], processes are built one by one, with the same result; a [`Refusal`] gives the reason.

#![allow(unsafe_code)]

use std::ptr::NonNull;

use crate::vm::lua::Vm;
use crate::vm::lua::block::{Block, MEMORY};
use crate::vm::lua::ffi::lua_State;
use crate::vm::lua::key_walk::KeyWalk;
use crate::vm::memory::arena::{Order, Saved, Staying};

/// Maximum size of an image, in bytes. Beyond it, copying is no longer cheap compared with
/// building.
pub(crate) const ROOM: usize = 64 * 1024;
/// The bytes that fill the unused memory of the two builds. No length, tag or pointer looks like
/// them.
const POISONS: [u8; 2] = [0xa7, 0x5c];
/// Bytes reserved behind the image in each copy, so that a process needs no second block before its
/// first wait.
const HEADROOM: usize = 208;

/// The reason why a VM cannot be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("too large: its {used} bytes and what making them takes exceed {ROOM} bytes")]
    TooLarge { used: usize },
    #[error("two builds take different amounts of memory, {0} and {1} words")]
    Lengths(usize, usize),
    #[error("word {index} of {words} depends on an address")]
    Address { index: usize, words: usize },
    #[error("a table has a key that is hashed by its address, or lies too deep to be looked at")]
    Key,
    #[error("a full collection changed the bytes in use from {before} to {after}")]
    Collection { before: usize, after: usize },
    #[error("out of memory")]
    Memory,
    #[error("the chunk sees or does what differs from process to process")]
    Individual,
    #[error("the chunk fails, or is not over within one time slice")]
    Unfinished,
}

/// The image of a VM.
pub(crate) struct Template {
    /// The words of the arena's memory; pointers are relative to the start of the block.
    image: Box<[usize]>,
    /// Indices of the words that are pointers.
    pointers: Box<[u32]>,
    arena: Saved,
    /// Offset of the main state from the start of the block, in bytes.
    main_state: usize,
    /// Size of a copy's block, in bytes.
    block: usize,
}

impl Template {
    /// Builds a template of the VM that `prepare` makes from an empty one; `prepare` returns false
    /// if memory is out.
    ///
    /// # Errors
    /// The reason why such a VM cannot be copied.
    pub(crate) fn make(hash_seed: u32, prepare: &dyn Fn(&Vm) -> bool) -> Result<Template, Refusal> {
        let build = |vm| if prepare(&vm) { Ok(vm) } else { Err(Refusal::Memory) };
        Template::make_in(hash_seed, build, |vm| vm)
    }

    /// Does the same as [`Template::make`], for a `build` that returns a value which contains the
    /// VM.
    ///
    /// # Errors
    /// Those of `build`, or the reason why such a VM cannot be copied.
    pub(crate) fn make_in<B>(
        hash_seed: u32,
        build: impl Fn(Vm) -> Result<B, Refusal>,
        vm_of: impl Fn(&B) -> &Vm,
    ) -> Result<Template, Refusal> {
        let build = |poison, order: Option<Order>| {
            let block = Block::new(MEMORY + ROOM, 0, poison).ok_or(Refusal::Memory)?;
            if let Some(order) = order {
                // SAFETY: this function has just created the block, and no state allocates from its
                // arena yet.
                unsafe { (*block.control().arena_ptr()).set_order(order) };
            }
            build(Vm::in_block(block, hash_seed).ok_or(Refusal::Memory)?)
        };
        let noted = build(POISONS[0], Some(Order::noted()))?;
        let staying = vm_of(&noted).control().staying();
        let make = |staying: Option<Staying>| {
            let order = || staying.clone().map(Order::placed);
            let (first, second) = (build(POISONS[0], order())?, build(POISONS[1], order())?);
            let template = Template::of(vm_of(&first), vm_of(&second))?;
            template.check()?;
            Ok(template)
        };
        // Placing the requests takes more memory during a build, since the pieces of requests that
        // go are not used again. Without placing, the VM may still fit.
        make(staying).or_else(|refusal| match refusal {
            Refusal::TooLarge { .. } => make(None),
            other => Err(other),
        })
    }

    /// Makes a template from the comparison of two builds.
    fn of(first: &Vm, second: &Vm) -> Result<Template, Refusal> {
        let (bases, words) = (bases(first, second), [words(first)?, words(second)?]);
        let length = words[0].len();
        if length != words[1].len() {
            return Err(Refusal::Lengths(length, words[1].len()));
        }
        let mut image = Vec::with_capacity(length);
        let mut pointers = Vec::new();
        for (index, (&one, &other)) in words[0].iter().zip(words[1]).enumerate() {
            if one != other && other.wrapping_sub(one) == bases[1].wrapping_sub(bases[0]) {
                pointers.push(index as u32);
                image.push(one.wrapping_sub(bases[0]));
            } else {
                let refusal = Refusal::Address { index, words: length };
                image.push(constant(one, other).ok_or(refusal)?);
            }
        }
        let block = MEMORY + image.len() * size_of::<usize>() + HEADROOM;
        Ok(Template {
            image: image.into(),
            pointers: pointers.into(),
            arena: first.control().save_arena(),
            main_state: first.main_state() as usize - bases[0],
            block,
        })
    }

    /// Creates a VM that is a copy of the image. `memory_limit` is in bytes, 0 for no limit, as for
    /// [`Vm::new`]. Returns `None` if memory is out.
    pub(crate) fn copy(&self, memory_limit: usize) -> Option<Vm> {
        let block = Block::pooled(self.block, memory_limit)?;
        let start = block.start();
        // SAFETY: a block of this template has `MEMORY` bytes followed by the bytes of the image
        // (`Template::of` computed the block's size), so the address is inside the block and
        // aligned to a word.
        let memory = unsafe { start.add(MEMORY).cast::<usize>() };
        // SAFETY: the block has room for the image at `memory`, and no other code has the block
        // yet.
        unsafe { memory.copy_from_nonoverlapping(self.image.as_ptr(), self.image.len()) };
        let base = start.expose_provenance();
        for index in &self.pointers {
            // SAFETY: `Template::of` created the indices; they are indices of words of the image,
            // which was copied above.
            unsafe {
                let word = memory.add(*index as usize);
                *word = (*word).wrapping_add(base);
            }
        }
        let arena = block.control().arena_ptr();
        // SAFETY: `Block::pooled` created the arena, which has served no request. Its first memory
        // begins with the image, whose pointers the loop has relocated, and has `HEADROOM` further
        // bytes.
        unsafe { (*arena).restore(&self.arena, size_of_val(&*self.image)) };
        // SAFETY: `Template::of` computed the offset of a state that lies inside the image.
        let lua = unsafe { NonNull::new_unchecked(start.add(self.main_state).cast::<lua_State>()) };
        Some(Vm { lua, block })
    }

    /// Writes to `memory` the initial contents of a copy whose block starts at `base`, followed by
    /// zeros. Returns false if `memory` is shorter than the image.
    #[cfg(feature = "bench")]
    pub(super) fn lay_out(&self, base: usize, memory: &mut [usize]) -> bool {
        if memory.len() < self.image.len() {
            return false;
        }
        let (copy, rest) = memory.split_at_mut(self.image.len());
        copy.copy_from_slice(&self.image);
        for index in &self.pointers {
            let word = &mut copy[*index as usize];
            *word = word.wrapping_add(base);
        }
        rest.fill(0);
        true
    }

    /// Checks a trial copy; see the module documentation.
    fn check(&self) -> Result<(), Refusal> {
        let vm = self.copy(0).ok_or(Refusal::Memory)?;
        let (stack, before) = (vm.stack(), vm.control().used_bytes());
        if !KeyWalk::finds_plain_keys(stack) {
            return Err(Refusal::Key);
        }
        vm.collect();
        let after = vm.control().used_bytes();
        if after == before { Ok(()) } else { Err(Refusal::Collection { before, after }) }
    }

    /// Returns the number of bytes of the image and the number of its pointers.
    #[cfg(test)]
    fn size(&self) -> (usize, usize) {
        (size_of_val(&*self.image), self.pointers.len())
    }
}

fn bases(first: &Vm, second: &Vm) -> [usize; 2] {
    [first.block.start() as usize, second.block.start() as usize]
}

/// Returns the words of an arena that uses only its first memory.
fn words(vm: &Vm) -> Result<&[usize], Refusal> {
    let too_large = || Refusal::TooLarge { used: vm.control().used_bytes() };
    let length = vm.control().first_length().ok_or_else(too_large)?;
    // SAFETY: the arena's first memory begins `MEMORY` bytes after the start of the block
    // (`Block::begin`).
    let memory = unsafe { vm.block.start().add(MEMORY).cast::<usize>() };
    // SAFETY: the arena handed out `length` bytes there, and all of them were written, at least
    // with the poison, since `make_in` builds in poisoned blocks. Nothing runs the VM while
    // `Template::of` borrows it.
    Ok(unsafe { std::slice::from_raw_parts(memory, length / size_of::<usize>()) })
}

/// Returns a word that is no pointer, with zeros for its bytes that were never written; `None` if
/// the word depends on an address.
fn constant(one: usize, other: usize) -> Option<usize> {
    if one == other {
        return Some(one);
    }
    let (mut one, other) = (one.to_ne_bytes(), other.to_ne_bytes());
    for (byte, other) in one.iter_mut().zip(other) {
        if *byte != other {
            if [*byte, other] != POISONS {
                return None;
            }
            *byte = 0;
        }
    }
    Some(usize::from_ne_bytes(one))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::vm::lua::ffi;
    use crate::vm::lua::stack::Type;

    fn refusal(prepare: &dyn Fn(&Vm) -> bool) -> Refusal {
        Template::make(7, prepare).err().expect("it is refused")
    }

    fn empty(vm: &Vm) -> bool {
        vm.collect();
        true
    }

    #[test]
    fn a_copy_is_as_large_as_the_original() {
        let template = Template::make(7, &empty).unwrap();
        let built = Vm::new(0, 7).unwrap();
        assert!(empty(&built));
        let copied = template.copy(0).unwrap();
        assert_eq!(copied.control().used_bytes(), built.control().used_bytes());
        let (bytes, pointers) = template.size();
        assert!(bytes < 8 * 1024 && pointers < bytes / 8, "{bytes} bytes, {pointers} pointers");
    }

    #[test]
    fn copies_do_not_see_each_other() {
        let template = Template::make(7, &empty).unwrap();
        let (one, other) = (template.copy(0).unwrap(), template.copy(0).unwrap());
        one.stack().push_globals();
        one.stack().push_integer(1);
        one.stack().set_raw_field(-2, "only here");
        other.stack().push_globals();
        assert_eq!(other.stack().raw_field(-1, "only here"), Type::Nil);
    }

    #[test]
    fn a_limit_below_the_image_is_passed_at_once() {
        let template = Template::make(7, &empty).unwrap();
        assert!(template.copy(1000).unwrap().control().is_past_limit());
        assert!(!template.copy(100_000).unwrap().control().is_past_limit());
    }

    #[test]
    fn a_table_with_addresses_as_keys_is_refused() {
        let with_keys = |vm: &Vm| {
            let stack = vm.stack();
            stack.push_table(0, 1);
            stack.push_table(0, 0);
            stack.push_boolean(true);
            stack.raw_set(-3);
            empty(vm)
        };
        assert_eq!(refusal(&with_keys), Refusal::Key);
    }

    #[test]
    fn what_depends_on_the_address_is_refused() {
        let with_address = |vm: &Vm| {
            let address = vm.stack().address(ffi::LUA_REGISTRYINDEX) as i64;
            vm.stack().push_integer(address >> 4);
            empty(vm)
        };
        let refusal = refusal(&with_address);
        assert!(matches!(refusal, Refusal::Address { index, words } if index < words), "{refusal}");
    }

    #[test]
    fn too_large_an_image_is_refused() {
        let with_text = |vm: &Vm| {
            vm.stack().push_string(vec![b'x'; ROOM]);
            empty(vm)
        };
        let refusal = refusal(&with_text);
        assert!(matches!(refusal, Refusal::TooLarge { used } if used > ROOM), "{refusal}");
        let with_less = |vm: &Vm| {
            vm.stack().push_string(vec![b'x'; ROOM / 2]);
            empty(vm)
        };
        assert!(Template::make(7, &with_less).is_ok());
    }

    #[test]
    fn what_differs_in_length_or_is_dead_is_refused() {
        let count = Cell::new(0);
        let growing = |vm: &Vm| {
            count.set(count.get() + 1);
            vm.stack().push_string(vec![b'x'; 1000 * count.get()]);
            empty(vm)
        };
        assert!(matches!(refusal(&growing), Refusal::Lengths(one, other) if one < other));
        let with_garbage = |vm: &Vm| {
            empty(vm);
            vm.stack().push_string(vec![b'x'; 100]);
            vm.stack().pop(1);
            true
        };
        let refusal_of_garbage = refusal(&with_garbage);
        let Refusal::Collection { before, after } = refusal_of_garbage else {
            panic!("{refusal_of_garbage}")
        };
        assert!(after < before);
    }

    #[test]
    fn a_build_that_fails_is_refused() {
        assert_eq!(refusal(&|_| false), Refusal::Memory);
    }

    #[test]
    fn what_goes_leaves_no_gap() {
        let text = |vm: &Vm, byte| vm.stack().push_string(vec![byte; 300]);
        let with_gap = |vm: &Vm| {
            text(vm, b'x');
            text(vm, b'y');
            vm.stack().remove(1);
            empty(vm)
        };
        let without = |vm: &Vm| {
            text(vm, b'y');
            empty(vm)
        };
        let [with_gap, without] = [&with_gap as &dyn Fn(&Vm) -> bool, &without]
            .map(|prepare| Template::make(7, prepare).unwrap());
        assert_eq!(with_gap.size().0, without.size().0);
        let vm = with_gap.copy(0).unwrap();
        assert_eq!(vm.stack().string(1), Some(&[b'y'; 300][..]));
    }

    #[test]
    fn large_pieces_of_an_image_can_be_given_back() {
        let with_text = |vm: &Vm| {
            vm.stack().push_string(vec![b'x'; 5000]);
            empty(vm)
        };
        let vm = Template::make(7, &with_text).unwrap().copy(0).unwrap();
        let before = vm.control().used_bytes();
        vm.stack().set_top(0);
        vm.collect();
        assert!(vm.control().used_bytes() < before - 5000);
        vm.stack().push_string(vec![b'y'; 600]);
        assert_eq!(vm.stack().string(-1), Some(&[b'y'; 600][..]));
    }
}
