//! VMs that are ready for their first chunk, and no process in them.

use crate::app::Application;
use crate::loader;
use crate::node::definition::Definition;
use crate::vm::lua::Vm;

/// Any number: what hash tables of Lua begin with.
const HASH_SEED: u32 = 7;

/// The VMs of one definition.
pub struct Vms(Box<Definition>);

impl Vms {
    /// Compiles a source, which may use the module `time`, and makes its template. `None` if one of
    /// the two is not possible.
    pub fn new(source: &str) -> Option<Vms> {
        let index = "namespace: app\nentries:\n- { name: main, kind: process.lua, \
                     source: 'file://main.lua', modules: [time] }\n";
        let files = [("_index.yaml", index), ("main.lua", source)];
        let files = files.map(|(path, text)| (path.into(), text.as_bytes().to_vec()));
        let application = Application::from_files(files);
        let definition = loader::definitions(&application).remove(&b"app:main"[..])?.ok()?;
        definition.new_vm(0, HASH_SEED, |_| {})?;
        let has_template = definition.template.get().is_some_and(Result::is_ok);
        has_template.then_some(Vms(definition))
    }

    /// Builds an empty VM and frees it.
    pub fn build_empty(&self) -> bool {
        Vm::new(0, HASH_SEED).is_some()
    }

    /// Builds what a process starts with piece by piece, and frees it.
    pub fn build(&self) -> bool {
        self.0.build_vm(0, HASH_SEED).is_some()
    }

    /// Copies the same from the template, and frees it.
    pub fn copy(&self) -> bool {
        self.0.new_vm(0, HASH_SEED, |_| {}).is_some()
    }
}
