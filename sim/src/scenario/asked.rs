//! What was asked of a node, by the number of the command.

use overlay_proto::id::CommandId;

/// A command of a scenario, as its number tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To register.
    Register,
    /// To log in.
    Login,
    /// To send the message of this number.
    Send(u32),
    /// To look somebody up.
    Lookup,
    /// To log out.
    Logout,
    /// To shut somebody out.
    Revoke,
    /// To look somebody up who is out.
    Seek,
    /// To look the user of this number up while some supernodes lie.
    Consult(u32),
    /// To begin a session.
    Meet,
    /// To write the letter of this number.
    Write(u32),
    /// To look somebody up whom another one looks up elsewhere: the pair of this number.
    Compare(u32),
}

impl Asked {
    /// The number of the command.
    pub fn id(self) -> CommandId {
        let (kind, number) = match self {
            Asked::Register => (1, 0),
            Asked::Login => (2, 0),
            Asked::Send(message) => (3, message),
            Asked::Lookup => (4, 0),
            Asked::Logout => (5, 0),
            Asked::Revoke => (6, 0),
            Asked::Seek => (7, 0),
            Asked::Consult(user) => (8, user),
            Asked::Write(letter) => (9, letter),
            Asked::Meet => (10, 0),
            Asked::Compare(pair) => (11, pair),
        };
        CommandId(kind << 32 | u64::from(number))
    }

    /// What a number says was asked; `None` for one that no scenario uses.
    pub fn of(id: CommandId) -> Option<Asked> {
        match id.0 >> 32 {
            1 => Some(Asked::Register),
            2 => Some(Asked::Login),
            3 => Some(Asked::Send(id.0 as u32)),
            4 => Some(Asked::Lookup),
            5 => Some(Asked::Logout),
            6 => Some(Asked::Revoke),
            7 => Some(Asked::Seek),
            8 => Some(Asked::Consult(id.0 as u32)),
            9 => Some(Asked::Write(id.0 as u32)),
            10 => Some(Asked::Meet),
            11 => Some(Asked::Compare(id.0 as u32)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back() {
        let all = [
            Asked::Register,
            Asked::Login,
            Asked::Send(70_000),
            Asked::Lookup,
            Asked::Logout,
            Asked::Revoke,
            Asked::Seek,
            Asked::Consult(9),
            Asked::Write(70_000),
            Asked::Meet,
            Asked::Compare(70_000),
        ];
        for asked in all {
            assert_eq!(Asked::of(asked.id()), Some(asked));
        }
        assert_eq!(Asked::of(CommandId(7)), None);
    }
}
