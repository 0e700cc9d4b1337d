//! The API's own questions, asked of a registry on a bucket.

use super::bucket::Bucket;
use crate::api::{self, fixture::on_storage};

macro_rules! rows {
    ($($subject:ident { $($row:ident),+ $(,)? })+) => {
        $(mod $subject {
            $(#[test]
            #[ignore = "needs weed: run cargo xtask test"]
            fn $row() {
                super::on_storage(super::storage, super::api::$subject::$row);
            })+
        })+
    };
}

fn storage() -> serde_json::Value {
    Bucket::new().storage()
}

rows! {
    blobs {
        get_and_head_say_the_same_of_a_blob,
        one_range_is_answered_as_it_is,
        several_ranges_come_as_parts,
        what_the_client_has_is_not_sent_again,
        a_blob_without_bytes_is_a_blob,
        a_deleted_blob_is_gone_from_its_repository_only,
    }
    lists {
        tags_are_sorted_and_complete,
        last_is_a_place_in_the_order_and_need_not_exist,
        repositories_are_sorted_by_component_and_complete,
        the_catalog_goes_on_after_a_name_that_does_not_exist,
        a_catalog_without_repositories_is_an_empty_list,
        an_upload_alone_is_no_repository,
    }
    manifests {
        every_type_is_served_as_it_was_pushed,
        a_content_type_may_have_parameters_or_be_left_to_the_document,
        an_oci_manifest_need_not_name_its_type,
        a_subject_need_not_be_there,
        an_index_without_children_is_an_index,
        the_largest_manifest_is_accepted,
        what_the_client_has_is_not_sent_again,
        a_manifest_pushed_by_digest_has_no_tag,
        a_deleted_manifest_takes_its_tags_and_no_others,
        a_child_of_an_index_may_be_deleted,
    }
    uploads {
        post_and_put_make_a_blob,
        one_post_makes_a_blob,
        a_stream_of_chunks_without_ranges_makes_a_blob,
        chunks_with_ranges_make_a_blob_and_the_put_brings_the_last,
        a_put_without_ranges_may_bring_the_last_bytes,
        an_upload_tells_how_far_it_is_with_and_without_its_state,
        after_a_refused_chunk_the_client_goes_on_where_it_is_told,
        an_empty_chunk_changes_nothing,
        an_upload_that_was_given_up_is_gone,
        a_blob_that_is_there_already_is_pushed_again_without_harm,
        a_wrong_digest_leaves_the_session_and_the_right_one_ends_it,
        a_blob_of_another_repository_is_mounted,
        what_the_other_repository_does_not_have_is_uploaded,
        a_mount_without_from_finds_the_blob,
        a_large_blob_arrives_as_it_is,
    }
}
