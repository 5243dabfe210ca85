//! XML as S3 speaks it (namespace `http://s3.amazonaws.com/doc/2006-03-01/`): reading a client's, writing answers.
//!
//! The output is always well-formed XML 1.0: a character that XML 1.0 cannot hold is replaced by U+FFFD; a client that needs
//! such a key exactly asks for `encoding-type=url`. It knows neither requests nor the store.
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// The canonical user id of the only owner: 64 hex digits, as AWS's are.
pub const OWNER_ID: &str = "696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98";
/// The name that goes with [`OWNER_ID`].
pub const OWNER_NAME: &str = "hangar";

/// Whether a document's root states S3's namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    S3,
    None,
}
const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const INFALLIBLE: &str = "writing to memory does not fail";

/// Elements within one another that a client's document may have: no document of S3's has more.
const DEEPEST: usize = 8;

/// Reads a client's document; `None` where it is none of this kind, has a DOCTYPE or is too deep. The caller
/// bounds its length.
#[must_use]
pub fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    // Some writers begin UTF-8 with a byte order mark, which is no part of the document.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut reader = quick_xml::Reader::from_str(text);
    let mut depth = 0_usize;
    loop {
        match reader.read_event().ok()? {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::DocType(_) => return None,
            Event::Eof => break,
            _ => {}
        }
        if depth > DEEPEST {
            return None;
        }
    }
    quick_xml::de::from_str(text).ok()
}

/// Writes a document with the root element `name`.
pub fn document(name: &str, namespace: Namespace, write: impl FnOnce(&mut Elements)) -> String {
    let mut elements = Elements(Writer::new(Vec::new()));
    elements.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    let mut root = BytesStart::new(name);
    if namespace == Namespace::S3 {
        root.push_attribute(("xmlns", S3_NAMESPACE));
    }
    elements.event(Event::Start(root));
    write(&mut elements);
    elements.event(Event::End(BytesEnd::new(name)));
    String::from_utf8(elements.0.into_inner()).expect("only text was written")
}
/// A document that is one element with a text, in S3's namespace.
#[must_use]
pub fn text_document(name: &str, text: &str) -> String {
    document(name, Namespace::S3, |root| root.characters(text))
}
/// The inside of an element that is being written.
pub struct Elements(Writer<Vec<u8>>);
impl Elements {
    /// `<name>…</name>` with elements inside.
    pub fn element(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.event(Event::Start(BytesStart::new(name)));
        write(self);
        self.event(Event::End(BytesEnd::new(name)));
    }
    /// `<name attribute="value">…</name>` with elements inside.
    pub fn element_with(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        write: impl FnOnce(&mut Self),
    ) {
        let start = BytesStart::new(name).with_attributes(attributes.iter().copied());
        self.event(Event::Start(start));
        write(self);
        self.event(Event::End(BytesEnd::new(name)));
    }
    /// `<name>text</name>`, escaped.
    pub fn text(&mut self, name: &str, text: &str) {
        self.element(name, |inside| inside.characters(text));
    }
    /// The only owner, as the element `name`: `Owner`, `Initiator`.
    pub fn owner(&mut self, name: &str) {
        self.element(name, |owner| {
            owner.text("ID", OWNER_ID);
            owner.text("DisplayName", OWNER_NAME);
        });
    }
    fn characters(&mut self, text: &str) {
        self.event(Event::Text(BytesText::new(&representable(text))));
    }
    fn event(&mut self, event: Event<'_>) {
        self.0.write_event(event).expect(INFALLIBLE);
    }
}
/// Whether XML 1.0 can hold a text as it is. <https://www.w3.org/TR/xml/#charsets>
#[must_use]
pub fn can_hold(text: &str) -> bool {
    !text.contains(unheld)
}

fn unheld(c: char) -> bool {
    !matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The first text that is not before `text` and that XML 1.0 can hold, in the order of UTF-8; `None`: it can hold `text`.
#[must_use]
pub fn first_that_can_be_held(text: &str) -> Option<String> {
    let (at, unheld) = text.char_indices().find(|(_, c)| unheld(*c))?;
    // All texts that begin as this one does, up to and with a character of this range, cannot be held either.
    let behind = match unheld {
        ..'\t' => '\t',
        ..'\r' => '\r',
        ..' ' => ' ',
        _ => '\u{10000}',
    };
    Some(format!("{}{behind}", &text[..at]))
}

/// `text` with every character that XML 1.0 cannot hold replaced by U+FFFD.
fn representable(text: &str) -> Cow<'_, str> {
    if can_hold(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.replace(unheld, "\u{FFFD}"))
    }
}

/// `text` as it can stand in a document that a client writes.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    match representable(text) {
        Cow::Borrowed(text) => quick_xml::escape::escape(text),
        Cow::Owned(text) => Cow::Owned(quick_xml::escape::escape(text.as_str()).into_owned()),
    }
}

#[cfg(test)]
mod tests;
