//! Answers on the admin socket: the path says what, the method whether it may be done so.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use tokio::time::timeout;

use super::{
    collection::{self, Said, Session},
    document::{Done, Events, Failed, Pull, PullAnswer, ReadOnly, Reload, Status, Switch, Wanted},
};
use crate::{
    changes::{self, Batch, BatchAnswer},
    collect::words::{Begun, Step},
    config::parse_duration,
    control::{Control, ReloadError, Reloader},
    events::CommandError,
    log::told,
    migrate::words::{self, Wish},
    verify,
};

/// Longer than any body that is sent here.
const BODY_BYTES: usize = 16 * 1024;

/// The same for a collection's batches.
const COLLECTION_BYTES: usize = 4 << 20;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// How long a request may wait for the last write.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

type Answer = Response<Full<Bytes>>;

/// Answers a request; whatever goes wrong is an answer too.
pub(super) async fn answer(
    reloader: &Reloader,
    session: &Session,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let path = request.uri().path();
    if let Some(step) = Step::of(path) {
        return Ok(match *request.method() {
            Method::POST => collect(reloader.control(), session, step, request).await,
            _ => wrong_method("POST"),
        });
    }
    let method = match path {
        "/v1/status" => Method::GET,
        "/v1/read-only" => Method::PUT,
        "/v1/reload" => Method::POST,
        changes::PATH => {
            return Ok(match *request.method() {
                Method::POST => {
                    let changed = change(reloader.control(), request.into_body()).await;
                    changed.unwrap_or_else(|error| error)
                }
                _ => wrong_method("POST"),
            });
        }
        verify::PATH => {
            return Ok(match *request.method() {
                Method::POST => {
                    let mended = mend(reloader.control(), request.into_body()).await;
                    mended.unwrap_or_else(|error| error)
                }
                _ => wrong_method("POST"),
            });
        }
        "/v1/events" => return Ok(events(reloader.control(), request).await),
        words::PATH => {
            return Ok(match *request.method() {
                Method::POST => {
                    let said = journal(reloader.control(), request.into_body()).await;
                    said.unwrap_or_else(|error| error)
                }
                _ => wrong_method("POST"),
            });
        }
        "/v1/pull" => {
            return Ok(match *request.method() {
                Method::POST => {
                    let pulled = pull(reloader.control(), request.into_body()).await;
                    pulled.unwrap_or_else(|error| error)
                }
                _ => wrong_method("POST"),
            });
        }
        _ => return Ok(failed(StatusCode::NOT_FOUND, "there is no such resource")),
    };
    if *request.method() != method {
        return Ok(wrong_method(method.as_str()));
    }
    let control = reloader.control();
    Ok(match method {
        Method::GET => document(StatusCode::OK, &Status::of(control)),
        Method::PUT => read_only(control, request.into_body()).await.unwrap_or_else(|error| error),
        _ => reload(reloader).await,
    })
}

async fn read_only(control: &Control, body: Incoming) -> Result<Answer, Answer> {
    let bad = |error: String| failed(StatusCode::BAD_REQUEST, error);
    let bytes = receive(body).await?;
    let switch: Switch = serde_json::from_slice(&bytes)
        .map_err(|error| bad(format!("the body is not what it should be: {error}")))?;
    let wait = switch.wait_quiet.as_deref().map(wait).transpose().map_err(bad)?;
    if wait.is_some() && !switch.enabled {
        return Err(bad("`wait_quiet` goes with `\"enabled\": true` only".to_owned()));
    }
    if switch.brief && !switch.enabled {
        return Err(bad("`brief` goes with `\"enabled\": true` only".to_owned()));
    }
    let switched = match switch.brief {
        true => control.set_read_only_briefly(),
        false => control.set_read_only(switch.enabled),
    };
    if let Some(patience) = wait {
        // The answer says how it ended.
        let _ = switched.quiet(patience).await;
    }
    Ok(document(StatusCode::OK, &ReadOnly::of(control, switched.was_read_only())))
}

fn wait(text: &str) -> Result<Duration, String> {
    let allowed = "a duration such as `10s`, at most 10m";
    match parse_duration(text) {
        Ok(wait) if wait <= LONGEST_WAIT => Ok(wait),
        Ok(_) | Err(_) => Err(format!("`wait_quiet` is `{text}`: it must be {allowed}")),
    }
}

