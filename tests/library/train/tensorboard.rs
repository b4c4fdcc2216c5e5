//! Event files, read by a reader of our own and by `TensorBoard`'s.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use skyforge::exit::{Ends, Exit};
use skyforge::train::tensorboard::EventWriter;

/// What an event says.
#[derive(Debug, Default, PartialEq)]
struct Event {
    wall_time: f64,
    step: u64,
    file_version: String,
    scalars: Vec<(String, f32)>,
    session_status: Option<u64>,
}

/// A field of a protocol buffer: its number, and what it holds.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The whole message as fields, or a panic.
fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    fn varint(from: &mut &[u8]) -> u64 {
        let end = from.iter().position(|byte| byte & 0x80 == 0).expect("a varint ends");
        let number = from[..=end].iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f));
        *from = &from[end + 1..];
        number
    }
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let mut take = |bytes: usize| {
            let (head, tail) = message.split_at(bytes);
            message = tail;
            head
        };
        let field = match key & 7 {
            0 => Field::Number(varint(&mut message)),
            1 => Field::Bytes(take(8)),
            2 => {
                let length = varint(&mut message) as usize;
                let (head, tail) = message.split_at(length);
                message = tail;
                Field::Bytes(head)
            }
            5 => Field::Bytes(take(4)),
            other => panic!("wire type {other}"),
        };
        found.push((key >> 3, field));
    }
    found
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("names are text")
}

fn event(message: &[u8]) -> Event {
    let mut event = Event::default();
    for field in fields(message) {
        match field {
            (1, Field::Bytes(bytes)) => event.wall_time = f64::from_le_bytes(bytes.try_into().expect("eight bytes")),
            (2, Field::Number(step)) => event.step = step,
            (3, Field::Bytes(version)) => event.file_version = text(version),
            (5, Field::Bytes(summary)) => {
                for (_, value) in fields(summary) {
                    let Field::Bytes(value) = value else { panic!("a value is a message") };
                    let mut scalar = (String::new(), f32::NAN);
                    for part in fields(value) {
                        match part {
                            (1, Field::Bytes(tag)) => scalar.0 = text(tag),
                            (2, Field::Bytes(bytes)) => {
                                scalar.1 = f32::from_le_bytes(bytes.try_into().expect("four bytes"));
                            }
                            (other, _) => panic!("field {other} of a value"),
                        }
                    }
                    event.scalars.push(scalar);
                }
            }
            (7, Field::Bytes(session)) => {
                let [(1, Field::Number(status))] = fields(session)[..] else { panic!("a session has a status") };
                event.session_status = Some(status);
            }
            (other, _) => panic!("field {other} of an event"),
        }
    }
    event
}

/// The masked checksum, bit by bit from its polynomial: no table, no crate.
fn masked_checksum(data: &[u8]) -> u32 {
    let mut checksum = u32::MAX;
    for byte in data {
        checksum ^= u32::from(*byte);
        for _ in 0..8 {
            checksum = checksum >> 1 ^ if checksum & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    let checksum = !checksum;
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

fn events(path: &Path) -> Vec<Event> {
    let file = fs::read(path).expect("the event file is there");
    let mut rest = &file[..];
    let mut events = Vec::new();
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    while !rest.is_empty() {
        let (length, tail) = rest.split_at(8);
        assert_eq!(number(&tail[..4]), masked_checksum(length), "checksum of the length");
        let length = u64::from_le_bytes(length.try_into().expect("eight bytes")) as usize;
        let data = &tail[4..4 + length];
        assert_eq!(number(&tail[4 + length..8 + length]), masked_checksum(data), "checksum of the data");
        events.push(event(data));
        rest = &tail[8 + length..];
    }
    events
}

#[test]
fn the_reader_knows_the_published_checksum() {
    assert_eq!(masked_checksum(b"123456789").wrapping_sub(0xa282_ead8).rotate_left(15), 0xe306_9283); // CRC-32C, RFC 3720
}

#[test]
fn what_is_written_is_read_back() {
    let run = tempfile::tempdir().expect("a temporary folder");
    let long = "a_name_of_more_than_127_bytes_".repeat(10);
    let mut writer = EventWriter::create(run.path(), 0, 1_700_000_000.25).expect("a new file");
    writer.scalars(1, 1_700_000_001.5, &[("discriminator_loss", 1.5), (&long, -0.1)]).expect("an event");
    writer.scalars(1 << 40, 1_700_000_002.0, &[("infinite", f64::INFINITY)]).expect("an event");
    writer.flush().expect("the file takes it");

    let name = writer.path().file_name().and_then(|name| name.to_str());
    assert_eq!(name, Some("events.out.tfevents.1700000000.skyforge.0"));
    let wanted = [
        Event { wall_time: 1_700_000_000.25, file_version: "brain.Event:2".into(), ..Event::default() },
        Event { wall_time: 1_700_000_000.25, step: 1, session_status: Some(1), ..Event::default() },
        Event {
            wall_time: 1_700_000_001.5,
            step: 1,
            scalars: vec![("discriminator_loss".into(), 1.5), (long, -0.1)],
            ..Event::default()
        },
        Event {
            wall_time: 1_700_000_002.0,
            step: 1 << 40,
            scalars: vec![("infinite".into(), f32::INFINITY)],
            ..Event::default()
        },
    ];
    assert_eq!(events(writer.path()), wanted);
}

#[test]
fn a_run_that_goes_on_starts_its_session_one_step_further() {
    let run = tempfile::tempdir().expect("a temporary folder");
    let writer = EventWriter::create(run.path(), 300, 1_700_000_009.0).expect("a new file");
    let start = &events(writer.path())[1];
    assert_eq!((start.step, start.session_status), (301, Some(1)));
}

#[test]
fn tensorboard_sees_the_steps_of_a_straight_run_after_a_stop() {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/peers/read_events");
    if env::var_os("SKYFORGE_PEERS").is_none() {
        eprintln!("skipped: set SKYFORGE_PEERS=1 to let {} fetch Python's tensorboard", reader.display());
        return;
    }
    let run = tempfile::tempdir().expect("a temporary folder");
    let loss = |step: u64| 1.0 / step as f64;
    // Stopped after 13 steps, resumed from the checkpoint of step 10.
    for (session, done, last) in [(0, 0, 13), (1, 10, 20)] {
        let start = 1_700_000_000.0 + 100.0 * f64::from(session);
        let mut writer = EventWriter::create(run.path(), done, start).expect("a new file");
        for step in done + 1..=last {
            let first = if session == 0 { 100.0 } else { 0.0 }; // so that a step taken twice would show
            let scalars = [("loss", loss(step)), ("stale", if step > 10 { first } else { 0.0 })];
            writer.scalars(step, start + step as f64, &scalars).expect("an event");
        }
    }
    let output = Command::new(&reader).arg(run.path()).output().expect("the script can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).expect("the script prints JSON");
    let straight = |value: &dyn Fn(u64) -> f64| -> Value {
        (1..=20).map(|step| json!([step, f64::from(value(step) as f32)])).collect::<Vec<_>>().into()
    };
    assert_eq!(seen["loss"], straight(&loss));
    assert_eq!(seen["stale"], straight(&|_| 0.0));
}

#[test]
fn a_folder_that_is_not_there_is_a_file_system_error_that_names_it() {
    let error = EventWriter::create(Path::new("/not/there"), 0, 0.0).expect_err("no such folder");
    assert_eq!(error.exit(), Exit::FileSystem);
    assert!(error.to_string().starts_with("/not/there/events.out.tfevents."), "{error}");
}
