//! The parameters of a header's value: `token; name=value; name="value"`. RFC 2045, section 5.1.

pub(crate) type Parameter<'a> = (&'a [u8], Vec<u8>);

/// Splits `token; name=value; name="value"`. `None` where it is not well-formed.
pub(crate) fn parameters(header: &[u8]) -> Option<(&[u8], Vec<Parameter<'_>>)> {
    let end = header
        .iter()
        .position(|&byte| byte == b';')
        .unwrap_or(header.len());
    let (kind, mut rest) = header.split_at(end);
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some((kind.trim_ascii(), parameters));
        }
        rest = rest.strip_prefix(b";")?.trim_ascii_start();
        if rest.is_empty() || rest.starts_with(b";") {
            continue;
        }
        let equals = rest.iter().position(|&byte| matches!(byte, b'=' | b';'))?;
        let name = rest[..equals].trim_ascii();
        rest = rest[equals..].strip_prefix(b"=")?.trim_ascii_start();
        let value;
        (value, rest) = if let Some(opened) = rest.strip_prefix(b"\"") {
            quoted(opened)?
        } else {
            let end = rest
                .iter()
                .position(|&byte| byte == b';')
                .unwrap_or(rest.len());
            let (token, after) = rest.split_at(end);
            (token.trim_ascii().to_vec(), after)
        };
        parameters.push((name, value));
    }
}

/// Reads up to the closing quote, and answers what follows it. A backslash escapes a quote and a backslash; before
/// anything else it is itself, as browsers mean it.
fn quoted(opened: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut rest = opened;
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some((value, after)),
            [b'\\', escaped @ (b'"' | b'\\'), after @ ..] => {
                value.push(*escaped);
                after
            }
            [byte, after @ ..] => {
                value.push(*byte);
                after
            }
            [] => return None,
        };
    }
}
