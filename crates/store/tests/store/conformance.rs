//! What every engine must do. Each check gets an empty store.

mod history;
mod transactions;
mod watches;

/// One test a check for each engine.
macro_rules! suite {
    ($($module:ident: $($check:ident)*;)*) => {
        suite!(@engine memory: $($module: $($check)*;)*);
        suite!(@engine embedded: $($module: $($check)*;)*);
    };
    (@engine $engine:ident: $($module:ident: $($check:ident)*;)*) => {
        mod $engine {
            $(mod $module {
                $(#[tokio::test]
                async fn $check() {
                    super::super::$module::$check(crate::engines::$engine()).await;
                })*
            })*
        }
    };
}

suite! {
    transactions: an_empty_store_is_at_zero entries_carry_their_history guards_decide_and_report
        a_transaction_is_one_revision what_changes_nothing_makes_no_revision bad_transactions_are_refused
        large_transactions_and_values racing_increments_lose_nothing;
    history: lists_are_ordered_and_prefixed lists_are_cut_and_continued pages_show_one_snapshot
        older_revisions_can_be_listed the_future_is_refused compaction_forgets_only_the_past;
    watches: history_is_replayed changes_are_live a_transaction_comes_together only_the_prefix_is_seen
        what_is_delivered_is_readable a_long_replay_has_no_gap a_slow_watch_loses_nothing
        a_slow_watch_learns_of_compaction a_running_watch_survives_compaction an_abandoned_wait_loses_nothing
        racing_writers_are_seen_in_order progress_is_known_without_changes closing_ends_the_watch;
}
