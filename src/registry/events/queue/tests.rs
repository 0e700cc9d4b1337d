use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use tempfile::TempDir;

use super::{super::queue, Lost, Outlet, Queue, Size};
use crate::config;

fn limits(folder: &TempDir) -> config::Queue {
    config::Queue { folder: Some(folder.path().to_owned()), ..config::Queue::default() }
}

fn open(folder: &TempDir) -> Queue {
    Queue::open(&limits(folder), &"one".parse().unwrap()).unwrap()
}

fn outlet(queue: &Queue) -> Outlet {
    queue.outlet().unwrap().expect("nobody else delivers")
}

fn event(number: u64) -> bytes::Bytes {
    queue::write(1, &format!("{{\"id\":{number}}}"))
}

fn push(queue: &Queue, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        queue.push(&event(number)).unwrap();
    }
}

/// Delivers as many, and says which they were.
fn deliver(queue: &Queue, outlet: &mut Outlet, most: usize) -> Vec<u64> {
    let mut delivered = Vec::new();
    loop {
        let lines = queue.batch(outlet).unwrap();
        if lines.is_empty() {
            return delivered;
        }
        for line in lines {
            if delivered.len() == most {
                return delivered;
            }
            let event: serde_json::Value = serde_json::from_slice(&line.event).unwrap();
            delivered.push(event["id"].as_u64().unwrap());
            queue.done(outlet, &line).unwrap();
        }
    }
}

/// The folders of processes.
fn runs(folder: &TempDir) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder.path().join("one")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_dir()).collect()
}

fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[expect(clippy::disallowed_methods, reason = "a test's own file")]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[test]
fn events_come_out_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(&folder);
    let mut outlet = outlet(&queue);
    push(&queue, 0..10_000);
    assert_eq!(queue.size().events, 10_000);
    assert_eq!(deliver(&queue, &mut outlet, usize::MAX), (0..10_000).collect::<Vec<_>>());
    assert_eq!(queue.size(), Size::default());
    push(&queue, [10_000]);
    assert_eq!(deliver(&queue, &mut outlet, usize::MAX), [10_000]);
}

#[test]
fn what_was_not_delivered_is_the_next_processs_and_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder);
    let mut outlet_of_first = outlet(&first);
    push(&first, 0..1000);
    let delivered = deliver(&first, &mut outlet_of_first, 400);
    assert_eq!(delivered.len(), 400);
    // As after SIGKILL: nothing is closed or synced, and the locks go with the process.
    let second = open(&folder);
    push(&second, 1000..1010);
    assert!(second.outlet().unwrap().is_none(), "the first one still delivers");
    push(&first, 1010..1012);
    drop((outlet_of_first, first));
    let mut outlet = outlet(&second);
    assert_eq!(second.size().events, 612);
    let expected: Vec<u64> = (400..1000).chain(1010..1012).chain(1000..1010).collect();
    assert_eq!(deliver(&second, &mut outlet, usize::MAX), expected);
    assert_eq!(second.size(), Size::default());
    assert_eq!(runs(&folder).len(), 1, "what is delivered is removed");
}

#[test]
fn a_process_that_is_gone_without_its_turn_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder);
    let mut outlet = outlet(&first);
    let second = open(&folder);
    push(&second, 5..7);
    drop(second);
    first.adopt(&mut outlet).unwrap();
    assert_eq!(first.size().events, 2);
    assert_eq!(deliver(&first, &mut outlet, usize::MAX), [5, 6]);
}

#[test]
fn half_a_line_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder);
    push(&first, 0..3);
    drop(first);
    let [run] = runs(&folder).try_into().unwrap();
    let file = run.join("0000000000000000.events");
    let text = fs::read(&file).unwrap();
    let mut file = OpenOptions::new().write(true).truncate(true).open(file).unwrap();
    // A line of zeros, as a power failure leaves it, and half of one at the end.
    file.write_all(&[b"\0\0\0\0\n", &text[..], b"1 {\"id\":"].concat()).unwrap();
    write(&run.join("position"), "ffff");
    let second = open(&folder);
    let mut outlet = outlet(&second);
    assert_eq!(deliver(&second, &mut outlet, usize::MAX), [0, 1, 2]);
}

#[test]
fn a_place_that_is_none_begins_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for position in
        ["", "zz", "0000000000000000 0000000000000003\n", "0000000000000000 00000000000fffff\n"]
    {
        let first = open(&folder);
        push(&first, 0..3);
        drop(first);
        let [run] = runs(&folder).try_into().unwrap();
        write(&run.join("position"), position);
        let second = open(&folder);
        let mut outlet = outlet(&second);
        assert_eq!(deliver(&second, &mut outlet, usize::MAX), [0, 1, 2], "{position:?}");
        drop((outlet, second));
        for run in runs(&folder) {
            fs::remove_dir_all(run).unwrap();
        }
    }
}

