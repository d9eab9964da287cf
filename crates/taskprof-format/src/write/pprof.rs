//! A profile as gzipped `profile.proto`.
//!
//! Not here: the field numbers (`proto.rs`), how an address gets a name (`resolve.rs`).

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::text::OneLine;
use crate::text::plain;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;

use super::{Format, check, labels, proto};
use crate::error::Error;
use crate::profile::{Frame, LabelValue, Profile, SampleType};
use crate::resolve::Resolver;

pub(super) static FORMAT: Format = Format {
    name: "pprof",
    // As Go sends it; the only type that Alloy takes.
    content_type: "application/octet-stream",
    extension: "pb.gz",
    inline: false,
    negative: true,
    summary: "for go tool pprof, Pyroscope, Parca; and speedscope, if nothing in it is negative",
    write: |profile, options| write(&*options.applied(profile)?, options.first(profile)?),
};

/// Writes a profile as gzipped `profile.proto`, what `go tool pprof`, Pyroscope and Parca read.
///
/// Names are complete: `go tool pprof` shows a Rust name with its generics, because `system_name`
/// stays empty (a `system_name` equal to `name` makes that tool strip everything between `<` and
/// `>`). Inlined functions are lines of one location, innermost first.
///
/// A mapping says that it has functions, files, lines or inlined frames if any of its addresses in
/// this profile has. A client that needs names and finds that there are none, as those of a
/// stripped program, looks them up by itself: `go tool pprof FULL_PROGRAM profile.pb.gz`, with the
/// same program before it was stripped, shows functions and lines. Until then an address without a
/// symbol carries the name `module+0xoffset`, and a comment tells how many there were.
///
/// `location.address` is the captured address minus one. The format wants an address inside the
/// instruction ("a non-leaf address may be in the middle of a call instruction"), and a return
/// address is the *next* instruction, which can even belong to another function. For an interrupted
/// frame, stored plus one (see [`Frame::Address`]), the subtraction gives the exact program
/// counter.
///
/// Names, labels and files are as [`Plain`](taskscope_core::Plain) shows them: the tools print them
/// as they are.
///
/// # Errors
///
/// [`is_write`](Error::is_write) if the profile has no sample types, or a sample has not one value
/// per type.
///
/// # Limitations
///
/// `start_line` of functions is not written: line tables do not know it. `go tool pprof` overlooks
/// a label whose value is an empty text, or zero without a unit.
pub fn pprof(profile: &Profile) -> Result<Vec<u8>, Error> {
    write(profile, profile.default_sample_type.as_deref())
}

fn write(profile: &Profile, default_sample_type: Option<&str>) -> Result<Vec<u8>, Error> {
    check(profile)?;
    let message = Builder::new().build(profile, default_sample_type);
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&message.encode_to_vec())
        .and_then(|()| gz.finish())
        .map_err(|e| Error::write("the profile could not be compressed").caused_by(e))
}

/// The identity of a location.
#[derive(PartialEq, Eq, Hash)]
enum Place {
    Address(usize),
    Named(Arc<str>, Option<Arc<str>>, Option<u32>),
}

/// Assigns ids: each text, function and location is written once, however often it is used.
struct Builder {
    resolver: Resolver,
    out: proto::Profile,
    texts: HashMap<String, i64>,
    /// By (name, file).
    functions: HashMap<(i64, i64), u64>,
    locations: HashMap<Place, u64>,
}

impl Builder {
    fn new() -> Self {
        let mut builder = Builder {
            resolver: Resolver::new(),
            out: proto::Profile::default(),
            texts: HashMap::new(),
            functions: HashMap::new(),
            locations: HashMap::new(),
        };
        builder.text("");
        builder
    }

    fn build(mut self, profile: &Profile, default_sample_type: Option<&str>) -> proto::Profile {
        self.mappings();
        self.out.sample_type = profile
            .sample_types
            .iter()
            .map(|t| self.value_type(t))
            .collect();
        if let Some(kind) = default_sample_type {
            self.out.default_sample_type = self.text(kind);
        }
        self.out.period_type = profile.period_type.as_ref().map(|t| self.value_type(t));
        self.out.period = profile.period;
        self.out.time_nanos = nanos_since_epoch(profile.time);
        self.out.duration_nanos = i64::try_from(profile.duration.as_nanos()).unwrap_or(i64::MAX);

        for sample in &profile.samples {
            let location_id = sample.stack.iter().map(|f| self.location(f)).collect();
            let label = labels(&sample.labels)
                .into_iter()
                .map(|(key, value)| self.label(key, value))
                .collect();
            self.out.sample.push(proto::Sample {
                location_id,
                value: sample.values.clone(),
                label,
            });
        }

        // Last, when every address has been looked up.
        for (at, mapping) in self.out.mapping.iter_mut().enumerate() {
            let known = self.resolver.known(at);
            mapping.has_functions = known.functions;
            mapping.has_filenames = known.files;
            mapping.has_line_numbers = known.lines;
            mapping.has_inline_frames = known.inlined;
        }
        let unknown = self
            .resolver
            .unknown()
            .into_iter()
            .chain(negative(profile))
            .collect::<Vec<_>>();
        self.out.comment = profile
            .comments
            .iter()
            .chain(&unknown)
            .map(|c| self.sentence(c))
            .collect();
        self.out
    }

