//! What a person types into `peer run`.

/// How a text is typed.
pub(super) const SYNTAX: &str = "type `@bob hello` to send \"hello\" to bob; Ctrl-C logs out";

/// One typed line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Nothing to do.
    Nothing,
    /// A text for somebody.
    Text { to: String, text: String },
    /// Something else: to be explained.
    Unclear,
}

/// Reads a typed line.
pub(super) fn read(line: &str) -> Typed {
    let line = line.trim();
    if line.is_empty() {
        return Typed::Nothing;
    }
    let parts = line.strip_prefix('@').and_then(|rest| rest.split_once(char::is_whitespace));
    match parts {
        Some((to, text)) if !to.is_empty() => {
            Typed::Text { to: to.to_owned(), text: text.trim_start().to_owned() }
        }
        _ => Typed::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_text_or_unclear() {
        let text = |to: &str, text: &str| Typed::Text { to: to.into(), text: text.into() };
        assert_eq!(read("@bob hello there"), text("bob", "hello there"));
        assert_eq!(read("  @bob\t hi "), text("bob", "hi"));
        assert_eq!(read("   "), Typed::Nothing);
        for unclear in ["hello", "@bob", "@ bob hi", "help"] {
            assert_eq!(read(unclear), Typed::Unclear, "{unclear}");
        }
    }
}
