//! The debug server: health by hand, numbers and metrics.

use std::net::TcpListener;

use crate::{
    authority::Authority,
    client::{Answer, Client},
    server::{Running, eventually},
};

/// A server with a debug server, and that one's address.
async fn start(lines: &str) -> (Running, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let running = Running::with(&format!("debug: {{addr: '{address}', {lines}}}"));
    eventually("it listens", || std::net::TcpStream::connect(&address).is_ok()).await;
    (running, address)
}

async fn ask(address: &str, method: &str, target: &str) -> Answer {
    Client::tcp(address).await.ask(method, target, "").await
}

fn text(answer: Answer) -> String {
    String::from_utf8(answer.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_taken_down_and_put_up_by_hand() {
    let (running, debug) = start("").await;
    let health = ask(&debug, "GET", "/debug/health").await.expect(200);
    assert_eq!(text(health), "{}");
    ask(&debug, "GET", "/debug/health/down").await.expect(404);
    running.client().await.ask("GET", "/v2/", "").await.expect(200);
    ask(&debug, "POST", "/debug/health/down").await.expect(200);
    running.client().await.ask("GET", "/v2/", "").await.expect(503);
    let health = ask(&debug, "GET", "/debug/health").await.expect(503);
    assert_eq!(text(health), r#"{"manual_http_status":"manual Check"}"#);
    ask(&debug, "POST", "/debug/health/up").await.expect(200);
    running.client().await.ask("GET", "/v2/", "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_under_the_names_of_distribution() {
    let (running, debug) = start("prometheus: {enabled: true}").await;
    let mut client = running.client().await;
    client.ask("GET", "/v2/", "").await.expect(200);
    client.ask("GET", "/v2/app/tags/list", "").await.expect(404);
    let upload = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
    client.begin_when_wanted("PATCH", &upload, 10).await;
    client.send(b"01234").await;
    let metrics = ask(&debug, "GET", "/metrics").await.expect(200);
    let kind = metrics.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let metrics = text(metrics);
    for line in [
        "registry_http_in_flight_requests{handler=\"blob_upload_chunk\"} 1",
        "registry_http_requests_total{code=\"200\",handler=\"base\",method=\"get\"} 1",
        "registry_http_requests_total{code=\"404\",handler=\"tags\",method=\"get\"} 1",
        "registry_http_requests_total{code=\"202\",handler=\"blob_upload\",method=\"post\"} 1",
        "registry_http_response_size_bytes_sum{handler=\"base\"} 2",
        "registry_writes_in_flight 1",
        "registry_connections_open 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\nis not in\n{metrics}");
    }
    assert!(metrics.contains("registry_build_info{version=\""));
    client.send(b"56789").await;
    client.answer().await.unwrap().expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_where_the_configuration_says_or_nowhere() {
    let (_running, debug) = start("").await;
    ask(&debug, "GET", "/metrics").await.expect(404);
    let (_running, debug) = start("prometheus: {enabled: true, path: /numbers}").await;
    ask(&debug, "GET", "/metrics").await.expect(404);
    ask(&debug, "GET", "/numbers").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_there_and_profiles_are_not() {
    let (running, debug) = start("").await;
    running.client().await.ask("GET", "/v2/", "").await.expect(200);
    let variables = ask(&debug, "GET", "/debug/vars").await.expect(200).json();
    assert!(variables["memstats"]["Alloc"].as_u64().unwrap() > 0);
    assert!(variables["cmdline"][0].as_str().unwrap().contains("live"));
    assert_eq!(variables["registry"]["requests"]["served"], 1);
    let profile = ask(&debug, "GET", "/debug/pprof/heap").await.expect(404);
    assert!(text(profile).contains("no runtime of Go"));
    ask(&debug, "GET", "/v2/").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_may_have_a_certificate_of_its_own() {
    let authority = Authority::new();
    authority.install(&authority.pair());
    let (running, debug) = start(&authority.section("enabled: true")).await;
    running.client().await.ask("GET", "/v2/", "").await.expect(200);
    let mut client = Client::on(authority.connect(&debug).await);
    client.ask("GET", "/debug/health", "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_waited_for_while_the_registry_serves() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let running = Running::with(&format!("debug: {{addr: '{address}'}}"));
    running.client().await.ask("GET", "/v2/", "").await.expect(200);
    drop(taken);
    eventually("it listens", || std::net::TcpStream::connect(&address).is_ok()).await;
    ask(&address, "GET", "/debug/health").await.expect(200);
}
