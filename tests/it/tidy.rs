//! The house rules that can be checked: who may import what, and how long a file may be.

use std::{
    fs,
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

/// A word of code and the places that may have it, each a file or a folder that ends in a slash.
struct Reserved {
    words: &'static [&'static str],
    places: &'static [&'static str],
}

const RESERVED: &[Reserved] = &[
    Reserved {
        words: &["clap::", "clap_complete::", "clap_mangen::"],
        places: &["src/regctl/cli.rs", "src/regctl/commands/"],
    },
    Reserved { words: &["comfy_table"], places: &["src/regctl/output/table.rs"] },
    Reserved { words: &["indicatif"], places: &["src/regctl/output/progress.rs"] },
    Reserved {
        words: &[
            "std::env",
            "env::var",
            "env::vars",
            "env::args",
            "env::current_dir",
            "env::temp_dir",
        ],
        places: &[
            "src/regctl/main.rs",
            "src/regctl/config/load.rs",
            "src/regctl/sys/",
            "src/registry/config/",
            "src/xtask/",
        ],
    },
    Reserved {
        words: &["tokio::"],
        places: &["src/regctl/sys/runtime.rs", "src/registry/", "src/storage/"],
    },
    Reserved {
        words: &["tokio::runtime", "runtime::Builder", "tokio::main", "Runtime::new"],
        places: &["src/regctl/sys/runtime.rs"],
    },
    Reserved {
        words: &["serde_yaml", "serde_saphyr"],
        places: &["src/regctl/render/", "src/registry/config/"],
    },
    Reserved { words: &["hyper::"], places: &["src/registry/"] },
    Reserved { words: &["http::", "http_body::"], places: &["src/registry/", "src/storage/s3/"] },
    Reserved {
        words: &["reqwest::"],
        places: &["src/regctl/sys/local.rs", "src/registry/", "src/storage/s3/", "src/xtask/"],
    },
    Reserved { words: &["minijinja::"], places: &["src/regctl/render/"] },
    Reserved {
        words: &["aws_sdk_s3", "aws_config", "aws_smithy", "aws_credential_types"],
        places: &["src/storage/s3/"],
    },
    Reserved { words: &["nix::"], places: &["src/regctl/sys/", "src/regctl/supervise/"] },
    Reserved { words: &["todo!", "unimplemented!", "dbg!"], places: &[] },
];

/// The modules of regctl, the upper ones first: an import goes from a lower number to a higher one.
const RANKS: &[(&str, u8)] = &[
    ("cli", 0),
    ("exit", 0),
    ("commands", 1),
    ("reconfigure", 2),
    ("supervise", 2),
    ("collect", 2),
    ("migrate", 2),
    ("cleanup", 2),
    ("output", 2),
    ("render", 3),
    ("config", 4),
    ("state", 4),
    ("sys", 5),
    ("certificate", 5),
    ("secret", 6),
];

/// The modules of the registry, likewise.
const REGISTRY_RANKS: &[(&str, u8)] = &[
    ("server", 0),
    ("admin", 0),
    ("control", 1),
    ("parse", 1),
    ("access", 2),
    ("purging", 2),
    ("changes", 2),
    ("health", 3),
    ("api", 2),
    ("proxy", 3),
    ("tls", 3),
    ("redirect", 4),
    ("metered", 2),
    ("listener", 3),
    ("statistics", 3),
    ("metrics", 5),
    ("outbound", 6),
    ("route", 3),
    ("events", 3),
    ("auth", 4),
    ("content", 4),
    ("collect", 4),
    ("migrate", 4),
    ("verify", 3),
    ("schema1", 4),
    ("upload", 4),
    ("libtrust", 5),
    ("redis", 5),
    ("log", 5),
    ("digests", 5),
    ("quota", 5),
    ("config", 7),
    ("glob", 8),
    ("size", 8),
];

/// What the registry may name of the storage outside of the door, `content`.
const STORAGE_OUTSIDE_THE_DOOR: &[&str] =
    &["Config", "Error", "FilesystemConfig", "S3Config", "S3Credentials", "S3Encryption"];

/// The crates, the upper ones first.
const CRATES: &[&str] = &["regctl", "registry", "storage", "oci"];

/// The longest file besides tests.
const LINES_MAX: usize = 500;

