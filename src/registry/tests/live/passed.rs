//! Sockets that somebody else has made, and keeps.

use std::net::TcpListener;

use crate::server::Running;

#[tokio::test(flavor = "multi_thread")]
async fn one_server_follows_another_on_a_passed_socket_and_no_connection_is_refused() {
    let owned = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut first = Running::passed(&owned);
    let mut before = first.client().await;
    before.ask("GET", "/v2/", "").await.expect(200);
    first.stop().await;
    first.end().await;
    // Nobody accepts it now; the queue keeps it.
    let mut between = first.client().await;
    let second = Running::passed(&owned);
    assert_eq!(first.address, second.address);
    between.ask("GET", "/v2/", "").await.expect(200);
    second.client().await.ask("GET", "/v2/", "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_a_passed_socket_while_one_drains() {
    let owned = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut first = Running::passed(&owned);
    let mut client = first.client().await;
    let upload = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
    client.begin_when_wanted("PATCH", &upload, 3).await;
    let second = Running::passed(&owned);
    first.stop().await;
    for _ in 0..20 {
        second.client().await.ask("GET", "/v2/", "").await.expect(200);
    }
    client.send(b"abc").await;
    client.answer().await.unwrap().expect(202);
    first.end().await;
    assert_eq!(second.control.statistics().requests_served, 20);
}
