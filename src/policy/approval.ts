/** Who may let a restore overwrite something: a person who has seen this very plan, in time. Pure. */
import type { FailureCode } from '../failures.ts';
import { whyNotThisOne, type FourEyes } from './four-eyes.ts';
import type { Approval, PlanAction } from '../workflows/contract.ts';

export type Judgement =
  { readonly ok: true } | { readonly ok: false; readonly code: FailureCode; readonly why: string };

/** A digest may be shortened to this many hex digits: 48 bits, far more than plans ever printed. */
const SHORT_DIGEST_LENGTH = 12;

/** What is printed for people. */
export function shortDigest(digest: string): string {
  return digest.slice(0, SHORT_DIGEST_LENGTH);
}

/** True when the plan stops or replaces something live; what only makes new things needs nobody's leave. */
export function needsApproval(actions: readonly Pick<PlanAction, 'action'>[]): boolean {
  return actions.some(({ action }) => action === 'stop' || action === 'swap');
}

/** Whether the digest, whole or shortened to at least 12 digits, is the plan's. */
export function namesDigest(given: string, digest: string): boolean {
  const text = given.trim().toLowerCase();
  return text.length >= SHORT_DIGEST_LENGTH && digest.startsWith(text);
}

/** The approval is judged against the plan as it is now; `deadlineMs` is when waiting ends. */
export function judgeApproval(
  approval: Approval,
  current: {
    readonly digest: string;
    readonly deadlineMs: number;
    readonly fourEyes?: FourEyes | undefined;
  },
  nowMs: number,
): Judgement {
  if (typeof approval.by !== 'string' || approval.by.trim() === '') {
    return { ok: false, code: 'BadInput', why: 'an approval needs a name: who approves?' };
  }
  if (typeof approval.digest !== 'string' || !/^\s*[0-9a-f]{12,64}\s*$/i.test(approval.digest)) {
    return { ok: false, code: 'BadInput', why: 'an approval names the digest of the plan: 12 to 64 hex digits' };
  }
  if (nowMs > current.deadlineMs) {
    return {
      ok: false,
      code: 'ApprovalExpired',
      why: `the approval came after ${new Date(current.deadlineMs).toISOString()}`,
    };
  }
  if (!namesDigest(approval.digest, current.digest)) {
    return {
      ok: false,
      code: 'PlanChanged',
      why: `the approval is for plan ${shortDigest(approval.digest.trim())}, this one is ${shortDigest(current.digest)}`,
    };
  }
  const same = whyNotThisOne(current.fourEyes, approval.by);
  return same === undefined ? { ok: true } : { ok: false, code: 'SecondPersonNeeded', why: same };
}
