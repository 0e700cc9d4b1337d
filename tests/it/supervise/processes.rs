//! The processes of an instance, found in `/proc` by the root they work on: in their command line, their folder or
//! their open files.

use std::{
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process,
};

/// A process that is not this one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    /// `Z` is one that has ended and that nobody has waited for.
    pub(crate) state: char,
    /// The command line with spaces between its words; of a zombie its name.
    pub(crate) line: String,
}

/// Every process there is.
pub(crate) fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let processes = entries.filter_map(|entry| Process::read(&entry.path()));
    processes.filter(|found| found.pid.cast_unsigned() != process::id()).collect()
}

/// Those that work on this root. Zombies do not work.
pub(crate) fn of(root: &Path) -> Vec<Process> {
    all().into_iter().filter(|process| process.works_on(root)).collect()
}

/// Those whose parent this is.
pub(crate) fn children(parent: i32) -> Vec<Process> {
    all().into_iter().filter(|process| process.parent == parent).collect()
}

impl Process {
    /// None: it has ended meanwhile, or the folder is none of a process.
    fn read(folder: &Path) -> Option<Self> {
        let pid = folder.file_name()?.to_str()?.parse().ok()?;
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        let (name, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let words = fs::read(folder.join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&words).replace('\0', " ");
        let line = match line.trim() {
            "" => name.split_once('(')?.1.to_owned(),
            line => line.to_owned(),
        };
        Some(Self { pid, parent, group, state, line })
    }

    fn works_on(&self, root: &Path) -> bool {
        let folder = PathBuf::from(format!("/proc/{}", self.pid));
        let files = fs::read_dir(folder.join("fd")).into_iter().flatten().filter_map(Result::ok);
        let mut links = files.map(|file| file.path()).chain([folder.join("cwd")]);
        let root = root.as_os_str().as_bytes();
        let has_root = |bytes: &[u8]| bytes.windows(root.len()).any(|part| part == root);
        has_root(self.line.as_bytes())
            || links.any(|link| {
                fs::read_link(link).is_ok_and(|target| has_root(target.as_os_str().as_bytes()))
            })
    }
}
