//! Who a token stands for. Plane contract, section 3.12: clients use it to test a token.
use super::dto::Me;
use super::error::{PlaneError, json_answer};
use crate::assets::PointerKind;
use crate::assets::entity::static_url;
use crate::auth::Principal;
use crate::http::Rooms;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

pub(super) async fn me(rooms: &Rooms, who: &Principal) -> Result<HttpResponse, PlaneError> {
    let user = rooms.auth.user(who.user_id).await?;
    let user = user.ok_or(PlaneError::InvalidToken)?;
    let avatar = rooms
        .assets
        .current(PointerKind::UserAvatar, user.id)
        .await?;
    let me = Me {
        id: user.id,
        first_name: "",
        last_name: "",
        email: user.email,
        avatar: "",
        avatar_url: avatar.map(static_url),
        display_name: user.display_name,
    };
    let body = serde_json::to_string(&me).expect("texts and ids are JSON");
    Ok(json_answer(StatusCode::OK).body(body))
}
