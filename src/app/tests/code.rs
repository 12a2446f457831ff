//! Sources, methods, modules and imports in application files.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

const FILE_SOURCES: &str = "namespace: app\nentries:\n\
    - name: near\n  kind: process.lua\n  source: file://near.lua\n\
    - name: below\n  kind: library.lua\n  source: file://sub/../sub/below.lua\n\
    - name: root\n  kind: function.lua\n  source: file:///top.lua\n";

#[test]
fn files_are_found_from_the_application_file_and_from_the_root() {
    let application = many_files(&[
        ("a/_index.yaml", FILE_SOURCES),
        ("a/near.lua", "return 1"),
        ("a/sub/below.lua", "return 2"),
        ("top.lua", "return 3"),
    ]);
    assert_clean(&application);
    let near = code(&application, "app:near");
    assert_eq!((&near.source[..], near.method.as_str()), (&b"return 1"[..], "main"));
    assert_eq!(near.source_file.as_deref(), Some(Path::new("a/near.lua")));
    assert!(near.bytecode.is_some());
    assert_eq!(&code(&application, "app:below").source[..], b"return 2");
    assert_eq!(&code(&application, "app:root").source[..], b"return 3");
}

#[test]
fn a_source_must_exist_inside_the_root() {
    let source = |path: &str| {
        let entries = format!("- name: p\n  kind: process.lua\n  source: {path}\n");
        let text = format!("namespace: app\nentries:\n{entries}");
        many_files(&[("a/_index.yaml", &text), ("x.lua", "return 1")])
    };
    assert_clean(&source("file://../x.lua"));
    let leaves =
        |path| format!("a/_index.yaml:5: source {path:?} leaves the application's directory");
    for path in ["file://../../x.lua", "file:///../x.lua", "file:////etc/passwd"] {
        assert_problem(&source(path), &leaves(path));
    }
    assert_problem(&source("file://"), "a/_index.yaml:5: source \"file://\" is not a path");
    let [problem] = &problems(&source("file://y.lua"))[..] else { panic!("one problem") };
    assert!(problem.starts_with("a/_index.yaml:5: cannot read source a/y.lua: "), "{problem}");
}

#[test]
fn a_link_does_not_lead_out_of_the_root() {
    let outside = tempfile::tempdir().expect("temporary directory");
    fs::write(outside.path().join("secret.lua"), "return 1").expect("writable");
    let inside = tempfile::tempdir().expect("temporary directory");
    let root = inside.path();
    let index = "namespace: app\nname: p\nkind: process.lua\nsource: file://link.lua\n";
    fs::write(root.join("_index.yaml"), index).expect("writable");
    symlink(outside.path().join("secret.lua"), root.join("link.lua")).expect("link");
    let application = Application::load(root);
    assert_eq!(application.problems().len(), 1);
    assert!(problems(&application)[0].contains("leads out of the application's root"));
    assert!(code(&application, "app:p").source.is_empty());

    fs::remove_file(root.join("link.lua")).expect("removable");
    fs::create_dir(root.join(".data")).expect("writable");
    fs::write(root.join(".data/real.lua"), "return 1").expect("writable");
    symlink(".data/real.lua", root.join("link.lua")).expect("link");
    assert_clean(&Application::load(root));
}

#[test]
fn a_syntax_error_is_placed_in_the_lua_file() {
    let application = many_files(&[
        ("a/_index.yaml", "namespace: app\nname: p\nkind: process.lua\nsource: file://p.lua\n"),
        ("a/p.lua", "local x = 1\n\nlocal = 2\n"),
    ]);
    assert_problem(&application, "a/p.lua:3: <name> expected near '='");
    let entry = entry(&application, "app:p");
    assert_eq!(entry.problem.as_deref(), Some("a/p.lua:3: <name> expected near '='"));
    assert!(code(&application, "app:p").bytecode.is_none());
    assert_eq!(application.problems()[0].entry, Some(id("app:p")));
}

#[test]
fn a_syntax_error_of_an_inline_block_is_placed_in_the_application_file() {
    for (header, line) in [("|", 8), ("|-", 8), ("| # Lua", 8), ("|2", 8)] {
        let application = one_file(&format!(
            "- name: p\n  kind: process.lua\n  source: {header}\n\n    local x = 1\n    local = 2\n"
        ));
        let [problem] = application.problems() else { panic!("{:?}", application.problems()) };
        assert_eq!(problem.line, Some(line), "{header} {problem}");
    }
}

