//! Links, folders and pipes where files should be; files that are torn, exposed, or cannot be written.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::{CONFIG_YML, SECRETS_JSON, applied, edit, stages, touched};
use crate::faults::Mount;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_link_where_a_file_should_be_is_named_and_not_followed() {
    for file in [CONFIG_YML, SECRETS_JSON] {
        let world = applied();
        let elsewhere = world.path("elsewhere");
        fs::rename(world.path(file), &elsewhere).unwrap();
        symlink(&elsewhere, world.path(file)).unwrap();
        edit(&world, "[registry]\nlog_level = \"debug\"\n");
        let before = touched(&world);
        let ran = world.run(&["reconfigure"]);
        let expected = format!(
            "error: failed to read `[ROOT]/{file}`: it is a symbolic link, where regctl keeps a file: remove it\n"
        );
        assert_eq!((ran.exit, ran.stderr), (1, expected));
        assert_eq!(touched(&world), before);
    }
}

#[test]
fn a_folder_or_a_pipe_where_a_file_should_be_is_named() {
    let world = applied();
    fs::remove_file(world.path(CONFIG_YML)).unwrap();
    fs::create_dir(world.path(CONFIG_YML)).unwrap();
    let ran = world.run(&["reconfigure"]);
    assert!(ran.stderr.contains("it is a folder, where regctl keeps a file"), "{}", ran.stderr);
    fs::remove_dir(world.path(CONFIG_YML)).unwrap();
    mkfifo(&world.path(CONFIG_YML), Mode::S_IRUSR).unwrap();
    let ran = world.run(&["reconfigure"]);
    assert!(ran.stderr.contains("it is neither a file nor a folder"), "{}", ran.stderr);
    assert_eq!(ran.exit, 1);
}

#[test]
fn a_secrets_file_that_everybody_can_read_is_refused() {
    let world = applied();
    chmod(&world.path(SECRETS_JSON), 0o644);
    let ran = world.run(&["reconfigure"]);
    let expected = format!(
        "\
error: `[ROOT]/{SECRETS_JSON}` has mode 0644: every user of this machine may use its secrets
hint: chmod 0600 [ROOT]/{SECRETS_JSON}
"
    );
    assert_eq!((ran.exit, ran.stderr), (1, expected));
    assert_eq!(world.mode(SECRETS_JSON), 0o644);
}

#[test]
fn a_half_written_secrets_file_is_named_and_kept() {
    let world = applied();
    let whole = world.read(SECRETS_JSON);
    let half = &whole[..whole.len() / 2];
    fs::write(world.path(SECRETS_JSON), half).unwrap();
    let ran = world.run(&["reconfigure"]);
    let start = format!("error: `[ROOT]/{SECRETS_JSON}` is no secrets file: ");
    assert!(ran.exit == 1 && ran.stderr.starts_with(&start), "{}", ran.stderr);
    assert_eq!(world.read(SECRETS_JSON), half);
}

#[test]
fn a_half_written_rendered_file_is_replaced_whatever_its_bytes() {
    let world = applied();
    let whole = world.read(CONFIG_YML);
    for torn in [&b""[..], &whole.as_bytes()[..100], b"\xff\0\xfe"] {
        fs::write(world.path(CONFIG_YML), torn).unwrap();
        assert_eq!(world.run(&["reconfigure"]).exit, 0);
        assert_eq!(world.read(CONFIG_YML), whole);
    }
}

#[test]
fn leftover_stages_are_swept_and_other_files_stay() {
    let world = applied();
    let leftover = world.path("var/opt/regctl/registry/.config.yml.regctl-0123456789abcdef");
    let other = world.path("var/opt/regctl/registry/.config.yml.swp");
    fs::write(&leftover, "version: 0.").unwrap();
    fs::write(&other, "an editor's").unwrap();
    let ran = world.run(&["reconfigure", "--dry-run", "--exit-code"]);
    assert_eq!((ran.exit, leftover.exists()), (5, true));
    let ran = world.run(&["reconfigure"]);
    let expected = "removed [ROOT]/var/opt/regctl/registry/.config.yml.regctl-0123456789abcdef\n";
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, expected));
    assert!(stages(&world).is_empty() && other.exists());
}

#[test]
fn a_journal_of_somebody_else_replaces_nothing() {
    for (text, says) in [
        ("{", "is no journal of this regctl: EOF"),
        (r#"{"schema":9,"nonce":"0123456789abcdef","replace":[],"remove":[]}"#, "its schema is 9"),
        (
            r#"{"schema":1,"nonce":"0123456789abcdef","replace":[],"remove":["etc/passwd"]}"#,
            "etc/passwd` is no file that regctl writes",
        ),
    ] {
        let world = applied();
        fs::write(world.path("var/opt/regctl/state/reconfigure.json"), text).unwrap();
        let before = touched(&world);
        let ran = world.run(&["reconfigure"]);
        assert_eq!(ran.exit, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!(touched(&world), before);
    }
}

#[test]
fn a_root_that_everybody_may_write_to_is_refused() {
    let world = applied();
    chmod(world.root(), 0o777);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 78, "{}", ran.stderr);
    assert!(ran.stderr.contains("`[ROOT]` may be written by everybody"), "{}", ran.stderr);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_read_only_file_system_is_named_with_the_first_file_that_cannot_be_written() {
    let world = applied();
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("root");
    edit(&world, "[registry]\nlog_level = \"debug\"\n");
    let mount = Mount::read_only(&root, world.root());
    let mut command = crate::support::binary();
    command.arg("--root").arg(&root).arg("reconfigure");
    let ran = world.finish(command);
    assert_eq!(ran.exit, 77, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("run/regctl/instance.lock`: Read-only file system"),
        "{}",
        ran.stderr
    );
    drop(mount);
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
}