    fn mappings(&mut self) {
        // All of them, in order: the pprof tool takes the first for the main program, and an id is
        // an index plus one.
        let modules = self.resolver.modules().to_vec();
        for (at, module) in modules.iter().enumerate() {
            let mapping = proto::Mapping {
                id: at as u64 + 1,
                memory_start: module.start as u64,
                memory_limit: module.end as u64,
                file_offset: module.file_offset,
                filename: self.sentence(&module.path),
                build_id: self.text(&module.build_id),
                ..proto::Mapping::default()
            };
            self.out.mapping.push(mapping);
        }
    }

    fn location(&mut self, frame: &Frame) -> u64 {
        let (place, address, mapping_id) = match frame {
            Frame::Address(address) => {
                let instruction = address.wrapping_sub(1);
                let mapping = self.resolver.module_at(instruction);
                (
                    Place::Address(*address),
                    instruction as u64,
                    mapping.map_or(0, |at| at as u64 + 1),
                )
            }
            Frame::Named { name, file, line } => {
                (Place::Named(Arc::clone(name), file.clone(), *line), 0, 0)
            }
        };
        if let Some(&id) = self.locations.get(&place) {
            return id;
        }
        let line = self
            .resolver
            .lines(frame)
            .iter()
            .map(|line| proto::Line {
                function_id: self.function(&line.name, line.file.as_deref().unwrap_or_default()),
                line: line.line.map_or(0, i64::from),
            })
            .collect();
        let id = self.out.location.len() as u64 + 1;
        self.out.location.push(proto::Location {
            id,
            mapping_id,
            address,
            line,
        });
        self.locations.insert(place, id);
        id
    }

    fn function(&mut self, name: &str, file: &str) -> u64 {
        let key = (self.text(name), self.text(file));
        if let Some(&id) = self.functions.get(&key) {
            return id;
        }
        let id = self.out.function.len() as u64 + 1;
        self.out.function.push(proto::Function {
            id,
            name: key.0,
            filename: key.1,
        });
        self.functions.insert(key, id);
        id
    }

    fn label(&mut self, key: &str, value: &LabelValue) -> proto::Label {
        let key = self.text(key);
        match value {
            LabelValue::Str(text) => proto::Label {
                key,
                str: self.text(text),
                ..Default::default()
            },
            LabelValue::Num { value, unit } => proto::Label {
                key,
                num: *value,
                num_unit: self.text(unit),
                ..Default::default()
            },
        }
    }

    fn value_type(&mut self, t: &SampleType) -> proto::ValueType {
        proto::ValueType {
            kind: self.text(&t.kind),
            unit: self.text(&t.unit),
        }
    }

    /// A name. `go tool pprof` and those who store profiles print it as it is, so it is written as
    /// it is shown.
    fn text(&mut self, name: &str) -> i64 {
        self.index(&plain(name))
    }

    fn sentence(&mut self, sentence: &str) -> i64 {
        self.index(&OneLine(sentence).to_string())
    }

    fn index(&mut self, text: &str) -> i64 {
        if let Some(&at) = self.texts.get(text) {
            return at;
        }
        let at = i64::try_from(self.out.string_table.len()).unwrap_or(i64::MAX);
        self.out.string_table.push(text.to_owned());
        self.texts.insert(text.to_owned(), at);
        at
    }
}

/// A warning about negative values, for tools that expect none.
fn negative(profile: &Profile) -> Option<String> {
    let samples = profile.samples.iter();
    let negative = samples.filter(|sample| sample.values.iter().any(|value| *value < 0));
    match negative.count() {
        0 => None,
        count => Some(format!(
            "{count} of {} samples have negative values, because this is a difference: go tool pprof shows them, speedscope cannot",
            profile.samples.len()
        )),
    }
}

/// Nanoseconds since 1970, negative before it, clamped to what the field can hold (until the year
/// 2262).
fn nanos_since_epoch(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
    }
}
