//! Who the cache says it is, and to whom.

use std::sync::Arc;

use serde_json::json;

use super::{digest, get, proxy};
use crate::upstream::{Asked, Reply, Upstream};

const BLOB: &[u8] = b"private";
const CREDENTIALS: &str = ", username: reader, password: 'of the reader'";
/// `reader:of the reader`.
const BASIC: &str = "Basic cmVhZGVyOm9mIHRoZSByZWFkZXI=";

fn target() -> String {
    format!("/v2/app/blobs/{}", digest(BLOB))
}

fn is(asked: &Asked, authorization: &str) -> bool {
    asked.authorization.as_deref() == Some(authorization)
}

/// Where blobs are, which no registry has led to with a password.
async fn elsewhere() -> Upstream {
    Upstream::start(|asked| match asked.authorization {
        None => Reply::body(BLOB),
        Some(_) => Reply::status(400),
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_sent_when_it_is_asked_for_and_not_to_another_host() {
    let elsewhere = elsewhere().await;
    let location = format!("{}/data", elsewhere.url());
    let upstream = Upstream::start(move |asked| match is(asked, BASIC) {
        true => Reply::status(307).header("Location", location.clone()),
        false => Reply::status(401).header("WWW-Authenticate", "Basic realm=\"r\""),
    })
    .await;
    let proxy = proxy(&upstream.url(), CREDENTIALS);
    assert_eq!(get(&proxy, &target()).await.expect(200).body, BLOB);
    assert_eq!(upstream.asked("GET", &target()).len(), 2);
    assert_eq!(elsewhere.asked("GET", "/data").len(), 1);
    // From now on it is known what is wanted.
    get(&proxy, &format!("/v2/app/blobs/{}", digest(b"other"))).await;
    assert_eq!(upstream.asked("GET", &digest(b"other").to_string()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_fetched_with_the_password_and_used_until_it_expires() {
    let elsewhere = elsewhere().await;
    let location = format!("{}/data", elsewhere.url());
    let realm = Upstream::start(|asked| match is(asked, BASIC) {
        true => Reply::body(json!({ "token": "t1", "expires_in": 300 }).to_string().as_bytes()),
        false => Reply::status(401),
    })
    .await;
    let challenge = format!(
        "Bearer realm=\"{}/token?x=y\",service=\"the registry\",scope=\"repository:app:pull\"",
        realm.url()
    );
    let upstream = Upstream::start(move |asked| match is(asked, "Bearer t1") {
        true => Reply::status(307).header("Location", location.clone()),
        false => Reply::status(401).header("WWW-Authenticate", challenge.clone()),
    })
    .await;
    let proxy = proxy(&upstream.url(), CREDENTIALS);
    for _ in 0..2 {
        proxy.control.set_read_only(true);
        assert_eq!(get(&proxy, &target()).await.expect(200).body, BLOB);
    }
    let query = "/token?x=y&service=the+registry&scope=repository%3Aapp%3Apull&account=reader";
    assert_eq!(realm.asked("GET", query).len(), 1);
    assert_eq!(upstream.asked("GET", &target()).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_no_longer_believed_is_fetched_anew() {
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let realm = Upstream::start({
        let count = Arc::clone(&count);
        move |_| {
            let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Reply::body(json!({ "access_token": format!("t{number}") }).to_string().as_bytes())
        }
    })
    .await;
    let challenge = format!("Bearer realm=\"{}/token\"", realm.url());
    let upstream = Upstream::start(move |asked| {
        let newest = count.load(std::sync::atomic::Ordering::SeqCst).wrapping_sub(1);
        let is_believed = is(asked, &format!("Bearer t{newest}"));
        match is_believed && !asked.target.ends_with("expire") {
            true => Reply::body(BLOB),
            false => Reply::status(401).header("WWW-Authenticate", challenge.clone()),
        }
    })
    .await;
    let proxy = proxy(&upstream.url(), "");
    get(&proxy, &target()).await.expect(200);
    // Everything is refused here, so the token that was good is given up.
    assert_eq!(get(&proxy, "/v2/app/manifests/expire").await.status, 403);
    get(&proxy, &format!("/v2/app/blobs/{}", digest(b"other"))).await;
    assert!(realm.asked("GET", "%3Apull").len() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_realm_that_is_not_trusted_gets_no_password() {
    // Another name of this host is another host.
    let realm = Upstream::start(|_| Reply::body(b"{\"token\": \"t\"}")).await;
    let port = realm.address.rsplit(':').next().unwrap().to_owned();
    let upstream = Upstream::start(move |_| {
        let realm = format!("Bearer realm=\"http://localhost:{port}/token\"");
        Reply::status(401).header("WWW-Authenticate", realm)
    })
    .await;
    let proxy = proxy(&upstream.url(), CREDENTIALS);
    let refused = get(&proxy, &target()).await.expect(502);
    let text = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(text.contains("its realm is not HTTPS"), "{text}");
    assert!(!text.contains("of the reader"), "{text}");
    assert!(realm.asked("GET", "").is_empty());
}