/// A source file: its path from the repository's root, and its code without unit tests.
struct SourceFile {
    path: String,
    lines: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<SourceFile> {
    let root = root();
    let is_code = |path: &Path| path.extension().is_some_and(|extension| extension == "rs");
    WalkDir::new(root.join("src"))
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file() && is_code(entry.path()))
        .map(|entry| SourceFile {
            path: entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
            lines: code(&fs::read_to_string(entry.path()).unwrap()),
        })
        // A crate's own integration tests, and files of unit tests, may do more than it.
        .filter(|file| !file.path.contains("/tests/") && !file.path.ends_with("/tests.rs"))
        .collect()
}

/// Returns the lines of the code; comments and unit tests (`#[cfg(test)] mod tests { … }`) are left empty.
fn code(text: &str) -> Vec<String> {
    let mut is_test = false;
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let follows_test = lines.last().is_some_and(|last| last == TEST_ONLY);
        if follows_test && line.starts_with("mod ") && line.ends_with('{') {
            is_test = true;
        }
        let is_comment = line.trim_start().starts_with("//");
        lines.push(if is_test || is_comment { String::new() } else { line.to_owned() });
        if line == "}" {
            is_test = false;
        }
    }
    while lines.last().is_some_and(|last| last.is_empty() || last == TEST_ONLY) {
        lines.pop();
    }
    lines
}

const TEST_ONLY: &str = "#[cfg(test)]";

#[test]
fn only_unit_tests_are_left_out() {
    let text =
        "#[cfg(test)]\nmod tests;\nfn a() {}\n#[cfg(test)]\nmod more {\n    x();\n}\nfn b() {}\n";
    let left: Vec<_> = code(text).into_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(left, ["#[cfg(test)]", "mod tests;", "fn a() {}", "#[cfg(test)]", "fn b() {}"]);
}

/// Whether a line has a word that does not go on to the left.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(index, _)| !line[..index].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn check(breaches: &[String]) {
    assert!(
        breaches.is_empty(),
        "{} breaches of the house rules:\n{}",
        breaches.len(),
        breaches.join("\n")
    );
}

#[test]
fn every_crate_is_used_where_it_belongs() {
    let mut breaches = Vec::new();
    for file in sources() {
        for Reserved { words, places } in RESERVED {
            if places.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            for (index, line) in file.lines.iter().enumerate() {
                for word in words.iter().filter(|word| has_word(line, word)) {
                    breaches.push(format!(
                        "{}:{}: `{word}` belongs to {places:?}",
                        file.path,
                        index + 1
                    ));
                }
            }
        }
    }
    check(&breaches);
}

#[test]
fn modules_of_regctl_import_downwards_only() {
    let mut breaches = Vec::new();
    for file in sources().iter().filter(|file| file.path.starts_with("src/regctl/")) {
        let Some(own) = module(&file.path) else { continue };
        for (line, import) in imports(&file.lines) {
            let Some(rank) = rank(&import) else { continue };
            let from = rank_of_file(&own);
            let downwards = from < rank || own == import || own == "cli" || own == "exit";
            // A command says how it failed, and the exit codes are chosen from that in one place.
            let failure = own == "commands" && import == "exit";
            // What prints knows no instance: it is handed what it prints.
            let knows = own == "output" && import != "output";
            if !downwards && !failure || knows {
                breaches.push(format!("{}:{line}: `{own}` imports `{import}`", file.path));
            }
        }
    }
    check(&breaches);
}

#[test]
fn modules_of_the_registry_import_downwards_only() {
    let mut breaches = Vec::new();
    let rank = |module: &str| {
        REGISTRY_RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
    };
    for file in sources() {
        let Some(inside) = file.path.strip_prefix("src/registry/") else { continue };
        let own = inside.split('/').next().unwrap().trim_end_matches(".rs");
        if own == "lib" {
            continue;
        }
        let from = rank(own).unwrap_or_else(|| panic!("`{own}` has no place in the registry"));
        for (line, import) in imports(&file.lines) {
            if rank(&import).is_some_and(|rank| from >= rank && own != import) {
                breaches.push(format!("{}:{line}: `{own}` imports `{import}`", file.path));
            }
        }
    }
    check(&breaches);
}

#[test]
fn only_the_door_touches_the_storage() {
    let mut breaches = Vec::new();
    for file in sources() {
        let inside = file.path.strip_prefix("src/registry/");
        // A collection, a migration and a verification look at whole stores, which nobody writes to or who serves them is asked.
        let may = |inside: &str| {
            ["content/", "collect/", "migrate/", "verify/"]
                .iter()
                .any(|folder| inside.starts_with(folder))
        };
        if inside.is_none_or(may) {
            continue;
        }
        for (index, line) in file.lines.iter().enumerate() {
            for (at, word) in line.match_indices("storage::") {
                let named = first_word(&line[at + word.len()..]);
                let is_crate = has_word(line, "storage::");
                if is_crate && !STORAGE_OUTSIDE_THE_DOOR.contains(&named.as_str()) {
                    let at = format!("{}:{}", file.path, index + 1);
                    breaches.push(format!("{at}: `storage::{named}` belongs to `content`"));
                }
            }
        }
    }
    check(&breaches);
}