/// The lines of such a source are not lines of the file, so no line of the file is reported for
/// them.
#[test]
fn an_inline_source_with_lines_of_its_own_is_called_by_its_entry() {
    let application =
        one_file("- name: p\n  kind: process.lua\n  source: \"x()\\n\\nlocal = 2\"\n");
    let expected = "in line 3 of the source: <name> expected near '='";
    assert_problem(&application, &format!("_index.yaml:5: {expected}"));
    let problem = entry(&application, "app:p").problem.as_deref();
    assert_eq!(problem, Some("app:p:3: <name> expected near '='"));
    let application = one_file("- name: p\n  kind: process.lua\n  source: \"local = 2\"\n");
    assert_problem(&application, "_index.yaml:5: <name> expected near '='");
}

#[test]
fn bytecode_is_no_source() {
    let application = many_files(&[
        ("_index.yaml", "namespace: app\nname: p\nkind: process.lua\nsource: file://p.lua\n"),
        ("p.lua", "\x1bLua"),
    ]);
    assert_problem(&application, "p.lua:1: the source is bytecode, only text is accepted");
}

#[test]
fn what_code_requires_and_does_not_list_is_told() {
    let application = many_files(&[
        (
            "_index.yaml",
            "namespace: app\nentries:\n\
             - {name: p, kind: process.lua, source: 'file://p.lua', modules: [time], \
             imports: {queue: q}}\n\
             - {name: q, kind: library.lua, source: return 1}\n\
             - name: r\n  kind: process.lua\n  source: |\n    return require('time')\n",
        ),
        (
            "p.lua",
            "local time, logger = require('time'), require('logger')\n\
             local queue, string = require('queue'), require('string')\n\
             local near, far = require('queeu'), require('socket.http')\n",
        ),
    ]);
    assert_eq!(
        problems(&application),
        [
            "_index.yaml:8: warning: module \"time\" will not be found; list it under modules: of \
             app:r",
            "p.lua:1: warning: module \"logger\" will not be found; list it under modules: of \
             app:p",
            "p.lua:3: warning: module \"queeu\" will not be found; did you mean queue?",
            "p.lua:3: warning: module \"socket.http\" will not be found; it is neither a module \
             nor among the imports",
        ]
    );
    assert!(entry(&application, "app:p").problem.is_none());
}

#[test]
fn a_source_is_required_and_must_be_text() {
    let application = one_file("- name: p\n  kind: process.lua\n");
    assert_problem(&application, "_index.yaml:3: source is required");
    let application = one_file("- name: p\n  kind: library.lua\n  source: [1]\n");
    assert_problem(&application, "_index.yaml:5: source must be non-empty text");
    assert_eq!(
        entry(&application, "app:p").problem.as_deref(),
        Some("source must be non-empty text")
    );
}

#[test]
fn the_method_must_be_text() {
    let application = one_file("- name: p\n  kind: process.lua\n  source: return 1\n  method: 5\n");
    assert_problem(&application, "_index.yaml:6: method must be non-empty text, not 5");
}

#[test]
fn modules_are_those_of_the_runtime_and_the_tables_always_there() {
    let entries = |modules: &str| {
        one_file(&format!(
            "- name: p\n  kind: process.lua\n  source: return 1\n  modules: {modules}\n"
        ))
    };
    let application = entries("[time, logger, io, ctx, security, process, string, os, time]");
    assert_clean(&application);
    let modules = &code(&application, "app:p").modules;
    assert_eq!(modules.len(), 8, "a repeated name counts once: {modules:?}");
    let known = "time, logger, io, ctx, security";
    let text = format!(
        "_index.yaml:6: warning: unknown module \"database\"; the runtime has {known}, so the \
         program must have it: declare it by an entry of kind module.native"
    );
    assert_problem(&entries("[time, database]"), &text);
    assert_problem(
        &entries("[tiem]"),
        "_index.yaml:6: unknown module \"tiem\"; did you mean time?",
    );
    assert_problem(
        &entries("[[time]]"),
        "_index.yaml:6: a module must be named by text, not a list",
    );
    assert_problem(&entries("time"), "_index.yaml:6: modules must be a list, not \"time\"");
    assert!(entry(&entries("[database]"), "app:p").problem.is_none());
    assert!(entry(&entries("[tiem]"), "app:p").problem.is_some());
}

