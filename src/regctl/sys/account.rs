//! Accounts and groups, as the system's name service has them.

use std::{ffi::CString, io};

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// Who a process is to the kernel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Every group of the account, `gid` among them.
    pub(crate) groups: Vec<u32>,
}

/// Returns the id of an account, if it exists.
pub(crate) fn user(name: &str) -> io::Result<Option<u32>> {
    Ok(User::from_name(name)?.map(|user| user.uid.as_raw()))
}

/// Returns the id of a group, if it exists.
pub(crate) fn group(name: &str) -> io::Result<Option<u32>> {
    Ok(Group::from_name(name)?.map(|group| group.gid.as_raw()))
}

/// Returns the name of an account, or its number when it has none.
pub(crate) fn user_name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

/// Returns the name of a group, or its number when it has none.
pub(crate) fn group_name(gid: u32) -> String {
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    group.map_or_else(|| gid.to_string(), |group| group.name)
}

/// Returns who a process of this account is, with `gid` as its group.
pub(crate) fn identity(name: &str, uid: u32, gid: u32) -> io::Result<Identity> {
    let name = CString::new(name)?;
    let groups = getgrouplist(&name, Gid::from_raw(gid))?;
    Ok(Identity { uid, gid, groups: groups.into_iter().map(Gid::as_raw).collect() })
}
