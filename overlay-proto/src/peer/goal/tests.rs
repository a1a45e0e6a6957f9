//! What a log-in promises to the command that waits for it.

use crate::config::Config;
use crate::io::{Command, Reply};
use crate::testing::{Net, Realm, user_name};
use crate::time::Span;

#[test]
fn who_has_logged_in_again_is_found_at_once_from_everywhere() {
    let mut realm = Realm::new(Config::default());
    let mut net = Net::new();
    net.start_supernodes(&mut realm, 0..3);
    net.run(Span::secs(5));
    let users = net.log_in(&mut realm, 0..6);
    // The supernodes are old enough to say of somebody who is not there that he is off line.
    net.run(Span::secs(300));
    let (bob, others) = (users[0], &users[1..]);
    for other in others {
        assert_eq!(net.ask(bob, Command::Logout), Reply::Done);
        net.run(Span::secs(1));
        assert!(matches!(net.ask(bob, Command::Login), Reply::LoggedIn { .. }));
        let met = net.ask(*other, Command::Meet { to: user_name(0), node: None });
        assert_eq!(met, Reply::Met { node: bob, name: user_name(0) });
    }
}

#[test]
fn a_session_is_told_of_also_if_nobody_answers_where_we_are() {
    const LOOKUP: u8 = 18;
    let mut realm = Realm::new(Config::default());
    let mut net = Net::new();
    let home = net.start_supernodes(&mut realm, 0..1)[0];
    net.losing = Some(LOOKUP);
    let user = net.add(realm.user(0));
    let reply = net.ask(user, Command::Login);
    assert!(matches!(reply, Reply::LoggedIn { home: at, .. } if at == home), "{reply:?}");
}
