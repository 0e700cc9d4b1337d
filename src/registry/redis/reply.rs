//! What Redis says: version 2 of its protocol, of bounded length.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// The longest answer that is read: a page of a scan is a hundred kilobytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The longest line of it: a number, or why something is refused.
const LINE: u64 = 16 * 1024;

/// How deep lists are within lists: the page of a scan is one of two.
const DEPTH: u8 = 2;

/// One answer.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Reply {
    Done,
    Refused(String),
    Number,
    Bytes(Vec<u8>),
    Nothing,
    List(Vec<Self>),
}

/// Reads an answer.
pub(super) async fn read(stream: &mut (impl AsyncBufRead + Unpin + Send)) -> io::Result<Reply> {
    let mut limited = stream.take(LONGEST);
    value(&mut limited, DEPTH).await
}

async fn value(stream: &mut (impl AsyncBufRead + Unpin + Send), depth: u8) -> io::Result<Reply> {
    let line = line(stream).await?;
    let (kind, text) = line.split_at_checked(1).ok_or_else(nonsense)?;
    match kind {
        "+" => Ok(Reply::Done),
        "-" => Ok(Reply::Refused(text.to_owned())),
        ":" => Ok(Reply::Number),
        "$" => match length(text)? {
            Some(length) => bytes(stream, length).await,
            None => Ok(Reply::Nothing),
        },
        "*" if depth > 0 => {
            let Some(count) = length(text)? else { return Ok(Reply::Nothing) };
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(Box::pin(value(stream, depth - 1)).await?);
            }
            Ok(Reply::List(items))
        }
        _ => Err(nonsense()),
    }
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(LINE).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let text = line.strip_suffix(b"\r\n").ok_or_else(nonsense)?;
    String::from_utf8(text.to_vec()).map_err(|_| nonsense())
}

/// The length of what follows; none for nothing, which is -1.
fn length(text: &str) -> io::Result<Option<u64>> {
    if text == "-1" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| nonsense())
}

async fn bytes(stream: &mut (impl AsyncBufRead + Unpin), length: u64) -> io::Result<Reply> {
    let mut bytes = Vec::new();
    let whole = length.checked_add(2).ok_or_else(nonsense)?;
    // What is read is what came: nothing is set aside for a length that is only said.
    stream.take(whole).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 != whole || !bytes.ends_with(b"\r\n") {
        return Err(nonsense());
    }
    bytes.truncate(bytes.len() - 2);
    Ok(Reply::Bytes(bytes))
}

fn nonsense() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not Redis's")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reply(mut text: &[u8]) -> Option<Reply> {
        read(&mut text).await.ok()
    }

    #[tokio::test]
    async fn answers_are_what_they_say() {
        let bytes = |text: &[u8]| Reply::Bytes(text.to_vec());
        for (text, meant) in [
            (&b"+OK\r\n"[..], Some(Reply::Done)),
            (b":12\r\n", Some(Reply::Number)),
            (b"-ERR no\r\n", Some(Reply::Refused("ERR no".to_owned()))),
            (b"$-1\r\n", Some(Reply::Nothing)),
            (b"$3\r\na\r\n\r\n", Some(bytes(b"a\r\n"))),
            (b"$0\r\n\r\n", Some(bytes(b""))),
            (b"*0\r\n", Some(Reply::List(vec![]))),
            (
                b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n",
                Some(Reply::List(vec![bytes(b"0"), Reply::List(vec![bytes(b"a")])])),
            ),
        ] {
            assert_eq!(reply(text).await, meant, "{}", String::from_utf8_lossy(text));
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error_and_takes_no_memory() {
        for text in [
            &b""[..],
            b"+OK",
            b"+OK\n",
            b"\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"$18446744073709551615\r\na",
            b"$9999999999\r\na",
            b"$-2\r\n",
            b"$x\r\n",
            b"$1\r\nabc",
            b"*9999999999\r\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
            b"+\xff\r\n",
            &[b'+'; 20_000],
        ] {
            assert_eq!(reply(text).await, None, "{}", String::from_utf8_lossy(text));
        }
    }
}
