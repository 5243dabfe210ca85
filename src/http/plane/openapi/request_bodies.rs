//! The request bodies: the fields of each, with an example.
use crate::assets::EntityType;
use crate::assets::content::{ATTACHMENT_TYPES, IMAGE_TYPES};
use crate::http::plane::openapi::examples;
use serde_json::{Map, Value, json};

/// The body of a request: JSON, or a form with the same fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum RequestBody {
    UserAsset,
    WorkspaceAsset,
    PublishedAsset,
    AssetV1,
    AttachmentV1,
    AttachmentV2,
    Attributes,
    IsUploaded,
    Duplicate,
    AssetIds,
}
impl RequestBody {
    pub(in crate::http) const ALL: [Self; 10] = [
        Self::UserAsset,
        Self::WorkspaceAsset,
        Self::PublishedAsset,
        Self::AssetV1,
        Self::AttachmentV1,
        Self::AttachmentV2,
        Self::Attributes,
        Self::IsUploaded,
        Self::Duplicate,
        Self::AssetIds,
    ];

    /// Its name among the schemas.
    pub(in crate::http) fn name(self) -> &'static str {
        match self {
            Self::UserAsset => "UserAssetRequest",
            Self::WorkspaceAsset => "WorkspaceAssetRequest",
            Self::PublishedAsset => "PublishedAssetRequest",
            Self::AssetV1 => "AssetRequest",
            Self::AttachmentV1 => "WorkItemAttachmentRequest",
            Self::AttachmentV2 => "IssueAttachmentRequest",
            Self::Attributes => "AttributesRequest",
            Self::IsUploaded => "IsUploadedRequest",
            Self::Duplicate => "DuplicateRequest",
            Self::AssetIds => "AssetIdsRequest",
        }
    }

    /// Whether a request without a body is refused.
    pub(in crate::http) fn is_required(self) -> bool {
        self.fields().iter().any(|field| field.required)
    }

    /// The names of the fields whose values are of this kind.
    pub(in crate::http) fn fields_of_kind(self, kind: ValueKind) -> Vec<&'static str> {
        let fields = self.fields().into_iter();
        fields
            .filter(|field| field.kind == kind)
            .map(|field| field.name)
            .collect()
    }

    pub(in crate::http) fn schema(self) -> Value {
        let fields = self.fields();
        let required: Vec<_> = fields.iter().filter(|field| field.required).collect();
        let required: Vec<_> = required.iter().map(|field| field.name).collect();
        let example: Map<_, _> = fields
            .iter()
            .filter(|field| !field.example.is_null())
            .map(|field| (field.name.to_owned(), field.example.clone()))
            .collect();
        let properties: Map<_, _> = fields
            .into_iter()
            .map(|field| (field.name.to_owned(), field.schema))
            .collect();
        let mut schema = json!({"type": "object", "properties": properties, "examples": [example]});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    fn fields(self) -> Vec<Field> {
        let user_types = [EntityType::UserAvatar, EntityType::UserCover];
        let published = [EntityType::IssueDescription, EntityType::CommentDescription];
        match self {
            Self::UserAsset => vec![
                name(),
                size(),
                image_type(),
                entity_type(&user_types, EntityType::UserAvatar).required(),
            ],
            Self::WorkspaceAsset => vec![
                name(),
                size(),
                image_type(),
                entity_type(&EntityType::ALL, EntityType::IssueDescription).required(),
                id(
                    "entity_identifier",
                    "What the asset is for: a project, work item, comment, page or draft by its type. The user or workspace of a picture of theirs may be left out.",
                ),
            ],
            Self::PublishedAsset => vec![
                name(),
                size(),
                image_type(),
                entity_type(&published, EntityType::CommentDescription).required(),
                id("entity_identifier", "The comment."),
            ],
            Self::AssetV1 => vec![
                file_name().required(),
                file_size(),
                attachment_type().required(),
                id("project_id", "The project."),
                external("external_id", examples::EXTERNAL_ID),
                external("external_source", examples::EXTERNAL_SOURCE),
            ],
            Self::AttachmentV1 => vec![
                file_name().required(),
                file_size().required(),
                attachment_type().required(),
                external("external_id", examples::EXTERNAL_ID),
                external("external_source", examples::EXTERNAL_SOURCE),
            ],
            Self::AttachmentV2 => {
                vec![file_name(), file_size(), attachment_type().required()]
            }
            Self::Attributes => vec![Field::new(
                "attributes",
                &json!({"type": "object", "description": "Replaces the stored object whole; at most 16 KiB of JSON. Its `name` is the name of later downloads."}),
                json!({"name": "portrait.png", "type": examples::IMAGE_TYPE, "size": examples::IMAGE_SIZE}),
            )
            .of_kind(ValueKind::Attributes)],
            Self::IsUploaded => vec![Field::new(
                "is_uploaded",
                &json!({"type": "boolean", "description": "Checked and then ignored: an asset is uploaded when its bytes are stored."}),
                json!(true),
            )
            .of_kind(ValueKind::Boolean)],
            Self::Duplicate => vec![
                entity_type(&EntityType::ALL, EntityType::IssueDescription).required(),
                id("entity_id", "What the copy is for."),
                id("project_id", "The copy's project."),
            ],
            Self::AssetIds => vec![
                Field::new(
                    "asset_ids",
                    &json!({
                        "type": "array", "minItems": 1, "maxItems": 1000,
                        "items": {"type": "string", "format": "uuid"},
                        "description": "Ids that are not in the workspace are left out.",
                    }),
                    json!([examples::ASSET]),
                )
                .of_kind(ValueKind::Id)
                .required(),
            ],
        }
    }
}

