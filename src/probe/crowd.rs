//! Many things at once, but not all: a thousand gateways are not to be dialled in the same instant.

use std::future::Future;

use tokio::task::JoinSet;

/// Does `work` for each of the items, at most `at_once` of them side by side in their order, and tells `done` of each
/// as it ends. Whoever stops waiting for it ends what runs.
pub async fn side_by_side<I, T, F>(
    at_once: usize,
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> F,
    mut done: impl FnMut(T),
) where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut items = items.into_iter();
    // Dropping the set ends what is in it.
    let mut running: JoinSet<T> = items.by_ref().take(at_once.max(1)).map(&work).collect();
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(result) => done(result),
            // Nothing cancels but the end of the runtime, which ends us too.
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
        if let Some(item) = items.next() {
            running.spawn(work(item));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };

    use tokio::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn everything_is_done_with_no_more_at_once_than_was_said_and_no_fewer() {
        // Nobody passes before four are there; a fifth would be counted.
        let (gate, inside, most) = (
            Arc::new(Barrier::new(4)),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
        );
        let work = |number: usize| {
            let (gate, inside, most) = (gate.clone(), inside.clone(), most.clone());
            async move {
                let now = inside.fetch_add(1, SeqCst) + 1;
                most.fetch_max(now, SeqCst);
                gate.wait().await;
                inside.fetch_sub(1, SeqCst);
                number
            }
        };
        let mut done = Vec::new();
        side_by_side(4, 0..40, work, |number| done.push(number)).await;
        done.sort_unstable();
        assert_eq!(done, (0..40).collect::<Vec<_>>());
        assert_eq!(most.load(SeqCst), 4);
    }

    #[tokio::test]
    async fn nothing_to_do_is_done_at_once_and_none_at_once_is_one() {
        side_by_side(8, [], |(): ()| async {}, |()| panic!("nothing was there")).await;
        let mut seen = 0;
        side_by_side(0, [1, 2], |n| async move { n }, |n| seen += n).await;
        assert_eq!(seen, 3);
    }
}
