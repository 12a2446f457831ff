//! The public API of the crate as a list in `public_api.txt`, so that each change of it is seen.
//!
//! After a change that is meant: `UPDATE_API=1 cargo test --test public_api`, and a look at the
//! difference.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::{Fields, ImplItem, Item, TraitItem, Type, UseTree, Visibility};

/// What is public and not part of the API: the inside for benches, and the command.
const HIDDEN: [&str; 2] = ["src/bench", "src/cli"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The source of a part, on one line.
fn text(part: &impl Spanned) -> String {
    let source = part.span().source_text().expect("it was parsed of a text");
    let words: Vec<&str> = source.split_whitespace().collect();
    // Whether a method changes its own copy is nobody else's business.
    let text = words.join(" ").replace("(mut self", "(self");
    text.replace("( ", "(").replace(", )", ")").replace("{ ", "{").replace(", }", "}")
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The names that `lib.rs` exports.
fn exported(tree: &UseTree, names: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => exported(&path.tree, names),
        UseTree::Group(group) => group.items.iter().for_each(|item| exported(item, names)),
        UseTree::Name(name) => _ = names.insert(name.ident.to_string()),
        UseTree::Rename(name) => _ = names.insert(name.rename.to_string()),
        UseTree::Glob(_) => panic!("lib.rs exports names one by one"),
    }
}

fn fields(fields: &Fields) -> String {
    let public = fields.iter().filter(|field| is_public(&field.vis));
    let shown = public.map(|field| match &field.ident {
        Some(name) => format!("{name}: {}", text(&field.ty)),
        None => text(&field.ty),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// The last part of the name of a type: `Exec` of `crate::Exec<'_>`.
fn name_of(of: &Type) -> Option<String> {
    match of {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    }
}

fn list(item: &Item, names: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    match item {
        Item::Struct(item) if is_public(&item.vis) && names.contains(&item.ident.to_string()) => {
            let generics =
                if item.generics.params.is_empty() { String::new() } else { text(&item.generics) };
            found.insert(format!("struct {}{generics} {{{}}}", item.ident, fields(&item.fields)));
        }
        Item::Enum(item) if is_public(&item.vis) && names.contains(&item.ident.to_string()) => {
            for variant in &item.variants {
                let fields: Vec<_> = variant.fields.iter().map(|field| text(&field.ty)).collect();
                let fields = fields.join(", ");
                found.insert(format!("enum {}: {}({fields})", item.ident, variant.ident));
            }
        }
        Item::Trait(item) if is_public(&item.vis) && names.contains(&item.ident.to_string()) => {
            for part in &item.items {
                if let TraitItem::Fn(method) = part {
                    found.insert(format!("trait {}: {}", item.ident, text(&method.sig)));
                }
            }
        }
        Item::Fn(item) if is_public(&item.vis) && names.contains(&item.sig.ident.to_string()) => {
            found.insert(text(&item.sig));
        }
        Item::Const(item) if is_public(&item.vis) && names.contains(&item.ident.to_string()) => {
            found.insert(format!("const {}: {}", item.ident, text(&item.ty)));
        }
        Item::Impl(block) => {
            let Some(name) = name_of(&block.self_ty).filter(|name| names.contains(name)) else {
                return;
            };
            if let Some((of, _)) = &block.trait_ {
                found.insert(format!("impl {} for {}", text(of), text(&block.self_ty)));
                return;
            }
            for part in &block.items {
                match part {
                    ImplItem::Fn(method) if is_public(&method.vis) => {
                        found.insert(format!("{name}: {}", text(&method.sig)));
                    }
                    ImplItem::Const(constant) if is_public(&constant.vis) => {
                        let of = text(&constant.ty);
                        found.insert(format!("{name}: const {}: {of}", constant.ident));
                    }
                    _ => {}
                }
            }
        }
        Item::Macro(item)
            if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) =>
        {
            let name = item.ident.as_ref().expect("an exported macro has a name");
            found.insert(format!("macro {name}!"));
        }
        Item::Mod(module) => {
            // Modules of tests have no public items, those of `lib.rs` are files.
            for inner in module.content.iter().flat_map(|(_, items)| items) {
                list(inner, names, found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_public_api_is_what_the_list_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let parse = |path: &Path| {
        let source = fs::read_to_string(path).expect("it can be read");
        syn::parse_file(&source).expect("it is Rust")
    };
    let mut names = BTreeSet::new();
    for item in &parse(&root.join("src/lib.rs")).items {
        if let Item::Use(item) = item
            && is_public(&item.vis)
        {
            exported(&item.tree, &mut names);
        }
    }
    let (mut paths, mut found) = (Vec::new(), BTreeSet::new());
    files(&root.join("src"), &mut paths);
    for path in paths {
        let own = path.strip_prefix(root).expect("it is below");
        if !HIDDEN.iter().any(|hidden| own.starts_with(hidden)) {
            parse(&path).items.iter().for_each(|item| list(item, &names, &mut found));
        }
    }
    let found: String = found.into_iter().map(|line| line + "\n").collect();
    let listed = root.join("tests/public_api.txt");
    if std::env::var_os("UPDATE_API").is_some() {
        fs::write(&listed, &found).expect("it can be written");
    }
    let known = fs::read_to_string(&listed).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (known, found) = (lines(&known), lines(&found));
    let gone: Vec<_> = known.difference(&found).collect();
    let new: Vec<_> = found.difference(&known).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "the public API differs from tests/public_api.txt\ngone: {gone:#?}\nnew: {new:#?}\nif that is \
         meant: UPDATE_API=1 cargo test --test public_api, and a line in CHANGELOG.md"
    );
}
