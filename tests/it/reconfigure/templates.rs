//! An administrator's own copies of templates.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use super::{CONFIG_YML, applied, touched};
use crate::support::World;

const COPY: &str = "etc/regctl/templates/config.yml.j2";

/// A copy of the built-in template, changed.
fn copy(world: &World, change: impl FnOnce(String) -> String) {
    let ran = world.run(&["reconfigure", "--print-template", "config.yml.j2"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    fs::write(world.path(COPY), change(ran.stdout)).unwrap();
    chmod(world, 0o644);
}

fn chmod(world: &World, mode: u32) {
    fs::set_permissions(world.path(COPY), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_unchanged_copy_changes_nothing_and_is_not_pointed_out() {
    let world = applied();
    copy(&world, |text| text);
    let ran = world.run(&["reconfigure"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, "nothing to change\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
}

#[test]
fn a_copy_wins_over_the_built_in_template() {
    let world = applied();
    copy(&world, |text| text.replace("version: 0.1\n", "version: 0.1\n# {{ log_level }}\n"));
    let ran = world.run(&["reconfigure"]);
    assert_eq!((ran.exit, ran.stderr.contains("warning")), (0, false), "{}", ran.stderr);
    assert!(world.read(CONFIG_YML).contains("version: 0.1\n# info\n"));
    fs::remove_file(world.path(COPY)).unwrap();
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert!(!world.read(CONFIG_YML).contains("# info"));
}

#[test]
fn a_copy_of_another_version_or_of_none_is_pointed_out() {
    for (change, says) in [
        (
            "version 0000000000000000",
            "was copied from another version of the template than this regctl's",
        ),
        ("version unknown", "was copied from another version of the template than this regctl's"),
        ("", "does not say which version of the template it was copied from"),
    ] {
        let world = applied();
        copy(&world, |text| {
            let (first, rest) = text.split_once('\n').unwrap();
            let (start, _) = first.split_once("version ").unwrap();
            match change {
                "" => rest.to_owned(),
                version => format!("{start}{version} #}}\n{rest}"),
            }
        });
        let ran = world.run(&["reconfigure", "--dry-run", "--exit-code"]);
        let warning = format!("warning: `[ROOT]/{COPY}` {says}: compare it with ");
        assert!(ran.stderr.starts_with(&warning), "{}", ran.stderr);
        assert_eq!(ran.exit, 0, "{}", ran.stdout);
    }
}

#[test]
fn a_copy_that_cannot_be_rendered_is_named_with_the_line() {
    for (line, says) in [
        ("level: {{ log_levl }}", "undefined value"),
        ("level: {{ log_level", "syntax error"),
        ("level: {{ log_level | shouted }}", "unknown filter"),
    ] {
        let world = applied();
        fs::write(world.path(COPY), format!("version: 0.1\nlog:\n  {line}\n")).unwrap();
        chmod(&world, 0o644);
        let before = touched(&world);
        let ran = world.run(&["reconfigure"]);
        assert_eq!(ran.exit, 78, "{}", ran.stderr);
        let start = format!("error: failed to render `[ROOT]/{COPY}`: {says}");
        assert!(ran.stderr.starts_with(&start), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("(in [ROOT]/{COPY}:")), "{}", ran.stderr);
        assert_eq!(touched(&world), before);
    }
}

#[test]
fn a_copy_that_makes_a_file_its_reader_refuses_replaces_nothing() {
    let world = applied();
    copy(&world, |text| text.replace("storage:", "storrage:"));
    let before = touched(&world);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 78, "{}", ran.stderr);
    assert!(ran.stderr.contains("the registry would refuse the config.yml"), "{}", ran.stderr);
    assert_eq!(touched(&world), before);
}

#[test]
fn a_copy_that_others_may_write_is_refused() {
    let world = applied();
    copy(&world, |text| text);
    chmod(&world, 0o666);
    let ran = world.run(&["reconfigure"]);
    let expected = format!(
        "\
error: `[ROOT]/{COPY}` may be written by everybody: who writes a template decides what runs
hint: chown root [ROOT]/{COPY} && chmod go-w [ROOT]/{COPY}
"
    );
    assert_eq!((ran.exit, ran.stderr), (78, expected));
    chmod(&world, 0o644);
    let folder = world.path("etc/regctl/templates");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 78, "{}", ran.stderr);
    assert!(ran.stderr.contains("templates` may be written by everybody"), "{}", ran.stderr);
}

#[test]
fn a_copy_that_is_a_link_is_refused() {
    let world = applied();
    fs::write(world.path("elsewhere"), "version: 0.1\n").unwrap();
    symlink(world.path("elsewhere"), world.path(COPY)).unwrap();
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("it is a symbolic link"), "{}", ran.stderr);
}

#[test]
fn a_copy_that_is_called_as_no_template_is_pointed_out() {
    let world = applied();
    let path = "etc/regctl/templates/config.yaml.j2";
    fs::write(world.path(path), "version: 0.1\n").unwrap();
    let says = format!(
        "`[ROOT]/{path}` does nothing: no template is called that; did you mean `config.yml.j2`?"
    );
    let ran = world.run(&["reconfigure"]);
    assert!(ran.exit == 0 && ran.stderr.contains(&says), "{}", ran.stderr);
    assert!(world.run(&["check-config"]).stdout.contains(&says));
}
