//! The checks themselves. What they say is what Distribution's say.

use std::{future::Future, io, time::Duration};

use http::Uri;
use tokio::{net::TcpStream, task, time::timeout};

use crate::{
    config::{self, FileCheck, HttpCheck, Pace, TcpCheck},
    content::Content,
    outbound::{self, Fault, Redirects, Terms},
};

/// How long the storage, or a file's folder, may take to say anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something that is looked at.
#[derive(Debug)]
pub(super) struct Check {
    /// As `/debug/health` shows it.
    pub(super) name: String,
    pub(super) pace: Pace,
    subject: Subject,
}

#[derive(Debug)]
enum Subject {
    Storage(Content),
    File(FileCheck),
    Http { check: HttpCheck, client: Result<reqwest::Client, Fault> },
    Tcp(TcpCheck),
}

/// All checks of a configuration.
pub(super) fn of(settings: &config::Health, content: &Content) -> Vec<Check> {
    let config::Health { storage, files, http, tcp } = settings;
    let storage = storage.map(|pace| {
        let name = format!("storagedriver_{}", content.driver());
        Check { name, pace, subject: Subject::Storage(content.clone()) }
    });
    let files = files.iter().cloned().map(|check| {
        let name = check.path.display().to_string();
        Check { name, pace: check.pace, subject: Subject::File(check) }
    });
    let http = http.iter().cloned().map(|check| {
        let whole = check.timeout;
        let terms = Terms { whole: Some(whole), silence: whole, redirects: Redirects::SameHost };
        let client = outbound::client(terms);
        Check {
            name: shown(&check.uri),
            pace: check.pace,
            subject: Subject::Http { check, client },
        }
    });
    let tcp = tcp.iter().cloned().map(|check| Check {
        name: check.address.clone(),
        pace: check.pace,
        subject: Subject::Tcp(check),
    });
    storage.into_iter().chain(files).chain(http).chain(tcp).collect()
}

impl Check {
    /// Looks once; an error says what is wrong.
    pub(super) async fn once(&self) -> Result<(), String> {
        match &self.subject {
            Subject::Storage(content) => content_answers(content).await,
            Subject::File(check) => file_is_not_there(check).await,
            Subject::Http { check, client } => match client {
                Ok(client) => url_answers(check, client, &self.name).await,
                Err(fault) => Err(format!("error while checking: {}: {fault}", self.name)),
            },
            Subject::Tcp(check) => {
                let connecting = TcpStream::connect(&check.address);
                let connected = within(check.timeout, connecting).await;
                connected
                    .map(drop)
                    .map_err(|error| format!("connection to {} failed: {error}", self.name))
            }
        }
    }
}

async fn content_answers(content: &Content) -> Result<(), String> {
    match timeout(PATIENCE, content.answers()).await {
        Ok(answered) => answered.map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        }),
        Err(_) => Err(format!("the storage has not answered within {} s", PATIENCE.as_secs())),
    }
}

async fn file_is_not_there(check: &FileCheck) -> Result<(), String> {
    let path = check.path.clone();
    let looking = async {
        let looked = task::spawn_blocking(move || std::fs::metadata(path)).await;
        looked.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
    };
    match within(PATIENCE, looking).await {
        Ok(_) => Err("file exists".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

async fn url_answers(
    check: &HttpCheck,
    client: &reqwest::Client,
    name: &str,
) -> Result<(), String> {
    let request = client.head(check.uri.to_string()).headers(check.headers.clone());
    let answer = request.send().await.map_err(Fault::from);
    let answer = answer.map_err(|fault| format!("error while checking: {name}: {fault}"))?;
    match answer.status() {
        status if status == check.status => Ok(()),
        status => {
            Err(format!("downstream service returned unexpected status: {}", status.as_u16()))
        }
    }
}

async fn within<T>(
    patience: Duration,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout(patience, future).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {patience:?}")))
    })
}

/// A URL without what it may have to hide: a password and a query.
fn shown(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", uri.scheme_str().unwrap_or("http"), uri.path())
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_url_is_shown_without_password_and_query() {
        let uri = "https://user:secret@[::1]:8443/health?token=secret".parse().unwrap();
        assert_eq!(shown(&uri), "https://[::1]:8443/health");
    }
}
