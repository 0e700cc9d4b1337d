//! Small filesystems of a test's own, mounted and taken away again; root only.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A mounted filesystem, unmounted when dropped.
pub(crate) struct Mount {
    folder: PathBuf,
}

impl Mount {
    /// A filesystem in memory of so many MiB.
    pub(crate) fn tmpfs(folder: &Path, mebibytes: u32) -> Self {
        Self::new(folder, &["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
    }

    /// An ext4 in a file beside the folder.
    pub(crate) fn ext4(folder: &Path, mebibytes: u64) -> Self {
        let image = folder.with_extension("ext4");
        fs::File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
        run("mkfs.ext4", &["-q", "-m", "0", image.to_str().unwrap()]);
        Self::new(folder, &["-o", "loop", image.to_str().unwrap()])
    }

    /// Another folder, which cannot be written to here.
    pub(crate) fn read_only(folder: &Path, source: &Path) -> Self {
        let mount = Self::new(folder, &["--bind", source.to_str().unwrap()]);
        run("mount", &["-o", "remount,bind,ro", folder.to_str().unwrap()]);
        mount
    }

    /// Makes a filesystem in memory larger.
    pub(crate) fn enlarge(&self, mebibytes: u32) {
        let size = format!("remount,size={mebibytes}m");
        run("mount", &["-o", &size, self.folder.to_str().unwrap()]);
    }

    fn new(folder: &Path, arguments: &[&str]) -> Self {
        fs::create_dir_all(folder).unwrap();
        let arguments: Vec<_> = arguments.iter().copied().chain(folder.to_str()).collect();
        run("mount", &arguments);
        Self { folder: folder.to_owned() }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a test that failed may have left a process on it, which ends after this.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}
