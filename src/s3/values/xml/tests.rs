use super::*;

#[derive(serde::Deserialize)]
struct Document {
    #[serde(rename = "Place")]
    place: String,
}

#[test]
fn a_clients_document_is_read_at_most_eight_deep_and_without_a_doctype() {
    let document = |inner: &str| format!("<D><Place>here</Place>{inner}</D>");
    let nested = |deep: usize| document(&("<x>".repeat(deep) + &"</x>".repeat(deep)));
    assert_eq!(read::<Document>(&nested(7)).unwrap().place, "here");
    let doctype = document("").replacen("<D>", "<!doctype D [<!ENTITY x \"y\">]><D>", 1);
    for text in [
        nested(8),
        nested(100_000),
        doctype,
        document("<x>"),
        document("</x>"),
    ] {
        assert!(read::<Document>(&text).is_none());
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_document() {
    let text = "\u{FEFF}<?xml version=\"1.0\" encoding=\"UTF-8\"?><D><Place>here</Place></D>";
    assert_eq!(read::<Document>(text).unwrap().place, "here");
}

#[test]
fn a_document_may_be_one_text() {
    insta::assert_snapshot!(
        text_document("LocationConstraint", "eu-west-1"),
        @r#"<?xml version="1.0" encoding="UTF-8"?><LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>"#
    );
}

proptest::proptest! {
    #[test]
    fn no_representable_text_lies_before_the_first_one(
        text in "[a\t \u{1}\u{8}\u{b}\u{c}\u{e}\u{1f}\u{fffe}\u{ffff}\u{10000}]{0,4}",
        other in "[a\t\n\r \u{1}\u{8}\u{b}\u{c}\u{e}\u{1f}\u{fffd}\u{fffe}\u{ffff}\u{10000}]{0,5}",
    ) {
        let first = first_that_can_be_held(&text);
        proptest::prop_assert_eq!(first.is_none(), can_hold(&text));
        if let Some(first) = first {
            proptest::prop_assert!(first > text && can_hold(&first));
            let is_between = text <= other && other < first;
            proptest::prop_assert!(!is_between || !can_hold(&other), "{:?}", other);
        }
    }
}
