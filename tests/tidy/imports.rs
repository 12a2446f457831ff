//! What each file of a crate refers to, read from its syntax: paths in `use`, in types and bodies,
//! and in the tokens of macros.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::sources::File;

/// A module as the segments of its path below the crate's root.
type Module = Vec<String>;

/// One reference of a file to another, or to another crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reference {
    pub(crate) from: String,
    pub(crate) line: usize,
    pub(crate) to: Target,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A file of the same crate.
    File(String),
    /// Another crate, and the path in it.
    Crate(String, String),
}

/// The modules of a crate, and the files they lie in.
struct Modules<'a> {
    files: BTreeMap<Module, &'a File>,
    syntax: BTreeMap<Module, syn::File>,
}

impl<'a> Modules<'a> {
    /// Reads a crate from its root on, following the modules that are declared.
    fn of(files: &'a [File], root: &str) -> Modules<'a> {
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut modules = Modules { files: BTreeMap::new(), syntax: BTreeMap::new() };
        let file = |path: &str| files.iter().find(|file| file.path == path);
        let mut open = vec![(Module::new(), file(root).expect("the root of the crate"))];
        while let Some((module, file_of_module)) = open.pop() {
            let path = &file_of_module.path;
            let syntax = syn::parse_file(&file_of_module.text)
                .unwrap_or_else(|error| panic!("{path}: {error}, at {:?}", error.span().start()));
            let declared = syntax.items.iter().filter_map(|item| match item {
                syn::Item::Mod(item) if item.content.is_none() => Some(item.ident.to_string()),
                _ => None,
            });
            for name in declared {
                let below = [module.as_slice(), &[name]].concat();
                let place = format!("{folder}/{}", below.join("/"));
                let found =
                    file(&format!("{place}.rs")).or_else(|| file(&format!("{place}/mod.rs")));
                open.push((below, found.unwrap_or_else(|| panic!("{place}: declared in {path}"))));
            }
            modules.files.insert(module.clone(), file_of_module);
            modules.syntax.insert(module, syntax);
        }
        modules
    }

    /// The file that an absolute path leads into.
    fn file_of(&self, path: &[String]) -> &str {
        let module = (0..=path.len()).rev().find_map(|length| self.files.get(&path[..length]));
        &module.expect("the root is a module").path
    }
}

/// Everything that the files of the crate with this root refer to.
pub(crate) fn references(files: &[File], root: &str) -> Vec<Reference> {
    let modules = Modules::of(files, root);
    let mut found = BTreeSet::new();
    for (module, syntax) in &modules.syntax {
        let path = &modules.files[module].path;
        let scope = Scope { module: module.clone(), names: names_of(&syntax.items) };
        let mut reader = Reader { modules: &modules, path, scopes: vec![scope], found: &mut found };
        reader.visit_file(syntax);
    }
    found.into_iter().collect()
}

/// What the names in a module stand for.
struct Scope {
    module: Module,
    /// Names that `use` brings in, and those of modules that are declared, as they are written.
    names: BTreeMap<String, Vec<String>>,
}

fn names_of(items: &[syn::Item]) -> BTreeMap<String, Vec<String>> {
    let mut names = BTreeMap::new();
    for item in items {
        match item {
            syn::Item::Use(item) => {
                for (path, name) in leaves(&item.tree) {
                    names.insert(name, path);
                }
            }
            syn::Item::Mod(item) => {
                let name = item.ident.to_string();
                names.insert(name.clone(), vec!["self".to_owned(), name]);
            }
            _ => {}
        }
    }
    names
}

/// The paths of a `use`, and the names that they get.
fn leaves(tree: &syn::UseTree) -> Vec<(Vec<String>, String)> {
    match tree {
        syn::UseTree::Path(path) => {
            let first = path.ident.to_string();
            let below = leaves(&path.tree).into_iter();
            below.map(|(rest, name)| after(&first, rest, name)).collect()
        }
        syn::UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
        syn::UseTree::Name(name) => vec![(vec![name.ident.to_string()], name.ident.to_string())],
        syn::UseTree::Rename(name) => vec![(vec![name.ident.to_string()], name.rename.to_string())],
        syn::UseTree::Glob(_) => vec![(Vec::new(), "*".to_owned())],
    }
}

fn after(first: &str, rest: Vec<String>, name: String) -> (Vec<String>, String) {
    if rest == ["self"] {
        let name = if name == "self" { first.to_owned() } else { name };
        return (vec![first.to_owned()], name);
    }
    let mut path = vec![first.to_owned()];
    path.extend(rest);
    (path, name)
}

struct Reader<'a> {
    modules: &'a Modules<'a>,
    path: &'a str,
    scopes: Vec<Scope>,
    found: &'a mut BTreeSet<Reference>,
}

