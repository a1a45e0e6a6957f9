//! What each request of the core comes to, on the open ledger. An answer is a promise only after
//! the ledger's commit.

use super::ledger::Ledger;
use super::policy::Policy;
use super::rows::{NameRow, Row, TicketRow};
use overlay_proto::id::{NodeId, UserKey};
use overlay_proto::identity::Subject;
use overlay_proto::io::{Remote, StoreAnswer, StoreRequest};
use overlay_proto::name::Name;

impl Ledger<'_> {
    /// Carries out `request`.
    pub(super) async fn decide(
        &mut self,
        policy: &Policy,
        request: &StoreRequest,
    ) -> Result<StoreAnswer, sqlx::Error> {
        match request {
            StoreRequest::ClaimName { name, user, code, origin } => {
                self.claim(policy, name, *user, code.as_deref(), *origin).await
            }
            StoreRequest::RedeemTicket { serial, node, registrar } => {
                self.redeem(*serial, *node, *registrar).await
            }
            StoreRequest::FindUser { name } => self.find_user(name).await,
            StoreRequest::KeepRevocations { list } => self.keep_revocations(list).await,
            // A peer's own store keeps these.
            StoreRequest::KeepChain { .. } | StoreRequest::KeepDevices { .. } => {
                Ok(StoreAnswer::Failed)
            }
        }
    }

    async fn claim(
        &mut self,
        policy: &Policy,
        name: &Name,
        user: UserKey,
        code: Option<&str>,
        origin: Option<Remote>,
    ) -> Result<StoreAnswer, sqlx::Error> {
        match self.owner(name).await? {
            // The owner was let in once: renewal and a lost answer need no code.
            Some(row) if row.user_key == user.0 => {
                return Ok(StoreAnswer::Granted { serial: row.serial.cast_unsigned() });
            }
            Some(_) => return Ok(StoreAnswer::Taken),
            None => {}
        }
        // Nobody waits, or spends a code, for a name that cannot be had.
        if self.looks_taken(name).await? {
            return Ok(StoreAnswer::Taken);
        }
        if let Some(answer) = self.refusal(policy, name, user, code, origin).await? {
            return Ok(answer);
        }
        let serial = self.give(name, &user.0).await?;
        Ok(StoreAnswer::Granted { serial: serial.cast_unsigned() })
    }

    /// Who owns `name`.
    pub(super) async fn owner(&mut self, name: &Name) -> Result<Option<NameRow>, sqlx::Error> {
        let row: Option<NameRow> = sqlx::query_as(
            "SELECT serial, name, user_key, registered_at, mark FROM names WHERE name = $1",
        )
        .bind(name.as_str().to_owned())
        .fetch_optional(self.look())
        .await?;
        row.map(Row::sound).transpose()
    }

    /// Gives `name`, which nobody owns and no other looks like, to the key, under a serial number
    /// never used before.
    pub(super) async fn give(&mut self, name: &Name, key: &[u8]) -> Result<i64, sqlx::Error> {
        self.take_looks(&name.skeleton(), name.as_str()).await?;
        let name = name.as_str();
        let now = self.now();
        let (serial,): (i64,) = sqlx::query_as(
            "INSERT INTO names (name, user_key, registered_at) VALUES ($1, $2, $3)
             RETURNING serial",
        )
        .bind(name.to_owned())
        .bind(key.to_vec())
        .bind(now)
        .fetch_one(self.write())
        .await?;
        let (name, user_key) = (name.to_owned(), key.to_vec());
        let row = NameRow { serial, name, user_key, registered_at: now, mark: 0 };
        // The number belongs to what the checksum covers, and only the database knows the next.
        sqlx::query("UPDATE names SET mark = $2 WHERE serial = $1")
            .bind(serial)
            .bind(row.mark())
            .execute(self.write())
            .await?;
        Ok(serial)
    }

    /// A ticket's numbers are those of the certificates that it makes, and each is used up by one
    /// key: that of the node, that of the registrar.
    async fn redeem(
        &mut self,
        serial: u64,
        node: NodeId,
        registrar: Option<(u64, Subject)>,
    ) -> Result<StoreAnswer, sqlx::Error> {
        let mut uses = vec![(serial, node.0)];
        uses.extend(registrar.map(|(serial, key)| (serial, key.0)));
        let mut unused = Vec::new();
        for (serial, key) in uses {
            match self.used_by(serial).await? {
                Some(row) if row.node == key => {}
                Some(_) => return Ok(StoreAnswer::Taken),
                None => unused.push((serial, key)),
            }
        }
        for (serial, key) in unused {
            let (serial, node) = (serial.cast_signed(), key.to_vec());
            let row = TicketRow { serial, node, redeemed_at: self.now(), mark: 0 };
            row.put(self.write()).await?;
        }
        Ok(StoreAnswer::Granted { serial })
    }

    async fn used_by(&mut self, serial: u64) -> Result<Option<TicketRow>, sqlx::Error> {
        let used: Option<TicketRow> =
            sqlx::query_as("SELECT serial, node, redeemed_at, mark FROM tickets WHERE serial = $1")
                .bind(serial.cast_signed())
                .fetch_optional(self.look())
                .await?;
        used.map(Row::sound).transpose()
    }
}