/// The kind of a field's value, where one refusal stands for several fields of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum ValueKind {
    /// A UUID, or a list of them.
    Id,
    /// An external id or source.
    External,
    Attributes,
    Boolean,
    /// The field has a refusal of its own.
    OwnRefusal,
}

struct Field {
    name: &'static str,
    schema: Value,
    /// `null`: none.
    example: Value,
    required: bool,
    kind: ValueKind,
}
impl Field {
    fn new(name: &'static str, schema: &Value, example: Value) -> Self {
        Self {
            name,
            schema: schema.clone(),
            example,
            required: false,
            kind: ValueKind::OwnRefusal,
        }
    }
    fn of_kind(mut self, kind: ValueKind) -> Self {
        self.kind = kind;
        self
    }
    fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

fn name() -> Field {
    name_like(examples::IMAGE_NAME)
}
fn file_name() -> Field {
    name_like(examples::FILE_NAME)
}
fn name_like(example: &str) -> Field {
    let schema = json!({
        "type": "string",
        "description": "The file's name. Directories, control characters and surrounding white space are taken off; at most 255 bytes of UTF-8 are left.",
    });
    Field::new("name", &schema, json!(example))
}
fn size() -> Field {
    size_like(examples::IMAGE_SIZE)
}
fn file_size() -> Field {
    size_like(examples::FILE_SIZE)
}
fn size_like(example: u64) -> Field {
    let schema = json!({
        "type": "integer", "minimum": 1,
        "description": "The most bytes that the upload may have. `FILE_SIZE_LIMIT` counts where it is larger or left out.",
    });
    Field::new("size", &schema, json!(example))
}
fn image_type() -> Field {
    let schema = json!({"type": "string", "enum": IMAGE_TYPES, "default": "image/jpeg"});
    Field::new("type", &schema, json!(examples::IMAGE_TYPE))
}
fn attachment_type() -> Field {
    let schema = json!({"type": "string", "enum": ATTACHMENT_TYPES.as_slice()});
    Field::new("type", &schema, json!(examples::FILE_TYPE))
}
fn entity_type(accepted: &[EntityType], example: EntityType) -> Field {
    let accepted: Vec<_> = accepted.iter().map(|one| one.as_str()).collect();
    let schema = json!({"type": "string", "enum": accepted});
    Field::new("entity_type", &schema, json!(example.as_str()))
}
fn id(name: &'static str, description: &str) -> Field {
    let schema = json!({"type": ["string", "null"], "format": "uuid", "description": description});
    Field::new(name, &schema, Value::Null).of_kind(ValueKind::Id)
}
fn external(name: &'static str, example: &str) -> Field {
    let schema = json!({
        "type": ["string", "null"], "maxLength": 255,
        "description": "Where both are given, only one asset can have this pair of external id and source.",
    });
    Field::new(name, &schema, json!(example)).of_kind(ValueKind::External)
}
