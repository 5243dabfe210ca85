//! The user of a token. Plane contract, section 3.12: clients use it to test a token.
use crate::assets::Pointer;
use crate::assets::static_url;
use crate::http::plane::answer::answer;
use crate::http::plane::dto::Me;
use crate::http::plane::error::PlaneError;
use crate::http::plane::request::plane_request::PlaneRequest;
use actix_web::HttpResponse;

pub(in crate::http) async fn me(request: &PlaneRequest<'_>) -> Result<HttpResponse, PlaneError> {
    let state = request.state;
    let user = state.auth.user(request.user_id()).await?;
    let user = user.ok_or(PlaneError::InvalidToken)?;
    let pointer = Pointer::user_avatar(user.id);
    let avatar = state.assets.current(pointer).await?;
    Ok(answer(&Me {
        id: user.id,
        first_name: "",
        last_name: "",
        email: user.email,
        avatar: "",
        avatar_url: avatar.map(static_url),
        display_name: user.display_name,
    }))
}
