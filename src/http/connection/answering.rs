//! Calls the application for a request, and counts the request as under way until the last byte of its response was
//! handed to the connection.

use crate::http::connection::holding_body::HoldingBody;
use crate::http::connection::state::{ConnectionState, RequestGuard};
use actix_http::body::BoxBody;
use actix_http::{ConnectionType, Request};
use actix_service::Service;
use actix_web::Error;
use actix_web::dev::ServiceResponse;
use futures_util::future::LocalBoxFuture;
use std::rc::Rc;

/// The future of a response.
pub(super) type ResponseFuture =
    LocalBoxFuture<'static, Result<ServiceResponse<TrackedBody>, Error>>;

/// Calls the application. The request is under way until the last byte of its response was handed to the connection.
pub(super) fn answer<A>(
    app: &Rc<A>,
    state: Option<&Rc<ConnectionState>>,
    request: Request,
) -> ResponseFuture
where
    A: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
{
    let guard = state
        .or_else(|| request.conn_data::<Rc<ConnectionState>>())
        .map(ConnectionState::begin_request);
    let asks_to_upgrade = request.head().connection_type() == ConnectionType::Upgrade;
    let answering = app.call(request);
    Box::pin(async move {
        let mut answer = answering.await?;
        if asks_to_upgrade {
            // actix closes the connection after such a response, and would claim an upgrade.
            let head = answer.response_mut().head_mut();
            head.set_connection_type(ConnectionType::Close);
        }
        Ok(answer.map_body(|_, body| HoldingBody::new(body, guard)))
    })
}

/// A response's body; dropping it ends its request.
pub(super) type TrackedBody = HoldingBody<Option<RequestGuard>>;
