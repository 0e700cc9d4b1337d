//! Following logs.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{World, free_port};

/// A `tail` under way; killed when dropped.
struct Tail {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Tail {
    fn start(world: &World, arguments: &[&str]) -> Self {
        let arguments = [&["tail"], arguments].concat();
        let mut child = world.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    fn lines(&mut self, count: usize) -> String {
        (0..count).map(|_| self.line()).collect()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // It may have ended as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn current(world: &World, service: &str) -> PathBuf {
    let folder = world.path("var/log/regctl").join(service);
    fs::create_dir_all(&folder).unwrap();
    folder.join("current")
}

fn write(path: &Path, text: &str) {
    let mut file = fs::File::options().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_log_is_followed_from_its_last_lines_over_rotations_to_ctrl_c() {
    let world = World::with("[registry]\n");
    let log = current(&world, "registry");
    write(&log, "one\ntwo\nthree\n");
    let mut tail = Tail::start(&world, &["registry", "-n", "2"]);
    assert_eq!(tail.lines(2), "two\nthree\n");
    write(&log, "four\n");
    assert_eq!(tail.line(), "four\n");
    for name in ["@4000000000000001.s", "@4000000000000002.s"] {
        write(&log, &format!("in {name}\n"));
        fs::rename(&log, log.with_file_name(name)).unwrap();
    }
    write(&log, "five\n");
    assert_eq!(tail.lines(3), "in @4000000000000001.s\nin @4000000000000002.s\nfive\n");
    kill(Pid::from_raw(tail.child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(tail.child.wait().unwrap().code(), Some(0));
    assert_eq!(tail.line(), "");
}

#[test]
fn it_ends_when_nobody_reads_any_more() {
    let world = World::with("[registry]\n");
    let log = current(&world, "registry");
    write(&log, "one\n");
    let mut tail = Tail::start(&world, &["registry"]);
    assert_eq!(tail.line(), "one\n");
    let mut command = world.command(&["tail", "registry"]);
    let mut deaf = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(deaf.stdout.take());
    // Nothing more is written: it notices by itself.
    assert_eq!(deaf.wait().unwrap().code(), Some(0));
}

#[test]
fn several_logs_stand_under_their_paths_nginxs_own_included() {
    let world = World::with(&format!(
        "registry_external_url = \"http://localhost:{}\"\n[registry]\nregistry_http_addr = \"127.0.0.1:{}\"\n[registry.nginx]\nenable = true\n",
        free_port(),
        free_port()
    ));
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let (registry, nginx) = (current(&world, "registry"), current(&world, "nginx"));
    write(&registry, "r1\n");
    write(&nginx, "n1\n");
    let mut tail = Tail::start(&world, &[]);
    let header = |path: &Path| format!("==> {} <==\n", path.display());
    let expected = format!("{}r1\n\n{}n1\n", header(&registry), header(&nginx));
    assert_eq!(tail.lines(5), expected);
    // It was not there before.
    let access = nginx.with_file_name("registry_access.log");
    write(&access, "a1\n");
    assert_eq!(tail.lines(3), format!("\n{}a1\n", header(&access)));
    write(&access, "a2\n");
    assert_eq!(tail.line(), "a2\n");
}
