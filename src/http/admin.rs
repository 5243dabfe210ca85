//! The administration listener. (Stub)
use crate::app::Rooms;
pub(crate) fn listen(
    _rooms: Rooms,
    _secret: secrecy::SecretString,
) -> std::io::Result<(std::net::SocketAddr, actix_web::dev::Server)> {
    let server = actix_web::HttpServer::new(actix_web::App::new)
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")?;
    let address = server.addrs()[0];
    Ok((address, server.run()))
}
