//! A check that XML is well-formed, and what a reader sees in it.

/// Reads XML to its end, and gives all character data of `<title>` and `<text>`.
///
/// Fails if the XML is not well-formed.
pub(crate) fn xml_texts(xml: &str) -> Vec<String> {
    use quick_xml::events::Event;

    let mut reader = quick_xml::Reader::from_str(xml);
    let mut texts = Vec::new();
    let mut depth = 0_usize;
    let mut collecting = false;
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Eof => break,
            Event::Start(start) => {
                depth += 1;
                collecting = matches!(start.name().as_ref(), b"title" | b"text");
                if collecting {
                    texts.push(String::new());
                }
            }
            Event::End(_) => {
                depth -= 1;
                collecting = false;
            }
            Event::Text(text) if collecting => {
                texts.last_mut().unwrap().push_str(&text.decode().unwrap());
            }
            Event::GeneralRef(reference) if collecting => {
                let decoded = match &*reference.decode().unwrap() {
                    "lt" => '<',
                    "gt" => '>',
                    "amp" => '&',
                    "quot" => '"',
                    "apos" => '\'',
                    _ => reference.resolve_char_ref().unwrap().unwrap(),
                };
                texts.last_mut().unwrap().push(decoded);
            }
            _ => {}
        }
    }
    assert_eq!(depth, 0, "every element is closed");
    texts
}
