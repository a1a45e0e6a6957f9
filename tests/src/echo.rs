//! A server that says back what it hears.

use std::net::TcpListener;

/// Starts one; its address. It ends with the process.
///
/// # Panics
/// If the system gives no port.
pub fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let Ok(mut to) = connection.try_clone() else { continue };
            std::thread::spawn(move || std::io::copy(&mut &connection, &mut to));
        }
    });
    address
}
