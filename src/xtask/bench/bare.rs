//! The least that a durable push can be: a program that receives bytes, hashes them, writes them to a file and syncs it,
//! each step on a thread of its own. It speaks just enough HTTP for the same client to push to it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

use super::{
    client::Connection,
    content::{self, Blob, Pattern},
    pair::Side,
    push,
    rows::{self, megabytes},
    run::Bench,
    servers::Setup,
    stats::Series,
};

const REPOSITORY: &str = "bench/bare";

/// What goes from step to step at a time, and how much of it waits for the next step.
const PIECE_BYTES: usize = 256 << 10;
const PIECES: usize = 16;

pub(crate) fn push(bench: &mut Bench) -> Result<Vec<Series>> {
    let pattern = Pattern::new(bench.scale.large_bytes);
    let server = bench.start(Side::Ours, Setup::default())?;
    let folder = bench.scratch.path().join("bare");
    fs::create_dir(&folder).with_context(|| format!("failed to create `{}`", folder.display()))?;
    let path = folder.join("blob");
    let address = serve(path.clone())?;
    let [rate] = bench.turns(|side| {
        let blob = pattern.blob();
        let connection = match side {
            Side::Ours => server.connect()?,
            Side::Peer => Connection::open(address)?,
        };
        let rate = timed(connection, &blob)?;
        match side {
            Side::Ours => server.forget(&blob.digest)?,
            Side::Peer => remove(&path)?,
        }
        Ok([rate])
    })?;
    let pid = server.pid();
    server.stop(pid)?;
    let what = bench.scale.large();
    let title = format!("{what} push beside a bare receive, hash, write and fsync, MB/s");
    Ok(vec![Series { title, samples: rate, bar: Some(rows::PUSH_BARE) }])
}

fn timed(mut connection: Connection, blob: &Blob<'_>) -> Result<f64> {
    let began = Instant::now();
    push::monolithic(&mut connection, REPOSITORY, blob)?;
    Ok(megabytes(blob.size()) / began.elapsed().as_secs_f64())
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).with_context(|| format!("failed to remove `{}`", path.display()))
}

/// Takes pushes, one after the other, until this process ends.
fn serve(path: PathBuf) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("failed to find a free port")?;
    let address = listener.local_addr().context("failed to find a free port")?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The client sees a connection that ends early, and says so.
            let _ = answer(stream, &path);
        }
    });
    Ok(address)
}

/// Answers the requests of one push: where to put the blob, and that it is there.
fn answer(stream: TcpStream, path: &Path) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(PIECE_BYTES, stream);
    while let Some((method, length)) = read_head(&mut stream)? {
        let headers = match method.as_str() {
            "PUT" => format!(
                "201 Created\r\nDocker-Content-Digest: {}",
                take(&mut stream, length, path)?
            ),
            _ => "202 Accepted\r\nLocation: /upload".to_owned(),
        };
        let answer = format!("HTTP/1.1 {headers}\r\nContent-Length: 0\r\n\r\n");
        stream.get_mut().write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// Reads the method and the length of a request; none at the end.
fn read_head(stream: &mut impl BufRead) -> Result<Option<(String, u64)>> {
    let mut method = None;
    let mut length = 0;
    for line in stream.lines() {
        let line = line?;
        if line.is_empty() {
            return Ok(method.zip(Some(length)));
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.parse().context("a length is a number")?;
        }
        method.get_or_insert_with(|| line.split(' ').next().unwrap_or_default().to_owned());
    }
    Ok(None)
}

/// Receives a blob into a file, durably, and returns its digest.
fn take(stream: &mut impl Read, length: u64, path: &Path) -> Result<String> {
    let mut file = File::create(path)?;
    thread::scope(|scope| {
        let (to_hash, hashed): (SyncSender<Arc<Vec<u8>>>, Receiver<_>) = sync_channel(PIECES);
        let (to_write, written): (SyncSender<Arc<Vec<u8>>>, Receiver<_>) = sync_channel(PIECES);
        let hasher = scope.spawn(move || {
            let mut hasher = Sha256::new();
            hashed.iter().for_each(|piece| hasher.update(piece.as_slice()));
            content::digest(hasher)
        });
        let writer = scope.spawn(move || {
            written.iter().try_for_each(|piece| file.write_all(&piece))?;
            file.sync_all()
        });
        let mut left = length;
        while left > 0 {
            let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(left).unwrap_or(PIECE_BYTES))];
            stream.read_exact(&mut piece)?;
            left -= piece.len() as u64;
            let piece = Arc::new(piece);
            to_hash.send(Arc::clone(&piece)).context("the hash ended early")?;
            to_write.send(piece).context("the disk ended early")?;
        }
        drop((to_hash, to_write));
        writer.join().expect("a writer does not panic")?;
        Ok(hasher.join().expect("a hasher does not panic"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_is_in_the_file_under_its_digest() {
        let path = std::env::temp_dir().join(format!("xtask-bare-{}", std::process::id()));
        let address = serve(path.clone()).unwrap();
        let pattern = Pattern::new(3 * PIECE_BYTES as u64 + 7);
        for _ in 0..2 {
            let blob = pattern.blob();
            // The client compares the digests.
            push::monolithic(&mut Connection::open(address).unwrap(), "a", &blob).unwrap();
            let mut bytes = Vec::new();
            blob.write(0, blob.size(), &mut bytes).unwrap();
            assert!(fs::read(&path).unwrap() == bytes);
        }
        remove(&path).unwrap();
    }
}
