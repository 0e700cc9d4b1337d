//! The process that writes a service's log, fed faster than a registry speaks.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Child, Stdio},
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::support::{World, binary};

const LOG: &str = "var/log/regctl/registry";

/// An instance whose registry's log has such files, and the process that writes them.
fn logger(size: &str, number: u32, formatter: &str) -> (World, Child) {
    let world = World::with(&format!(
        "[registry]\nlog_formatter = \"{formatter}\"\nsvlogd_size = \"{size}\"\nsvlogd_num = {number}\n"
    ));
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let mut command = binary();
    command.args(["__log", "registry", "--root"]).arg(world.root()).args(["--parent", "1"]);
    let child = command.stdin(Stdio::piped()).spawn().unwrap();
    (world, child)
}

/// The log's files, the oldest first.
fn files(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.path(LOG)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| !path.ends_with("lock"));
    // `@…` sorts before `current`.
    files.sort();
    files
}

#[test]
fn not_one_line_is_lost_or_doubled_while_files_turn() {
    const LINES: usize = 600_000;
    let (world, mut child) = logger("1MiB", 100_000, "json");
    let mut pipe = child.stdin.take().unwrap();
    let mut piece = String::new();
    let mut bytes = 0;
    for line in 0..LINES {
        writeln!(piece, "{line:08} {}", "x".repeat(line % 200)).unwrap();
        if piece.len() > 100_000 {
            bytes += piece.len();
            pipe.write_all(piece.as_bytes()).unwrap();
            piece.clear();
        }
    }
    bytes += piece.len();
    pipe.write_all(piece.as_bytes()).unwrap();
    drop(pipe);
    assert!(child.wait().unwrap().success());
    let files = files(&world);
    assert!(files.len() > bytes >> 20, "{} files of {bytes} bytes", files.len());
    let mut expected = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.len() <= 1 << 20 && text.ends_with('\n'), "{}", file.display());
        for line in text.lines() {
            assert_eq!(line.len(), 9 + expected % 200, "line {expected}: {line}");
            assert_eq!(line[..8].parse::<usize>().unwrap(), expected);
            expected += 1;
        }
    }
    assert_eq!(expected, LINES);
}

#[test]
fn old_files_go_and_the_newest_lines_stay() {
    let (world, mut child) = logger("64KiB", 3, "json");
    let mut pipe = child.stdin.take().unwrap();
    for line in 0..100_000 {
        writeln!(pipe, "{line:08}").unwrap();
    }
    drop(pipe);
    assert!(child.wait().unwrap().success());
    let files = files(&world);
    assert_eq!(files.len(), 4, "{files:?}");
    assert!(fs::read_to_string(files.last().unwrap()).unwrap().ends_with("00099999\n"));
}

#[test]
fn lines_of_text_begin_with_the_time_and_the_last_one_needs_no_end() {
    let (world, mut child) = logger("1MiB", 3, "text");
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(b"first\nlast").unwrap();
    drop(pipe);
    assert!(child.wait().unwrap().success());
    let text = world.read(&format!("{LOG}/current"));
    let lines: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert_eq!(lines.iter().map(|(_, said)| *said).collect::<Vec<_>>(), ["first", "last"]);
    for (stamp, _) in lines {
        // As svlogd: 2026-11-22_18:46:48.64671
        assert!(stamp.len() == 25 && stamp.as_bytes()[10] == b'_', "{stamp}");
    }
    assert_eq!(world.mode(&format!("{LOG}/current")), 0o640);
}

#[test]
fn stops_do_not_end_it_before_the_last_word() {
    let (world, mut child) = logger("1MiB", 3, "json");
    let mut pipe = child.stdin.take().unwrap();
    writeln!(pipe, "before").unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        // It holds signals back from its first moment on, which is over once the first line is written.
        while !world.path(LOG).join("current").metadata().is_ok_and(|file| file.len() > 0) {
            thread::yield_now();
        }
        kill(pid, signal).unwrap();
    }
    writeln!(pipe, "after").unwrap();
    drop(pipe);
    assert!(child.wait().unwrap().success());
    assert_eq!(world.read(&format!("{LOG}/current")), "before\nafter\n");
}

#[test]
fn a_file_that_somebody_removes_is_followed_by_another() {
    let (world, mut child) = logger("64KiB", 3, "json");
    let current = world.path(LOG).join("current");
    let mut pipe = child.stdin.take().unwrap();
    writeln!(pipe, "before").unwrap();
    while !current.metadata().is_ok_and(|file| file.len() > 0) {
        thread::yield_now();
    }
    fs::remove_file(&current).unwrap();
    for line in 0..20_000 {
        writeln!(pipe, "{line:08}").unwrap();
    }
    drop(pipe);
    assert!(child.wait().unwrap().success());
    assert!(fs::read_to_string(current).unwrap().ends_with("00019999\n"));
}
