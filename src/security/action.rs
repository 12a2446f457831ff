//! The actions for which the runtime itself checks permissions.

/// One row of the table of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Action {
    Spawn,
    SpawnMonitored,
    SpawnLinked,
    Host,
    Exec,
    Send,
    Terminate,
    Cancel,
    Monitor,
    Unmonitor,
    Link,
    Unlink,
    Context,
    Security,
    Register,
    Unregister,
    PolicyGet,
    GroupGet,
    ScopeCreate,
    ActorCreate,
    ModuleCall,
}

impl Action {
    /// Returns the name of the action in policies.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::Spawn => "process.spawn",
            Action::SpawnMonitored => "process.spawn.monitored",
            Action::SpawnLinked => "process.spawn.linked",
            Action::Host => "process.host",
            Action::Exec => "process.exec",
            Action::Send => "process.send",
            Action::Terminate => "process.terminate",
            Action::Cancel => "process.cancel",
            Action::Monitor => "process.monitor",
            Action::Unmonitor => "process.unmonitor",
            Action::Link => "process.link",
            Action::Unlink => "process.unlink",
            Action::Context => "process.context",
            Action::Security => "process.security",
            Action::Register => "process.registry.register",
            Action::Unregister => "process.registry.unregister",
            Action::PolicyGet => "security.policy.get",
            Action::GroupGet => "security.policy_group.get",
            Action::ScopeCreate => "security.scope.create",
            Action::ActorCreate => "security.actor.create",
            Action::ModuleCall => "module.call",
        }
    }

    /// Returns the action's bit in the bit sets of the cache.
    pub(super) fn bit(self) -> u32 {
        1 << self as u8
    }
}
