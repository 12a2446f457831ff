//! VMs that are ready for their first chunk, without processes.

use crate::app::Application;
use crate::loader;
use crate::node::definition::Definition;
use crate::vm::lua::Vm;

/// An arbitrary seed for the hash tables of Lua.
const HASH_SEED: u32 = 7;

/// The VMs of one definition.
pub struct Vms(Box<Definition>);

impl Vms {
    /// Compiles a source, which may use the module `time`, and makes its template. Returns `None`
    /// if one of the two fails.
    pub fn new(source: &str) -> Option<Vms> {
        let index = "namespace: app\nentries:\n- { name: main, kind: process.lua, \
                     source: 'file://main.lua', modules: [time] }\n";
        let files = [("_index.yaml", index), ("main.lua", source)];
        let files = files.map(|(path, text)| (path.into(), text.as_bytes().to_vec()));
        let application = Application::from_files(files);
        let definition =
            loader::definitions(&application, &Default::default(), &Default::default())
                .remove(&b"app:main"[..])?
                .ok()?;
        definition.new_vm(0, HASH_SEED, |_| {})?;
        let has_template = definition.template.get().is_some_and(Result::is_ok);
        has_template.then_some(Vms(definition))
    }

    /// Builds an empty VM and frees it.
    pub fn build_empty(&self) -> bool {
        Vm::new(0, HASH_SEED).is_some()
    }

    /// Builds the VM that a process starts with, without the template, and frees it.
    pub fn build(&self) -> bool {
        self.0.build_vm(0, HASH_SEED).is_some()
    }

    /// Copies the same VM from the template, and frees it.
    pub fn copy(&self) -> bool {
        self.0.new_vm(0, HASH_SEED, |_| {}).is_some()
    }
}
