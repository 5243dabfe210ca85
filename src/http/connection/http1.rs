//! HTTP/1.1 by actix, on a [`Stream`].

use crate::http::connection::answering::answer;
use crate::http::connection::expect;
use crate::http::connection::stream::Stream;
use crate::http::connection::timeouts::{HEAD_TIME, LINGER};
use actix_http::body::BoxBody;
use actix_http::{HttpService, Request};
use actix_server::GracefulShutdownSignal;
use actix_service::{Service, ServiceFactory, fn_service};
use actix_web::Error;
use actix_web::dev::ServiceResponse;
use std::net::SocketAddr;
use std::rc::Rc;

/// Serves one connection of HTTP/1.1.
pub(super) async fn http1<A>(
    app: &Rc<A>,
    stop: GracefulShutdownSignal,
) -> Result<
    impl Service<(Stream, Option<SocketAddr>), Response = (), Error: std::fmt::Debug> + use<A>,
    (),
>
where
    A: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
{
    let (begins, answers) = (Rc::clone(app), Rc::clone(app));
    HttpService::build()
        .client_request_timeout(HEAD_TIME)
        .client_disconnect_timeout(LINGER)
        // [`ConnectionState`] ends idle connections: it knows of requests that took the fast path.
        .keep_alive(actix_http::KeepAlive::Os)
        .graceful_shutdown_signal(move || {
            let stop = stop.clone();
            async move { stop.notified().await }
        })
        .on_connect_ext(|stream: &Stream, data| {
            data.insert(Rc::clone(stream.state()));
        })
        .expect(fn_service(move |request: Request| {
            let app = Rc::clone(&begins);
            expect::begin(move |request| answer(&app, None, request), request)
        }))
        .h1(fn_service(move |request: Request| {
            expect::resume(&request).unwrap_or_else(|| answer(&answers, None, request))
        }))
        .new_service(())
        .await
}
