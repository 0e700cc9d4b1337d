//! The installed nginx: its version, and what it says about a configuration before that is used.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};

use crate::{
    config::Instance,
    render::{self, Inputs, NginxPlaces, NginxVersion, Sendfile, View, Workers},
    state::{Layout, Owners},
    sys::{
        account,
        folder::{self, Found},
        fs, host, program,
        scratch::Scratch,
    },
};

/// The accounts that distributions make for nginx's workers, and the one that every system has.
const WORKER_ACCOUNTS: [&str; 4] = ["nginx", "www-data", "http", "nobody"];

/// Who nginx's workers are where nothing is said, and that account's group.
const NOBODY: &str = "nobody";
const NOBODYS_GROUP: u32 = 65534;

const ADDS_HEADERS: &str = "`registry.nginx.custom_gitlab_server_config` adds headers, which nginx would leave out of blobs that it sends itself";

/// Why nginx's configuration is not known to be good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Render(#[from] render::Error),
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("failed to run `{}`", program.display())]
    Run { program: PathBuf, source: io::Error },
    #[error("nginx would refuse the files made from this instance:\n{0}")]
    Refused(String),
}

/// The nginx that is installed, if any.
#[derive(Debug)]
pub(crate) struct Nginx {
    program: Option<PathBuf>,
    pub(crate) version: NginxVersion,
}

impl Nginx {
    /// Looks for nginx and asks for its version.
    pub(crate) fn find() -> Self {
        let program = program::find("nginx");
        // One that does not answer fails the check, with its reason.
        let said = program.as_ref().and_then(|path| program::ask(path, &[OsStr::new("-v")]).ok());
        let version = NginxVersion::read(&said.map(|answer| answer.said).unwrap_or_default());
        Self { program, version }
    }

    /// No nginx, for instances that need none.
    pub(crate) fn none() -> Self {
        Self { program: None, version: NginxVersion::Unknown }
    }

    /// Returns whom the workers are to be, so that they may read what the registry's group may; `None` where
    /// nginx is not root's.
    pub(super) fn workers(&self, owners: &Owners) -> Option<Workers> {
        let group = &owners.service.as_ref()?.group;
        self.program.as_ref()?;
        // One that cannot be looked up is as good as none: nginx falls back to its own choice.
        let exists = |name: &&str| matches!(account::user(name), Ok(Some(_)));
        let user = WORKER_ACCOUNTS.into_iter().find(exists)?;
        Some(Workers { user: user.to_owned(), group: group.name.clone() })
    }

    /// Returns whether nginx can send blobs itself, exactly as the registry would.
    pub(super) fn sendfile(
        &self,
        layout: &Layout,
        instance: &Instance,
        owners: &Owners,
    ) -> Sendfile {
        let is_run = instance.nginx.enable && instance.registry.enable;
        let vhost = instance.nginx.vhost.as_ref().filter(|vhost| is_run && vhost.sendfile);
        let blobs = render::blobs(layout, &instance.registry.storage.driver);
        let Some((vhost, blobs)) = vhost.zip(blobs) else { return Sendfile::Unwanted };
        let adds_headers =
            vhost.custom_config.as_ref().is_some_and(|lines| lines.contains("add_header"));
        let why = match () {
            () if adds_headers => Some(ADDS_HEADERS.to_owned()),
            () if blobs.contains('$') => {
                Some(format!("nginx takes `$` in `{blobs}` for a variable"))
            }
            () => render::lost_header(&instance.registry.http)
                .or_else(|| self.cannot_read(Path::new(&blobs), owners)),
        };
        why.map_or(Sendfile::Possible, Sendfile::Impossible)
    }

    /// Returns why nginx's workers cannot read a folder, or what it will hold.
    fn cannot_read(&self, folder: &Path, owners: &Owners) -> Option<String> {
        if !host::is_root() {
            // Then they are who the registry is.
            return None;
        }
        let (user, group) = match self.workers(owners) {
            Some(Workers { user, .. }) => (user, owners.service.as_ref()?.group.id?),
            None => (NOBODY.to_owned(), NOBODYS_GROUP),
        };
        let who = account::user(&user).ok().flatten();
        let who = who.and_then(|uid| account::identity(&user, uid, group).ok());
        let Some(who) = who else {
            return Some(format!("nothing is known of `{user}`, who nginx's workers are"));
        };
        if owners.service.is_none() {
            // What is still to be created will be root's alone. Said of both alike, so that nothing changes when it is.
            let is_open = folder::look(folder).ok()?.is_some()
                && matches!(folder::first_closed(&who, folder, folder::ENTER), Ok(None));
            let folder = folder.display();
            let reason = format!("nginx's workers, `{user}`, cannot enter `{folder}`");
            return (!is_open).then_some(reason);
        }
        match folder::first_closed(&who, folder, folder::ENTER) {
            Ok(None) => None,
            Ok(Some((closed, Found { mode, uid, gid }))) => {
                let (owner, of_group) = (account::user_name(uid), account::group_name(gid));
                let closed = closed.display();
                Some(format!(
                    "nginx's workers, `{user}`, cannot enter `{closed}`: it is {owner}:{of_group}'s with mode {mode:04o}"
                ))
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// Has nginx read a rendering of its files in a folder of their own, when nginx is installed.
    pub(crate) fn check(&self, inputs: &Inputs<'_>) -> Result<(), Error> {
        let nginx = &inputs.instance.nginx;
        let (Some(program), Some(vhost)) = (&self.program, &nginx.vhost) else { return Ok(()) };
        // The check binds ports and reads keys, as an administrator's own nginx may do and this user may not.
        if !nginx.enable && !host::is_root() {
            return Ok(());
        }
        let scratch = Scratch::create()?;
        let folder = scratch.path();
        let places = NginxPlaces::within(folder);
        let process = render::nginx_conf(inputs, &places)?;
        let vhost = render::registry_conf(inputs, vhost, &places, View::File)?;
        write(folder.join("registry.conf"), &vhost)?;
        let conf = folder.join("nginx.conf");
        write(conf.clone(), &process)?;
        let arguments = ["-t", "-q", "-p"].map(OsStr::new);
        let arguments =
            [&arguments[..], &[folder.as_os_str(), "-c".as_ref(), conf.as_ref()]].concat();
        let answer = program::ask(program, &arguments)
            .map_err(|source| Error::Run { program: program.clone(), source })?;
        if answer.success {
            return Ok(());
        }
        let real = inputs.layout.nginx_conf();
        let real = real.parent().unwrap_or(&real).to_string_lossy();
        let said = answer.said.replace(&*folder.to_string_lossy(), &real);
        Err(Error::Refused(said.trim_end().to_owned()))
    }
}

fn write(path: PathBuf, text: &str) -> Result<(), fs::Error> {
    fs::write_atomic(&path, text.as_bytes(), 0o600, fs::Existing::Replace)
}
