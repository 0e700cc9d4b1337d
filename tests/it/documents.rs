//! Man pages and completions are generated; the files in the repository are the embedded ones.
//!
//! `REGCTL_REGENERATE=1 cargo test --test it documents` rewrites them.

use std::{collections::BTreeSet, env, fs, path::Path};

use super::support::World;

fn compare(folder: &str, generated: Vec<(String, Vec<u8>)>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if env::var_os("REGCTL_REGENERATE").is_some() {
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        for (name, content) in &generated {
            fs::write(folder.join(name), content).unwrap();
        }
    }
    let names: BTreeSet<String> = generated.iter().map(|(name, _)| name.clone()).collect();
    let files = fs::read_dir(&folder).unwrap();
    let found: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, names, "REGCTL_REGENERATE=1 makes {} match", folder.display());
    for (name, content) in generated {
        let stored = fs::read_to_string(folder.join(&name)).unwrap();
        let content = String::from_utf8(content).unwrap();
        assert!(stored == content, "{name} is out of date: REGCTL_REGENERATE=1 rewrites it");
    }
}

#[test]
fn generated_man_pages_are_those_of_the_command_line() {
    compare("man", regctl::man_pages());
}

#[test]
fn generated_completions_are_those_of_the_command_line() {
    compare("completions", regctl::completion_scripts());
}

#[test]
fn every_man_page_of_a_command_has_examples_files_and_exit_status() {
    for (name, content) in regctl::man_pages().into_iter().filter(|(name, _)| name.ends_with(".1"))
    {
        let text = String::from_utf8(content).unwrap();
        let sections =
            ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "ENVIRONMENT", "FILES", "EXIT STATUS"];
        for section in sections {
            let heading = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")].into_iter();
            let found = heading.filter_map(|heading| text.split_once(&heading)).next();
            let (_, content) = found.unwrap_or_else(|| panic!("{name} lacks {section}"));
            let content = content.split(".SH").next().unwrap();
            let words = content.lines().any(|line| !line.is_empty() && !line.starts_with('.'));
            assert!(words, "{name} says nothing under {section}");
        }
    }
}

#[test]
fn man_prints_the_page_of_every_command() {
    let world = World::new();
    for (file, page) in regctl::man_pages() {
        let (name, _) = file.rsplit_once('.').unwrap();
        let mut arguments = vec!["man"];
        arguments.extend((name != "regctl").then(|| name.trim_start_matches("regctl-")));
        let ran = world.run(&arguments);
        assert_eq!(ran.exit, 0, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stdout.as_bytes() == page, "{arguments:?} prints another page than {file}");
    }
}

#[test]
fn completions_prints_the_script_of_every_shell() {
    let world = World::new();
    let scripts = regctl::completion_scripts();
    for (shell, file) in [("bash", "regctl.bash"), ("zsh", "_regctl"), ("fish", "regctl.fish")] {
        let ran = world.run(&["completions", shell]);
        let (_, script) = scripts.iter().find(|(name, _)| name == file).unwrap();
        assert_eq!(ran.exit, 0, "{shell}: {}", ran.stderr);
        assert!(ran.stdout.as_bytes() == script, "{shell} prints another script than {file}");
    }
}
