//! The application with the Lua code of all scenarios: the files under `lua/`.

/// The host that all processes run on (`lua/_index.yaml`).
pub const HOST: &str = "loadgen:processes";

macro_rules! embedded {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../lua/", $path)))),*]
    };
}

/// The files of the application: path and content of each file under `lua/`.
pub const FILES: &[(&str, &str)] = embedded![
    "_index.yaml",
    "crew.lua",
    "fan_in/_index.yaml",
    "fan_in/main.lua",
    "fan_in/sender.lua",
    "fan_in/sink.lua",
    "idle_memory/_index.yaml",
    "idle_memory/collector.lua",
    "idle_memory/idler.lua",
    "idle_memory/main.lua",
    "idle_memory/wake.lua",
    "latency_under_load/_index.yaml",
    "latency_under_load/busy.lua",
    "latency_under_load/echo.lua",
    "latency_under_load/main.lua",
    "native_fan_in/_index.yaml",
    "native_ping_pong/_index.yaml",
    "native_ring/_index.yaml",
    "open_loop/_index.yaml",
    "open_loop/generator.lua",
    "open_loop/main.lua",
    "open_loop/server.lua",
    "payload/_index.yaml",
    "payload/content.lua",
    "payload/main.lua",
    "payload/receiver.lua",
    "ping_pong/_index.yaml",
    "ping_pong/main.lua",
    "ping_pong/ping.lua",
    "ping_pong/pong.lua",
    "ring/_index.yaml",
    "ring/main.lua",
    "ring/node.lua",
    "ring/waiter.lua",
    "skynet/_index.yaml",
    "skynet/main.lua",
    "skynet/node.lua",
    "spawn/_index.yaml",
    "spawn/main.lua",
    "steal/_index.yaml",
    "steal/main.lua",
    "steal/task.lua",
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Returns the files in a folder and its subfolders, relative to `root`.
    fn files_below(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files_below(root, &path, found),
                false => found.push(path.strip_prefix(root).unwrap().display().to_string()),
            }
        }
    }

    #[test]
    fn every_lua_file_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua");
        let mut found = Vec::new();
        files_below(&root, &root, &mut found);
        found.sort();
        let embedded: Vec<_> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(embedded, found);
        assert!(FILES.iter().all(|(_, content)| !content.is_empty()));
    }

    #[test]
    fn every_source_that_an_index_names_is_embedded() {
        for (path, content) in FILES.iter().filter(|(path, _)| path.ends_with(".yaml")) {
            let folder = Path::new(path).parent().unwrap();
            for source in
                content.lines().filter_map(|line| line.trim().strip_prefix("source: file://"))
            {
                // Native variants have the main of another folder.
                let source = match source.strip_prefix("../") {
                    Some(beside) => beside.to_owned(),
                    None => folder.join(source).display().to_string(),
                };
                assert!(FILES.iter().any(|(path, _)| *path == source), "{source}");
            }
        }
    }
}
