//! Objects of native classes: a userdata holds the number of the object and of its class, the process has
//! the Rust value.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::{native as calls, object};
use crate::error::{ApiError, kind};
use crate::native::{self, Function, Modules};
use crate::process::objects::NativeObject;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::registry;
use crate::vm::lua::stack::{Stack, Type};
use crate::vm::lua::userdata;

/// A class among all of a runtime's.
#[derive(Clone, Copy)]
struct ClassId {
    module: u32,
    class: u16,
}

impl ClassId {
    /// The class of a constructor or method, whose number is given as well.
    fn of(function: &Function, number: i64) -> Option<ClassId> {
        Some(ClassId { module: (number >> 32) as u32, class: function.class? })
    }

    /// A number that no other class has: nobody has 65,536 modules.
    fn number(self) -> u32 {
        self.module << 16 | u32::from(self.class)
    }

    fn size(self, natives: &Modules, value: &native::Value) -> usize {
        let class = natives.get(self.module).map(|module| &module.classes[self.class as usize]);
        class.map_or(0, |class| (class.size)(&**value))
    }
}

/// Pushes the table of a class: its constructors.
pub(super) fn push_constructors(stack: Stack, natives: &Modules, module: u32, class: u16) {
    push_functions(stack, natives, ClassId { module, class }, false);
}

fn push_functions(stack: Stack, natives: &Modules, id: ClassId, are_methods: bool) {
    let functions = natives.get(id.module).map_or(&[][..], |module| &module.functions);
    stack.push_table(0, 0);
    for (function, position) in functions.iter().zip(0..) {
        if function.class == Some(id.class) && function.is_method() == are_methods {
            calls::push_function(stack, id.module, position);
            stack.set_raw_field(-2, &function.name);
        }
    }
}

/// Pushes the metatable of a class; creates it at the first use.
fn push_metatable(stack: Stack, natives: &Modules, id: ClassId) {
    stack.push_registry_table(registry::NATIVE_CLASSES);
    if stack.raw_get_index(-1, i64::from(id.number())) == Type::Table {
        stack.remove(-2);
        return;
    }
    stack.pop(1);
    stack.push_table(0, 4);
    push_functions(stack, natives, id, true);
    stack.set_raw_field(-2, "__index");
    stack.push_function(object::collected, 0);
    stack.set_raw_field(-2, "__gc");
    let name = natives
        .get(id.module)
        .map(|module| format!("{}.{}", module.name, module.classes[id.class as usize].name));
    for field in ["__name", "__metatable"] {
        stack.push_string(name.as_deref().unwrap_or_default());
        stack.set_raw_field(-2, field);
    }
    stack.push_value(-1);
    stack.raw_set_index(-3, i64::from(id.number()));
    stack.remove(-2);
}

/// Pushes a new object of the class of a constructor.
pub(super) fn push_object(
    caller: &mut Caller<'_>,
    function: &Function,
    number: i64,
    value: native::Value,
) -> ApiResult {
    let definition = caller.process.definition;
    let natives = &definition.natives;
    let Some(id) = ClassId::of(function, number) else {
        native::quietly(|| drop(value));
        return Err(ApiError::new(kind::INTERNAL, "no such native class").into());
    };
    let sized = catch_unwind(AssertUnwindSafe(|| id.size(natives, &value)));
    let (size, panic) = match sized {
        Ok(size) => (size, None),
        Err(panic) => (0, Some(panic)),
    };
    let object = NativeObject::new(value, size);
    if let Some(panic) = panic {
        return Err(calls::panicked(function, panic));
    }
    caller.reserve(8);
    object::push_native(caller, id.number(), object, |stack| push_metatable(stack, natives, id));
    Ok(Reply::Return(1))
}

/// Calls `act` with the value of the object that a method was called on. Meanwhile the process does not
/// have the value: `act` runs code of the program.
pub(super) fn with_receiver(
    caller: &mut Caller<'_>,
    function: &Function,
    number: i64,
    act: impl FnOnce(&mut Caller<'_>, &mut native::Value) -> ApiResult,
) -> ApiResult {
    let definition = caller.process.definition;
    let class = ClassId::of(function, number);
    let object = class.and_then(|class| object::native_at(caller, 1, class.number()));
    let (Some(class), Some(object)) = (class, object) else {
        return Err(wrong_receiver(caller, function));
    };
    let place = caller.process.objects.native(object);
    let Some(mut value) = place.and_then(|object| object.value.take()) else {
        return Err(ApiError::new(kind::INTERNAL, "the object has no value").into());
    };
    let result = act(caller, &mut value);
    let size = catch_unwind(AssertUnwindSafe(|| class.size(&definition.natives, &value)));
    if let Some(object) = caller.process.objects.native(object) {
        object.value = Some(value);
    }
    match size {
        Ok(size) => {
            object::resize_native(caller, 1, size);
            result
        }
        Err(panic) => Err(calls::panicked(function, panic)),
    }
}

fn wrong_receiver(caller: &Caller<'_>, function: &Function) -> ApiFailure {
    let name = &function.full_name;
    let class = name.split([':']).next().unwrap_or_default();
    let got = match caller.kind(1) {
        Type::Userdata => userdata::name_of(caller.stack, 1),
        other => other.name(),
    };
    let text = format!("bad argument #1 to '{name}' ({class} expected, got {got})");
    ApiFailure::Text(text)
}
