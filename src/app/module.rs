//! The tables that the runtime provides to scripts, by name.

/// A module that an entry must list under `modules` to use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Module {
    Time,
    Logger,
    Io,
    Ctx,
    Security,
}

impl Module {
    pub(crate) const ALL: [Module; 5] =
        [Module::Time, Module::Logger, Module::Io, Module::Ctx, Module::Security];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Module::Time => "time",
            Module::Logger => "logger",
            Module::Io => "io",
            Module::Ctx => "ctx",
            Module::Security => "security",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Module> {
        Module::ALL.into_iter().find(|module| module.name() == name)
    }

    pub(crate) fn names() -> impl ExactSizeIterator<Item = &'static str> + Clone {
        Module::ALL.into_iter().map(Module::name)
    }
}

/// A table that every process has. An entry may list it under `modules`, which changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    Process,
    Channel,
    Errors,
    String,
    Table,
    Math,
    Utf8,
    Os,
    Coroutine,
    Debug,
}

impl Builtin {
    pub(crate) const ALL: [Builtin; 10] = [
        Builtin::Process,
        Builtin::Channel,
        Builtin::Errors,
        Builtin::String,
        Builtin::Table,
        Builtin::Math,
        Builtin::Utf8,
        Builtin::Os,
        Builtin::Coroutine,
        Builtin::Debug,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Builtin::Process => "process",
            Builtin::Channel => "channel",
            Builtin::Errors => "errors",
            Builtin::String => "string",
            Builtin::Table => "table",
            Builtin::Math => "math",
            Builtin::Utf8 => "utf8",
            Builtin::Os => "os",
            Builtin::Coroutine => "coroutine",
            Builtin::Debug => "debug",
        }
    }

    pub(crate) fn names() -> impl ExactSizeIterator<Item = &'static str> + Clone {
        Builtin::ALL.into_iter().map(Builtin::name)
    }
}

/// Returns the names of all modules and builtin tables, modules first.
pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
    Module::names().chain(Builtin::names())
}
