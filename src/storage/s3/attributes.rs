//! What is said of every object that is written: who may read it, how it is encrypted, in which class it is kept.

use aws_sdk_s3::{
    operation::{
        copy_object::builders::CopyObjectFluentBuilder,
        create_multipart_upload::builders::CreateMultipartUploadFluentBuilder,
        put_object::builders::PutObjectFluentBuilder,
    },
    types::{ObjectCannedAcl, ServerSideEncryption, StorageClass},
};

/// As Distribution writes all of them.
const OCTETS: &str = "application/octet-stream";

/// What is said of every object that is written.
#[derive(Clone, Debug)]
pub(super) struct Attributes {
    /// None where the bucket's owner owns everything, so that no list is taken.
    pub(super) acl: Option<ObjectCannedAcl>,
    pub(super) class: Option<StorageClass>,
    pub(super) encryption: Option<ServerSideEncryption>,
    pub(super) key_id: Option<String>,
}

macro_rules! said_of {
    ($attributes:expr, $request:expr) => {{
        let Attributes { acl, class, encryption, key_id } = $attributes;
        $request
            .content_type(OCTETS)
            .set_acl(acl.clone())
            .set_storage_class(class.clone())
            .set_server_side_encryption(encryption.clone())
            .set_ssekms_key_id(key_id.clone())
    }};
}

impl Attributes {
    pub(super) fn of_put(&self, request: PutObjectFluentBuilder) -> PutObjectFluentBuilder {
        said_of!(self, request)
    }

    pub(super) fn of_multipart(
        &self,
        request: CreateMultipartUploadFluentBuilder,
    ) -> CreateMultipartUploadFluentBuilder {
        said_of!(self, request)
    }

    pub(super) fn of_copy(&self, request: CopyObjectFluentBuilder) -> CopyObjectFluentBuilder {
        said_of!(self, request)
    }
}
