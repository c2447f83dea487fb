/** What a step that is tried again and again fails with: its operation looks as if it went on. */
import type { temporal } from '@temporalio/proto';

/** A connection that hiccups is no news. */
const TRIES_UNTOLD = 2;
const LIMIT = 300;

/** In words; undefined while nothing has failed so often. */
export function stepTrouble(
  pending: readonly temporal.api.workflow.v1.IPendingActivityInfo[] | null | undefined,
): string | undefined {
  for (const { attempt, lastFailure } of pending ?? []) {
    const failed = (attempt ?? 1) - 1;
    const message = lastFailure?.message;
    if (failed >= TRIES_UNTOLD && message !== undefined && message !== null) {
      return `failed ${failed} times and is tried again: ${message.slice(0, LIMIT)}`;
    }
  }
  return undefined;
}
