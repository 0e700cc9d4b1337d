//! A server is told to stop while its clients are in the middle of something, or of nothing.

use crate::{
    client::Client,
    server::{Running, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed_and_do_not_hold_the_drain() {
    let mut running = Running::start();
    let mut client = running.client().await;
    client.ask("GET", "/v2/", "").await.expect(200);
    running.stop().await;
    assert!(client.ends().await);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_under_way_is_finished_and_answered_with_close() {
    let mut running = Running::start();
    let mut client = running.client().await;
    let upload = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
    client.begin_when_wanted("PATCH", &upload, 10).await;
    client.send(b"01234").await;
    running.stop().await;
    // The admin socket answers meanwhile, to new connections too; the registry itself listens no more.
    let mut admin = running.admin().await;
    let status = admin.ask("GET", "/v1/status", "").await.expect(200).json();
    assert_eq!(status["draining"], true);
    assert_eq!(status["requests"]["in_flight"], 1);
    eventually("nobody listens", || std::net::TcpStream::connect(&running.address).is_err()).await;
    client.send(b"56789").await;
    let answer = client.answer().await.unwrap().expect(202);
    assert_eq!(answer.header("range"), Some("0-9"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.ends().await);
    running.end().await;
    assert!(admin.ends().await);
    let refused = match Client::unix(&running.admin_socket()).await {
        // The listener is dropped by a task of its own.
        Ok(mut late) => late.ends().await,
        Err(_) => true,
    };
    assert!(refused);
    assert_eq!(running.sessions(), [b"0123456789"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connected_before_the_stop_and_asks_after_it_is_answered() {
    let mut running = Running::start();
    let mut client = running.client().await;
    eventually("it is accepted", || running.control.statistics().connections_open == 1).await;
    running.stop().await;
    let answer = client.ask("GET", "/v2/", "").await.expect(200);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.ends().await);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connected_and_asks_for_nothing_does_not_hold_the_drain() {
    let mut running = Running::start();
    let mut client = running.client().await;
    eventually("it is accepted", || running.control.statistics().connections_open == 1).await;
    running.stop().await;
    assert!(client.ends().await);
    running.end().await;
}

/// Both when the time is up and when there is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_does_not_end_in_time_is_cut_off_and_what_came_is_kept() {
    for http in ["draintimeout: 100ms", "draintimeout: 0s"] {
        let mut running = Running::with(http);
        let mut client = running.client().await;
        let upload = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
        client.begin_when_wanted("PATCH", &upload, 10).await;
        let before = running.control.statistics().bytes_received;
        client.send(b"01234").await;
        let received = || running.control.statistics().bytes_received - before;
        eventually("it has arrived", || received() == 5).await;
        running.stop().await;
        assert!(client.ends().await);
        running.end().await;
        assert_eq!(running.sessions(), [b"01234"], "{http}");
        assert_eq!(running.control.statistics().writes_in_flight, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_nothing_for_ten_seconds_does_not_hold_the_drain_and_may_go_on_later() {
    let mut running = Running::start();
    let mut client = running.client().await;
    let upload = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
    client.begin_when_wanted("PATCH", &upload, 10).await;
    client.send(b"01234").await;
    running.stop().await;
    let answer = client.answer().await.unwrap().expect(503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    let message = answer.json()["errors"][0]["message"].to_string();
    assert!(message.contains("nothing came for 10 seconds while the registry stops"), "{message}");
    assert!(client.ends().await);
    running.end().await;
    assert_eq!(running.sessions(), [b"01234"]);
}
