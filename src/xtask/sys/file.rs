//! Files whose errors name their path, the scratch folder of a run, and the two folders that chores know: the
//! checkout and cargo's target folder.

use std::{
    env,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

const SCRATCH_PREFIX: &str = "bench-";

/// Returns the root of the checkout.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the manifest of this crate stands two folders below the root")
}

/// Returns cargo's target folder: the one that this program was built into.
pub(crate) fn target() -> Result<PathBuf> {
    let program = env::current_exe().context("failed to find this program's own file")?;
    let folder = program.ancestors().nth(2);
    Ok(folder
        .with_context(|| format!("`{}` is in no target folder", program.display()))?
        .to_owned())
}

/// Reads a text file.
#[expect(clippy::disallowed_methods, reason = "this is the wrapper that names the path")]
pub(crate) fn read(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()))
}

/// Replaces a text file: staged beside the target, then moved over it.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let staged = path.with_extension("staged");
    let stage = || {
        let mut file = File::create(&staged)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&staged, path)
    };
    stage().with_context(|| format!("failed to write `{}`", path.display()))
}

/// A folder that is gone with the value.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Creates the folder of this process under `parent`, and removes those of processes that are no more.
    pub(crate) fn create(parent: &Path) -> Result<Self> {
        sweep(parent);
        let folder = parent.join(format!("{SCRATCH_PREFIX}{}", std::process::id()));
        fs::create_dir_all(&folder)
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is swept by the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(SCRATCH_PREFIX));
        let Some(owner) = owner.and_then(|id| id.parse::<u32>().ok()) else { continue };
        if !Path::new("/proc").join(owner.to_string()).exists() {
            // A folder that cannot be removed costs space, not correctness.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_holds_the_root_manifest() {
        assert!(read(workspace().join("Cargo.toml")).unwrap().contains("[workspace]"));
    }

    #[test]
    fn a_scratch_folder_is_gone_with_its_value_and_sweeps_dead_ones() {
        let parent = env::temp_dir().join(format!("xtask-scratch-{}", std::process::id()));
        // No process has this id: it is above the kernel's largest.
        let dead = parent.join(format!("{SCRATCH_PREFIX}{}", u32::MAX));
        let strange = parent.join("bench-notes");
        fs::create_dir_all(&dead).unwrap();
        fs::create_dir_all(&strange).unwrap();
        let scratch = Scratch::create(&parent).unwrap();
        let path = scratch.path().to_owned();
        assert!(path.exists() && !dead.exists() && strange.exists());
        drop(scratch);
        assert!(!path.exists());
        fs::remove_dir_all(&parent).unwrap();
    }

    #[test]
    fn an_error_names_the_path() {
        let error = read("/nowhere/at/all").unwrap_err();
        assert_eq!(error.to_string(), "failed to read `/nowhere/at/all`");
    }
}
