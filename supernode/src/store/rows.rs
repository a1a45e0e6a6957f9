//! The rows of each table, and the checksum that each of them carries.

use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

/// Milliseconds since the Unix epoch, as the tables have it.
pub(super) type Millis = i64;

/// A row of a table of ours.
pub(super) trait Row: for<'r> sqlx::FromRow<'r, AnyRow> + Send + Unpin + 'static {
    /// The table's name.
    const TABLE: &'static str;
    /// Reads all rows, in the order of their keys.
    const ALL: &'static str;

    /// The checksum that the row should carry.
    fn mark(&self) -> i64;

    /// The checksum that it carries.
    fn carried(&self) -> i64;

    /// Writes the row, key and all, with the checksum it should carry.
    fn put<'c>(&self, connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<(), sqlx::Error>>;

    /// The row, unless it is not what was written.
    fn sound(self) -> Result<Self, sqlx::Error> {
        match self.mark() == self.carried() {
            true => Ok(self),
            false => {
                let table = Self::TABLE;
                Err(sqlx::Error::Decode(format!("a row of the table {table} was changed").into()))
            }
        }
    }
}

/// A name and its owner.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct NameRow {
    pub(super) serial: i64,
    pub(super) name: String,
    pub(super) user_key: Vec<u8>,
    pub(super) registered_at: Millis,
    pub(super) mark: i64,
}

/// A ticket and the node that used it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct TicketRow {
    pub(super) serial: i64,
    pub(super) node: Vec<u8>,
    pub(super) redeemed_at: Millis,
    /// The registrar's key that was certified with the node; empty if none was.
    pub(super) registrar: Vec<u8>,
    pub(super) mark: i64,
}

/// A registration code.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct CodeRow {
    pub(super) number: i64,
    pub(super) hash: Vec<u8>,
    pub(super) uses_left: i64,
    pub(super) made_at: Millis,
    pub(super) expires_at: Millis,
    pub(super) mark: i64,
}

/// A request for a name that waits, or was denied.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct RequestRow {
    pub(super) name: String,
    pub(super) user_key: Vec<u8>,
    pub(super) asked_at: Millis,
    pub(super) denied: i64,
    /// From where it was asked; empty if that is not known.
    pub(super) origin: Vec<u8>,
    pub(super) mark: i64,
}

/// The newest list of revocations of one signer.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct RevocationRow {
    pub(super) signer: Vec<u8>,
    pub(super) epoch: i64,
    pub(super) list: Vec<u8>,
    pub(super) mark: i64,
}

impl Row for NameRow {
    const TABLE: &'static str = "names";
    const ALL: &'static str =
        "SELECT serial, name, user_key, registered_at, mark FROM names ORDER BY serial";

    fn mark(&self) -> i64 {
        Mark::of(Self::TABLE)
            .number(self.serial)
            .bytes(self.name.as_bytes())
            .bytes(&self.user_key)
            .number(self.registered_at)
            .done()
    }

    fn carried(&self) -> i64 {
        self.mark
    }

    fn put<'c>(&self, connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        let put = sqlx::query(
            "INSERT INTO names (serial, name, user_key, registered_at, mark)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(self.serial)
        .bind(self.name.clone())
        .bind(self.user_key.clone())
        .bind(self.registered_at)
        .bind(self.mark());
        put.execute(connection).map_ok(drop).boxed()
    }
}

impl Row for TicketRow {
    const TABLE: &'static str = "tickets";
    const ALL: &'static str =
        "SELECT serial, node, redeemed_at, registrar, mark FROM tickets ORDER BY serial";

    fn mark(&self) -> i64 {
        let mark = Mark::of(Self::TABLE).number(self.serial).bytes(&self.node);
        mark.number(self.redeemed_at).appended(&self.registrar).done()
    }

    fn carried(&self) -> i64 {
        self.mark
    }

    fn put<'c>(&self, connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        let put = sqlx::query(
            "INSERT INTO tickets (serial, node, redeemed_at, registrar, mark)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(self.serial)
        .bind(self.node.clone())
        .bind(self.redeemed_at)
        .bind(self.registrar.clone())
        .bind(self.mark());
        put.execute(connection).map_ok(drop).boxed()
    }
}

impl Row for CodeRow {
    const TABLE: &'static str = "codes";
    const ALL: &'static str =
        "SELECT number, hash, uses_left, made_at, expires_at, mark FROM codes ORDER BY number";

    fn mark(&self) -> i64 {
        Mark::of(Self::TABLE)
            .number(self.number)
            .bytes(&self.hash)
            .number(self.uses_left)
            .number(self.made_at)
            .number(self.expires_at)
            .done()
    }

    fn carried(&self) -> i64 {
        self.mark
    }

    fn put<'c>(&self, connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        let put = sqlx::query(
            "INSERT INTO codes (number, hash, uses_left, made_at, expires_at, mark)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.number)
        .bind(self.hash.clone())
        .bind(self.uses_left)
        .bind(self.made_at)
        .bind(self.expires_at)
        .bind(self.mark());
        put.execute(connection).map_ok(drop).boxed()
    }
}

impl Row for RequestRow {
    const TABLE: &'static str = "requests";
    const ALL: &'static str = "SELECT name, user_key, asked_at, denied, origin, mark FROM requests ORDER BY asked_at, name";

    fn mark(&self) -> i64 {
        Mark::of(Self::TABLE)
            .bytes(self.name.as_bytes())
            .bytes(&self.user_key)
            .number(self.asked_at)
            .number(self.denied)
            .appended(&self.origin)
            .done()
    }

    fn carried(&self) -> i64 {
        self.mark
    }

    fn put<'c>(&self, connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        let put = sqlx::query(
            "INSERT INTO requests (name, user_key, asked_at, denied, origin, mark)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.name.clone())
        .bind(self.user_key.clone())
        .bind(self.asked_at)
        .bind(self.denied)
        .bind(self.origin.clone())
        .bind(self.mark());
        put.execute(connection).map_ok(drop).boxed()
    }
}

impl Row for RevocationRow {
    const TABLE: &'static str = "revocations";
    const ALL: &'static str = "SELECT signer, epoch, list, mark FROM revocations ORDER BY signer";

    fn mark(&self) -> i64 {
        Mark::of(Self::TABLE).bytes(&self.signer).number(self.epoch).bytes(&self.list).done()
    }

    fn carried(&self) -> i64 {
        self.mark
    }

    fn put<'c>(&self, connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        let put = sqlx::query(
            "INSERT INTO revocations (signer, epoch, list, mark) VALUES ($1, $2, $3, $4)",
        )
        .bind(self.signer.clone())
        .bind(self.epoch)
        .bind(self.list.clone())
        .bind(self.mark());
        put.execute(connection).map_ok(drop).boxed()
    }
}

/// A checksum over columns. Against mistakes of disks, not of people: who may write the file may
/// write the checksum, too.
struct Mark(blake3::Hasher);

impl Mark {
    fn of(table: &str) -> Mark {
        Mark(blake3::Hasher::new()).bytes(table.as_bytes())
    }

    fn number(mut self, number: i64) -> Mark {
        self.0.update(&number.to_be_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Mark {
        // With the length before it no two rows have the same bytes.
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// A column that a later version has added: rows from before have their checksum without it.
    fn appended(self, bytes: &[u8]) -> Mark {
        if bytes.is_empty() { self } else { self.bytes(bytes) }
    }

    fn done(self) -> i64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.finalize().as_bytes()[..8]);
        i64::from_be_bytes(first)
    }
}
