//! A server in this process, with its admin socket.

use std::{
    fs,
    net::TcpListener,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use registry::{Config, Control, Listener, Reloader, Server, admin};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use walkdir::WalkDir;

use crate::client::Client;

/// How long a visible state may take to come about.
const BOUND: Duration = Duration::from_secs(15);

/// What `reload` reads, and a test changes.
type Text = Arc<Mutex<String>>;

/// A server that runs, on a folder of its own.
pub(crate) struct Running {
    folder: TempDir,
    text: Text,
    pub(crate) address: String,
    pub(crate) control: Control,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<()>,
}

impl Running {
    /// A server with `http.draintimeout: 60s`.
    pub(crate) fn start() -> Self {
        Self::with("draintimeout: 60s")
    }

    /// A server with these lines in `http`, on a port of its own.
    pub(crate) fn with(http: &str) -> Self {
        Self::with_more(http, "")
    }

    /// A server that deletes, with these lines at the end of its configuration.
    pub(crate) fn deleting(more: &str) -> Self {
        let lines = "draintimeout: 60s";
        let bind = |config: &Config| Listener::bind(&config.http.address).unwrap();
        Self::on_with(lines, ("  delete: {enabled: true}\n", more), bind)
    }

    /// A server on a listener that was passed to it.
    pub(crate) fn passed(listener: &TcpListener) -> Self {
        let socket = listener.try_clone().unwrap();
        Self::on("draintimeout: 60s", |_| Listener::passed(socket).unwrap())
    }

    /// A server whose configuration goes on with this.
    pub(crate) fn with_more(http: &str, more: &str) -> Self {
        let bind = |config: &Config| Listener::bind(&config.http.address).unwrap();
        Self::on_with(http, ("", more), bind)
    }

    /// A server on a folder that takes deletes, with further lines below everything else.
    pub(crate) fn in_folder(folder: TempDir, lines: &str) -> Self {
        let listen = |config: &Config| Listener::bind(&config.http.address).unwrap();
        Self::from("draintimeout: 60s", ("  delete: {enabled: true}\n", lines), folder, listen)
    }

    /// A server with more sections, on a folder that may have been another's.
    pub(crate) fn configured(sections: &str, folder: TempDir) -> Self {
        let listen = |config: &Config| Listener::bind(&config.http.address).unwrap();
        Self::from("draintimeout: 60s", ("", sections), folder, listen)
    }

    fn on(http: &str, listen: impl FnOnce(&Config) -> Listener) -> Self {
        Self::on_with(http, ("", ""), listen)
    }

    fn on_with(
        http: &str,
        (storage, more): (&str, &str),
        listen: impl FnOnce(&Config) -> Listener,
    ) -> Self {
        Self::from(http, (storage, more), tempfile::tempdir().unwrap(), listen)
    }

    fn from(
        http: &str,
        (storage, more): (&str, &str),
        folder: TempDir,
        listen: impl FnOnce(&Config) -> Listener,
    ) -> Self {
        let text = format!(
            "version: 0.1\nlog: {{accesslog: {{disabled: true}}}}\n\
             storage:\n  filesystem: {{rootdirectory: '{}'}}\n{storage}{more}\n\
             http: {{addr: '127.0.0.1:0', secret: of tests, {http}}}\n",
            folder.path().join("data").display(),
        );
        let config = read(&text).unwrap();
        let listener = listen(&config);
        let address = listener.address();
        let server = Server::open(&config).unwrap();
        let control = server.control();
        let text: Text = Arc::new(Mutex::new(text));
        let reloader = Reloader::new(control.clone(), {
            let text = Arc::clone(&text);
            move || read(&text.lock().unwrap())
        });
        // Of a server that was here before.
        let _ = fs::remove_file(folder.path().join("admin"));
        let socket = UnixListener::bind(folder.path().join("admin")).unwrap();
        admin::spawn(socket, reloader).unwrap();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            server.run(listener, stopped).await.unwrap();
        });
        Self { folder, text, address, control, stop: Some(stop), ended }
    }

    /// The folder that holds a repository.
    pub(crate) fn repository(&self, name: &str) -> PathBuf {
        self.folder.path().join("data/docker/registry/v2/repositories").join(name)
    }

    /// A folder that goes with the server.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.folder.path().join("admin")
    }

    /// A connection to it.
    pub(crate) fn admin_line(&self) -> UnixStream {
        UnixStream::connect(self.admin_socket()).unwrap()
    }

    pub(crate) async fn admin(&self) -> Client {
        Client::unix(&self.admin_socket()).await.unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::tcp(&self.address).await
    }

    /// Waits for the end of a server, and leaves its folder to another one.
    pub(crate) async fn into_folder(mut self) -> TempDir {
        self.stop().await;
        self.end().await;
        self.folder
    }

    /// Changes what the next reload reads.
    pub(crate) fn rewrite(&self, change: impl FnOnce(&str) -> String) {
        let mut text = self.text.lock().unwrap();
        *text = change(&text);
    }

    /// Tells the server to stop, and returns when it drains.
    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        eventually("the server drains", || self.control.is_draining()).await;
    }

    /// The text of a file under `docker/registry/v2`; none if it is not there.
    pub(crate) fn file(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.path(path)).ok()?;
        Some(String::from_utf8(bytes).unwrap())
    }

    /// A path under `docker/registry/v2`.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("data/docker/registry/v2").join(path)
    }

    /// Waits for the end of a server that was told to stop.
    pub(crate) async fn end(&mut self) {
        timeout(BOUND, &mut self.ended).await.expect("it never ends").unwrap();
    }

    /// The text of a file of the storage; none if it is not there.
    pub(crate) fn stored(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.folder.path().join("data").join(path)).ok()
    }

    /// The data of the upload sessions on disk.
    pub(crate) fn sessions(&self) -> Vec<Vec<u8>> {
        let entries = WalkDir::new(self.folder.path()).into_iter().filter_map(Result::ok);
        let paths = entries.map(|entry| entry.into_path());
        let is_session = |path: &PathBuf| {
            path.ends_with("data") && path.to_str().unwrap().contains("/_uploads/")
        };
        paths.filter(is_session).map(|path| fs::read(path).unwrap()).collect()
    }
}

/// A configuration, or its problems as a reader of files says them.
fn read(text: &str) -> Result<Config, String> {
    assert!(!text.contains("panic"), "the text says so");
    let parsed = Config::parse(text, &[]).map_err(|invalid| invalid.to_string())?;
    Ok(parsed.config)
}

/// Looks until it is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + BOUND;
    while !is_so() {
        assert!(Instant::now() < end, "never seen: {what}");
        tokio::task::yield_now().await;
    }
}
