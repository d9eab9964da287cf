//! The table of formats, and the methods of a profile.

use std::collections::HashSet;
use std::io;

use taskprof_format::Profile;
use taskprof_format::write::{FORMATS, Format, RenderOptions};

use crate::named;

#[test]
fn every_format_has_a_name_of_its_own_by_which_it_is_found() {
    let names: HashSet<&str> = FORMATS.iter().map(|format| format.name).collect();
    assert_eq!(names.len(), FORMATS.len());
    for format in FORMATS {
        assert!(std::ptr::eq(Format::named(format.name).unwrap(), *format));
        assert!(
            format.name.chars().all(|c| c.is_ascii_lowercase()),
            "goes into an address as it is: {}",
            format.name
        );
        assert!(!format.extension.starts_with('.'));
        assert!(!format.summary.is_empty() && !format.summary.ends_with('.'));
    }
    assert!(Format::named("PPROF").is_none());
    assert!(Format::named("").is_none());
}

#[test]
fn the_methods_write_what_the_table_writes() {
    let profile = named(&[(&["main", "a"], 3)]);
    let write = |method: fn(&Profile, &mut Vec<u8>) -> Result<(), taskprof_format::Error>| {
        let mut out = Vec::new();
        method(&profile, &mut out).unwrap();
        out
    };
    let mut written = vec![
        ("pprof", write(|p, out| p.write_pprof(out))),
        ("svg", write(|p, out| p.write_svg(out))),
        ("icicle", write(|p, out| p.write_icicle(out))),
        ("speedscope", write(|p, out| p.write_speedscope(out))),
        ("text", write(|p, out| p.write_text(out))),
        ("traces", write(|p, out| p.write_traces(out))),
        ("folded", write(|p, out| p.write_folded(out))),
        ("json", write(|p, out| p.write_json(out))),
    ];
    for format in FORMATS {
        let at = written
            .iter()
            .position(|(name, _)| *name == format.name)
            .unwrap_or_else(|| panic!("no method writes {}", format.name));
        let (_, bytes) = written.remove(at);
        assert_eq!(
            bytes,
            (format.write)(&profile, &RenderOptions::new()).unwrap()
        );
    }
    assert!(written.is_empty());
}

#[test]
fn a_file_that_is_full_is_an_error_with_its_cause() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = named(&[(&["main"], 1)]).write_json(Full).unwrap_err();
    assert!(error.is_write());
    let cause = std::error::Error::source(&error).unwrap();
    let cause: &io::Error = cause.downcast_ref().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn every_format_refuses_a_column_that_does_not_exist() {
    let profile = named(&[(&["main"], 1)]);
    for format in FORMATS {
        let look = RenderOptions::new().sample_type("samples");
        (format.write)(&profile, &look).unwrap();
        let error = (format.write)(&profile, &look.sample_type("cpu")).unwrap_err();
        assert!(error.is_invalid_argument(), "{}: {error}", format.name);
    }
}

#[test]
fn every_format_refuses_samples_of_the_wrong_width_in_profile_and_base() {
    let good = named(&[(&["main"], 1)]);
    let mut bad = good.clone();
    bad.samples[0].values.push(2);
    for format in FORMATS {
        for (profile, look) in [
            (&bad, RenderOptions::new()),
            (&good, RenderOptions::new().base(bad.clone())),
            (&bad, RenderOptions::new().base(good.clone())),
        ] {
            let error = (format.write)(profile, &look).unwrap_err();
            assert!(error.is_write(), "{}: {error}", format.name);
        }
    }
}
