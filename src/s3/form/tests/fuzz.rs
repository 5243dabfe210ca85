use super::*;
use crate::tests::fuzz;

#[test]
fn a_form_means_the_same_however_it_is_cut_and_nothing_when_it_is_cut_short() {
    fuzz::check(module_path!(), |body| {
        let whole = read_cut(body, &[]);
        let bytes: Vec<usize> = (0..body.len()).collect();
        assert_eq!(whole, read_cut(body, &bytes));
        assert_eq!(whole, read_cut(body, &fuzz::cuts(body)));
        let Ok(reading) = whole else {
            return;
        };
        assert!(reading.ended);
        assert!(reading.content.len() < body.len());
        assert!(reading.fields.len() <= MAX_FIELDS);
        // What is left out may follow the closing boundary, where it means nothing.
        for cut in fuzz::cuts(body) {
            if let Ok(short) = read_cut(&body[..cut], &[]) {
                assert_eq!(short, reading);
            }
        }
        let again = read_cut(&form(&[], &reading.content), &[]).unwrap();
        assert_eq!(again.content, reading.content);
    });
}

#[test]
fn a_boundary_that_is_read_is_one_that_can_be_written() {
    fuzz::check(module_path!(), |input| {
        let Ok(text) = std::str::from_utf8(fuzz::first_line(input).0) else {
            return;
        };
        for content_type in [text.to_owned(), format!("multipart/form-data; {text}")] {
            if let Ok(read) = boundary(Some(&content_type)) {
                let written = format!("multipart/form-data; boundary=\"{read}\"");
                assert_eq!(boundary(Some(&written)).unwrap(), read);
            }
        }
    });
}
