//! `supernode invite`: whether the supernode runs or not.

use super::args::InviteArgs;
use super::invitation::{Permission, Wish, addresses_at, make, root};
use super::store::registry;
use crate::api::Invited;
use overlay_node::api::{Client, ClientError};
use overlay_node::cli::{Failure, Output};
use overlay_node::data::Folder;
use overlay_node::driver;
use overlay_proto::identity::Contact;

pub(super) async fn invite(folder: &Folder, args: InviteArgs, out: &Output) -> Result<(), Failure> {
    let InviteArgs { supernode, registrar, code, .. } = args.clone();
    let wish = Wish { supernode, registrar, code };
    let client = Client::new(folder.socket());
    let invited: Invited = match client.post("/v1/invitations", &wish).await {
        Ok(invited) => invited,
        Err(ClientError::NotRunning { .. }) => {
            let loaded = folder.load(driver::wall())?;
            let identity = &loaded.identity;
            let permission = match (registrar, supernode) {
                (true, _) => {
                    root(identity)?;
                    let registry = registry(folder, &loaded, &args.storage).await?;
                    Permission::Registrar { registry }
                }
                (false, true) => Permission::Supernode,
                (false, false) => {
                    Permission::User { code: wish.code.or(args.registration.registration_code) }
                }
            };
            let addresses = addresses_at(args.place.listen, &args.place.announce)?;
            let contacts = vec![Contact { node: identity.node(), addresses }];
            let invitation = make(identity, contacts, permission)?;
            Invited { invitation }
        }
        Err(error) => return Err(error.into()),
    };
    // Alone on its line, so that it can be used in a command: peer join $(supernode invite) ...
    out.show(&invited, || invited.invitation.clone());
    Ok(())
}
