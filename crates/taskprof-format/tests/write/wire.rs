//! The bytes of a pprof file, read without our own schema: what `go tool pprof` silently repairs
//! must be right too.

use std::collections::HashSet;
use std::io::Read as _;

use taskprof_format::profile::{Frame, Profile, Sample, SampleType};

/// A field of a protobuf message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl Field<'_> {
    fn number(&self) -> u64 {
        match self {
            Field::Number(number) => *number,
            Field::Bytes(_) => panic!("not a number"),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Field::Bytes(bytes) => bytes,
            Field::Number(_) => panic!("not bytes"),
        }
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    let mut shift = 0;
    loop {
        let (&byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
        shift += 7;
    }
}

/// The fields of a message, with their tags.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value)
            }
            other => panic!("wire type {other} has no place in profile.proto"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

/// The messages with this tag.
fn messages<'a>(message: &'a [(u64, Field<'a>)], tag: u64) -> Vec<Vec<(u64, Field<'a>)>> {
    message
        .iter()
        .filter(|(at, _)| *at == tag)
        .map(|(_, field)| fields(field.bytes()))
        .collect()
}

/// The number with this tag, 0 if it is absent.
fn number(message: &[(u64, Field<'_>)], tag: u64) -> u64 {
    message
        .iter()
        .find(|(at, _)| *at == tag)
        .map_or(0, |(_, field)| field.number())
}

fn unzip(profile: &Profile) -> Vec<u8> {
    let gz = taskprof_format::write::pprof(profile).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&*gz)
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

#[test]
fn texts_functions_and_locations_are_written_once_under_unique_ids() {
    let mut profile = Profile::new([SampleType::new("samples", "count")]);
    let here = unzip as fn(&Profile) -> Vec<u8> as usize + 2;
    for _ in 0..3 {
        profile.samples.push(Sample {
            stack: vec![
                Frame::Address(here),
                Frame::named("a"),
                Frame::named("b"),
                Frame::named("a"),
            ],
            values: vec![1],
            labels: vec![],
        });
    }
    let bytes = unzip(&profile);
    let root = fields(&bytes);

    let texts: Vec<&[u8]> = root
        .iter()
        .filter(|(tag, _)| *tag == 6)
        .map(|(_, field)| field.bytes())
        .collect();
    assert_eq!(texts[0], b"");
    let distinct: HashSet<&[u8]> = texts.iter().copied().collect();
    assert_eq!(distinct.len(), texts.len());

    let functions = messages(&root, 5);
    let mut names = Vec::new();
    for function in &functions {
        assert_eq!(number(function, 3), 0, "system_name stays empty");
        names.push(texts[usize::try_from(number(function, 2)).unwrap()]);
    }
    assert_eq!(names.iter().filter(|name| **name == b"a").count(), 1);
    assert_eq!(names.iter().filter(|name| **name == b"b").count(), 1);

    let locations = messages(&root, 4);
    assert_eq!(locations.len(), 3, "one address, two names");
    let mappings = messages(&root, 3);
    let mut ids = Vec::new();
    for list in [&functions, &locations, &mappings] {
        let unique: HashSet<u64> = list.iter().map(|message| number(message, 1)).collect();
        assert!(!unique.contains(&0));
        assert_eq!(unique.len(), list.len());
        ids.push(unique);
    }

    // Every reference leads somewhere, and the address into this very program, which is the first
    // mapping.
    for location in &locations {
        for line in messages(location, 4) {
            assert!(ids[0].contains(&number(&line, 1)));
        }
    }
    assert_eq!(number(&locations[0], 3), here as u64 - 1);
    assert_eq!(number(&locations[0], 2), 1);
    let main = &mappings[0];
    assert!((number(main, 2)..number(main, 3)).contains(&(here as u64 - 1)));
    let file = texts[usize::try_from(number(main, 5)).unwrap()];
    let exe = std::env::current_exe().unwrap();
    assert_eq!(file, exe.to_str().unwrap().as_bytes());
    for flag in 7..=9 {
        assert_eq!(number(main, flag), 1, "has_functions and its like");
    }
    // Nothing is known about a module without samples.
    for other in &mappings[1..] {
        assert!((7..=10).all(|flag| number(other, flag) == 0));
    }

    for sample in messages(&root, 2) {
        let (_, packed) = sample.iter().find(|(tag, _)| *tag == 1).unwrap();
        let mut packed = packed.bytes();
        let mut stack = Vec::new();
        while !packed.is_empty() {
            stack.push(varint(&mut packed));
        }
        assert_eq!(stack, [1, 2, 3, 2]);
    }
}