#[test]
fn files_go_when_they_are_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(&folder);
    let mut outlet = outlet(&queue);
    let long = queue::write(1, &format!("{{\"id\":1,\"x\":\"{}\"}}", "x".repeat(500_000)));
    for _ in 0..60 {
        queue.push(&long).unwrap();
    }
    let [run] = runs(&folder).try_into().unwrap();
    assert!(size_of(&run) > 29_000_000);
    assert_eq!(deliver(&queue, &mut outlet, usize::MAX).len(), 60);
    push(&queue, [2]);
    assert_eq!(deliver(&queue, &mut outlet, usize::MAX), [2]);
    assert!(size_of(&run) < 6_000_000, "{}", size_of(&run));
}

#[test]
fn a_full_queue_takes_nothing_and_then_something_again() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = 3 * event(1).len() as u64;
    for limit in [
        config::Queue { max_events: 3, ..limits(&folder) },
        config::Queue { max_bytes: bytes, ..limits(&folder) },
        config::Queue { max_events: 3, folder: None, ..limits(&folder) },
    ] {
        let queue = Queue::open(&limit, &"one".parse().unwrap()).unwrap();
        let mut outlet = outlet(&queue);
        push(&queue, 1..4);
        assert!(matches!(queue.push(&event(4)), Err(Lost::Full)));
        assert_eq!(queue.size().events, 3);
        assert_eq!(deliver(&queue, &mut outlet, 1), [1]);
        push(&queue, [5]);
        outlet.rewind();
        assert_eq!(deliver(&queue, &mut outlet, usize::MAX), [2, 3, 5], "{limit:?}");
    }
}

#[test]
fn what_is_given_up_comes_back_once() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(&folder);
    let mut outlet_of_it = outlet(&queue);
    push(&queue, 0..3);
    for line in queue.batch(&mut outlet_of_it).unwrap() {
        assert!(queue.bury(&mut outlet_of_it, &line, 7, "it says \"no\",\"event\":{}").unwrap());
        queue.done(&mut outlet_of_it, &line).unwrap();
    }
    assert_eq!((queue.dead(), queue.size().events), (3, 0));
    drop((outlet_of_it, queue));
    let queue = open(&folder);
    let mut outlet = outlet(&queue);
    assert_eq!(queue.dead(), 3);
    assert_eq!(queue.replay(&mut outlet).unwrap(), 3);
    assert_eq!((queue.dead(), queue.size().events), (0, 3));
    assert_eq!(deliver(&queue, &mut outlet, usize::MAX), [0, 1, 2]);
    assert_eq!(queue.replay(&mut outlet).unwrap(), 0);
}

#[test]
fn a_replay_stops_where_the_queue_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let limit = config::Queue { max_events: 2, ..limits(&folder) };
    let queue = Queue::open(&limit, &"one".parse().unwrap()).unwrap();
    let mut outlet = outlet(&queue);
    for number in 0..5 {
        push(&queue, [number]);
        let [line] = queue.batch(&mut outlet).unwrap().try_into().unwrap();
        assert!(queue.bury(&mut outlet, &line, 1, "no").unwrap());
        queue.done(&mut outlet, &line).unwrap();
    }
    for (replayed, dead) in [(vec![0, 1], 3), (vec![2, 3], 1), (vec![4], 0)] {
        assert_eq!(queue.replay(&mut outlet).unwrap(), replayed.len() as u64);
        assert_eq!(queue.dead(), dead);
        assert_eq!(deliver(&queue, &mut outlet, usize::MAX), replayed);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the file of a test, damaged on purpose")]
fn a_letter_that_a_loss_of_power_has_torn_costs_no_other_one() {
    let torn_letters = [
        &br#"{"attempts":1,"giv"#[..],
        br#"{"attempts":1,"reason":"no","event":{"id":"#,
        // Within a letter of two bytes.
        b"{\"attempts\":1,\"reason\":\"no\",\"event\":{\"actor\":\"Ren\xc3",
    ];
    for torn in torn_letters {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join("one/dead.events");
        drop(open(&folder));
        fs::write(&dead, torn).unwrap();
        let queue = open(&folder);
        let mut outlet = outlet(&queue);
        push(&queue, [1]);
        let [line] = queue.batch(&mut outlet).unwrap().try_into().unwrap();
        assert!(queue.bury(&mut outlet, &line, 1, "no").unwrap());
        queue.done(&mut outlet, &line).unwrap();
        let shown = String::from_utf8_lossy(torn);
        assert_eq!(queue.replay(&mut outlet).unwrap(), 1, "{shown}");
        assert_eq!(deliver(&queue, &mut outlet, usize::MAX), [1], "{shown}");
        // It is nobody's event, and nobody has said that it may go.
        assert_eq!((queue.dead(), fs::read(&dead).unwrap()), (1, [torn, b"\n"].concat()));
    }
}

#[test]
fn what_is_forgotten_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(&folder);
    let mut outlet = outlet(&queue);
    push(&queue, 0..300);
    let lines = queue.batch(&mut outlet).unwrap();
    assert!(queue.bury(&mut outlet, &lines[0], 1, "no").unwrap());
    assert_eq!(queue.forget_waiting(&mut outlet).unwrap(), 300);
    assert_eq!((queue.size(), queue.dead()), (Size::default(), 1));
    assert_eq!(queue.forget_dead(&mut outlet).unwrap(), 1);
    assert_eq!(queue.dead(), 0);
    push(&queue, [7]);
    assert_eq!(deliver(&queue, &mut outlet, usize::MAX), [7]);
}
