//! What becomes of descriptors that other registries have put into Redis.

use std::{
    fs,
    io::{self, BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    client::Client,
    pusher::{MANIFEST, image, push, push_blob, sha256},
    redis_server::RedisServer,
    server::{Running, eventually},
};

/// A server whose Redis has nothing in it, and knows everything.
async fn settled(redis: &RedisServer, sections: &str) -> Running {
    let mine = sha256("of an earlier day").to_string();
    redis.seed("old/app", &mine);
    let running = Running::deleting(sections);
    eventually("what was there is gone", || !redis.remembers("old/app", &mine)).await;
    running
}

async fn delete(client: &mut Client, target: &str) {
    client.ask("DELETE", target, "").await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run cargo xtask test"]
async fn what_was_cached_before_a_start_goes_and_nothing_else() {
    let redis = RedisServer::start();
    let digest = sha256("other").to_string();
    redis.ask(&["SET", "blobs::mine", "1"]);
    redis.ask(&["SET", "my::blobs", "1"]);
    for number in 0..3000 {
        redis.ask(&["SADD", &format!("repository::app{number}::blobs"), &digest]);
    }
    let _running = settled(&redis, &redis.sections()).await;
    eventually("all pages are gone", || redis.ask(&["DBSIZE"]) == [":2"]).await;
    assert_eq!(redis.ask(&["EXISTS", "blobs::mine", "my::blobs"]), [":2"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run cargo xtask test"]
async fn a_blob_that_is_deleted_is_forgotten_in_its_repository_and_stays_in_others() {
    let redis = RedisServer::start();
    for form in ["addr", "addrs"] {
        let section = redis.section(form, ", dialtimeout: 5s, username: default");
        let sections = format!("  cache: {{blobdescriptor: redis}}\n{section}");
        let running = settled(&redis, &sections).await;
        let mut client = running.client().await;
        push_blob(&mut client, "group/app", "hello").await;
        push_blob(&mut client, "group/app", "other").await;
        let (hello, other) = (sha256("hello").to_string(), sha256("other").to_string());
        redis.seed("group/app", &hello);
        redis.seed("group/app", &other);
        redis.ask(&["SADD", "repository::elsewhere::blobs", &hello]);

        delete(&mut client, &format!("/v2/group/app/blobs/{hello}")).await;
        eventually("it is forgotten", || !redis.remembers("group/app", &hello)).await;
        assert!(redis.remembers("group/app", &other));
        let member = redis.ask(&["SISMEMBER", "repository::elsewhere::blobs", &hello]);
        assert_eq!(member, [":1"], "a repository that has it still does");

        // Whoever deletes again heals what was missed.
        redis.seed("group/app", &hello);
        let gone = client.ask("DELETE", &format!("/v2/group/app/blobs/{hello}"), "").await;
        gone.expect(404);
        eventually("it is forgotten again", || !redis.remembers("group/app", &hello)).await;
        redis.ask(&["FLUSHDB"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run cargo xtask test"]
async fn a_manifest_that_is_deleted_is_forgotten() {
    let redis = RedisServer::start();
    let running = settled(&redis, &redis.sections()).await;
    let mut client = running.client().await;
    push_blob(&mut client, "app", "{}").await;
    let digest = push(&mut client, "app", &image(MANIFEST, "a")).await.to_string();
    redis.seed("app", &digest);
    delete(&mut client, &format!("/v2/app/manifests/{digest}")).await;
    eventually("it is forgotten", || !redis.remembers("app", &digest)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run cargo xtask test"]
async fn what_is_deleted_while_redis_is_away_is_told_when_it_is_back() {
    let mut redis = RedisServer::start();
    let running = settled(&redis, &redis.sections()).await;
    let mut client = running.client().await;
    let texts: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for text in &texts {
        push_blob(&mut client, "app", text).await;
        redis.seed("app", &sha256(text).to_string());
    }
    redis.kill();
    for text in &texts {
        delete(&mut client, &format!("/v2/app/blobs/{}", sha256(text))).await;
    }
    redis.come_back();
    for text in &texts {
        let digest = sha256(text).to_string();
        eventually("it is forgotten", || !redis.remembers("app", &digest)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_says_nothing_holds_up_neither_a_request_nor_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let sections = format!(
        "  cache: {{blobdescriptor: redis}}\n\
         redis: {{addr: '{address}', password: x, dialtimeout: 1h, readtimeout: 1h}}"
    );
    let mut running = Running::deleting(&sections);
    let mut client = running.client().await;
    push_blob(&mut client, "app", "hello").await;
    let began = Instant::now();
    delete(&mut client, &format!("/v2/app/blobs/{}", sha256("hello"))).await;
    assert!(began.elapsed().as_secs() < 10, "the answer waits for Redis");
    drop(client);
    running.stop().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run cargo xtask test"]
async fn a_server_that_stops_tells_of_the_last_delete_first() {
    let redis = RedisServer::start();
    let mut running = settled(&redis, &redis.sections()).await;
    let mut client = running.client().await;
    push_blob(&mut client, "app", "hello").await;
    let digest = sha256("hello").to_string();
    redis.seed("app", &digest);
    delete(&mut client, &format!("/v2/app/blobs/{digest}")).await;
    drop(client);
    running.stop().await;
    running.end().await;
    assert!(!redis.remembers("app", &digest), "the server ended before it told Redis");
}

/// Distribution 2.8.2, on the same folder and the same Redis; killed when dropped.
struct Neighbour {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Neighbour {
    fn start(running: &Running, redis: &RedisServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem: {{rootdirectory: '{}'}}\n{}\n\
             http: {{addr: '127.0.0.1:0', secret: of tests}}\n",
            running.folder().join("data").display(),
            redis.sections(),
        );
        fs::write(folder.path().join("config.yml"), config).unwrap();
        let mut command = Command::new("docker-registry");
        command
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .env("REGISTRY_LOG_LEVEL", "info");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let says = "listening on ";
        while !line.contains(says) {
            line.clear();
            assert!(
                log.read_line(&mut line).unwrap() > 0,
                "docker-registry ended before it listened"
            );
        }
        let (_, rest) = line.split_once(says).unwrap();
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
        let address = rest[..end.unwrap_or(rest.len())].to_owned();
        // A pipe that is full would stop it.
        thread::spawn(move || io::copy(&mut log, &mut io::sink()));
        Self { child, address, _folder: folder }
    }

    async fn status(&self, target: &str) -> u16 {
        let mut client = Client::tcp(&self.address).await;
        client.ask_with(("HEAD", target), &[("Accept", MANIFEST)], "").await.status
    }

    /// Asks until it says this.
    async fn comes_to_say(&self, status: u16, target: &str) {
        let end = Instant::now() + Duration::from_secs(15);
        while self.status(target).await != status {
            assert!(Instant::now() < end, "docker-registry never says {status}");
        }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server and docker-registry: run cargo xtask test"]
async fn what_is_deleted_here_is_not_found_at_a_registry_with_the_same_redis() {
    let redis = RedisServer::start();
    let running = settled(&redis, &redis.sections()).await;
    let neighbour = Neighbour::start(&running, &redis);
    let mut client = running.client().await;
    for text in ["{}", "hello", "removed by hand"] {
        push_blob(&mut client, "group/app", text).await;
    }
    let manifest = push(&mut client, "group/app", &image(MANIFEST, "a")).await;
    let blob = format!("/v2/group/app/blobs/{}", sha256("hello"));
    let manifest_target = format!("/v2/group/app/manifests/{manifest}");
    let by_hand = format!("/v2/group/app/blobs/{}", sha256("removed by hand"));
    for target in [&blob, &manifest_target, &by_hand] {
        assert_eq!(neighbour.status(target).await, 200, "{target}");
    }
    let hello = sha256("hello").to_string();
    assert!(redis.remembers("group/app", &hello), "docker-registry caches under other names");

    // Why it matters: what nobody told Redis is there for ever, at the neighbour's.
    let link = format!("_layers/sha256/{}/link", sha256("removed by hand").to_hex());
    fs::remove_file(running.repository("group/app").join(link)).unwrap();
    assert_eq!(neighbour.status(&by_hand).await, 200);

    delete(&mut client, &blob).await;
    neighbour.comes_to_say(404, &blob).await;
    delete(&mut client, &manifest_target).await;
    neighbour.comes_to_say(404, &manifest_target).await;
    client.ask("DELETE", &by_hand, "").await.expect(404);
    neighbour.comes_to_say(404, &by_hand).await;

    // Pushed again, it is there again.
    push_blob(&mut client, "group/app", "hello").await;
    assert_eq!(neighbour.status(&blob).await, 200);
}
