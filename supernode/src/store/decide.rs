//! What each request of the core comes to, on the open ledger. An answer is a promise only after
//! the ledger's commit.

use super::ledger::Ledger;
use super::policy::Policy;
use super::rows::{NameRow, Row, TicketRow};
use overlay_proto::config::FURTHER_REGISTRARS_MAX;
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
            StoreRequest::FindSupernode { node } => self.find_supernode(*node).await,
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

    /// A ticket makes one certificate for one node, so its number serves for both; and one for one
    /// registrar's key, of which a node never has a second.
    async fn redeem(
        &mut self,
        serial: u64,
        node: NodeId,
        registrar: Option<Subject>,
    ) -> Result<StoreAnswer, sqlx::Error> {
        let registrar = registrar.map(|key| key.0.to_vec()).unwrap_or_default();
        let granted = StoreAnswer::Granted { serial };
        let used: Option<TicketRow> = sqlx::query_as(
            "SELECT serial, node, redeemed_at, registrar, mark FROM tickets WHERE serial = $1",
        )
        .bind(serial.cast_signed())
        .fetch_optional(self.look())
        .await?;
        match used.map(Row::sound).transpose()? {
            Some(row) if row.node == node.0 && row.registrar == registrar => return Ok(granted),
            Some(_) => return Ok(StoreAnswer::Taken),
            None => {}
        }
        let held = self.enrolled(node).await?.into_iter().map(|row| row.registrar);
        let held = held.filter(|key| !key.is_empty());
        if !registrar.is_empty() && held.into_iter().any(|key| key != registrar) {
            return Ok(StoreAnswer::Taken);
        }
        if !registrar.is_empty() && !self.has_room_for(&registrar).await? {
            return Ok(StoreAnswer::Full);
        }
        let (serial, node, redeemed_at) = (serial.cast_signed(), node.0.to_vec(), self.now());
        let row = TicketRow { serial, node, redeemed_at, registrar, mark: 0 };
        row.put(self.write()).await?;
        Ok(granted)
    }

    /// Whether there are few enough registrars for this one to be another, or it is one of them.
    async fn has_room_for(&mut self, registrar: &[u8]) -> Result<bool, sqlx::Error> {
        let (others,): (i64,) = sqlx::query_as(
            "SELECT count(DISTINCT registrar) FROM tickets
             WHERE registrar <> $1 AND registrar <> $2",
        )
        .bind(Vec::<u8>::new())
        .bind(registrar.to_vec())
        .fetch_one(self.look())
        .await?;
        Ok(usize::try_from(others).is_ok_and(|others| others < FURTHER_REGISTRARS_MAX))
    }

    /// The tickets that a node has used.
    async fn enrolled(&mut self, node: NodeId) -> Result<Vec<TicketRow>, sqlx::Error> {
        let rows: Vec<TicketRow> = sqlx::query_as(
            "SELECT serial, node, redeemed_at, registrar, mark FROM tickets WHERE node = $1",
        )
        .bind(node.0.to_vec())
        .fetch_all(self.look())
        .await?;
        rows.into_iter().map(Row::sound).collect()
    }

    async fn find_supernode(&mut self, node: NodeId) -> Result<StoreAnswer, sqlx::Error> {
        let rows = self.enrolled(node).await?;
        if rows.is_empty() {
            return Ok(StoreAnswer::Missing);
        }
        let key = rows.into_iter().find_map(|row| <[u8; 32]>::try_from(row.registrar).ok());
        Ok(StoreAnswer::Enrolled { registrar: key.map(Subject) })
    }
}
