/** The thread of one base backup's check: hashes what it is given, in order, and says the verdict at the end. */
import { serveJobs } from '../../seal/thread-messages.ts';
import type { StepOutcome } from '../../seal/thread-messages.ts';
import { ClusterCheck } from './check.ts';

/** The next bytes of the tar, or that it has ended. */
export type CheckRequest = { readonly bytes: Uint8Array } | { readonly segmentBytes: number };

const check = new ClusterCheck();

function request(_job: number, body: unknown): StepOutcome {
  const asked = body as CheckRequest;
  if ('segmentBytes' in asked) return { type: 'done', body: check.verdict(asked.segmentBytes), transfer: [] };
  check.push(asked.bytes);
  return { type: 'done', body: undefined, transfer: [] };
}

serveJobs({
  request,
  answer: () => {
    throw new Error('nothing was asked');
  },
  release: () => undefined,
});
