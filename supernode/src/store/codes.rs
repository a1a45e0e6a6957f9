//! Registration codes: made by the operator, kept as hashes, good for some uses and some days.

use super::ledger::Ledger;
use super::policy::hash;
use super::rows::{CodeRow, Row};
use overlay_proto::time::{Span, WallTime};
use serde::{Deserialize, Serialize};

/// Codes that can be good at a time. The operator makes them, so this is against a script gone wild.
pub const CODES_MAX: i64 = 10_000;
/// Random bits of a code: nobody guesses one of ten thousand codes over a network.
const CODE_BYTES: usize = 10;
/// Letters and digits that cannot be taken for each other (Crockford's base 32, lower case).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A registration code, without its text, which only its maker has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// What the operator calls it by.
    pub number: u64,
    /// Names that can still be registered with it.
    pub uses_left: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub made_ms: u64,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_ms: u64,
    /// Whether it still opens the door.
    pub good: bool,
}

/// A code just made. Its text is nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCode {
    /// What a newcomer shows.
    pub code: String,
    /// What the list says of it.
    #[serde(flatten)]
    pub listed: Code,
}

impl std::fmt::Debug for NewCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The text is a secret and has no place in a log.
        f.debug_struct("NewCode").field("listed", &self.listed).finish_non_exhaustive()
    }
}

/// A code's text from its random bytes: four groups of four.
pub(super) fn text(random: [u8; CODE_BYTES]) -> String {
    let mut bits = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut text = Vec::with_capacity(CODE_BYTES * 2);
    for place in 0..CODE_BYTES * 8 / 5 {
        if place > 0 && place % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[(bits & 31) as usize]));
        bits >>= 5;
    }
    text.into_iter().collect()
}

impl Ledger<'_> {
    /// Makes a code good for `uses` names within `life` from now; none if there are too many.
    pub(super) async fn new_code(
        &mut self,
        random: [u8; CODE_BYTES],
        uses: u32,
        life: Span,
    ) -> Result<Option<NewCode>, sqlx::Error> {
        let now = self.now();
        // What nobody can use any more need not be kept.
        sqlx::query("DELETE FROM codes WHERE uses_left = 0 OR expires_at <= $1")
            .bind(now)
            .execute(self.write())
            .await?;
        let (count,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM codes").fetch_one(self.look()).await?;
        if count >= CODES_MAX {
            return Ok(None);
        }
        let code = text(random);
        let expires_at = WallTime(now.cast_unsigned()).plus(life).0.cast_signed();
        let (hash, uses_left) = (hash(&code).as_bytes().to_vec(), i64::from(uses));
        let (number,): (i64,) = sqlx::query_as(
            "INSERT INTO codes (hash, uses_left, made_at, expires_at, mark)
             VALUES ($1, $2, $3, $4, 0) RETURNING number",
        )
        .bind(hash.clone())
        .bind(uses_left)
        .bind(now)
        .bind(expires_at)
        .fetch_one(self.write())
        .await?;
        let row = CodeRow { number, hash, uses_left, made_at: now, expires_at, mark: 0 };
        self.set_uses(&row, uses_left).await?;
        Ok(Some(NewCode { code, listed: listed(&row, now) }))
    }

    /// Uses the code with this hash once; whether it could be used.
    pub(super) async fn use_code(&mut self, shown: blake3::Hash) -> Result<bool, sqlx::Error> {
        let row: Option<CodeRow> = sqlx::query_as(
            "SELECT number, hash, uses_left, made_at, expires_at, mark FROM codes WHERE hash = $1",
        )
        .bind(shown.as_bytes().to_vec())
        .fetch_optional(self.look())
        .await?;
        let Some(row) = row.map(Row::sound).transpose()? else { return Ok(false) };
        // The search was for a hash, whose bits nobody can choose; this compares all of it in
        // constant time.
        let same = blake3::Hash::from_slice(&row.hash).is_ok_and(|hash| hash == shown);
        if !same || row.uses_left == 0 || row.expires_at <= self.now() {
            return Ok(false);
        }
        self.set_uses(&row, row.uses_left - 1).await?;
        Ok(true)
    }

    /// All codes, oldest first.
    pub(super) async fn codes(&mut self) -> Result<Vec<Code>, sqlx::Error> {
        let now = self.now();
        let rows: Vec<CodeRow> = sqlx::query_as(CodeRow::ALL).fetch_all(self.look()).await?;
        rows.into_iter().map(|row| row.sound().map(|row| listed(&row, now))).collect()
    }

    /// Takes the code with this number back; whether there was one.
    pub(super) async fn revoke_code(&mut self, number: u64) -> Result<bool, sqlx::Error> {
        let number = number.cast_signed();
        let there: Option<(i64,)> = sqlx::query_as("SELECT number FROM codes WHERE number = $1")
            .bind(number)
            .fetch_optional(self.look())
            .await?;
        if there.is_some() {
            sqlx::query("DELETE FROM codes WHERE number = $1")
                .bind(number)
                .execute(self.write())
                .await?;
        }
        Ok(there.is_some())
    }

    async fn set_uses(&mut self, row: &CodeRow, uses_left: i64) -> Result<(), sqlx::Error> {
        let row = CodeRow { uses_left, ..row.clone() };
        sqlx::query("UPDATE codes SET uses_left = $2, mark = $3 WHERE number = $1")
            .bind(row.number)
            .bind(uses_left)
            .bind(row.mark())
            .execute(self.write())
            .await
            .map(drop)
    }
}

fn listed(row: &CodeRow, now: i64) -> Code {
    Code {
        number: row.number.cast_unsigned(),
        uses_left: row.uses_left.cast_unsigned(),
        made_ms: row.made_at.cast_unsigned(),
        expires_ms: row.expires_at.cast_unsigned(),
        good: row.uses_left > 0 && row.expires_at > now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_shows_every_random_bit_once() {
        assert_eq!(text([0; CODE_BYTES]), "0000-0000-0000-0000");
        assert_eq!(text([0xff; CODE_BYTES]), "zzzz-zzzz-zzzz-zzzz");
        let one = |bit: usize| {
            let mut random = [0; CODE_BYTES];
            random[bit / 8] = 1 << (bit % 8);
            text(random)
        };
        let texts: std::collections::BTreeSet<String> = (0..CODE_BYTES * 8).map(one).collect();
        assert_eq!(texts.len(), CODE_BYTES * 8);
    }
}
