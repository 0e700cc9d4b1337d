//! Many clients, one fetch.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Notify;

use super::{digest, proxy};
use crate::{
    server::eventually,
    upstream::{Reply, Upstream},
};

/// More than what is held in memory.
fn large() -> Vec<u8> {
    (0..8 * 1024 * 1024_u32).map(|index| (index % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_one_blob_read_what_has_arrived_of_one_fetch() {
    let blob = large();
    let gate = Arc::new(Notify::new());
    let half = blob.len() / 2;
    let upstream = Upstream::start({
        let (blob, gate) = (blob.clone(), Arc::clone(&gate));
        move |_| Reply::body(&blob).until(half, &gate)
    })
    .await;
    let proxy = proxy(&upstream.url(), "");
    let target = format!("/v2/app/blobs/{}", digest(&blob));
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = proxy.client().await;
        client.begin("GET", &target, 0).await;
        // The other half is not even sent.
        assert!(client.first_bytes(half).await == blob[..half]);
        clients.push(client);
    }
    let mut part = proxy.client().await;
    let range = format!("GET {target} HTTP/1.1\r\nHost: test\r\nRange: bytes=100-\r\n\r\n");
    part.send(range.as_bytes()).await;
    assert!(part.first_bytes(1000).await == blob[100..1100]);
    gate.notify_one();
    for client in &mut clients {
        assert!(client.more_bytes(blob.len() - half).await == blob[half..]);
    }
    assert!(part.more_bytes(blob.len() - 1100).await == blob[1100..]);
    let mut later = proxy.client().await;
    assert!(later.ask("GET", &target, "").await.expect(200).body == blob);
    assert_eq!(upstream.asked("GET", &target).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_goes_on_without_its_client() {
    let blob = large();
    let gate = Arc::new(Notify::new());
    let upstream = Upstream::start({
        let (blob, gate) = (blob.clone(), Arc::clone(&gate));
        move |_| Reply::body(&blob).until(1000, &gate)
    })
    .await;
    let proxy = proxy(&upstream.url(), "");
    let target = format!("/v2/app/blobs/{}", digest(&blob));
    let mut client = proxy.client().await;
    client.begin("GET", &target, 0).await;
    client.first_bytes(100).await;
    drop(client);
    gate.notify_one();
    let hex = digest(&blob).to_hex();
    let link = format!("docker/registry/v2/repositories/app/_layers/sha256/{hex}/link");
    eventually("it is kept", || proxy.stored(&link).is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_nobody_waits_for_ends_after_a_while_and_leaves_nothing() {
    let blob = large();
    let gate = Arc::new(Notify::new());
    let upstream = Upstream::start({
        let (blob, gate) = (blob.clone(), Arc::clone(&gate));
        move |_| Reply::body(&blob).until(600_000, &gate)
    })
    .await;
    let proxy = proxy(&upstream.url(), ", cachewritetimeout: 50ms");
    let target = format!("/v2/app/blobs/{}", digest(&blob));
    let mut client = proxy.client().await;
    client.begin("GET", &target, 0).await;
    client.first_bytes(100).await;
    assert_eq!(proxy.sessions().len(), 1);
    drop(client);
    eventually("its session goes", || proxy.sessions().is_empty()).await;
    eventually("it is no write any more", || proxy.control.statistics().writes_in_flight == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_stops_ends_what_it_fetches() {
    let blob = large();
    let gate = Arc::new(Notify::new());
    let upstream = Upstream::start({
        let (blob, gate) = (blob.clone(), Arc::clone(&gate));
        move |_| Reply::body(&blob).until(600_000, &gate)
    })
    .await;
    let mut proxy = proxy(&upstream.url(), "");
    let target = format!("/v2/app/blobs/{}", digest(&blob));
    let mut client = proxy.client().await;
    client.begin("GET", &target, 0).await;
    client.first_bytes(100).await;
    drop(client);
    proxy.stop().await;
    proxy.end().await;
    assert!(proxy.sessions().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn fetches_that_nobody_waits_for_make_way_for_one_that_somebody_does() {
    let gate = Arc::new(Notify::new());
    let blobs: Vec<String> = (0..101).map(|index| format!("content {index}").repeat(9)).collect();
    let target = |blob: &str| format!("/v2/app/blobs/{}", digest(blob.as_bytes()));
    let upstream = Upstream::start({
        let known = blobs.iter().enumerate();
        let known = known.map(|(index, blob)| (target(blob), (index, blob.clone())));
        let (known, gate): (HashMap<_, _>, _) = (known.collect(), Arc::clone(&gate));
        move |asked| match &known[&asked.target] {
            (100, blob) => Reply::body(blob.as_bytes()),
            // Some do not even begin to answer.
            (index, _) if index % 2 == 0 => Reply::silence(),
            (_, blob) => Reply::body(blob.as_bytes()).until(10, &gate),
        }
    })
    .await;
    let proxy = proxy(&upstream.url(), "");
    let mut clients = Vec::new();
    for blob in &blobs[..100] {
        let mut client = proxy.client().await;
        client.begin("GET", &target(blob), 0).await;
        clients.push(client);
    }
    eventually("all are asked for", || upstream.asked("GET", "").len() == 100).await;
    let (wanted, target) = (&blobs[100], target(&blobs[100]));
    let mut waits = proxy.client().await;
    waits.begin("GET", &target, 0).await;
    drop(clients.split_off(1));
    assert_eq!(waits.answer().await.unwrap().expect(200).body, wanted.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn however_clients_come_each_blob_is_fetched_once() {
    let blobs: Vec<String> = (0..100).map(|index| format!("content {index}")).collect();
    let target = |blob: &str| format!("/v2/app/blobs/{}", digest(blob.as_bytes()));
    let upstream = Upstream::start({
        let known = blobs.iter().map(|blob| (target(blob), blob.clone()));
        let known: HashMap<_, _> = known.collect();
        move |asked| Reply::body(known[&asked.target].as_bytes())
    })
    .await;
    let proxy = Arc::new(proxy(&upstream.url(), ""));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..8 {
        let (proxy, blobs) = (Arc::clone(&proxy), blobs.clone());
        clients.spawn(async move {
            let mut connection = proxy.client().await;
            // Some a little behind the others.
            for blob in blobs.iter().cycle().skip(client % 3).take(100) {
                let target = format!("/v2/app/blobs/{}", digest(blob.as_bytes()));
                let answer = connection.ask("GET", &target, "").await.expect(200);
                assert_eq!(answer.body, blob.as_bytes());
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    for blob in &blobs {
        assert_eq!(upstream.asked("GET", &target(blob)).len(), 1, "{blob}");
    }
}