impl Reader<'_> {
    fn scope(&self) -> &Scope {
        self.scopes.last().expect("a file is a scope")
    }

    /// Notes a path as it is written.
    fn note(&mut self, path: &[String], line: usize) {
        let Some(to) = self.resolve(path, 0) else { return };
        if to != Target::File(self.path.to_owned()) {
            self.found.insert(Reference { from: self.path.to_owned(), line, to });
        }
    }

    fn resolve(&self, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let module = &self.scope().module;
        let absolute = |base: &[String], rest: &[String]| {
            Some(Target::File(self.modules.file_of(&[base, rest].concat()).to_owned()))
        };
        match first.as_str() {
            "crate" => absolute(&[], rest),
            "self" => absolute(module, rest),
            "super" => {
                let more = rest.iter().take_while(|segment| *segment == "super").count();
                let base = &module[..module.len().checked_sub(1 + more)?];
                absolute(base, &rest[more..])
            }
            name => match self.scope().names.get(name) {
                // A name stands for itself where a crate is imported, as in `use libc;`.
                Some(meaning) if depth < 8 && meaning.as_slice() != [name] => {
                    self.resolve(&[meaning, rest].concat(), depth + 1)
                }
                _ => Some(Target::Crate(name.to_owned(), rest.join("::"))),
            },
        }
    }

    /// Notes the paths among the tokens of a macro.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut line, mut colons) = (Vec::<String>::new(), 0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end_path(&mut path, line);
                    }
                    line = ident.span().start().line;
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end_path(&mut path, line);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.note_tokens(group.stream());
                    }
                }
            }
        }
        self.end_path(&mut path, line);
    }

    fn end_path(&mut self, path: &mut Vec<String>, line: usize) {
        if path.len() > 1 {
            self.note(path, line);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for (path, _) in leaves(&item.tree) {
            self.note(&path, item.span().start().line);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let Some((_, items)) = &item.content else { return };
        let mut module = self.scope().module.clone();
        module.push(item.ident.to_string());
        self.scopes.push(Scope { module, names: names_of(items) });
        visit::visit_item_mod(self, item);
        self.scopes.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        // One segment is a name of the module, which its `use` or its item accounts for.
        if segments.len() > 1 {
            self.note(&segments, path.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.note_tokens(item.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    // Who may see an item is no reference.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

#[test]
fn paths_are_read_wherever_they_stand() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let text = "
        use crate::high::{self, Thing as Other};
        mod below;
        fn f(x: super::side::X) -> u8 { crate::in_body::call() }
        fn g() { println!(\"{}\", crate::in_macro::f()); below::go(); high::again(); }
        struct S { field: crate::in_type::T, plain: Other }
        mod inner {
            use super::super::up;
            fn h() { super::below::go() }
            pub(in crate::unseen) fn i() {}
        }
        use outside::thing;
    ";
    let files = [
        file("src/lib.rs", "mod a; mod high; mod in_body; mod in_macro; mod in_type; mod unseen;"),
        file("src/a/mod.rs", "mod low; mod side; mod up;"),
        file("src/a/low.rs", text),
        file("src/a/low/below.rs", ""),
        file("src/a/side.rs", ""),
        file("src/a/up.rs", ""),
        file("src/high.rs", ""),
        file("src/in_body.rs", ""),
        file("src/in_macro/mod.rs", ""),
        file("src/in_type.rs", ""),
        file("src/unseen.rs", ""),
        file("src/apart.rs", "this is no part of the crate"),
    ];
    let found: BTreeSet<String> = references(&files, "src/lib.rs")
        .into_iter()
        .map(|reference| match reference.to {
            Target::File(path) => path,
            Target::Crate(name, rest) => format!("{name}::{rest}"),
        })
        .collect();
    let expected = ["a/low/below", "a/side", "a/up", "high", "in_body", "in_macro/mod", "in_type"];
    let mut expected: BTreeSet<String> =
        expected.into_iter().map(|path| format!("src/{path}.rs")).collect();
    expected.insert("outside::thing".to_owned());
    assert_eq!(found, expected);
}
