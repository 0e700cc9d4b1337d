//! A cache whose disk is too small for what is pulled by way of it. Its storage is a filesystem of a few MiB, so these run
//! as root.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tempfile::TempDir;
use tokio::sync::Notify;

use super::{digest, get};
use crate::{
    server::Running,
    upstream::{Asked, Reply, Upstream},
};

/// A mounted filesystem, unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn tmpfs(folder: &Path, mebibytes: u32) -> Self {
        fs::create_dir_all(folder).unwrap();
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder)
            .output()
            .unwrap();
        assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
        Self(folder.to_owned())
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filling")).unwrap();
        while file.write_all(&[0; 64 * 1024]).is_ok() {}
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn large() -> Vec<u8> {
    (0..8 * 1024 * 1024_u32).map(|index| (index % 251) as u8).collect()
}

/// A cache on a filesystem of so many MiB.
fn proxy(url: &str, mebibytes: u32) -> (Running, Mount) {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let mount = Mount::tmpfs(&folder.path().join("data"), mebibytes);
    (Running::configured(&format!("proxy: {{remoteurl: '{url}'}}"), folder), mount)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_there_is_no_room_for_passes_through() {
    let blob = large();
    let upstream = Upstream::start({
        let blob = blob.clone();
        move |_| Reply::body(&blob)
    })
    .await;
    let (proxy, _mount) = proxy(&upstream.url(), 4);
    let target = format!("/v2/app/blobs/{}", digest(&blob));
    let answer = get(&proxy, &target).await.expect(200);
    assert!(answer.is_whole && answer.body == blob);
    let asked = upstream.asked("GET", &target).len();
    assert!(get(&proxy, &target).await.expect(200).body == blob);
    assert_eq!(upstream.asked("GET", &target).len(), asked + 1, "it is known not to fit");
    assert!(proxy.sessions().is_empty());
}

/// Has a client read half of a blob, the disk fill up, and the other half come; what the client got, and whether that
/// is all.
async fn filled_half_way(again: impl Fn(&Asked, &[u8]) -> Reply + Send + Sync + 'static) -> bool {
    let blob = large();
    let half = blob.len() / 2;
    let gate = Arc::new(Notify::new());
    let upstream = Upstream::start({
        let (blob, gate, count) = (blob.clone(), Arc::clone(&gate), AtomicUsize::new(0));
        move |asked| match count.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::body(&blob).until(half, &gate),
            _ => again(asked, &blob),
        }
    })
    .await;
    let (proxy, mount) = proxy(&upstream.url(), 12);
    let target = format!("/v2/app/blobs/{}", digest(&blob));
    let mut client = proxy.client().await;
    client.begin("GET", &target, 0).await;
    assert!(client.first_bytes(half).await == blob[..half]);
    mount.fill();
    gate.notify_one();
    let rest = client.more_bytes(blob.len() - half).await;
    assert!(blob[half..].starts_with(&rest) || rest.len() < blob.len() - half);
    rest.len() == blob.len() - half
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_cuts_off_no_client() {
    assert!(filled_half_way(|_, blob| Reply::body(blob)).await, "sent from its beginning again");
    let from_there_on = |asked: &Asked, blob: &[u8]| {
        let range = asked.range.as_ref().unwrap();
        let start = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap();
        let start: usize = start.parse().unwrap();
        let (last, size) = (blob.len() - 1, blob.len());
        Reply::part(&blob[start..]).header("Content-Range", format!("bytes {start}-{last}/{size}"))
    };
    assert!(filled_half_way(from_there_on).await, "sent from there on");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_instead_of_the_rest_is_noticed() {
    let other = |_: &Asked, blob: &[u8]| {
        let mut other = blob.to_vec();
        *other.last_mut().unwrap() ^= 1;
        Reply::body(&other)
    };
    assert!(!filled_half_way(other).await);
    let elsewhere = |_: &Asked, blob: &[u8]| {
        Reply::part(blob).header("Content-Range", format!("bytes 0-1/{}", blob.len()))
    };
    assert!(!filled_half_way(elsewhere).await);
}
