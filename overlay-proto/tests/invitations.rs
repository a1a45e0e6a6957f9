//! Invitations as people handle them: copied, cut, mistyped, shouted.

#[path = "wire/samples.rs"]
#[allow(dead_code, reason = "shared with wire_bytes.rs, which uses more of it")]
mod samples;

use overlay_proto::identity::{Invitation, InvitationError, Ticket};
use samples::{NOW, contact, key, realm};

fn invitation() -> Invitation {
    Invitation {
        realm: realm(),
        supernodes: vec![contact(5), contact(8)],
        code: Some("sesame".to_owned()),
        ticket: Some(Ticket::issue(&key(1), 1 << 40, None, NOW)),
    }
}

fn read(text: &str) -> Result<Invitation, InvitationError> {
    text.parse()
}

#[test]
fn reads_back_as_it_was_written() {
    let full = invitation();
    let plain = Invitation { code: None, ticket: None, ..full.clone() };
    for invitation in [full, plain] {
        let text = invitation.to_string();
        assert!(text.starts_with("trellis1") && text.is_ascii());
        assert!(!text.contains(char::is_whitespace), "one word");
        assert_eq!(read(&text), Ok(invitation.clone()));
        assert_eq!(read(&format!("  {text}\n")), Ok(invitation.clone()));
        assert_eq!(read(&text.to_ascii_uppercase()), Ok(invitation));
    }
}

#[test]
fn names_three_supernodes_at_most() {
    let supernodes = (5..12).map(contact).collect();
    let many = Invitation { supernodes, ..invitation() };
    let read = read(&many.to_string()).expect("shortened, not broken");
    assert_eq!(read.supernodes, many.supernodes[..3]);
    let none = Invitation { supernodes: vec![], ..invitation() };
    assert_eq!(none.to_string().parse::<Invitation>(), Err(InvitationError::Unreadable));
}

#[test]
fn every_typo_of_one_character_is_found() {
    let text = invitation().to_string();
    for (at, was) in text.char_indices() {
        for typo in "023456789acdefghjklmnpqrstuvwxyz1bioX -".chars().filter(|typo| *typo != was) {
            let mut wrong = text.clone();
            wrong.replace_range(at..=at, typo.encode_utf8(&mut [0; 4]));
            let expected = match at {
                0..8 if !typo.eq_ignore_ascii_case(&was) => InvitationError::NotAnInvitation,
                _ => InvitationError::Damaged,
            };
            // A blank at either end is cut off, and what is left is short.
            if !(typo == ' ' && (at == 0 || at + 1 == text.len())) {
                assert_eq!(read(&wrong), Err(expected), "{typo:?} at {at}");
            } else {
                assert!(read(&wrong).is_err(), "{typo:?} at {at}");
            }
        }
    }
}

#[test]
fn neighbours_swapped_or_a_character_lost_or_doubled_are_found() {
    let text = invitation().to_string();
    for at in 8..text.len() {
        let (head, tail) = text.split_at(at);
        assert_eq!(read(&format!("{head}{}", &tail[1..])), Err(InvitationError::Damaged));
        assert_eq!(read(&format!("{head}{}{tail}", &tail[..1])), Err(InvitationError::Damaged));
        let mut letters: Vec<char> = text.chars().collect();
        letters.swap(at - 1, at);
        let swapped: String = letters.into_iter().collect();
        assert!(swapped == text || read(&swapped).is_err(), "swapped at {at}");
    }
}

#[test]
fn cut_short_anywhere_is_found() {
    let text = invitation().to_string();
    for length in 0..text.len() {
        let expected =
            if length < 8 { InvitationError::NotAnInvitation } else { InvitationError::Damaged };
        assert_eq!(read(&text[..length]), Err(expected), "{length}");
    }
}

#[test]
fn other_texts_are_told_apart() {
    let text = invitation().to_string();
    let other = text.replacen("trellis1", "bc1", 1);
    for wrong in
        ["", "trellis", "trelli", "alice", "trellis2qqqq", "日本語の文字列", other.as_str()]
    {
        assert_eq!(read(wrong), Err(InvitationError::NotAnInvitation), "{wrong}");
    }
    // Upper and lower case mixed is no bech32 (BIP 173).
    let mixed = format!("trellis1{}", text[8..].to_ascii_uppercase());
    assert_eq!(read(&mixed), Err(InvitationError::Damaged));
    // A good checksum over something else.
    let hrp = bech32::Hrp::parse("trellis").expect("valid");
    for bytes in [&b"hello"[..], &[], &[0x9f; 64], &[0x84, 0xf6, 0xf6, 0xf6, 0xf6]] {
        let sealed = bech32::encode::<bech32::Bech32m>(hrp, bytes).expect("short");
        assert_eq!(read(&sealed), Err(InvitationError::Unreadable), "{sealed}");
    }
}
