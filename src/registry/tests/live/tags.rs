//! Long lists of tags, which are kept while their folder does not change.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::{client::Client, server::Running};

const LIST: &str = "/v2/app/tags/list";

/// Has a folder look as if nothing had happened in it for a minute.
fn settle(folder: &Path) {
    let minute_ago = SystemTime::now() - Duration::from_secs(60);
    File::open(folder).unwrap().set_modified(minute_ago).unwrap();
}

async fn tags(client: &mut Client) -> Vec<String> {
    let list = client.ask("GET", LIST, "").await.expect(200).json();
    let tags = list["tags"].as_array().unwrap().iter();
    tags.map(|tag| Value::as_str(tag).unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_a_long_list_is_seen_at_once() {
    let running = Running::with_more("headers: {}", "");
    let mut client = running.client().await;
    let folder = running.repository("app").join("_manifests/tags");
    for number in 0..100 {
        fs::create_dir_all(folder.join(format!("v{number:03}/current"))).unwrap();
    }
    settle(&folder);
    assert_eq!(tags(&mut client).await.len(), 100);
    assert_eq!(tags(&mut client).await.len(), 100);
    // By hand, behind the registry's back.
    fs::create_dir(folder.join("w")).unwrap();
    assert_eq!(tags(&mut client).await.last().map(String::as_str), Some("w"));
    fs::remove_dir(folder.join("w")).unwrap();
    assert_eq!(tags(&mut client).await.len(), 100);
    settle(&folder);
    assert_eq!(tags(&mut client).await.len(), 100);
    // A page is cut from what is kept.
    let page = client.ask("GET", &format!("{LIST}?n=2&last=v097"), "").await.expect(200);
    assert_eq!(page.json()["tags"], serde_json::json!(["v098", "v099"]));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(tags(&mut client).await.len(), 0);
    fs::remove_dir_all(running.repository("app")).unwrap();
    client.ask("GET", LIST, "").await.expect(404);
}
