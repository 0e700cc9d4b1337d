//! Programs of the machine: where they are, and running them for their effect or their output. The folders of system
//! programs are always searched, because an ordinary user's `PATH` on Debian leaves them out.

use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Finds a program by its name.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    env::split_paths(&search_path()).map(|folder| folder.join(name)).find(|path| is_program(path))
}

/// Returns `PATH` with the folders of system programs at its end.
pub(crate) fn search_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    for folder in SYSTEM_FOLDERS.map(PathBuf::from) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    // Only a folder name with a colon cannot be joined, and none came out of the split with one.
    env::join_paths(folders).unwrap_or(path)
}

/// Makes a command that finds system programs too.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path());
    command
}

/// Runs a program and returns what it wrote to stdout; an exit code other than 0 is an error with its stderr.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = command(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to run `{program}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{program} {}` failed ({}): {}", arguments.join(" "), output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Tells whether a program runs and ends with exit code 0, whatever it says.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let status = command(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_and_a_folder_is_none() {
        assert!(find("sh").is_some());
        assert!(!is_program(Path::new("/")));
        assert!(find("no-program-has-this-name").is_none());
    }

    #[test]
    fn system_folders_are_searched_whatever_the_path_says() {
        let folders: Vec<_> = env::split_paths(&search_path()).collect();
        assert!(folders.contains(&PathBuf::from("/usr/sbin")));
    }

    #[test]
    fn a_failing_program_is_an_error_with_its_own_words() {
        let error = output("sh", &["-c", "echo broken >&2; exit 3"]).unwrap_err();
        assert!(error.to_string().ends_with("(exit status: 3): broken"), "{error}");
    }
}
