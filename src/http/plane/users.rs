//! Who a token stands for. Plane contract, section 3.12: clients use it to test a token.
use super::asked::Asked;
use super::dto::Me;
use super::error::{PlaneError, answer};
use crate::assets::Pointer;
use crate::assets::static_url;
use actix_web::HttpResponse;

pub(super) async fn me(asked: &Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let state = asked.state;
    let user = state.auth.user(asked.user_id()).await?;
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
