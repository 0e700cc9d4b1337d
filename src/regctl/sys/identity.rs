//! Who this process is: becoming somebody else, for good, and ending with the parent.

use std::{
    ffi::CString,
    io::{self, ErrorKind},
    path::Path,
};

use nix::{
    sys::{prctl, signal::Signal},
    unistd::{Group, Uid, User, getppid, getuid, initgroups, setgid, setuid},
};

use super::{fs, host};

/// Becomes the user and the group, when root; does nothing otherwise.
///
/// Call it before there are threads.
pub(crate) fn become_account(user: &str, group: &str) -> io::Result<()> {
    if !host::is_root() {
        return Ok(());
    }
    let missing = |kind: &str, name: &str| {
        io::Error::new(ErrorKind::NotFound, format!("there is no {kind} `{name}`"))
    };
    let account = User::from_name(user)?.ok_or_else(|| missing("user", user))?;
    let gid = Group::from_name(group)?.ok_or_else(|| missing("group", group))?.gid;
    let name = CString::new(user).map_err(io::Error::other)?;
    initgroups(&name, gid)?;
    setgid(gid)?;
    setuid(account.uid)?;
    Ok(())
}

/// Who has this work done, by name: whoever has logged in, also when that one is root by now.
pub(crate) fn name() -> String {
    let logged_in = fs::read_to_string(Path::new("/proc/self/loginuid")).ok().flatten();
    let logged_in =
        logged_in.and_then(|text| text.trim().parse().ok()).filter(|uid| *uid != u32::MAX);
    let uid = logged_in.map_or_else(getuid, Uid::from_raw);
    User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

/// Has this process told to end when its parent does, whose pid is given.
///
/// Call it after becoming somebody else, which forgets it. The signal may come more than once: each thread of the
/// parent is one.
pub(crate) fn end_with_parent(parent: u32, signal: Signal) -> io::Result<()> {
    prctl::set_pdeathsig(signal)?;
    // The parent may have ended before this was set.
    match u32::try_from(getppid().as_raw()) {
        Ok(now) if now == parent => Ok(()),
        _ => Err(io::Error::other("the supervisor has ended")),
    }
}