#[test]
fn no_command_imports_another() {
    let mut breaches = Vec::new();
    let commands: Vec<_> = sources()
        .into_iter()
        .filter(|file| {
            file.path.starts_with("src/regctl/commands/") && !file.path.ends_with("/mod.rs")
        })
        .collect();
    for file in &commands {
        for (index, line) in file.lines.iter().enumerate() {
            let siblings = ["crate::commands", "super::super", "commands::{"];
            if siblings.iter().any(|import| line.contains(import)) {
                breaches.push(format!("{}:{}: a command imports another", file.path, index + 1));
            }
        }
    }
    assert!(commands.len() > 3, "the commands are elsewhere");
    check(&breaches);
}

/// What computes only computes: its tests need no disk.
#[test]
fn pure_code_does_no_io() {
    let mut breaches = Vec::new();
    for file in sources() {
        let is_pure = file.path.starts_with("src/oci/")
            || file.path.starts_with("src/regctl/render/")
            || file.path.ends_with("/mark.rs")
            || file.path.ends_with("/machine.rs");
        if !is_pure {
            continue;
        }
        for (index, line) in file.lines.iter().enumerate() {
            for word in ["std::fs", "fs::", "std::net", "std::process", "async fn", ".await"] {
                if has_word(line, word) {
                    breaches.push(format!("{}:{}: `{word}` in pure code", file.path, index + 1));
                }
            }
        }
    }
    check(&breaches);
}

#[test]
fn crates_import_downwards_only() {
    let mut breaches = Vec::new();
    for file in sources() {
        let own = file.path.split('/').nth(1).unwrap();
        let upper: &[&str] = match CRATES.iter().position(|name| *name == own) {
            Some(position) => &CRATES[..position],
            None => CRATES,
        };
        for (index, line) in file.lines.iter().enumerate() {
            for name in upper {
                let import = line.trim_start().starts_with(&format!("use {name}::"));
                if import || line.contains(&format!("::{name}::")) && line.starts_with("use ::") {
                    breaches.push(format!("{}:{}: `{own}` imports `{name}`", file.path, index + 1));
                }
            }
        }
    }
    check(&breaches);
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut breaches = Vec::new();
    let root = root();
    for file in sources() {
        let text = fs::read_to_string(root.join(&file.path)).unwrap();
        if file.lines.len() > LINES_MAX {
            breaches.push(format!("{}:{LINES_MAX}: {} lines", file.path, file.lines.len()));
        }
        if !text.starts_with("//!") {
            breaches.push(format!("{}:1: the first line does not say what the file is", file.path));
        }
    }
    check(&breaches);
}

/// Returns the module of regctl that a file is in.
fn module(path: &str) -> Option<String> {
    let inside = path.strip_prefix("src/regctl/")?;
    let name = inside.split('/').next()?.trim_end_matches(".rs");
    (name != "main" && name != "lib").then(|| name.to_owned())
}

fn rank(module: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

fn rank_of_file(module: &str) -> u8 {
    rank(module).unwrap_or_else(|| panic!("`{module}` has no place among the modules of regctl"))
}

/// Returns the modules of this crate that code names, with lines: `crate::x` and `use crate::{x, y}`.
fn imports(lines: &[String]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate() {
        let mut rest = line.as_str();
        if depth == 0 {
            for (at, _) in line.match_indices("crate::") {
                found.push((index + 1, first_word(&line[at + 7..])));
            }
            match line.find("use crate::{") {
                Some(at) => (rest, depth) = (&line[at + 12..], 1),
                None => continue,
            }
        }
        let mut expects_name = true;
        for (at, character) in rest.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                ',' => expects_name = true,
                c if c.is_alphabetic() && depth == 1 && expects_name => {
                    found.push((index + 1, first_word(&rest[at..])));
                    expects_name = false;
                }
                _ => {}
            }
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn imports_are_read_as_they_are_written() {
    let text = "use crate::{\n    Secret,\n    config::{Invalid, load},\n    sys::fs,\n};\nlet x = crate::render::y();\nuse crate::state::Layout;";
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let names: Vec<String> = imports(&lines).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["Secret", "config", "sys", "render", "state"]);
}