#[test]
fn imports_name_libraries_by_alias() {
    let application = one_file(
        "- name: l\n  kind: library.lua\n  source: return 1\n- name: p\n  kind: process.lua\n  \
         source: return 1\n  imports:\n    one: l\n    two: app:l\n",
    );
    assert_clean(&application);
    let expected = [("one".to_owned(), id("app:l")), ("two".to_owned(), id("app:l"))];
    assert_eq!(code(&application, "app:p").imports, expected);
}

#[test]
fn imports_that_cannot_be_read_are_reported() {
    let entries = |imports: &str| {
        one_file(&format!(
            "- name: l\n  kind: library.lua\n  source: return 1\n- name: p\n  kind: process.lua\n  \
             source: return 1\n  imports: {imports}\n"
        ))
    };
    for alias in ["time", "string"] {
        let message = format!("_index.yaml:9: import alias {alias:?} is the name of a module");
        assert_problem(&entries(&format!("{{{alias}: l}}")), &message);
    }
    assert_problem(
        &entries("[l]"),
        "_index.yaml:9: imports must be a mapping from names to ids, such as {json: app:json}, \
         not a list",
    );
    assert_problem(
        &entries("{a: 5}"),
        "_index.yaml:9: import \"a\" must be the id of an entry, not 5",
    );
    assert_problem(
        &entries("{a: 'x y'}"),
        "_index.yaml:9: import \"a\" must be the id of an entry, not \"x y\"",
    );
    assert_problem(&entries("{5: l}"), "_index.yaml:9: a name in imports must be text");
}

#[test]
fn a_source_that_names_a_file_in_another_way_is_told_how() {
    let problem = |source: &str| {
        let application = many_files(&[
            (
                "a/_index.yaml",
                &format!(
                    "namespace: app\nentries:\n- name: p\n  kind: process.lua\n  source: {source}\n"
                ),
            ),
            ("a/main.lua", "return 1"),
            ("a/b/worker.lua", "return 1"),
        ]);
        let problems = problems(&application);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].strip_prefix("a/_index.yaml:5: ").expect("its line").to_owned()
    };
    for (source, path) in [
        ("main.lua", "main.lua"),
        ("./main.lua", "main.lua"),
        ("b/worker.lua", "b/worker.lua"),
        ("file:main.lua", "main.lua"),
        ("FILE://main.lua", "main.lua"),
        ("\"file:/main.lua\"", "main.lua"),
    ] {
        let message = problem(source);
        assert!(message.ends_with(&format!("for the file write \"file://{path}\"")), "{message}");
    }
    let path = Path::new("a").join("man.lua");
    let message = problem("file://man.lua");
    let expected = "there is no such file; did you mean main.lua?";
    assert_eq!(message, format!("cannot read source {}: {expected}", path.display()));
    let message = problem("file://b/other.lua");
    assert!(message.ends_with("there is no such file; there are worker.lua"), "{message}");
    let message = problem("file://c/main.lua");
    assert!(message.ends_with("nor any .lua in that folder"), "{message}");
}

#[test]
fn a_folder_in_the_place_of_a_file_and_the_reverse_are_told() {
    let folder = tempfile::tempdir().expect("temporary directory");
    let root = folder.path();
    std::fs::create_dir(root.join("lib")).expect("writable");
    let index =
        "namespace: app\nentries:\n- {name: p, kind: process.lua, source: \"file://lib\"}\n";
    std::fs::write(root.join("_index.yaml"), index).expect("writable");
    let texts = problems(&Application::load(root));
    assert!(texts[0].ends_with("that is a folder, not a file"), "{texts:?}");
    let file = root.join("_index.yaml");
    let texts = problems(&Application::load(&file));
    let expected = format!(
        "{}: that is a file; give the application's folder, which may be {}",
        file.display(),
        root.display()
    );
    assert_eq!(texts, [expected]);
    let texts = problems(&Application::load(root.join("none")));
    assert!(texts[0].ends_with("none: there is no such folder"), "{texts:?}");
}