async fn reload(reloader: &Reloader) -> Answer {
    match reloader.reload().await {
        Ok(reloaded) => document(StatusCode::OK, &Reload::from(reloaded)),
        Err(ReloadError::Invalid { problems }) => {
            let failed = Failed::because("the configuration is not usable; nothing has changed");
            document(StatusCode::UNPROCESSABLE_ENTITY, &failed.with_problems(problems))
        }
        Err(error @ ReloadError::Panicked) => {
            failed(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
    }
}

async fn events(control: &Control, request: Request<Incoming>) -> Answer {
    match *request.method() {
        Method::GET => document(StatusCode::OK, &Events::of(control)),
        Method::POST => {
            let wanted = wanted_events(control, request.into_body()).await;
            wanted.unwrap_or_else(|error| error)
        }
        _ => wrong_method("GET and POST"),
    }
}

async fn wanted_events(control: &Control, body: Incoming) -> Result<Answer, Answer> {
    let wanted: Wanted = serde_json::from_slice(&receive(body).await?).map_err(|error| {
        let error = format!("the body is not what it should be: {error}");
        failed(StatusCode::BAD_REQUEST, error)
    })?;
    match control.command_events(&wanted.endpoint, wanted.wish()).await {
        Ok(events) => Ok(document(StatusCode::OK, &Done::to(events))),
        Err(error) => {
            let status = match &error {
                CommandError::Unknown { .. } => StatusCode::NOT_FOUND,
                CommandError::Elsewhere(_) | CommandError::Ended(_) => StatusCode::CONFLICT,
                CommandError::Busy(_) => StatusCode::GATEWAY_TIMEOUT,
                CommandError::Files { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            Err(failed(status, format!("{error}{}", source.unwrap_or_default())))
        }
    }
}

async fn change(control: &Control, body: Incoming) -> Result<Answer, Answer> {
    let bytes = receive_up_to(COLLECTION_BYTES, body).await?;
    let batch: Result<Batch, _> = serde_json::from_slice(&bytes);
    let changes = batch.and_then(|batch| batch.read()).map_err(|error| {
        let error = format!("the body is not what it should be: {error}");
        failed(StatusCode::BAD_REQUEST, error)
    })?;
    match control.change(changes).await {
        Ok(changed) => Ok(document(StatusCode::OK, &BatchAnswer::of(changed))),
        Err(error) => Err(failed(StatusCode::CONFLICT, error.to_string())),
    }
}

async fn mend(control: &Control, body: Incoming) -> Result<Answer, Answer> {
    let bytes = receive_up_to(COLLECTION_BYTES, body).await?;
    let batch: verify::Batch = serde_json::from_slice(&bytes).map_err(|error| {
        let error = format!("the body is not what it should be: {error}");
        failed(StatusCode::BAD_REQUEST, error)
    })?;
    match control.mend(batch.store.as_deref(), batch.repairs).await {
        Ok(mended) => Ok(document(StatusCode::OK, &verify::BatchAnswer::of(mended))),
        Err(error) => Err(failed(StatusCode::CONFLICT, error.to_string())),
    }
}

async fn journal(control: &Control, body: Incoming) -> Result<Answer, Answer> {
    let wanted: words::Wanted = serde_json::from_slice(&receive(body).await?).map_err(|error| {
        let error = format!("the body is not what it should be: {error}");
        failed(StatusCode::BAD_REQUEST, error)
    })?;
    let run = wanted.run;
    match wanted.wish {
        Wish::Begin => control.begin_journal(run).await,
        Wish::End => control.end_journal(&run),
        Wish::Read => {
            let unknown = || failed(StatusCode::NOT_FOUND, "this registry has no such journal");
            let page = control.read_journal(&run, wanted.from).await.ok_or_else(unknown)?;
            return Ok(document(StatusCode::OK, &page));
        }
    }
    Ok(document(StatusCode::OK, &words::Done::new()))
}

async fn pull(control: &Control, body: Incoming) -> Result<Answer, Answer> {
    let bad = |error: String| {
        let error = format!("the body is not what it should be: {error}");
        failed(StatusCode::BAD_REQUEST, error)
    };
    let bytes = receive(body).await?;
    let Pull { repository, tag, read } =
        serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    let repository = repository.parse().map_err(|error: oci::NameError| bad(error.to_string()))?;
    let tag = tag.parse().map_err(|error: oci::TagError| bad(error.to_string()))?;
    match control.pull(&repository, &tag, read).await {
        Ok(pulled) => Ok(document(StatusCode::OK, &PullAnswer::from(pulled))),
        Err(error) => Err(failed(StatusCode::CONFLICT, told(&error))),
    }
}

async fn collect(
    control: &Control,
    session: &Session,
    step: Step,
    request: Request<Incoming>,
) -> Answer {
    let body = match receive_up_to(COLLECTION_BYTES, request.into_body()).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    match session.go_on(control, step, &body).await {
        Ok(Said::Begin(begin)) => document(StatusCode::OK, &begin),
        Ok(Said::Synced) => document(StatusCode::OK, &Begun::new()),
        Ok(Said::Promised(promised)) => document(StatusCode::OK, &promised),
        Ok(Said::Removed(answers)) => document(StatusCode::OK, &answers),
        Err(collection::Error::Body(error)) => {
            failed(StatusCode::BAD_REQUEST, format!("the body is not what it should be: {error}"))
        }
        Err(collection::Error::Storage(error)) => {
            failed(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
        Err(error) => failed(StatusCode::CONFLICT, error.to_string()),
    }
}

async fn receive(body: Incoming) -> Result<Bytes, Answer> {
    receive_up_to(BODY_BYTES, body).await
}

async fn receive_up_to(most: usize, body: Incoming) -> Result<Bytes, Answer> {
    match timeout(BODY_TIME, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let error = format!("the body is longer than {most} bytes");
            Err(failed(StatusCode::PAYLOAD_TOO_LARGE, error))
        }
        Ok(Err(error)) => {
            Err(failed(StatusCode::BAD_REQUEST, format!("the body broke off: {error}")))
        }
        Err(_) => Err(failed(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    }
}

/// `allowed` is methods, with ` and ` between them.
fn wrong_method(allowed: &str) -> Answer {
    let error = format!("the resource takes {allowed} only");
    let mut answer = failed(StatusCode::METHOD_NOT_ALLOWED, error);
    let value = allowed.replace(" and ", ", ");
    let value = HeaderValue::try_from(value).expect("a method is a token");
    answer.headers_mut().insert(ALLOW, value);
    answer
}

fn failed(status: StatusCode, error: impl Into<String>) -> Answer {
    document(status, &Failed::because(error))
}

fn document(status: StatusCode, document: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(document).expect("texts, numbers and lists are always JSON");
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
