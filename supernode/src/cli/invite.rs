//! `supernode invite`: whether the supernode runs or not.

use super::args::InviteArgs;
use super::invitation::{Wish, addresses_at, make};
use crate::api::Invited;
use overlay_node::api::{Client, ClientError};
use overlay_node::cli::{Failure, Output};
use overlay_node::data::Folder;
use overlay_node::driver;
use overlay_proto::identity::Contact;

pub(super) async fn invite(folder: &Folder, args: InviteArgs, out: &Output) -> Result<(), Failure> {
    let wish = Wish { supernode: args.supernode, code: args.code };
    let client = Client::new(folder.socket());
    let invited: Invited = match client.post("/v1/invitations", &wish).await {
        Ok(invited) => invited,
        Err(ClientError::NotRunning { .. }) => {
            let identity = folder.load(driver::wall())?.identity;
            let addresses = addresses_at(args.place.listen, &args.place.announce)?;
            let contacts = vec![Contact { node: identity.node(), addresses }];
            let code = wish.code.or(args.registration.registration_code);
            let invitation = make(&identity, contacts, Wish { code, supernode: wish.supernode })?;
            Invited { invitation }
        }
        Err(error) => return Err(error.into()),
    };
    // Alone on its line, so that it can be used in a command: peer join $(supernode invite) ...
    out.show(&invited, || invited.invitation.clone());
    Ok(())
}
